"""What the record of a run holds, typed: how it went while it ran, and all that was found, by whatever version of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from posture_daemon.domain import Failure, Order
from posture_daemon.learning.evaluation import Answers, Evaluation, NewLabelAnswers, ScoresOnTest
from posture_daemon.learning.training_report import TrainingReport
from posture_daemon.store.json_values import known_from_json


@dataclass(frozen=True)
class Load:
    """The size of a training. `image_size` is the side of the square input, pixels; `backbone_bytes` the size of its file."""

    strategy: str
    backbone_sha256: str
    backbone_bytes: int
    image_size: int
    images: int
    views: int
    batch: int

    def like(self, other: Load) -> bool:
        """Whether the peak of that training says something about this one: same network, images within half and double."""
        same = (other.strategy, other.backbone_sha256) == (self.strategy, self.backbone_sha256)
        near = self.images <= 2 * other.images and other.images <= 2 * max(1, self.images)
        return same and near and other.batch >= self.batch


@dataclass(frozen=True)
class Interrupted:
    """A training was told to pause, to go on or to end, and why; `at` in seconds since the epoch."""

    at: float
    order: Order
    reason: str


@dataclass(frozen=True)
class RunCourse:
    """How a training went; `peak_memory_bytes` is `None` when nobody saw it."""

    peak_memory_bytes: int | None
    ran_s: float
    paused_s: float
    interruptions: tuple[Interrupted, ...]


@dataclass(frozen=True)
class FrameRate:
    """How frames were answered over a stretch of time; see `live/frame_rate.py`."""

    fps: float
    lost: int
    longest_gap_s: float


@dataclass(frozen=True)
class FrameCost:
    """The frames before a training, and while it ran."""

    before: FrameRate
    during: FrameRate


@dataclass(frozen=True)
class RunRecord:
    """The metrics of a run or of a version. `None` is what does not apply, is not known, or cannot be read.

    `refusals` is how often the gate said the same, in a row that is no training; only a training has `ran_s`.
    """

    challenger: Evaluation | None = None
    incumbent: Evaluation | None = None
    answers: Answers | None = None
    test: ScoresOnTest | None = None
    new_labels: NewLabelAnswers | None = None
    report: TrainingReport | None = None
    load: Load | None = None
    peak_memory_bytes: int | None = None
    ran_s: float | None = None
    failure: Failure | None = None
    refusals: int | None = None
    frames: FrameCost | None = None

    @classmethod
    def of(cls, metrics: Mapping[str, Any]) -> RunRecord:
        """Read the metrics of a row."""
        return known_from_json(cls, metrics)
