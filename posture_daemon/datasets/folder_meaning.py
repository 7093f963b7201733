"""Decides what each folder of a tree means: which are classes, which only hold them, and what cannot be told.

A folder below the root is a class unless something speaks against it, since people name classes as they like: its own name
(`folder_names`), or what lies in it. What cannot be told is refused in a sentence that names the folder, so that nothing
becomes a class that is none.
"""

import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from posture_daemon.datasets import folder_names as names
from posture_daemon.datasets.boxes import refuse_another_kind, refuse_boxes
from posture_daemon.datasets.folder_tree import Folder
from posture_daemon.domain import Split
from posture_daemon.errors import DatasetError

MAX_NAMED = 3
"""Folders that a sentence lists by name."""


@dataclass(frozen=True)
class Placed:
    """A picture, the class folder (or `uncategorized`, `discarded`) that it lies in, and the split of the tree."""

    path: Path
    folder: str
    split: Split | None


@dataclass(frozen=True)
class Level:
    """A folder that holds classes: itself, the split of all that is in it, and its class folders without any picture."""

    folder: Folder
    split: Split | None
    empty: tuple[str, ...]


class Meaning:
    """The classes of a tree. `known` are class names that exist already, or that an export says: these are classes."""

    def __init__(self, root: Folder, known: Collection[str] = ()) -> None:
        """Raises `DatasetError` for a folder of which it cannot be told what it is."""
        self._root, self._known = root, {name.casefold() for name in known}
        self.placed: list[Placed] = []
        self.levels: list[Level] = []
        self.loose: list[Path] = []
        self._read_level(root, None)

    def _read_level(self, level: Folder, split: Split | None) -> None:
        """Read the folders in a root, a split or a wrapper."""
        self.loose += level.pictures
        self.levels.append(Level(level, split, tuple(f.name for f in level.folders if self._looks_empty(f))))
        folders = level.with_pictures
        self._refuse_several(level, [f for f in folders if self._split_of(f) is None])
        for folder in folders:
            self._read(folder, level, split)

    def _read(self, folder: Folder, level: Folder, split: Split | None) -> None:
        own = self._split_of(folder)
        special = None if self._is_known(folder) else names.special(folder.name)
        if special is not None:
            self._place(folder, special, split)
        elif own is not None:
            self._refuse_other_split(folder, own, split)
            self._read_level(folder, own)
        elif self._is_known(folder) and not self._holds_splits_of_classes(folder):
            self._place_class(folder, split)
        elif self._holds_classes(folder, level):
            self._refuse_own_pictures(folder)
            self._read_level(folder, split or self._split_said_by(folder))
        else:
            self._refuse_no_class(folder, level)
            self._place_class(folder, split)

    # --- what a folder is

    def _is_known(self, folder: Folder) -> bool:
        return folder.name.casefold() in self._known

    def _is_evident(self, folder: Folder) -> bool:
        """Whether its name is that of a class, whatever lies in it."""
        return self._is_known(folder) or (names.names_a_posture(folder.name) and self._split_of(folder) is None)

    def _split_of(self, folder: Folder) -> Split | None:
        return None if self._is_known(folder) else names.split_of(folder.name)

    def _split_said_by(self, folder: Folder) -> Split | None:
        """The split in a longer name, such as `posture_test`, unless the folders in it say their own."""
        return None if self._inner_splits(folder) else names.split_within(folder.name)

    def _inner(self, folder: Folder) -> list[Folder]:
        """The folders in it that have pictures and are not special."""
        return [inner for inner in folder.with_pictures if names.special(inner.name) is None]

    def _inner_splits(self, folder: Folder) -> list[Folder]:
        return [inner for inner in self._inner(folder) if self._split_of(inner) is not None]

    def _holds_splits_of_classes(self, folder: Folder) -> bool:
        """Whether there are `train/` and others in it with folders of their own that are no sessions."""
        inner = [deep for split in self._inner_splits(folder) for deep in self._inner(split)]
        return bool(inner) and not all(_is_occasion(deep) for deep in inner)

    def _holds_classes(self, folder: Folder, level: Folder) -> bool:
        """Whether a folder is no class, but holds them."""
        inner = self._inner(folder)
        if not inner or self._inner_splits(folder):
            of_splits = self._holds_splits_of_classes(folder)
            return bool(inner) and (of_splits or (names.is_wrapper(folder.name) and not self._is_evident(folder)))
        evident = [one for one in inner if self._is_evident(one)]
        if self._is_evident(folder):
            return len(evident) == len(inner) and names.opposes([one.name for one in inner])
        by_name = names.is_wrapper(folder.name) or names.is_of_boxes(folder.name)
        by_day = _is_occasion(folder) and not all(_is_occasion(one) for one in inner)
        if by_name or by_day or 2 * len(evident) >= len(inner) or self._as_beside(inner, folder, level):
            return True
        return not folder.pictures and any(self._holds_classes(one, folder) for one in inner)

    def _as_beside(self, inner: Sequence[Folder], folder: Folder, level: Folder) -> bool:
        """Whether its folders are called as classes beside it are, or as those in a wrapper beside it."""
        others = [one for one in level.with_pictures if one is not folder]
        classes = [one for one in others if one.pictures]
        classes += [deep for one in others if names.is_wrapper(one.name) for deep in self._inner(one)]
        return _are_among(inner, classes)

    def _looks_empty(self, folder: Folder) -> bool:
        plain = names.special(folder.name) is None and self._split_of(folder) is None
        return plain and not folder.holds_pictures and not names.is_of_boxes(folder.name)

    # --- placing

    def _place_class(self, folder: Folder, split: Split | None) -> None:
        """A class; where all its folders are `train`, `val` and `test`, these say the split."""
        if not self._is_evident(folder):
            refuse_boxes(folder, self._root)
        inner, splits = self._inner(folder), self._inner_splits(folder)
        if not splits or len(splits) < len(inner) or folder.pictures or split is not None:
            self._place(folder, folder.name, split)
            return
        for one in splits:
            self._place(one, folder.name, self._split_of(one))

    def _place(self, folder: Folder, name: str, split: Split | None) -> None:
        self.placed += (Placed(path, name, split) for path in folder.below())

    # --- what cannot be told

    def _refuse_no_class(self, folder: Folder, level: Folder) -> None:
        """Raise for a folder that would become a class and is none, or may be none."""
        others = [one for one in level.with_pictures if one is not folder]
        self._refuse_near_name(folder, others)
        if self._is_evident(folder):
            return
        inner = self._inner(folder)
        if names.is_of_boxes(folder.name):
            self._refuse(folder, "belongs to a data set of boxes or masks, which says where things are in a picture")
        if self._is_wrapper_alone(folder):
            self._refuse(folder, "is no class but holds pictures that nobody sorted")
        if names.is_occasion(folder.name) or (names.is_number(folder.name) and not others and level is not self._root):
            self._refuse(folder, "looks like a day, a person or a session, and its pictures lie in no class folder")
        if self._inner_splits(folder) and not self._others_have_splits(others):
            self._refuse(folder, "holds splits, but there are no class folders in them")
        if not others and not folder.pictures and len(inner) > 1 and not all(_is_occasion(one) for one in inner):
            self._refuse_ambiguous(folder, inner)

    def _refuse_near_name(self, folder: Folder, others: Sequence[Folder]) -> None:
        """Raise for a split in the name of a class, a split of an unknown name, and a copy of another class."""
        said, evident = names.without_split(folder.name), self._is_evident(folder)
        if said is not None and (not evident or any(names.without_split(one.name) == said for one in others)):
            self._refuse(folder, "names a split, and its pictures lie in no class folder")
        splits = [deep for one in others if self._split_of(one) is not None for deep in self._inner(one)]
        if not evident and self._inner(folder) and _are_among(self._inner(folder), splits):
            self._refuse(
                folder, "holds the same classes as the split beside it, but it is not called train, val or test"
            )
        origin = names.copied_from(folder.name).casefold()
        if origin != folder.name.casefold() and any(one.name.casefold() == origin for one in others):
            self._refuse(folder, "looks like a copy of the folder beside it")

    def _others_have_splits(self, others: Sequence[Folder]) -> bool:
        return bool(others) and all(self._inner_splits(one) for one in others)

    def _is_wrapper_alone(self, folder: Folder) -> bool:
        """Whether it and all that is in it are wrappers down to the pictures."""
        return names.is_wrapper(folder.name) or (
            not folder.pictures and all(self._is_wrapper_alone(one) for one in self._inner(folder))
        )

    def _refuse(self, folder: Folder, why: str) -> None:
        refuse_another_kind(self._root, folder)
        raise DatasetError(
            f"The folder {folder.path} {why}. Nothing was read; sort its pictures into folders named for their classes, such "
            f"as good_posture/, or take it out of {self._root.path}. {_is_class(folder)}"
        )

    def _refuse_ambiguous(self, folder: Folder, inner: Sequence[Folder]) -> None:
        raise DatasetError(
            f"It cannot be told whether {folder.path} is a class or holds the classes {_listed(inner)}. Nothing was read; if "
            f"it holds them, give {folder.path} itself. {_is_class(folder)}"
        )

    def _refuse_other_split(self, folder: Folder, own: Split, split: Split | None) -> None:
        if split not in (None, own):
            raise DatasetError(
                f"The folder {folder.path} says another split than a folder above it, so that nobody can tell which holds. "
                "Nothing was read; give the folder whose splits are meant."
            )

    def _refuse_own_pictures(self, folder: Folder) -> None:
        """Pictures beside class folders belong to no class; in a wrapper they are counted, elsewhere they may be one."""
        if folder.pictures and not (names.is_wrapper(folder.name) or _is_occasion(folder)):
            raise DatasetError(
                f"The folder {folder.path} holds pictures of its own beside {_listed(self._inner(folder))}, so that it may be "
                f"a class or hold classes. Nothing was read; move its own pictures into a folder of their class."
            )

    def _refuse_several(self, level: Folder, folders: Sequence[Folder]) -> None:
        """Raise for data sets side by side, each with splits of its own: the test set of one may be in another's training."""
        several = [one for one in folders if not self._is_evident(one) and self._deep_splits(one)]
        if len(several) > 1 and not all(_is_occasion(one) for one in several):
            raise DatasetError(
                f"The folder {level.path} holds several data sets with splits of their own: {_listed(several)}. Nothing was "
                f"read; give one of them, such as {several[0].path}."
            )

    def _deep_splits(self, folder: Folder) -> bool:
        return self._holds_splits_of_classes(folder) or any(self._deep_splits(one) for one in self._inner(folder))


def _is_occasion(folder: Folder) -> bool:
    return names.is_occasion(folder.name) or names.is_number(folder.name)


def _are_among(folders: Sequence[Folder], others: Sequence[Folder]) -> bool:
    """Whether each has the name of one of the others."""
    known = {other.name.casefold() for other in others}
    return all(folder.name.casefold() in known for folder in folders)


def _is_class(folder: Folder) -> str:
    return f"If it is a class, say so first: posture-daemon classes add {shlex.quote(folder.name)}."


def _listed(folders: Sequence[Folder]) -> str:
    more = len(folders) - MAX_NAMED
    listed = ", ".join(f"{folder.name}/" for folder in folders[:MAX_NAMED])
    return f"{listed} and {more} more" if more > 0 else listed
