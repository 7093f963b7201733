"""What a training process says of its own work and its result, for the record of the run and the lineage of the version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from posture_daemon.domain import LabelledImage, PostureClass
from posture_daemon.learning.evaluation import (
    Answers,
    CalibrationErrors,
    Evaluation,
    Moment,
    NewDay,
    NewLabelAnswers,
    ScoresOnTest,
)
from posture_daemon.store.files import sha256_of


@dataclass(frozen=True)
class TrainingReport:
    """`None` is what this strategy has not, or an older version did not write down.

    `label_ids` are the frames that were learned from, `labels_sha256` is over their `frame:class`; images are counted by class.
    `moments` is on how many it was judged, `new_session` whether it has
    learned a session that the incumbent has seen nothing of, `new_day` what left-out sessions promise for a day without labels,
    `None` with a single session.
    `seconds` are by stage (`features`, `fit`). `views` and `computed_views` are of the default strategy; what begins with
    `strategy` is of those that ultralytics trains, `curve` their top-1 on the holdout after each epoch, 0–1.
    """

    label_ids: tuple[int, ...] | None = None
    labels_sha256: str | None = None
    train_images: Mapping[str, int] = field(default_factory=dict)
    holdout_images: Mapping[str, int] = field(default_factory=dict)
    unreadable: int | None = None
    warnings: tuple[str, ...] = ()
    seed: int | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    peak_memory_bytes: int | None = None
    calibration: CalibrationErrors | None = None
    new_day: NewDay | None = None
    moments: int | None = None
    new_session: bool | None = None
    views: int | None = None
    computed_views: int | None = None
    strategy: str | None = None
    start_version: int | None = None
    epochs: int | None = None
    batch: int | None = None
    learning_rate: float | None = None
    freeze: int | None = None
    seconds_per_epoch: float | None = None
    curve: tuple[float, ...] | None = None
    best_epoch: int | None = None
    versions: Mapping[str, str] | None = None

    def shape_json(self, found: Any) -> Any:
        """Without what does not apply."""
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A challenger, judged beside the incumbent on the same images.

    `incumbent` is `None` when it knows no classes, `test` without test images, `new_labels` without any new to it. `moments`
    are the evidence that decides: answers that neither of the two has learned (`evidence.py`).
    """

    classes: tuple[PostureClass, ...]
    temperature: float
    challenger: Evaluation
    incumbent: Evaluation | None
    answers: Answers
    report: TrainingReport
    test: ScoresOnTest | None = None
    new_labels: NewLabelAnswers | None = None
    moments: tuple[Moment, ...] = ()


def labels_digest(images: Sequence[LabelledImage]) -> str:
    """SHA-256 over frames and their classes: what exactly was learned from."""
    return sha256_of(",".join(f"{image.frame_id}:{image.class_name}" for image in images).encode())
