"""The store → a folder that a person can sort in any file manager and give back to `import_folder`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from posture_daemon.datasets.manifest import file_name, read_manifest, replace_file, write_manifest
from posture_daemon.domain import QueuedFrame, Status
from posture_daemon.errors import DatasetError
from posture_daemon.labelling import DISCARDED, UNCATEGORIZED, Labelling
from posture_daemon.settings import Settings
from posture_daemon.store import Store


@dataclass(frozen=True)
class ExportReport:
    """What an export did, in numbers of pictures. `removed` are its own files that lay where they no longer belong."""

    path: Path
    uncategorized: int
    labelled: int
    removed: int

    def sentences(self) -> list[str]:
        """Say it in words, with what to do next."""
        moved = (
            f"; {self.removed} that were answered since the last export left their old place" if self.removed else ""
        )
        return [
            f"{self.path} holds {self.uncategorized} waiting and {self.labelled} labelled pictures{moved}.",
            f"Move pictures from {UNCATEGORIZED}/ into the folder of their class or into {DISCARDED}/, make folders for new "
            f"classes as you like, then run: posture-daemon label --import {self.path}",
        ]


@dataclass(frozen=True)
class _Place:
    """Where a frame's file belongs."""

    frame_id: int
    folder: str


def export_folder(store: Store, settings: Settings, path: Path, now: float) -> ExportReport:
    """Write waiting frames to `uncategorized/` and labelled ones to a folder per class, byte for byte as stored.

    The folder must be new, empty, or an earlier export; there, files that are not ours are never touched. Raises
    `DatasetError`, before anything is written, when it is not, or when it holds sorting that was not imported yet.
    """
    left_in = _earlier_export(path)
    classes = [c.name for c in Labelling(store, settings.labels, lambda: now).classes()]
    _check_folder_names(classes)
    places = {file_name(frame.captured_at, frame.id): _Place(frame.id, folder) for frame, folder in _frames(store)}
    stale = _stale_files(store, path, left_in, places)
    try:
        path.mkdir(parents=True, exist_ok=True)
        # Before the pictures: after a crash the folder is still known as ours and can be exported to again.
        write_manifest(path, {**left_in, **{name: place.folder for name, place in places.items()}})
        _write_files(store, path, [UNCATEGORIZED, DISCARDED, *classes], places)
        for file in stale:
            file.unlink()
    except OSError as error:
        raise DatasetError(f"The folder {path} cannot be written ({error.strerror}).") from error
    waiting = sum(1 for place in places.values() if place.folder == UNCATEGORIZED)
    return ExportReport(path, waiting, len(places) - waiting, len(stale))


def _frames(store: Store) -> Iterator[tuple[QueuedFrame, str]]:
    """Each frame with the folder it belongs to."""
    for frame in store.queue.waiting():
        yield frame, UNCATEGORIZED
    for labelled in store.labels.labelled():
        yield store.queue.get(labelled.frame_id), labelled.class_name


def _earlier_export(path: Path) -> dict[str, str]:
    """Return where an earlier export left its files; empty for a new or empty folder."""
    if path.exists() and not path.is_dir():
        raise DatasetError(f"{path} is a file; give a folder to export to.")
    left_in = read_manifest(path)
    if left_in is None and path.is_dir() and any(path.iterdir()):
        raise DatasetError(
            f"The folder {path} is not empty and is not an earlier export; nothing was written, choose an empty folder."
        )
    return left_in or {}


def _check_folder_names(classes: Iterable[str]) -> None:
    """Classes of an imported model may be called anything."""
    for name in classes:
        if name.startswith(".") or "/" in name:
            raise DatasetError(f"The class '{name}' cannot be exported because no folder can have this name.")


def _stale_files(store: Store, path: Path, left_in: Mapping[str, str], places: Mapping[str, _Place]) -> list[Path]:
    """Files of an earlier export whose frame was answered since; refuse when the owner's sorting would be lost."""
    stale, unread = [], 0
    for file in sorted(path.glob("*/**/*.jpg")):
        folder = file.relative_to(path).parts[0]
        if file.name not in left_in or _lies_right(store, file, folder, places):
            continue
        if folder == left_in[file.name]:
            stale.append(file)
        else:
            unread += 1
    if unread:
        raise DatasetError(
            f"The folder {path} holds {unread} pictures that were sorted by hand and not imported yet; nothing was "
            f"written, run posture-daemon label --import {path} first."
        )
    return stale


def _lies_right(store: Store, file: Path, folder: str, places: Mapping[str, _Place]) -> bool:
    """True when the file is where its frame belongs, or is not one of this store's pictures at all."""
    place = places.get(file.name)
    if place is not None and place.folder == folder:
        return True
    frame = store.queue.find(file.read_bytes())
    return frame is None or (frame.status is Status.DISCARDED and folder == DISCARDED)


def _write_files(store: Store, path: Path, folders: Iterable[str], places: Mapping[str, _Place]) -> None:
    for folder in folders:
        (path / folder).mkdir(exist_ok=True)
    for name, place in places.items():
        file, jpeg = path / place.folder / name, store.queue.jpeg(place.frame_id)
        if not file.exists() or file.read_bytes() != jpeg:
            replace_file(file, jpeg)
