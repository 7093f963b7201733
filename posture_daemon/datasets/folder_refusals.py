"""The sentences about folders of which it cannot be told what they are: which folder, why, and what to give or to say."""

import shlex
from collections.abc import Sequence

from posture_daemon.datasets.boxes import refuse_another_kind
from posture_daemon.datasets.folder_tree import Folder
from posture_daemon.errors import DatasetError

MAX_NAMED = 3
"""Folders that a sentence lists by name."""


def refuse(root: Folder, folder: Folder, why: str) -> None:
    """Raise for a folder that is no class for the reason `why`, the end of a sentence that begins with the folder."""
    refuse_another_kind(root, folder)
    raise DatasetError(
        f"The folder {folder.path} {why}. Nothing was read; sort its pictures into folders named for their classes, such "
        f"as good_posture/, or take it out of {root.path}. {is_class(folder)}"
    )


def refuse_either(folder: Folder, found: Sequence[Folder], known: bool) -> None:
    """Raise for a folder that is a class, or holds those that were `found` in it; `known` ones do both."""
    parents = {one.path.parent for one in found}
    inside = parents.pop() if len(parents) == 1 else folder.path
    way_on = "If it is none, take its pictures out of these folders." if known else is_class(folder)
    raise DatasetError(
        f"It cannot be told whether {folder.path} is a class or holds the classes {listed(found)}. Nothing was read; if it "
        f"holds them, give {inside} itself. {way_on}"
    )


def refuse_alike(folder: Folder, found: Sequence[Folder]) -> None:
    """Raise for folders side by side that hold the same, so that either the ones or the others are the classes."""
    raise DatasetError(
        f"It cannot be told whether {folder.path} is a class or holds the classes {listed(found)}, as what is beside it. "
        f"Nothing was read; if these are the classes, say so first: posture-daemon classes add {shlex.quote(found[0].name)} "
        f"(and the others), or give one folder at a time, such as {folder.path}. {is_class(folder)}"
    )


def refuse_own_pictures(folder: Folder, inner: Sequence[Folder]) -> None:
    """Raise for pictures beside class folders, which may be a class of their own."""
    raise DatasetError(
        f"The folder {folder.path} holds pictures of its own beside {listed(inner)}, so that it may be a class or hold "
        f"classes. Nothing was read; move its own pictures into a folder of their class."
    )


def refuse_several(level: Folder, several: Sequence[Folder]) -> None:
    """Raise for data sets side by side, each with splits of its own: the test set of one may be in another's training."""
    raise DatasetError(
        f"The folder {level.path} holds several data sets with splits of their own: {listed(several)}. Nothing was read; give "
        f"one of them, such as {several[0].path}."
    )


def refuse_shares(level: Folder, shares: Sequence[Folder]) -> None:
    """Raise for `80/` and `20/`, which are the parts of a split."""
    raise DatasetError(
        f"The folders {listed(shares)} in {level.path} look like the shares of a split, and it cannot be told which is for "
        f"what. Nothing was read; call them train, val and test. {is_class(shares[0])}"
    )


def refuse_beside_splits(folder: Folder, splits: Sequence[Folder]) -> None:
    """Raise for a folder beside `train` and the like of which the name says no split."""
    raise DatasetError(
        f"The folder {folder.path} lies beside the splits {listed(splits)}, but it is not called train, val or test. Nothing "
        f"was read; rename it for its split, or take it out. {is_class(folder)}"
    )


def refuse_beside_holders(folder: Folder, holders: Sequence[Folder]) -> None:
    """Raise for a folder of pictures only, beside persons or places that hold classes."""
    raise DatasetError(
        f"The folder {folder.path} holds no class folders, as those beside it do: {listed(holders)}. Nothing was read; sort "
        f"its pictures into folders of the same names, or take it out. {is_class(folder)}"
    )


def refuse_lost_split(folder: Folder, split: Folder) -> None:
    """Raise for a split within a class of which not all pictures lie in splits, or which is deeper."""
    raise DatasetError(
        f"The folder {split.path} is called like a split, but not all pictures of the class {folder.name} lie in such folders "
        f"directly in {folder.path}. Nothing was read; move each of its pictures into train, val or test, or rename "
        f"{split.name}/."
    )


def refuse_other_split(folder: Folder) -> None:
    """Raise for `train/val`."""
    raise DatasetError(
        f"The folder {folder.path} says another split than a folder above it, so that nobody can tell which holds. Nothing was "
        "read; give the folder whose splits are meant."
    )


def is_class(folder: Folder) -> str:
    """The way on for a folder that is a class all the same."""
    return f"If it is a class, say so first: posture-daemon classes add {shlex.quote(folder.name)}."


def listed(folders: Sequence[Folder]) -> str:
    """The first few names."""
    called = list(dict.fromkeys(f"{folder.name}/" for folder in folders))
    more = len(called) - MAX_NAMED
    first = ", ".join(called[:MAX_NAMED])
    return f"{first} and {more} more" if more > 0 else first
