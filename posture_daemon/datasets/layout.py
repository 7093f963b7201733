"""Layout of an image folder: the class and split of each file.

Each folder below the root is a class, named for it; pictures may lie deeper inside it. `uncategorized` (waits for a label) and
`discarded` (not wanted) are none, `train`, `val` and `test`, or as other tools call them, hold class folders of their own and
fix the split. A data set may lie deeper, inside wrappers such as `posture-v1/` or `dataset/`, or by person and day. What is no
class is refused before anything is written (`folder_meaning`); import, comparison and evaluation all read folders here.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from posture_daemon.datasets.boxes import refuse_another_kind
from posture_daemon.datasets.folder_meaning import Level, Meaning, Placed
from posture_daemon.datasets.folder_tree import Folder, Tree, read_tree
from posture_daemon.domain import Split
from posture_daemon.errors import DatasetError
from posture_daemon.labelling.class_names import DISCARDED, UNCATEGORIZED
from posture_daemon.vision.image_files import FORMATS, natural_key

LOOSE = "in no class folder"


@dataclass(frozen=True)
class FolderImage:
    """A picture file, its class folder (or `uncategorized`, `discarded`), and the split that the tree gives it."""

    path: Path
    name: str
    folder: str
    split: Split | None


@dataclass(frozen=True)
class Layout:
    """The pictures of a folder: classes in natural order, then what is uncategorized.

    `root` is where the data set begins: the folder itself, or the one inside its wrappers. `empty` are class folders without
    pictures, each with the split of the tree. `left_out` has the files that are not read, by cause, named from the folder.
    """

    images: tuple[FolderImage, ...]
    root: Path
    empty: tuple[tuple[str, Split | None], ...]
    left_out: Mapping[str, tuple[str, ...]]

    @property
    def ignored(self) -> int:
        """Number of files that are left out."""
        return sum(len(files) for files in self.left_out.values())

    @property
    def class_folders(self) -> list[str]:
        """Names of the class folders that hold pictures, in natural order."""
        return [name for name in dict.fromkeys(i.folder for i in self.images) if name not in (UNCATEGORIZED, DISCARDED)]


def read_layout(root: Path, known: Collection[str] = ()) -> Layout:
    """List the pictures below `root`; `known` are names that are classes whatever they look like.

    Raises `DatasetError` when there is no such folder, nothing to learn from, or a folder of which it cannot be told whether
    it is a class.
    """
    if not root.exists():
        raise DatasetError(f"There is no folder {root}; check the path.")
    if not root.is_dir():
        raise DatasetError(f"{root} is a file; give the folder that holds the class folders.")
    tree = read_tree(root, known)
    if not tree.root.holds_pictures:
        others = (f"; {_name(files[0], root)} is left out: {cause}" for cause, files in tree.left_out.items())
        raise DatasetError(f"The folder {root} holds no pictures ({FORMATS}){next(others, '')}.")
    meaning = Meaning(tree.root, tree.known)
    if not meaning.placed:
        _refuse_unsorted(tree.root, meaning)
    images = [FolderImage(one.path, _name(one.path, root), one.folder, one.split) for one in meaning.placed]
    return Layout(
        tuple(_with_usable_splits(sorted(images, key=_order))),
        _root_of(meaning.levels, meaning.placed),
        tuple((name, level.split) for level in meaning.levels for name in level.empty),
        _left_out(tree, meaning.loose),
    )


def _refuse_unsorted(root: Folder, meaning: Meaning) -> None:
    unsorted = [level.folder for level in meaning.levels if level.folder.pictures]
    where = unsorted[0] if unsorted else root
    refuse_another_kind(root, where)
    raise DatasetError(
        f"The folder {where.path} holds pictures but no class folders; sort them into folders such as good_posture/."
    )


def _root_of(levels: list[Level], placed: list[Placed]) -> Path:
    """The innermost folder that holds a level with every placed picture, so that a wrapper is as if it were not there."""
    root = levels[0].folder.path
    for level in levels:
        inside = level.split is None and all(one.path.is_relative_to(level.folder.path) for one in placed)
        if inside:
            root = level.folder.path
    return root


def _left_out(tree: Tree, loose: list[Path]) -> dict[str, tuple[str, ...]]:
    by_cause = {LOOSE: loose, **tree.left_out}
    return {cause: tuple(_name(path, tree.root.path) for path in files) for cause, files in by_cause.items() if files}


def _name(path: Path, root: Path) -> str:
    """A name that is not UTF-8 can be opened, but neither printed nor kept in the database."""
    return path.relative_to(root).as_posix().encode("utf-8", "replace").decode()


def _order(image: FolderImage) -> tuple[bool, int, list[tuple[list[str | int], str]]]:
    """Sort key: labelled before unlabelled, then training, holdout, test, then natural order of the path."""
    split = [Split.TRAIN, Split.HOLDOUT, Split.TEST].index(image.split or Split.TRAIN)
    path = [(natural_key(part), part) for part in image.path.parts]
    return image.folder in (UNCATEGORIZED, DISCARDED), split, path


def _with_usable_splits(images: list[FolderImage]) -> list[FolderImage]:
    """Without a `val` folder `train` fixes no split, or there would be no holdout to evaluate on."""
    if any(image.split is Split.HOLDOUT for image in images):
        return images
    return [replace(image, split=None) if image.split is Split.TRAIN else image for image in images]
