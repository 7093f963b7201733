"""Export to a folder to sort in a file manager, or to train on with ultralytics; `import_folder` reads both."""

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from posture_daemon.datasets.manifest import (
    MANIFEST,
    PARTIAL,
    Manifest,
    file_name,
    read_manifest,
    replace_file,
    write_manifest,
)
from posture_daemon.datasets.provenance import PROVENANCE, write_provenance
from posture_daemon.domain import DatasetLayout, Split, Status
from posture_daemon.errors import DatasetError
from posture_daemon.labelling.class_names import DISCARDED, UNCATEGORIZED, find, folder_flaw_of, key_of, shown
from posture_daemon.labelling.session import Labelling
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.frame_origins import Origin

TREES = {Split.TRAIN: "train", Split.HOLDOUT: "val", Split.TEST: "test"}
"""Names of the splits in ultralytics' layout."""


@dataclass(frozen=True)
class ExportReport:
    """Result of an export, in numbers of pictures. `removed` are own files of an earlier export that were out of place.

    `not_held_out` are classes without pictures in `val/`, in the layout of ultralytics.
    """

    path: Path
    layout: DatasetLayout
    uncategorized: int
    labelled: int
    removed: int
    not_held_out: tuple[str, ...] = ()

    def sentences(self) -> list[str]:
        """The result in words, with the next step."""
        moved = (
            f"; {self.removed} that were answered since the last export left their old place" if self.removed else ""
        )
        if self.layout is DatasetLayout.ULTRALYTICS:
            missing = ", ".join(self.not_held_out)
            return [
                f"{self.path} holds {self.labelled} labelled pictures in train/, val/ and test/{moved}.",
                *([f"val/ has no pictures of {missing} yet; ultralytics will say so and go on."] if missing else []),
                f"Train on it with: yolo classify train data={shlex.quote(str(self.path))} model=yolo11n-cls.pt",
            ]
        return [
            f"{self.path} holds {self.uncategorized} waiting and {self.labelled} labelled pictures{moved}.",
            f"Move pictures from {UNCATEGORIZED}/ into the folder of their class or into {DISCARDED}/, make folders for new "
            f"classes as you like, then run: posture-daemon label --import {shlex.quote(str(self.path))}",
        ]


@dataclass(frozen=True)
class _Place:
    """Where a frame's file belongs: a folder relative to the export, with `/` between its parts."""

    origin: Origin
    folder: str


def export_folder(
    store: Store, settings: Settings, path: Path, now: float, layout: DatasetLayout = DatasetLayout.ARTICLE
) -> ExportReport:
    """Write the stored JPEGs unchanged, and a provenance file.

    In the article's layout queued frames go to `uncategorized/` and labelled ones to a folder per class; ultralytics' has only
    labelled ones. The folder must be new, empty, or an earlier export of this layout, in which foreign files are not touched.
    Raises `DatasetError` before anything is written if it is not, or if it holds sorted pictures that were not imported.
    """
    left_in = _earlier_export(path, layout)
    classes = Labelling(store, settings.labels, lambda: now).classes()
    _check_folder_names(c.name for c in classes)
    places = _places(store, layout, path)
    stale = _stale_files(store, path, left_in, places)
    folders = _folders(layout, [_on_disk(path, c.name) for c in classes], places.values())
    _refuse_in_the_way(path, folders, [f"{place.folder}/{name}" for name, place in places.items()])
    try:
        path.mkdir(parents=True, exist_ok=True)
        # Written before the pictures, so that after a crash the folder is still recognised as an export.
        left = {**left_in, **{name: place.folder for name, place in places.items()}}
        write_manifest(path, Manifest(layout, left))
        _write_files(store, path, folders, places)
        for file in stale:
            file.unlink()
        told = {f"{place.folder}/{name}": place.origin for name, place in places.items()}
        write_provenance(path, layout, told, classes, store.models.all())
    except OSError as error:
        raise DatasetError(
            f"{_named(error, path)} cannot be written ({error.strerror}); mend that, or choose another folder. What is in "
            f"{path} by now is a part of the export, which the same command completes."
        ) from error
    return _report(path, layout, places.values(), len(stale))


def _report(path: Path, layout: DatasetLayout, places: Iterable[_Place], removed: int) -> ExportReport:
    labelled = [place.origin for place in places if place.origin.class_name is not None]
    waiting = sum(place.folder == UNCATEGORIZED for place in places)
    held_out = {origin.class_name for origin in labelled if origin.split is Split.HOLDOUT}
    missing = tuple(dict.fromkeys(str(o.class_name) for o in labelled if o.class_name not in held_out))
    by_split = layout is DatasetLayout.ULTRALYTICS
    return ExportReport(path, layout, waiting, len(labelled), removed, missing if by_split else ())


def _places(store: Store, layout: DatasetLayout, path: Path) -> dict[str, _Place]:
    """Place of each exported frame, by file name; a folder that is there keeps its name."""
    on_disk = lru_cache(partial(_on_disk, path))
    found = {}
    for origin in store.origins.all():
        name = file_name(origin.captured_at, origin.frame_id)
        if layout is DatasetLayout.ARTICLE:
            found[name] = _Place(origin, on_disk(origin.class_name or UNCATEGORIZED))
        elif origin.class_name is not None and origin.split is not None:
            found[name] = _Place(origin, on_disk(f"{TREES[origin.split]}/{origin.class_name}"))
    return found


def _folders(layout: DatasetLayout, classes: Sequence[str], places: Iterable[_Place]) -> list[str]:
    """All folders to create. Ultralytics numbers classes by the folders of a split, so each split has all of them."""
    if layout is DatasetLayout.ARTICLE:
        return [UNCATEGORIZED, DISCARDED, *classes]
    used = {place.folder for place in places}
    names = sorted({folder.partition("/")[2] for folder in used})
    trees = [tree for tree in TREES.values() if tree != "test" or any(folder.startswith("test/") for folder in used)]
    return [f"{tree}/{name}" for tree in trees for name in names]


def _earlier_export(path: Path, layout: DatasetLayout) -> Mapping[str, str]:
    """Return the folder of each file of an earlier export; empty for a new or empty folder."""
    there = next(one for one in (path, *path.parents) if os.path.lexists(one))
    if not there.is_dir():
        raise DatasetError(f"{there} is {_called(there)}; nothing was written, give a folder to export to.")
    left = read_manifest(path)
    if left is None and path.is_dir() and any(path.iterdir()):
        raise DatasetError(
            f"The folder {path} is not empty and is not an earlier export; nothing was written, choose an empty folder."
        )
    if left is not None and left.layout is not layout:
        raise DatasetError(
            f"The folder {path} holds an export in the layout of {left.layout.value}; nothing was written, choose another."
        )
    return {} if left is None else left.folders


def _refuse_in_the_way(path: Path, folders: Iterable[str], files: Iterable[str]) -> None:
    """Raise `DatasetError`, before anything is written, for what lies where a folder or a file of the export belongs."""
    for place in (path / folder for folder in folders):
        for one in (place.parent, place):
            if os.path.lexists(one) and not one.is_dir():
                raise DatasetError(
                    f"{one} is {_called(one)}, where a folder of the export belongs; nothing was written. Move it away, or "
                    "choose another folder."
                )
    for file in (path / name for name in (MANIFEST, PROVENANCE, *files)):
        if file.is_dir():
            raise DatasetError(
                f"{file} is a folder, where a file of the export belongs; nothing was written. Move it away, or choose "
                "another folder."
            )


def _called(path: Path) -> str:
    """What something that is no folder is."""
    return "a file" if path.is_file() else "no folder" if path.exists() else "a link that leads to nothing"


def _named(error: OSError, path: Path) -> str:
    """The place that an error is about, by the name that it was to have."""
    place = Path(os.fsdecode(error.filename)) if error.filename else path
    return str(
        place.with_name(place.name.removeprefix(".").removesuffix(PARTIAL)) if place.suffix == PARTIAL else place
    )


def _check_folder_names(classes: Iterable[str]) -> None:
    """Raise `DatasetError` for a class name, such as of an imported model, that cannot be a folder name."""
    for name in classes:
        if flaw := folder_flaw_of(name):
            raise DatasetError(
                f"The class {shown(name)} cannot be exported, because its name {flaw}; give it another: "
                f"posture-daemon classes rename {shlex.quote(name)} NEW."
            )


def _stale_files(store: Store, path: Path, left_in: Mapping[str, str], places: Mapping[str, _Place]) -> list[Path]:
    """Files of an earlier export whose frame was answered since. Raises `DatasetError` if sorted files were not imported."""
    stale, unread = [], 0
    for file in sorted(path.glob("*/**/*.jpg")):
        folder = _class_folder(file, path)
        if file.name not in left_in or _lies_right(store, file, folder, places):
            continue
        if folder == left_in[file.name] or _is_imported(file, folder, places):
            stale.append(file)
        else:
            unread += 1
    if unread:
        raise DatasetError(
            f"The folder {path} holds {unread} pictures that were sorted by hand and not imported yet; nothing was "
            f"written, run posture-daemon label --import {shlex.quote(str(path))} first."
        )
    return stale


def _is_imported(file: Path, folder: str, places: Mapping[str, _Place]) -> bool:
    """True when a file lies in a second folder of its class, written in another case or form of letters."""
    return file.name in places and key_of(places[file.name].folder) == key_of(folder)


def _on_disk(root: Path, folder: str) -> str:
    """The folder as it is there already: another system may have written its name in another form of letters."""
    names: list[str] = []
    for part in folder.split("/"):
        place = root.joinpath(*names)
        there = sorted(path.name for path in place.iterdir() if path.is_dir()) if place.is_dir() else []
        names.append(find(part, there) or part)
    return "/".join(names)


def _class_folder(file: Path, path: Path) -> str:
    """Export folder of a file, which may lie deeper inside it."""
    parts = file.relative_to(path).parent.parts
    return "/".join(parts[: 2 if parts[0] in TREES.values() else 1])


def _lies_right(store: Store, file: Path, folder: str, places: Mapping[str, _Place]) -> bool:
    """True when the file lies where its frame belongs, or is no picture of this store."""
    place = places.get(file.name)
    if place is not None and place.folder == folder:
        return True
    frame = store.queue.find(file.read_bytes())
    return frame is None or (frame.status is Status.DISCARDED and folder == DISCARDED)


def _write_files(store: Store, path: Path, folders: Iterable[str], places: Mapping[str, _Place]) -> None:
    for folder in folders:
        (path / folder).mkdir(parents=True, exist_ok=True)
    for name, place in places.items():
        file, jpeg = path / place.folder / name, store.queue.jpeg(place.origin.frame_id)
        if not file.exists() or file.read_bytes() != jpeg:
            replace_file(file, jpeg)
