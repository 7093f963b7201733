"""A folder as a tree of pictures and sub-folders, read once from disk; what is left out is kept by cause, with its name."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from posture_daemon.datasets.folder_names import is_of_other_programs
from posture_daemon.datasets.manifest import MANIFEST
from posture_daemon.datasets.provenance import PROVENANCE
from posture_daemon.errors import DatasetError
from posture_daemon.vision.image_files import is_of_the_kernel, natural_key, why_not_read

OWN_FILES = frozenset({MANIFEST, PROVENANCE})
"""What an export writes beside the pictures."""

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
    """The folder, and the files that were left out, by cause."""

    root: Folder
    left_out: dict[str, list[Path]]


def read_tree(root: Path) -> Tree:
    """Read a folder. Links to folders are followed once, never round in a circle. Raises `DatasetError`."""
    return _Reading(root).tree


class _Reading:
    def __init__(self, root: Path) -> None:
        self._left_out: dict[str, list[Path]] = {}
        self._links: list[tuple[Folder, Path]] = []
        real = root.resolve()
        self._seen = {real, *real.parents}
        top = Folder(root, real.name)
        self._fill(top)
        for parent, path in self._links:  # grows while it is read: a folder behind a link may hold links
            self._follow(parent, path)
        _sort(top)
        self.tree = Tree(top, self._left_out)

    def _fill(self, folder: Folder) -> None:
        try:
            entries = sorted(os.scandir(folder.path), key=lambda entry: entry.name)
        except OSError as error:
            raise DatasetError(f"The folder {folder.path} cannot be read ({error.strerror}).") from error
        for entry in entries:
            path = folder.path / entry.name
            if entry.is_dir(follow_symlinks=False):
                self._enter(folder, path)
            elif entry.is_symlink() and path.is_dir():
                self._links.append((folder, path))
            else:
                self._file(folder, path)

    def _enter(self, parent: Folder, path: Path) -> None:
        if path.name.startswith(".") or is_of_other_programs(path.name):
            cause = HIDDEN if path.name.startswith(".") else PROGRAMS
            self._leave_out(cause, *(Path(where, name) for where, _, names in os.walk(path) for name in names))
            return
        self._seen.add(path.resolve())
        child = Folder(path, path.name)
        parent.folders.append(child)
        self._fill(child)

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


def _sort(folder: Folder) -> None:
    folder.folders.sort(key=lambda one: (natural_key(one.name), one.name))
    for child in folder.folders:
        _sort(child)
