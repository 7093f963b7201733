"""What an export remembers: file names that carry time and number, and the folder in which each file was left.

A hidden file in the exported folder tells "the owner moved this" from "this has stayed where it was put", so that
untouched files never overrule an answer given meanwhile in another front end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from posture_daemon.domain import DatasetLayout
from posture_daemon.errors import DatasetError

MANIFEST = ".posture-daemon.json"
_NAME = re.compile(r"(\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d\.\d{3})Z_\d+\.jpg")
_TIME = "%Y-%m-%d_%H-%M-%S.%f"


def file_name(captured_at: float, frame_id: int) -> str:
    """Name a frame so that a file manager sorts by time (UTC), e.g. `2026-05-01_12-00-00.250Z_17.jpg`."""
    time = datetime.fromtimestamp(captured_at, timezone.utc)
    return f"{time.strftime(_TIME)[:-3]}Z_{frame_id}.jpg"


def time_in_name(name: str) -> float | None:
    """Read the capture time back, to the millisecond; `None` when `file_name` did not make this name."""
    match = _NAME.fullmatch(name)
    try:
        return None if match is None else datetime.strptime(match[1] + "+0000", _TIME + "%z").timestamp()
    except ValueError:
        return None


@dataclass(frozen=True)
class Manifest:
    """The layout of an export, and the folder, relative to it, in which each file was left, by file name."""

    layout: DatasetLayout
    folders: Mapping[str, str]

    def untouched(self, name: str, folder: str) -> bool:
        """True when a file still lies in this class folder, or in this one of another split."""
        return self.folders.get(name, "").rpartition("/")[2] == folder


def read_manifest(root: Path) -> Manifest | None:
    """What the last export left; `None` when there was no export."""
    path = root / MANIFEST
    if not path.exists():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        folders = {str(name): str(folder) for name, folder in data["folders"].items()}
        return Manifest(DatasetLayout(data.get("layout", DatasetLayout.ARTICLE.value)), folders)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"The file {path} is damaged; delete it to have every picture read as you sorted it."
        ) from error


def write_manifest(root: Path, manifest: Manifest) -> None:
    """Remember in which folder each file is left."""
    data = {"written_by": "posture-daemon", "layout": manifest.layout.value, "folders": dict(manifest.folders)}
    replace_file(root / MANIFEST, json.dumps(data, indent=1).encode())


def replace_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. Not fsynced: an export can be repeated, the database is what must last."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    partial.replace(path)
