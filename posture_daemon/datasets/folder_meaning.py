"""Decides what each folder of a tree means: which are classes, which only hold them, and what cannot be told.

A folder below the root is a class unless something speaks against it, since people name classes as they like: its own name
(`folder_names`), or what lies in it (`folder_inside`). What cannot be told is refused in a sentence that names the folder
(`folder_refusals`), so that nothing becomes a class that is none, and no split is lost.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from posture_daemon.datasets import folder_names as names
from posture_daemon.datasets import folder_refusals as refusals
from posture_daemon.datasets.boxes import refuse_boxes
from posture_daemon.datasets.folder_inside import Inside, Verdict, are_among, is_occasion
from posture_daemon.datasets.folder_tree import Folder
from posture_daemon.domain import Split


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
        self._root, self._inside = root, Inside(known)
        self.placed: list[Placed] = []
        self.levels: list[Level] = []
        self.loose: list[Path] = []
        self._splits: dict[Path, list[Folder]] = {}
        self._holders: dict[Path, list[Folder]] = {}
        self._read_level(root, None, in_chain=False)

    def _read_level(self, level: Folder, split: Split | None, in_chain: bool) -> None:
        """Read the folders in a root, a split or a wrapper. `in_chain`: see `Inside.judge`."""
        self.loose += level.pictures
        self.levels.append(Level(level, split, tuple(f.name for f in level.folders if self._looks_empty(f))))
        self._refuse_several(level)
        for folder in level.with_pictures:
            self._read(folder, level, split, in_chain)

    def _read(self, folder: Folder, level: Folder, split: Split | None, in_chain: bool) -> None:
        inside = self._inside
        special, own = None if inside.is_known(folder) else names.special(folder.name), inside.split_of(folder)
        if special is not None:
            self._place(folder, special, split)
        elif own is not None:
            if split not in (None, own):
                refusals.refuse_other_split(folder)
            self._read_level(folder, own, in_chain=True)
        else:
            self._read_by_verdict(folder, level, split, in_chain)

    def _read_by_verdict(self, folder: Folder, level: Folder, split: Split | None, in_chain: bool) -> None:
        if names.is_aside(folder.name) and not self._inside.is_known(folder):
            refusals.refuse(
                self._root, folder, "is called like what was put aside or what a model guessed: nobody's labels"
            )
        verdict, found = self._inside.judge(folder, level, in_chain), self._inside.candidates(folder)
        if verdict is Verdict.HOLDS:
            said = split or self._split_said_by(folder)
            if said is None:
                self._refuse_beside_splits(folder, level)
            self._refuse_own_pictures(folder)
            alone = len(self._inside.folders(level)) == 1 and not is_occasion(folder)
            self._read_level(folder, said, in_chain=alone)
            return
        self._refuse_near_name(folder, level)
        if verdict is Verdict.EITHER:
            refusals.refuse_either(folder, found, self._inside.is_known(folder))
        if verdict is Verdict.EITHER_LIKE_OTHERS:
            refusals.refuse_alike(
                folder, found or [one for f in self._inside.splits(folder) for one in f.with_pictures]
            )
        if not self._inside.is_evident(folder):
            self._refuse_no_class(folder, level)
            self._refuse_beside_holders(folder, level, in_chain)
        self._place_class(folder, split)

    # --- what a folder is

    def _split_said_by(self, folder: Folder) -> Split | None:
        """The split in a longer name, such as `posture_test`, unless the folders in it say their own."""
        return None if self._inside.splits(folder) else names.split_within(folder.name)

    def _looks_empty(self, folder: Folder) -> bool:
        plain = names.special(folder.name) is None and self._inside.split_of(folder) is None
        return plain and not folder.holds_pictures and not names.is_of_boxes(folder.name)

    # --- placing

    def _place_class(self, folder: Folder, split: Split | None) -> None:
        """A class; where all its folders are `train`, `val` and `test`, these say the split."""
        splits = self._inside.splits(folder)
        self._refuse_within_class(folder, splits)
        if not splits:
            self._place(folder, folder.name, split)
        for one in splits:
            own = self._inside.split_of(one)
            if split not in (None, own):
                refusals.refuse_other_split(one)
            self._place(one, folder.name, own)

    def _place(self, folder: Folder, name: str, split: Split | None) -> None:
        self.placed += (Placed(path, name, split) for path in folder.below())

    # --- what cannot be told

    def _refuse_no_class(self, folder: Folder, level: Folder) -> None:
        """Raise for a folder that would become a class and is none, or may be none."""
        others = [one for one in level.with_pictures if one is not folder]
        if names.is_of_boxes(folder.name):
            self._refuse(folder, "belongs to a data set of boxes or masks, which says where things are in a picture")
        if self._is_wrapper_alone(folder):
            self._refuse(folder, "is no class but holds pictures that nobody sorted")
        if names.is_occasion(folder.name) or (names.is_number(folder.name) and not others and level is not self._root):
            self._refuse(folder, "looks like a day, a person or a session, and its pictures lie in no class folder")
        if self._inside.splits(folder) and not self._others_have_splits(others):
            self._refuse(folder, "holds splits, but there are no class folders in them")
        self._refuse_beside_splits(folder, level)
        refuse_boxes(folder, self._root)

    def _refuse_near_name(self, folder: Folder, level: Folder) -> None:
        """Raise for a split in the name of a class, and for a copy of another class."""
        if self._inside.is_known(folder):
            return
        others = [one for one in level.with_pictures if one is not folder]
        said, evident = names.without_split(folder.name), self._inside.is_evident(folder)
        if said is not None and (not evident or any(names.without_split(one.name) == said for one in others)):
            self._refuse(folder, "names a split, and its pictures lie in no class folder")
        splits = [deep for one in self._inside.splits(level) for deep in self._inside.folders(one)]
        if not evident and are_among(self._inside.folders(folder), splits):
            self._refuse(
                folder, "holds the same classes as the split beside it, but it is not called train, val or test"
            )
        origin = names.copied_from(folder.name).casefold()
        if origin != folder.name.casefold() and any(one.name.casefold() == origin for one in others):
            self._refuse(folder, "looks like a copy of the folder beside it")

    def _refuse_beside_splits(self, folder: Folder, level: Folder) -> None:
        """Raise for a folder without a split among those that have one: `unseen_desk/` beside `train/` and `val/`."""
        if level.path not in self._splits:
            others = [one for one in level.with_pictures if not self._inside.is_evident(one)]
            said = [one for one in others if self._inside.candidates(one) and self._split_said_by(one)]
            self._splits[level.path] = [one for one in others if one in said or self._inside.split_of(one)]
        splits = [one for one in self._splits[level.path] if one is not folder]
        if splits and not self._inside.is_known(folder):
            refusals.refuse_beside_splits(folder, splits)

    def _refuse_beside_holders(self, folder: Folder, level: Folder, in_chain: bool) -> None:
        """Raise for a folder of an unknown name beside persons or places that hold classes of other names."""
        if level.path not in self._holders:
            others = [one for one in self._inside.folders(level) if not names.is_wrapper(one.name)]
            others = [one for one in others if self._inside.split_of(one) is None]
            holders = [one for one in others if self._inside.judge(one, level, in_chain) is Verdict.HOLDS]
            self._holders[level.path] = holders
        holders = self._holders[level.path]  # not the folder itself, which is a class
        if holders and not are_among([folder], [deep for one in holders for deep in self._inside.candidates(one)]):
            refusals.refuse_beside_holders(folder, holders)

    def _refuse_within_class(self, folder: Folder, splits: Sequence[Folder]) -> None:
        """Raise for what a class cannot hold: a split that would be lost, and what waits or was put aside."""
        stray = [one for one in self._inside.folders(folder) if one not in splits]
        for one in folder.all():
            if one is folder or not one.holds_pictures or self._inside.is_known(one):
                continue
            direct = one in splits and not stray and not folder.pictures
            if self._inside.split_of(one) is not None and not direct:
                refusals.refuse_lost_split(folder, one)
            if names.special(one.name) is not None or names.is_aside(one.name):
                self._refuse(one, f"is called like what waits or was put aside, but lies in the class {folder.name}")

    def _others_have_splits(self, others: Sequence[Folder]) -> bool:
        return bool(others) and all(self._inside.splits(one) for one in others)

    def _is_wrapper_alone(self, folder: Folder) -> bool:
        """Whether it and all that is in it are wrappers down to the pictures."""
        return names.is_wrapper(folder.name) or (
            not folder.pictures and all(self._is_wrapper_alone(one) for one in self._inside.folders(folder))
        )

    def _refuse(self, folder: Folder, why: str) -> None:
        refusals.refuse(self._root, folder, why)

    def _refuse_own_pictures(self, folder: Folder) -> None:
        """Pictures beside class folders belong to no class; in a wrapper they are counted, elsewhere they may be one."""
        if folder.pictures and not (names.is_wrapper(folder.name) or is_occasion(folder)):
            refusals.refuse_own_pictures(folder, self._inside.folders(folder))

    def _refuse_several(self, level: Folder) -> None:
        """Raise for data sets or folds side by side, each with splits, and for the shares of a split."""
        plain = [one for one in self._inside.folders(level) if not self._inside.is_evident(one)]
        plain = [one for one in plain if self._inside.split_of(one) is None]
        several = [one for one in plain if self._inside.holds_splits(one)]
        persons = all(is_occasion(one) and not names.is_fold(one.name) for one in several)
        if len(several) > 1 and not persons:
            refusals.refuse_several(level, several)
        holding = [one for one in plain if self._inside.candidates(one)]
        if names.are_shares(one.name for one in holding):
            refusals.refuse_shares(level, holding)
