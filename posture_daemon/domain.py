"""The words of posture-daemon as frozen values. No I/O, nothing heavier than numpy.

Units and conventions, everywhere: times are seconds since the Unix epoch (UTC, float); images are `uint8`, shape
`(height, width, 3)`, channel order BGR (OpenCV's), range 0–255; probabilities are `float32` in 0–1 and sum to 1.
An unknown number is `None`, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

MB = 1_000_000
"""Bytes: a megabyte is a million of them, in settings, reports and limits alike."""

UNKNOWN = "unknown"
"""The posture shown when no class is sure enough. It is never the name of a class."""

Image = NDArray[np.uint8]
"""`(height, width, 3)`, BGR, 0–255."""

Floats = NDArray[np.float32]


class Role(str, Enum):
    """What a class means to the owner, whatever they call it."""

    GOOD = "good"
    BAD = "bad"
    AWAY = "away"
    NEUTRAL = "neutral"


class Split(str, Enum):
    """What a labelled image is used for; fixed for life by its time block."""

    TRAIN = "train"
    HOLDOUT = "holdout"
    TEST = "test"


class Reason(str, Enum):
    """Why a frame was kept for labelling."""

    WRONG = "called wrong"
    """The owner said that what is shown now is wrong."""
    DISAGREEMENT = "models disagree"
    """The champion and the one before it name different classes."""
    TRANSITION = "posture changed"
    NOVEL = "unlike anything labelled"
    UNCERTAIN = "uncertain"
    NO_CLASSES = "no classes yet"
    LITTLE_KNOWN = "little known"
    """Of the last while the one that it knows least, however sure it is: a model that is wrong all day is often sure."""
    AUDIT = "random audit"
    IMPORTED = "imported"
    TAUGHT = "taught"
    """Shown on request (`guided_capture.py`), so its label was known before the frame was."""


MIN_DOUBT: Mapping[str, float] = {
    Reason.WRONG.value: 1.0,
    Reason.NO_CLASSES.value: 1.0,
    Reason.DISAGREEMENT.value: 0.6,
    Reason.NOVEL.value: 0.3,
    Reason.TRANSITION.value: 0.3,
    Reason.LITTLE_KNOWN.value: 0.3,
    Reason.AUDIT.value: 0.3,
}
"""How doubtful (0-1) a frame kept for this reason is at least, however sure the model is: else nobody would ever look at the
confident mistakes that some reasons are there to find."""


@dataclass(frozen=True)
class Region:
    """The box of the picture that a model looks at; left, top, width and height as shares (0-1) of the whole picture.

    Rounded to thousandths, so that what is written is what is used. Raises `ValueError` with one sentence for a box that
    leaves the picture or is too small to hold a person.
    """

    x: float
    y: float
    width: float
    height: float

    def __post_init__(self) -> None:
        for name in ("x", "y", "width", "height"):
            value = float(getattr(self, name))
            if not math.isfinite(value):
                raise ValueError(f"The {name} of a region must be a number, not {value}.")
            object.__setattr__(self, name, round(value, 3) + 0.0)
        if min(self.x, self.y) < 0 or max(self.x + self.width, self.y + self.height) > 1 + REGION_STEP / 2:
            raise ValueError(f"The region {self} leaves the picture, which goes from 0 to 1 each way.")
        if min(self.width, self.height) < MIN_REGION_SIDE:
            raise ValueError(
                f"The region {self} is too small: each side must be at least {MIN_REGION_SIDE:g} of the picture's."
            )

    def __str__(self) -> str:
        return ",".join(f"{value:g}" for value in (self.x, self.y, self.width, self.height))

    @classmethod
    def parse(cls, text: str) -> Region | None:
        """Read `x,y,width,height`; nothing at all is the whole picture. Raises `ValueError` with one sentence."""
        if not text.strip():
            return None
        parts = text.split(",")
        try:
            x, y, width, height = (float(part) for part in parts)
        except ValueError:
            raise ValueError(f"'{text}' is no region: four numbers from 0 to 1 are, as in 0.2,0.1,0.6,0.8.") from None
        return cls(x, y, width, height)


REGION_STEP = 0.001
"""To what a region is rounded: less than a pixel of a stored picture."""

MIN_REGION_SIDE = 0.1
"""A person who sits in less of the picture than that would be a few pixels wide."""


class DatasetLayout(str, Enum):
    """How an export lays labelled pictures out in folders."""

    ARTICLE = "article"
    """A folder per class beside `uncategorized/`, to be sorted by hand."""
    ULTRALYTICS = "ultralytics"
    """`train/`, `val/` (the holdout) and, if there is one, `test/`, each with a folder per class."""


class Strategy(str, Enum):
    """How a challenger is trained. The last four are those that the article compares; ultralytics itself runs them."""

    REPLAY = "replay"
    """Ours: the head alone, on cached features of all labels, new and old."""
    SCRATCH = "scratch"
    """The whole network from the base model, on all labels."""
    ALL = "all"
    """The whole network from the incumbent, on all labels."""
    NEW = "new"
    """The whole network from the incumbent, on the new labels alone."""
    FINETUNE = "finetune"
    """The head alone (`freeze=10`) from the incumbent, on the new labels alone, at a lower learning rate."""


class Outcome(str, Enum):
    """How a training run ended. Each comes with a reason in words."""

    DEFERRED = "DEFERRED"
    KEPT = "KEPT"
    PROMOTED = "PROMOTED"
    FAILED = "FAILED"
    ROLLED_BACK = "ROLLED_BACK"
    """No training: the watch found a champion worse than the one before it. `challenger` is then the one that came back."""


class Order(str, Enum):
    """What a running training is told."""

    RUN = "run"
    PAUSE = "pause"
    """Stop computing at the end of the present batch, and give back what memory can be given back."""
    END = "end"
    """Keep what is done and end, to be continued later."""


class Failure(str, Enum):
    """Why a training failed, where that decides how the next one is tried."""

    OUT_OF_MEMORY = "out of memory"
    OUT_OF_TIME = "out of time"
    OTHER = "other"


class WatchEnding(str, Enum):
    """How the watch over a new champion ended."""

    KEPT = "kept"
    ROLLED_BACK = "rolled back"
    OVERTAKEN = "overtaken"
    """Another version became champion first."""


@dataclass(frozen=True)
class PostureClass:
    """One class of the owner, e.g. `good_posture`, and what it means."""

    name: str
    role: Role


@dataclass(frozen=True)
class PostureState:
    """`posture` is a class name or `unknown`; `since` is when it began, on the frames' clock."""

    posture: str
    since: float


@dataclass(frozen=True)
class FrameRate:
    """Frames answered in so many seconds; `lost` ones came and were not looked at, `longest_gap_s` is between two answers.

    `latency_ms` is the mean time of a prediction; 0 without frames.
    """

    fps: float
    lost: int
    longest_gap_s: float
    seconds: float = 0.0
    frames: int = 0
    latency_ms: float = 0.0


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture. `captured_at` is the camera's own time, so that a replayed or sped-up camera carries its own clock."""

    image: Image
    captured_at: float
    sequence: int


@dataclass(frozen=True, eq=False)
class Features:
    """What the backbone saw in one image: `map` is `float32 (channels, h, w)`, the input of the head."""

    map: Floats

    @property
    def pooled(self) -> Floats:
        """`float32 (channels,)`: the map averaged over the picture. What queued frames keep, and what tells frames apart."""
        return np.asarray(self.map.mean(axis=(1, 2)), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the champion says of one frame.

    `probabilities` is `float32 (len(classes),)`, calibrated by the version's temperature. A base model has no classes:
    then `probabilities` is empty, `label` is `unknown` and `confidence` is 0. Where it was learned from today's `answers`,
    so many of them, the classes and probabilities are the online head's and not the version's. It is not `familiar` in a
    session that is unlike any labelled one. `backbone_sha256` is the `feature_key`.
    """

    classes: tuple[str, ...]
    probabilities: Floats
    features: Features
    version_id: int
    backbone_sha256: str
    latency_s: float
    answers: int = 0
    familiar: bool = True

    @property
    def label(self) -> str:
        """The most probable class, or `unknown` when the model has none."""
        return self.classes[int(np.argmax(self.probabilities))] if self.classes else UNKNOWN

    @property
    def confidence(self) -> float:
        """The calibrated probability of `label`, 0–1."""
        return float(self.probabilities.max()) if self.classes else 0.0


def feature_key(backbone_sha256: str, region: Region | None) -> str:
    """What a vector depends on besides the picture: the backbone, and the part of the picture that it is shown."""
    return backbone_sha256 if region is None else f"{backbone_sha256}@{region}"


@dataclass(frozen=True)
class ModelVersion:
    """A backbone and a head under one number, with the lineage of the head.

    `temperature` divides the logits (Guo et al. 2017, arXiv 1706.04599). `classes` is in the order of the head's rows;
    a *base* has none. Files are found by content: `models/backbones/<sha>/` and `models/heads/<sha>/`. `metrics` is how good it
    was when it was made, `lineage` how it was made (see `learning/lineage.py`); both are empty for what nobody wrote down.
    With `files_removed_at` its files may be gone, to save space, and it can never answer again (see `store/retention.py`).
    `region` is the part of each picture that it looks at, `None` all of it.
    """

    id: int
    created_at: float
    parent_id: int | None
    backbone_sha256: str
    head_sha256: str
    classes: tuple[PostureClass, ...]
    temperature: float
    source: str
    metrics: Mapping[str, Any] = field(default_factory=dict)
    lineage: Mapping[str, Any] = field(default_factory=dict)
    files_removed_at: float | None = None
    region: Region | None = None

    @property
    def feature_key(self) -> str:
        """Names whose features these are: vectors of versions with the same key can be compared."""
        return feature_key(self.backbone_sha256, self.region)

    @property
    def is_base(self) -> bool:
        """True while the model knows no posture class."""
        return not self.classes


@dataclass(frozen=True)
class Incident:
    """Something that the owner must be told, in one sentence, such as a damaged model that was replaced."""

    id: int
    happened_at: float
    text: str


@dataclass(frozen=True)
class Verdict:
    """One condition of a decision, in words, and its number against its limit where it has one.

    `protects` marks what keeps the device safe, or a training from being in vain: not even the owner's `--force` skips it.
    """

    name: str
    passed: bool
    text: str
    value: float | str | None = None
    limit: float | str | None = None
    protects: bool = False


@dataclass(frozen=True)
class Decision:
    """Go or no-go with every condition that was looked at."""

    verdicts: tuple[Verdict, ...]

    @property
    def passed(self) -> bool:
        """True when every condition holds."""
        return all(verdict.passed for verdict in self.verdicts)

    @property
    def reason(self) -> str:
        """The failed conditions in words, or all of them when none failed."""
        shown = [v.text for v in self.verdicts if not v.passed] or [v.text for v in self.verdicts]
        return "; ".join(shown)


class Status(str, Enum):
    """Where a kept frame stands."""

    QUEUED = "queued"
    LABELLED = "labelled"
    DISCARDED = "discarded"


@dataclass(frozen=True, eq=False)
class NewFrame:
    """A frame on its way into the queue: JPEG bytes, and what was known of it when it was kept.

    `pooled` are the backbone's pooled features (`float16 (channels,)`), `backbone_sha256` says whose (it is a `feature_key`).
    `usefulness` (0-1) decides which frames go first when there is no room for all.
    """

    jpeg: bytes
    captured_at: float
    source: str
    reason: Reason
    explanation: str
    predicted: str | None = None
    confidence: float | None = None
    version_id: int | None = None
    usefulness: float | None = None
    backbone_sha256: str | None = None
    pooled: NDArray[np.float16] | None = None


@dataclass(frozen=True)
class QueuedFrame:
    """A frame that waits for the owner, with the reason it was kept. Its picture is read separately."""

    id: int
    captured_at: float
    status: Status
    reason: str
    explanation: str
    predicted: str | None
    confidence: float | None


@dataclass(frozen=True)
class LabelledImage:
    """A frame, its class, its split, its time block, and when it was captured. Its picture is read separately."""

    frame_id: int
    sha256: str
    class_name: str
    split: Split
    block_id: int = field(default=0, compare=False)
    captured_at: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class TrainingRun:
    """One attempt to train. `outcome` is `None` while it runs."""

    id: int
    trigger: str
    started_at: float
    finished_at: float | None
    outcome: Outcome | None
    reason: str
    metrics: Mapping[str, Any]
    incumbent_id: int | None
    challenger_id: int | None
    decision: tuple[Verdict, ...] = ()
    """What the gate said when it began, or when it was refused."""


@dataclass(frozen=True)
class Watch:
    """A champion that a training promoted, and the one it replaced, while labels tell which is better.

    `ending` is `None` while it lasts; `reason` is what it has seen so far, in words.
    """

    id: int
    version_id: int
    previous_id: int
    began_at: float
    ended_at: float | None
    ending: WatchEnding | None
    reason: str


@dataclass(frozen=True)
class Calibration:
    """A refit of a version's temperature on so many holdout `images`.

    The errors are expected calibration errors, 0–1: at `temperature_before`, and `error` as it is after fitting, measured on
    images that were not fitted to (see `learning/calibration.py`).
    """

    version_id: int
    calibrated_at: float
    temperature_before: float
    temperature: float
    images: int
    error_before: float
    error: float
