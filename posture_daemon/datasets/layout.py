"""Layout of an image folder: the class and split of each file.

Each folder below the root is a class, named for it; pictures may lie deeper inside it. Four names are special:
`uncategorized` (waits for a label), `discarded` (not wanted), and `train`, `val` and `test`, which hold class folders
of their own and fix the split. The article's layout, plain class folders and `train/ val/` trees are so read alike, and may
be mixed.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from posture_daemon.datasets.manifest import MANIFEST
from posture_daemon.datasets.provenance import PROVENANCE
from posture_daemon.domain import Split
from posture_daemon.errors import DatasetError
from posture_daemon.labelling.class_names import DISCARDED, UNCATEGORIZED
from posture_daemon.vision.image_files import natural_key

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
SPLIT_FOLDERS = {
    "train": Split.TRAIN,
    "val": Split.HOLDOUT,
    "valid": Split.HOLDOUT,
    "validation": Split.HOLDOUT,
    "holdout": Split.HOLDOUT,
    "test": Split.TEST,
}


@dataclass(frozen=True)
class FolderImage:
    """A picture file, its class folder (or `uncategorized`, `discarded`), and the split that the tree gives it."""

    path: Path
    name: str
    folder: str
    split: Split | None


@dataclass(frozen=True)
class Layout:
    """The pictures of a folder: classes in natural order, then what is uncategorized; `ignored` counts other files."""

    images: tuple[FolderImage, ...]
    ignored: int

    @property
    def class_folders(self) -> list[str]:
        """Names of the class folders that hold pictures, in natural order."""
        return [name for name in dict.fromkeys(i.folder for i in self.images) if name not in (UNCATEGORIZED, DISCARDED)]


def read_layout(root: Path) -> Layout:
    """List the pictures below `root`. Raises `DatasetError` when there is no such folder or nothing to learn from."""
    if not root.exists():
        raise DatasetError(f"There is no folder {root}; check the path.")
    if not root.is_dir():
        raise DatasetError(f"{root} is a file; give the folder that holds the class folders.")
    files = list(_files_below(root))
    pictures = [path for path in files if _is_picture(path, root)]
    if not pictures:
        raise DatasetError(f"The folder {root} holds no pictures (jpg, jpeg, png, bmp or webp).")
    images = [image for image in (_place(path, root) for path in pictures) if image is not None]
    if not images:
        raise DatasetError(
            f"The folder {root} holds pictures but no class folders; sort them into folders such as good_posture/."
        )
    ignored = sum(1 for path in files if path.name not in (MANIFEST, PROVENANCE)) - len(images)
    return Layout(tuple(_with_usable_splits(sorted(images, key=_order))), ignored)


def _files_below(root: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise DatasetError(f"The folder {error.filename} cannot be read ({error.strerror}).") from error

    for folder, _, names in os.walk(root, onerror=refuse):
        yield from (Path(folder, name) for name in names)


def _is_picture(path: Path, root: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
    return path.suffix.lower() in IMAGE_SUFFIXES and not hidden and path.is_file()


def _place(path: Path, root: Path) -> FolderImage | None:
    """Say where a picture belongs; `None` when it lies in no class folder."""
    folders = list(path.relative_to(root).parent.parts)
    split = SPLIT_FOLDERS.get(folders[0].casefold()) if folders else None
    if split is not None:
        folders = folders[1:]
    if not folders:
        return None
    special = folders[0].casefold()
    folder = special if special in (UNCATEGORIZED, DISCARDED) else folders[0]
    # A name that is not UTF-8 can be opened, but neither printed nor kept in the database.
    name = path.relative_to(root).as_posix().encode("utf-8", "replace").decode()
    return FolderImage(path, name, folder, split)


def _order(image: FolderImage) -> tuple[bool, int, list[tuple[list[str | int], str]]]:
    """Sort key: labelled before unlabelled, then training, holdout, test, then natural order of the path."""
    split = [Split.TRAIN, Split.HOLDOUT, Split.TEST].index(image.split or Split.TRAIN)
    path = [(natural_key(part), part) for part in image.path.parts]
    return image.folder in (UNCATEGORIZED, DISCARDED), split, path


def _with_usable_splits(images: list[FolderImage]) -> list[FolderImage]:
    """Without a `val` folder `train` fixes no split, or there would be no holdout to evaluate on."""
    if any(image.split is Split.HOLDOUT for image in images):
        return images
    return [FolderImage(i.path, i.name, i.folder, None if i.split is Split.TRAIN else i.split) for i in images]
