"""What lies in a folder, whatever it is called: the folders that would be classes if it held them, and what they say.

Two trees may look alike and mean the opposite: `anna/{tree,cobra}` beside `ben/{tree,cobra}` are persons with two classes,
`red/{anna,ben}` beside `blue/{anna,ben}` classes of two persons. Only names can tell; where they do not, nobody can.
"""

from collections.abc import Collection, Iterable, Sequence
from enum import Enum
from functools import lru_cache
from pathlib import Path

from posture_daemon.datasets import folder_names as names
from posture_daemon.datasets.folder_tree import Folder
from posture_daemon.domain import Role, Split
from posture_daemon.labelling.class_names import key_of

_key = lru_cache(20_000)(key_of)


class Verdict(Enum):
    """Whether a folder is a class, holds classes, or may be either; alone, or like those beside it."""

    CLASS = "class"
    HOLDS = "holds"
    EITHER = "either"
    EITHER_LIKE_OTHERS = "either like others"


class Inside:
    """What folders hold, by the class names that are `known` already."""

    def __init__(self, known: Collection[str]) -> None:
        self._known = {_key(name) for name in known}
        self._is_known: dict[str, bool] = {}
        self._candidates: dict[Path, list[Folder]] = {}
        self._folders: dict[Path, list[Folder]] = {}
        self._splits: dict[Path, list[Folder]] = {}
        self._verdicts: dict[Path, Verdict] = {}

    # --- what a name says

    def is_known(self, folder: Folder) -> bool:
        """Whether it is a class, whatever it is called."""
        if folder.name not in self._is_known:
            self._is_known[folder.name] = _key(folder.name) in self._known
        return self._is_known[folder.name]

    def is_evident(self, folder: Folder) -> bool:
        """Whether its name is that of a class, whatever lies in it."""
        return self.is_known(folder) or (names.names_a_posture(folder.name) and self.split_of(folder) is None)

    def split_of(self, folder: Folder) -> Split | None:
        """The split that it is."""
        return None if self.is_known(folder) else names.split_of(folder.name)

    def is_layer(self, folder: Folder) -> bool:
        """Whether its name says that it is none of the classes: a split, a wrapper, a version, a day, a person."""
        if self.is_evident(folder):
            return False
        wraps = names.is_wrapper(folder.name) or names.is_version(folder.name) or names.is_of_boxes(folder.name)
        return wraps or self.split_of(folder) is not None or is_occasion(folder)

    # --- what lies in it

    def folders(self, folder: Folder) -> list[Folder]:
        """The folders directly in it that have pictures and are not special."""
        if folder.path not in self._folders:
            found = [one for one in folder.with_pictures if self.is_known(one) or names.special(one.name) is None]
            self._folders[folder.path] = found
        return self._folders[folder.path]

    def splits(self, folder: Folder) -> list[Folder]:
        """The splits directly in it."""
        if folder.path not in self._splits:
            self._splits[folder.path] = [one for one in self.folders(folder) if self.split_of(one) is not None]
        return self._splits[folder.path]

    def candidates(self, folder: Folder) -> list[Folder]:
        """The folders that would be the classes if it held some: through splits, wrappers, occasions and single folders."""
        if folder.path not in self._candidates:
            found = [deep for one in self.folders(folder) for deep in self._as_candidates(one)]
            if len(found) == 1 and not found[0].pictures and not self.is_evident(found[0]):
                found = self.candidates(found[0]) or found
            self._candidates[folder.path] = found
        return self._candidates[folder.path]

    def _as_candidates(self, folder: Folder) -> list[Folder]:
        if self.is_evident(folder):
            return [folder]
        deep = self.candidates(folder)
        through = self.is_layer(folder) or (not folder.pictures and self.speak(deep))
        return deep if through else [folder]

    def speak(self, folders: Iterable[Folder]) -> bool:
        """Whether half of the names at least are those of classes."""
        by_key = {_key(one.name): one for one in folders}
        evident = sum(map(self.is_evident, by_key.values()))
        return evident > 0 and 2 * evident >= len(by_key)

    def numbers_in_splits(self, folder: Folder) -> bool:
        """Whether there are only numbers in its splits, which may be classes or sessions."""
        deep = [one for split in self.splits(folder) for one in self.folders(split)]
        return bool(deep) and all(names.is_number(one.name) for one in deep)

    # --- what it is

    def judge(self, folder: Folder, level: Folder, in_chain: bool) -> Verdict:
        """Whether a folder of a level, neither special nor a split, is a class. `CLASS` also where its name speaks against.

        `in_chain` says that the level is a split, or the only folder in what was given: a single class would make no sense.
        """
        if folder.path not in self._verdicts:
            self._verdicts[folder.path] = self._judge(folder, level, in_chain)
        return self._verdicts[folder.path]

    def _judge(self, folder: Folder, level: Folder, in_chain: bool) -> Verdict:
        found = self.candidates(folder)
        others = [one for one in self.folders(level) if one is not folder]
        if self.is_known(folder):
            return self._judge_known(folder, found)
        if self.is_evident(folder):
            return self._judge_evident(folder, found, level)
        if not found:
            return self._judge_without(folder, others)
        if self.speak(found) or self.is_layer(folder) or self.holds_splits(folder) or self._as_beside(folder, others):
            return Verdict.HOLDS
        alike = [one for one in others if _shared(found, self.candidates(one))]
        if alike:
            return self._judge_alike(alike)
        return Verdict.CLASS if others else self._judge_alone(folder, found, in_chain)

    def _judge_alone(self, folder: Folder, found: Sequence[Folder], in_chain: bool) -> Verdict:
        """The only folder, with others in it: `a/b/{tree,cobra}` holds classes; `yoga/{tree,cobra}` may be one."""
        inner = self.folders(folder)
        goes_on = len(inner) == 1 and inner[0] not in found and not self.is_layer(inner[0])
        return Verdict.HOLDS if len(found) > 1 and (in_chain or goes_on) else Verdict.EITHER

    def _judge_known(self, folder: Folder, found: Sequence[Folder]) -> Verdict:
        if not names.opposes([one.name for one in found]):
            return Verdict.CLASS
        return Verdict.HOLDS if self.splits(folder) else Verdict.EITHER

    def _judge_evident(self, folder: Folder, found: Sequence[Folder], level: Folder) -> Verdict:
        """`bad/{slouching,leaning}` are kinds of bad, `sitting/{upright,slouching}` is no class."""
        alone = len(level.with_pictures) == 1
        called = {_key(one.name) for one in found}
        if not self.speak(found):
            return Verdict.EITHER if alone and len(called) > 1 else Verdict.CLASS
        own = names.role_of(folder.name)
        roles = {names.role_of(one.name) for one in found if self.is_evident(one)} - {Role.NEUTRAL}
        if names.opposes([one.name for one in found]) or (own is Role.NEUTRAL and roles and len(called) > 1):
            return Verdict.HOLDS
        if roles - {own} or (alone and len(called) > 1):
            return Verdict.EITHER
        return Verdict.CLASS

    def _judge_without(self, folder: Folder, others: Sequence[Folder]) -> Verdict:
        """Where all that lies in it are wrappers, splits and occasions."""
        if self.folders(folder) and names.is_wrapper(folder.name):
            return Verdict.HOLDS
        if not self.numbers_in_splits(folder):
            return Verdict.CLASS
        if is_occasion(folder) or not others:
            return Verdict.HOLDS
        alike = [one for one in others if self.numbers_in_splits(one)]
        return self._judge_alike(alike) if alike else Verdict.CLASS

    def _judge_alike(self, alike: Sequence[Folder]) -> Verdict:
        """What a folder is, of which the names do not tell, by those beside it that hold the same."""
        if any(self.is_evident(one) for one in alike):
            return Verdict.CLASS
        return Verdict.HOLDS if any(self.is_layer(one) for one in alike) else Verdict.EITHER_LIKE_OTHERS

    def _as_beside(self, folder: Folder, others: Sequence[Folder]) -> bool:
        """Whether its folders are called as classes beside it are, or as those in a wrapper beside it."""
        classes = [one for one in others if one.pictures]
        classes += [deep for one in others if names.is_wrapper(one.name) for deep in self.candidates(one)]
        return are_among(self.folders(folder), classes)

    def holds_splits(self, folder: Folder) -> bool:
        """Whether it holds splits with classes in them, at any depth."""
        own = any(self.candidates(split) for split in self.splits(folder)) or self.numbers_in_splits(folder)
        return own or any(self.holds_splits(one) for one in self.folders(folder))


def is_occasion(folder: Folder) -> bool:
    """Whether its name is that of a day, a person or a session, or a number."""
    return names.is_occasion(folder.name) or names.is_number(folder.name)


def are_among(folders: Sequence[Folder], others: Sequence[Folder]) -> bool:
    """Whether each has the name of one of the others."""
    if not folders:
        return False
    known = {_key(other.name) for other in others}
    return all(_key(folder.name) in known for folder in folders)


def _shared(one: Sequence[Folder], other: Sequence[Folder]) -> bool:
    return bool({_key(folder.name) for folder in one} & {_key(folder.name) for folder in other})
