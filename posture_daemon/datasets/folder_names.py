"""What the name of a folder says before one looks inside: a split, what waits, a wrapper, boxes, a day or a person, a class.

The words are those that data sets and other tools use (Roboflow, Label Studio, CVAT, COCO, Pascal VOC, Kaggle, GitHub's and
Windows' zip files). A name alone never decides against a class that is known.
"""

import re

from posture_daemon.domain import Role, Split
from posture_daemon.labelling.class_names import DISCARDED, UNCATEGORIZED
from posture_daemon.labelling.class_roles import guess_role, speaks_of_posture
from posture_daemon.vision.image_files import is_of_machines

SPLIT_WORDS = {
    **dict.fromkeys(("train", "training"), Split.TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev", "eval", "evaluation", "holdout"), Split.HOLDOUT),
    **dict.fromkeys(("test", "testing"), Split.TEST),
}
BESIDE_SPLIT = frozenset(
    {"set", "data", "dataset", "split", "image", "images", "img", "imgs", "folder", "obj", "samples"}
)
"""Words that change nothing about a split: `train_set`, `images_train`, `obj_train_data`."""
GLUED_SPLIT = re.compile(f"({'|'.join(SPLIT_WORDS)})(?:set|data|split|images|imgs|folder|\\d{{4}})?")
"""`trainset`, `val2017`."""

WAITING = frozenset(
    {
        "uncategorized",
        "uncategorised",
        "unlabeled",
        "unlabelled",
        "unlabeleddata",
        "unlabelleddata",
        "nolabel",
        "nolabels",
    }
    | {"notlabeled", "notlabelled", "withoutlabel", "unsorted", "unclassified", "unannotated", "unassigned", "tolabel"}
)
"""Names, without `_` and spaces, of pictures that have no class yet."""

OTHER_PROGRAMS = frozenset(
    {
        "runs",
        "wandb",
        "mlruns",
        "lightning_logs",
        "checkpoints",
        "venv",
        "__pycache__",
        "thumbnails",
        "thumbs",
        "thumbs.db",
        "picasaoriginals",
        "node_modules",
    }
)
"""Folders that programs make beside pictures; nobody sorted anything into them. Those of systems: see `image_files`."""

WRAPPER_WORDS = frozenset(
    {
        "dataset",
        "datasets",
        "data",
        "image",
        "images",
        "img",
        "imgs",
        "picture",
        "pictures",
        "pic",
        "pics",
        "photo",
        "photos",
    }
    | {
        "jpegimages",
        "leftimg8bit",
        "frame",
        "frames",
        "archive",
        "export",
        "exports",
        "exported",
        "download",
        "downloads",
    }
    | {
        "raw",
        "input",
        "inputs",
        "source",
        "src",
        "content",
        "default",
        "upload",
        "uploads",
        "media",
        "files",
        "original",
    }
    | {"originals", "processed", "classification", "classes", "categories", "category", "labeled", "labelled", "sorted"}
    | {
        "annotated",
        "project",
        "output",
        "outputs",
        "obj",
        "new",
        "folder",
        "untitled",
        "backup",
        "old",
        "tmp",
        "temp",
        "all",
    }
    | {
        "augmented",
        "augmentation",
        "resized",
        "cropped",
        "bilder",
        "fotos",
        "foto",
        "daten",
        "datensatz",
        "neuer",
        "ordner",
    }
    | {"imagenes", "datos", "jpg", "jpeg", "png", "rgb", "final", "copy", "extracted", "unzipped", "dcim", "camera"}
)
VERSION = re.compile(r"v?\d+")
STRONG_WRAPPER = re.compile(
    r"(?:^|[^a-z])(?:datasets?|archive)(?:[^a-z]|$)|\.v\d+i?(?:\.|$)|-(?:master|main)$|dataset\d*$"
)
"""Whatever else stands there: `posture_dataset`, `posture.v2i.folder`, `posture-main`."""

COPY = re.compile(
    r"(?:copy|kopie) (?:of|von) (?P<of>.+)|(?P<by>.+?)(?: - copy| - kopie| copy|_copy)?(?: ?\(\d+\))?", re.IGNORECASE
)
"""What file managers call a folder that was copied: `copy of good`, `good - Copy (2)`."""

BOX_WORDS = frozenset(
    {"label", "labels", "annotation", "annotations", "ann", "anns", "labeltxt", "bboxes", "boxes", "groundtruth", "gt"}
    | {"gtfine", "imagesets", "segmentation", "segmentations", "segmentationclass", "segmentationobject", "masks"}
)
"""Folders of what was drawn into pictures."""

OCCASION_WORDS = (
    "session|sess|person|persons|subject|subj|user|participant|patient|people|proband|day|date|week|month|cam|camera|video|vid"
    "|clip|rec|recording|take|run|part|batch|series|seq|sequence|scene|shot|round|group|fold|split|set|trial|visit"
)
WEEKDAY = "(?:mon|tues|wednes|thurs|fri|satur|sun)day"
OCCASION = re.compile(f"(?:{OCCASION_WORDS})_?\\d+|{WEEKDAY}")
DATE = re.compile(
    r"(?<!\d)(?:(?:19|20)\d\d[-_. ]?[01]\d[-_. ]?[0-3]\d(?:[T_ -]?\d{4,6})?|[0-3]?\d[-_.][01]?\d[-_.](?:19|20)\d\d)(?!\d)"
)
NUMBERED = re.compile(r"[a-uw-z]?[ _-]?\d+", re.IGNORECASE)


def words_of(name: str) -> list[str]:
    """The lower-case words of a name, cut at anything but letters and digits."""
    return [word for word in re.split(r"[\W_]+", name.casefold()) if word]


def split_of(name: str) -> Split | None:
    """The split that a folder of this name holds; `None` for none."""
    words = [word for word in words_of(name) if word not in BESIDE_SPLIT and not re.fullmatch(r"(?:19|20)\d\d", word)]
    glued = GLUED_SPLIT.fullmatch(words[0]) if len(words) == 1 else None
    return SPLIT_WORDS[glued[1]] if glued else None


def split_within(name: str) -> Split | None:
    """The split that one word of a longer name says, such as `posture_train`; `None` for none or several."""
    found = {SPLIT_WORDS[word] for word in words_of(name) if word in SPLIT_WORDS}
    return found.pop() if len(found) == 1 else None


def without_split(name: str) -> str | None:
    """What a name says beside the split at its end or beginning, as `good_train` says `good`; `None` without a split."""
    words = words_of(name)
    for split, rest in ((words[-1:], words[:-1]), (words[:1], words[1:])):
        if rest and split[0] in SPLIT_WORDS:
            return "_".join(rest)
    return None


def copied_from(name: str) -> str:
    """The name of the folder that one was copied from, as file managers say it; its own name when it is no copy."""
    match = COPY.fullmatch(name)
    return (match["of"] or match["by"]) if match else name


def special(name: str) -> str | None:
    """`uncategorized` or `discarded` for what has no class, however other tools call it; `None` else."""
    bare = re.sub(r"[\W_]+", "", name.casefold())
    return UNCATEGORIZED if bare in WAITING else DISCARDED if bare == DISCARDED else None


def is_of_other_programs(name: str) -> bool:
    """Whether a system or a program made it beside the pictures."""
    return is_of_machines(name) or name.casefold() in OTHER_PROGRAMS


def is_wrapper(name: str) -> bool:
    """Whether it only holds a data set, as `dataset/`, `images/` or `posture-main/` do."""
    words = words_of(name)
    said = [word for word in words if not VERSION.fullmatch(word)]
    plain = bool(said) and all(word in WRAPPER_WORDS for word in said)
    return plain or STRONG_WRAPPER.search(name.casefold()) is not None


def is_of_boxes(name: str) -> bool:
    """Whether it holds boxes, masks or texts about pictures."""
    return "".join(words_of(name)) in BOX_WORDS


def is_occasion(name: str) -> bool:
    """Whether it names a day, a person, a session, a camera or a part: what there is of every class."""
    said = "_".join(word for word in words_of(name) if word not in WRAPPER_WORDS or word == "camera")
    return OCCASION.fullmatch(said) is not None or DATE.search(name) is not None


def is_number(name: str) -> bool:
    """Whether it is a number, alone or after a letter but `v`, which may be a class or a session; `v2` is a version."""
    return NUMBERED.fullmatch(name.strip()) is not None


def names_a_posture(name: str) -> bool:
    """Whether its words speak of a posture or of absence, so that it is a class and no wrapper."""
    return speaks_of_posture(name) and not is_wrapper(name)


def opposes(names: list[str]) -> bool:
    """Whether there is a good and a bad one among them: then they are the classes, whatever is above them."""
    return {Role.GOOD, Role.BAD} <= {guess_role(name) for name in names}
