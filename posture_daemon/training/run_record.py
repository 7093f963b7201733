"""What a training leaves its parent, and what the record of a run holds, by whatever version of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from posture_daemon.domain import Failure, FrameRate, Order
from posture_daemon.errors import TrainingError
from posture_daemon.learning.evaluation import Answers, Evaluation, Moment, NewLabelAnswers, ScoresOnTest
from posture_daemon.learning.training_report import Judged, TrainingReport
from posture_daemon.store.json_files import parse_json
from posture_daemon.store.json_values import JsonText, as_json, from_json, known_from_json


@dataclass(frozen=True)
class Load:
    """The size of a training. `image_size` is the side of the square input, pixels; `backbone_bytes` the size of its file.

    `region` is that of the challenger, as text; empty: the whole picture.
    """

    strategy: str
    backbone_sha256: str
    backbone_bytes: int
    image_size: int
    images: int
    views: int
    batch: int
    region: str = ""

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
    moments: tuple[Moment, ...] | None = None
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


@dataclass(frozen=True)
class NewBackbone:
    """A backbone that the training has moved: its `folder` within the folder of the run, and its digest."""

    folder: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class TrainingResult(Judged, JsonText):
    """`head` is a file in the folder of the run; `backbone` is `None` when the challenger has the incumbent's."""

    head: str
    backbone: NewBackbone | None = None

    @classmethod
    def from_json(cls, text: str) -> TrainingResult:
        """Read the result file. Raises `TrainingError` when it is not one."""
        try:
            return from_json(cls, parse_json(text))
        except ValueError as error:
            raise TrainingError(f"The training process left a result that cannot be used ({error}).") from error

    def for_run(self) -> Mapping[str, Any]:
        """What the record of the run keeps: not the file, and not the labels, which are the version's to know."""
        kept = replace(self, report=replace(self.report, label_ids=None))
        return {name: value for name, value in as_json(kept).items() if name != "head"}

    def for_version(self) -> Mapping[str, Any]:
        """What the version keeps of how good it was."""
        known = self.for_run()
        return {name: known[name] for name in ("challenger", "test", "report") if known[name]}
