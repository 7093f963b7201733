"""Folders that are no class folders, and imports that cannot be taken back."""

from posture_daemon.store.lock import TRAINING_LOCK
from tests.faults.fault import Group, Place

# Two lines a fault, not eight.
# fmt: off

BOX = "0 0.5 0.5 0.2 0.2\n"

folders = Group("Folders that are no classes")

folders.plain("A data set for detection", "label --import ~/boxes",
    "/boxes/train/images", "Export it for classification",
    {"boxes/train/images/a.png": Place.picture, "boxes/train/labels/a.txt": BOX})
folders.plain("Boxes beside the pictures", "label --import ~/boxes",
    "/boxes/desk", "move these files out of", {"boxes/desk/a.png": Place.picture, "boxes/desk/a.txt": BOX})
folders.plain("A folder of pictures that nobody sorted", "label --import ~/archive",
    "/archive/dataset", "sort its pictures into folders", {"archive/dataset/a.png": Place.picture})
folders.plain("Days without class folders", "label --import ~/days",
    "/days/2024-05-01", "sort its pictures into folders", {"days/2024-05-01/a.png": Place.picture})
folders.plain("A folder that may be a class or hold classes", "label --import ~/found",
    "/found/yoga", "/found/yoga itself",
    {"found/yoga/tree/a.png": Place.picture, "found/yoga/cobra/b.png": Place.picture})
folders.plain("Several data sets side by side", "label --import ~/sets",
    "/sets holds several data sets", "give one of them",
    {f"sets/{v}/{s}/good_posture/{v}{s}.png": Place.picture for v in ("v1", "v2") for s in ("train", "val")})
folders.plain("Splits in the names of classes", "label --import ~/names",
    "names a split", "sort its pictures into folders",
    {f"names/good_{s}/{s}.png": Place.picture for s in ("train", "test")})
folders.plain("A split that contradicts the one above it", "models evaluate ~/twice",
    "/twice/train/val", "give the folder whose splits are meant", {"twice/train/val/good_posture/a.png": Place.picture})
folders.plain("A wrapper to compare on without classes", "compare ~/wrapped --out ~/report",
    "/wrapped/data", "sort its pictures into folders", {"wrapped/data/a.png": Place.picture})

undo = Group("Imports taken back")

undo.plain("No import to take back", "dataset undo --yes",
    "There is no import", "to take back", sql="UPDATE steps SET undone_at = 0")
undo.plain("An import taken back with nobody to ask", "dataset undo", "nobody to ask", "--yes")
undo.plain("An import taken back while a training runs", "dataset undo --yes",
    "A training is running", "when it has ended", held=TRAINING_LOCK)
undo.plain("Nothing to bring back", "dataset redo", "nothing to bring back", "something else was done since")
