"""A folder as a tree of pictures and sub-folders, read once from disk; what is left out is kept by cause, with its name."""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from posture_daemon.datasets.folder_names import is_of_other_programs
from posture_daemon.datasets.manifest import MANIFEST, read_manifest
from posture_daemon.datasets.provenance import PROVENANCE, read_provenance
from posture_daemon.errors import DatasetError
from posture_daemon.labelling.class_names import DISCARDED, UNCATEGORIZED, key_of
from posture_daemon.vision.image_files import is_of_the_kernel, natural_key, why_not_read

OWN_FILES = frozenset({MANIFEST, PROVENANCE})
"""What an export writes beside the pictures."""

MAX_DEPTH = 50
"""Folders one in another; a data set has some six. What reads the tree goes down it by recursion."""

HIDDEN, PROGRAMS, DEAD_LINK = (
    "hidden",
    "of other programs",
    "links to nothing, or to a folder that is read already",
)
"""Causes of leaving files out."""


@dataclass
class Folder:
    """A folder: the pictures and other files directly in it, and its sub-folders in natural order."""

    path: Path
    name: str
    pictures: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    folders: list["Folder"] = field(default_factory=list)

    def below(self) -> Iterator[Path]:
        """Every picture in it, at any depth."""
        yield from self.pictures
        for folder in self.folders:
            yield from folder.below()

    def all(self) -> Iterator["Folder"]:
        """Itself and every folder in it, at any depth."""
        yield self
        for folder in self.folders:
            yield from folder.all()

    @cached_property
    def with_pictures(self) -> list["Folder"]:
        """The sub-folders that hold pictures at any depth."""
        return [folder for folder in self.folders if folder.holds_pictures]

    @cached_property
    def holds_pictures(self) -> bool:
        """Whether there is a picture at any depth."""
        return next(self.below(), None) is not None


@dataclass(frozen=True)
class Tree:
    """The folder, and the files that were left out, by cause.

    `known` are the names that are classes whatever they look like: those that were given, and those that exports in it say.
    """

    root: Folder
    left_out: dict[str, list[Path]]
    known: frozenset[str]


def read_tree(root: Path, known: Collection[str] = ()) -> Tree:
    """Read a folder, also what is called as programs call theirs if it is a `known` class.

    Links to folders are followed once, never round in a circle. Raises `DatasetError` for a folder that cannot be
    read, or with too many folders one in another.
    """
    return _Reading(root, known).tree


class _Reading:
    def __init__(self, root: Path, known: Collection[str]) -> None:
        self._root, self._known = root, set(known)
        self._left_out: dict[str, list[Path]] = {}
        self._links: list[tuple[Folder, Path]] = []
        real = root.resolve()
        self._seen = {real, *real.parents}
        top = Folder(root, real.name)
        self._fill(top)
        for parent, path in self._links:  # grows while it is read: a folder behind a link may hold links
            self._follow(parent, path)
        _sort(top)
        self.tree = Tree(top, self._left_out, frozenset(self._known))

    def _fill(self, folder: Folder) -> None:
        try:
            entries = sorted(os.scandir(folder.path), key=lambda entry: entry.name)
        except OSError as error:
            raise DatasetError(f"The folder {folder.path} cannot be read ({error.strerror}).") from error
        self._known |= _said_by_export(folder.path, {entry.name for entry in entries})
        for entry in entries:
            path = folder.path / entry.name
            if entry.is_dir(follow_symlinks=False):
                self._enter(folder, path)
            elif entry.is_symlink() and path.is_dir():
                self._links.append((folder, path))
            else:
                self._file(folder, path)

    def _enter(self, parent: Folder, path: Path) -> None:
        if path.name.startswith(".") or (is_of_other_programs(path.name) and not self._is_known(path.name)):
            cause = HIDDEN if path.name.startswith(".") else PROGRAMS
            self._leave_out(cause, *(Path(where, name) for where, _, names in os.walk(path) for name in names))
            return
        below = path.parts[len(self._root.parts) :]
        if len(below) > MAX_DEPTH:
            raise DatasetError(
                f"The folder {self._root / below[0]} holds more than {MAX_DEPTH} folders one in another, as no data set does. "
                f"Nothing was read; take it out of {self._root}, or give the folder in it that holds the class folders."
            )
        self._seen.add(path.resolve())
        child = Folder(path, path.name)
        parent.folders.append(child)
        self._fill(child)

    def _is_known(self, name: str) -> bool:
        return key_of(name) in map(key_of, self._known)

    def _follow(self, parent: Folder, path: Path) -> None:
        if path.resolve() in self._seen or is_of_the_kernel(path):
            self._leave_out(DEAD_LINK, path)
        else:
            self._enter(parent, path)

    def _file(self, folder: Folder, path: Path) -> None:
        if path.name in OWN_FILES:
            return
        if path.name.startswith("."):
            self._leave_out(HIDDEN, path)
        elif is_of_other_programs(path.name):
            self._leave_out(PROGRAMS, path)
        elif path.is_symlink() and not path.exists():
            self._leave_out(DEAD_LINK, path)
        elif (why := why_not_read(path)) is None:
            folder.pictures.append(path)
        else:
            folder.others.append(path)
            self._leave_out(why, path)

    def _leave_out(self, cause: str, *paths: Path) -> None:
        if paths:
            self._left_out.setdefault(cause, []).extend(paths)


def _said_by_export(folder: Path, files: Collection[str]) -> set[str]:
    """Class names that an export of our own says which wrote these files: its folders are classes, whatever they are called."""
    found: set[str] = set()
    if MANIFEST in files and (left := read_manifest(folder)):
        found |= {place.rpartition("/")[2] for place in left.folders.values()}
    if PROVENANCE in files:
        found |= set(read_provenance(folder).roles)
    return found - {UNCATEGORIZED, DISCARDED}


def _sort(folder: Folder) -> None:
    folder.folders.sort(key=lambda one: (natural_key(one.name), one.name))
    for child in folder.folders:
        _sort(child)
