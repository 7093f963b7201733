"""Manifest of an export: file names with time and frame id, and the folder into which each file was written.

A hidden file in the export tells files that the owner moved from untouched ones, so that the latter do not override an
answer given meanwhile in another front end.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from posture_daemon.domain import DatasetLayout
from posture_daemon.errors import DatasetError
from posture_daemon.labelling.class_names import key_of
from posture_daemon.store.json_files import read_json

MANIFEST = ".posture-daemon.json"
PARTIAL = ".partial"
"""Suffix of a file that is being written."""
_NAME = re.compile(r"(\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d\.\d{3})Z_\d+\.jpg")
_CAMERA_NAME = re.compile(r"(?<!\d)((?:19|20)\d{6})[-_T]?(\d{6})(?!\d)")
_TIME = "%Y-%m-%d_%H-%M-%S.%f"


def file_name(captured_at: float, frame_id: int) -> str:
    """Name a frame so that a file manager sorts by time (UTC), e.g. `2026-05-01_12-00-00.250Z_17.jpg`."""
    time = datetime.fromtimestamp(captured_at, timezone.utc)
    return f"{time.strftime(_TIME)[:-3]}Z_{frame_id}.jpg"


def time_in_name(name: str) -> float | None:
    """The capture time in a name, seconds since the epoch; `None` without one.

    That of a name that `file_name` made, to the millisecond, else a date and time of this computer's zone as cameras and
    phones write them, such as `IMG_20241008_200913.jpg`.
    """
    match, camera = _NAME.fullmatch(name), _CAMERA_NAME.search(name)
    try:
        if match is not None:
            return datetime.strptime(match[1] + "+0000", _TIME + "%z").timestamp()
        return None if camera is None else datetime.strptime("".join(camera.groups()), "%Y%m%d%H%M%S").timestamp()
    except (ValueError, OverflowError, OSError):
        return None


@dataclass(frozen=True)
class Manifest:
    """Layout of an export, and the folder of each file, relative to the export, by file name."""

    layout: DatasetLayout
    folders: Mapping[str, str]

    def untouched(self, name: str, folder: str) -> bool:
        """True when the file was exported to this class folder, in any split, however a disk writes its name."""
        return name in self.folders and key_of(self.folders[name].rpartition("/")[2]) == key_of(folder)


def read_manifest(root: Path) -> Manifest | None:
    """The manifest of the last export; `None` without one. Raises `DatasetError` when it is damaged."""
    path = root / MANIFEST
    try:
        data = read_json(path)
        folders = {str(name): str(folder) for name, folder in data["folders"].items()}
        return Manifest(DatasetLayout(data.get("layout", DatasetLayout.ARTICLE.value)), folders)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"The file {path} is damaged; delete it to have every picture read as you sorted it."
        ) from error


def write_manifest(root: Path, manifest: Manifest) -> None:
    """Write the manifest."""
    data = {"written_by": "posture-daemon", "layout": manifest.layout.value, "folders": dict(manifest.folders)}
    replace_file(root / MANIFEST, json.dumps(data, indent=1).encode())


def replace_file(path: Path, data: bytes) -> None:
    """Write a file atomically, without fsync: an export can be repeated."""
    partial = path.with_name(f".{path.name}{PARTIAL}")
    partial.unlink(missing_ok=True)  # whatever lies there: a link would be followed, a pipe waited for
    partial.write_bytes(data)
    partial.replace(path)
