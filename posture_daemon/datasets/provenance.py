"""`provenance.json` in an export: origin, label history, time block and split of each picture.

An import into another data folder restores capture times, time blocks and splits of the pictures and the roles of the classes
from it. A malformed file is ignored, and that is said; pictures and folders are imported all the same.
"""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from posture_daemon import __version__
from posture_daemon.datasets.manifest import replace_file
from posture_daemon.domain import DatasetLayout, ModelVersion, PostureClass, Role, Split
from posture_daemon.labelling.class_names import key_of
from posture_daemon.store.frame_origins import Origin
from posture_daemon.store.json_files import read_json

PROVENANCE = "provenance.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PictureOrigin:
    """Provenance of one picture: time block in the export, split, capture time in seconds since the epoch."""

    block: int
    split: Split | None
    captured_at: float


@dataclass(frozen=True)
class Provenance:
    """Provenance of pictures by file name, and roles of classes by `key_of` their names; both empty without an export."""

    pictures: Mapping[str, PictureOrigin] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)


def write_provenance(
    root: Path,
    layout: DatasetLayout,
    files: Mapping[str, Origin],
    classes: Sequence[PostureClass],
    versions: Sequence[ModelVersion],
) -> None:
    """Write the provenance of these files, named by their path below `root`."""
    asked = {origin.version_id for origin in files.values()}
    data = {
        "written_by": f"posture-daemon {__version__}",
        "layout": layout.value,
        "classes": [{"name": c.name, "role": c.role.value} for c in classes],
        "models": {v.id: _model(v) for v in versions if v.id in asked},
        "pictures": {path: _picture(origin) for path, origin in files.items()},
    }
    replace_file(root / PROVENANCE, json.dumps(data, indent=1, ensure_ascii=False).encode())


def read_provenance(root: Path) -> Provenance:
    """Read the provenance of an export; empty when the file is missing or malformed, of which the latter is logged."""
    try:
        data = read_json(root / PROVENANCE)
        pictures = {Path(path).name: _known(said) for path, said in data["pictures"].items()}
        roles = {key_of(str(c["name"])): Role(c["role"]) for c in data["classes"]}
    except FileNotFoundError:
        return Provenance()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        log.warning(
            "%s cannot be read, so times and splits of the pictures and the roles of the classes are not taken from it",
            root / PROVENANCE,
        )
        return Provenance()
    return Provenance({name: known for name, known in pictures.items() if math.isfinite(known.captured_at)}, roles)


def _known(said: Mapping[str, Any]) -> PictureOrigin:
    split = said["split"]
    return PictureOrigin(
        int(said["block"]),
        None if split is None else Split(split),
        datetime.fromisoformat(said["captured_at"]).timestamp(),
    )


def _picture(origin: Origin) -> dict[str, str | int | float | None]:
    return {
        "sha256": origin.sha256,
        "captured_at": _utc(origin.captured_at),
        "block": origin.block_id,
        "split": None if origin.split is None else origin.split.value,
        "class": origin.class_name,
        "labelled_by": origin.labelled_by,
        "labelled_at": _utc(origin.labelled_at),
        "kept_after_review_at": _utc(origin.kept_at),
        "source": origin.source,
        "reason": origin.reason,
        "explanation": origin.explanation,
        "model": origin.version_id,
        "its_guess": origin.predicted,
        "its_confidence": origin.confidence,
    }


def _model(version: ModelVersion) -> dict[str, str | None]:
    return {"source": version.source, "created_at": _utc(version.created_at), "head_sha256": version.head_sha256}


def _utc(time: float | None) -> str | None:
    """ISO 8601 to the microsecond."""
    return None if time is None else datetime.fromtimestamp(time, timezone.utc).isoformat()
