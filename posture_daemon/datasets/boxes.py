"""Recognises data sets for detection and segmentation, whose pictures lie in no class folder."""

import re
from itertools import islice
from pathlib import Path

from posture_daemon.datasets.folder_names import is_of_boxes
from posture_daemon.datasets.folder_tree import Folder
from posture_daemon.errors import DatasetError

LISTS = re.compile(
    r"(?:data|dataset|coco\w*|voc)\.ya?ml|classes\.txt|_darknet\.labels|obj\.(?:names|data)|_classes\.csv"
    r"|(?:.*_)?annotations?(?:\.coco)?\.(?:json|csv|xml|txt)|(?:instances|captions|person_keypoints)_\w+\.json|via_\w*\.json"
    r"|labels?\.(?:csv|json)|metadata\.(?:csv|jsonl)|(?:train|test|val|valid)\.(?:csv|txt|json)|result\.json|notes\.json"
)
"""Files beside the pictures in which other tools say what is in each."""

BOXES = re.compile(r"(?:\d+(?:[ \t]+-?\d*\.?\d+(?:e-?\d+)?){4,}[ \t]*\s*)+")
"""Lines of a class number and at least four coordinates."""

MARKS = {
    ".xml": ("<bndbox", "<object>"),
    ".json": ('"shapes"', '"bbox"', '"annotations"', '"objects"', '"regions"'),
}
"""What XML or JSON of boxes holds."""

BESIDE = (".txt", *MARKS)
MAX_LOOKED_AT = 50
"""Pictures of a folder whose neighbours are looked at."""


def refuse_boxes(folder: Folder, root: Folder) -> None:
    """Raise `DatasetError` when most pictures of a folder have a file beside them that says what is where in them."""
    pictures = list(islice(folder.below(), MAX_LOOKED_AT))
    if 2 * sum(_has_boxes(path) for path in pictures) > len(pictures):
        raise DatasetError(
            f"Beside the pictures of {folder.path} lie files with boxes, as for detection. Nothing was read; if all its "
            f"pictures are of the class {folder.name} nevertheless, move these files out of {root.path}."
        )


def refuse_another_kind(root: Folder, where: Folder) -> None:
    """Raise `DatasetError` when something tells that pictures without a class, as in `where`, are of a data set of boxes."""
    sign = sign_of_boxes(root)
    if sign is not None:
        raise DatasetError(
            f"The pictures in {where.path} lie in no class folder; with {sign} this is a data set of another kind (boxes, "
            "masks or a list), which is not read. Export it for classification, one folder per class, and give that."
        )


def sign_of_boxes(root: Folder) -> str | None:
    """What tells that this is a data set of another kind, relative to the root; `None` when nothing does."""
    for folder in root.all():
        if folder is not root and is_of_boxes(folder.name):
            return f"{folder.path.relative_to(root.path)}/"
        found = next((path for path in folder.others if LISTS.fullmatch(path.name.casefold())), None)
        found = found or next((path for path in folder.pictures[:MAX_LOOKED_AT] if _has_boxes(path)), None)
        if found is not None:
            return str(found.relative_to(root.path))
    return None


def _has_boxes(picture: Path) -> bool:
    for suffix in BESIDE:
        path = picture.with_suffix(suffix)
        if path.is_file() and _says_boxes(path):
            return True
    return False


def _says_boxes(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            text = file.read(4096).decode("utf-8", "replace")
    except OSError:
        return False
    if path.suffix == ".txt":
        return BOXES.fullmatch(text[: text.rfind("\n") + 1] if len(text) == 4096 else text) is not None
    return any(mark in text for mark in MARKS[path.suffix])
