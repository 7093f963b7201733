"""What a model gets right on labelled images, in the field's own measures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Floats

CALIBRATION_BINS = 10


@dataclass(frozen=True)
class Evaluation:
    """Counts on one set of images. `confusion[i][j]`: images of class i that were called class j.

    `classes` are those of the labels and of the model together, in one order for rows and columns.
    `expected_calibration_error` is in 0–1 (Guo et al. 2017, 10 bins); `None` without images.
    """

    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    expected_calibration_error: float | None

    @property
    def images(self) -> int:
        """Number of images."""
        return sum(map(sum, self.confusion))

    @property
    def correct(self) -> int:
        """Number of images called by their class."""
        return sum(row[i] for i, row in enumerate(self.confusion))

    @property
    def top1(self) -> float | None:
        """Share of images called by their class, 0–1; `None` without images."""
        return self.correct / self.images if self.images else None

    def shape_json(self, found: Any) -> Any:
        """With its sums, for readers of the record."""
        return {**found, "images": self.images, "correct": self.correct, "top1": self.top1}

    def per_class(self) -> dict[str, tuple[int, int]]:
        """Correct and all images of each class that has any; recall is their ratio."""
        rows = zip(self.classes, self.confusion, strict=True)
        return {name: (row[i], sum(row)) for i, (name, row) in enumerate(rows) if sum(row)}


@dataclass(frozen=True)
class ScoresOnTest:
    """Both models on the test images, which decide nothing. `incumbent` is `None` when it knows no classes."""

    challenger: Evaluation
    incumbent: Evaluation | None


@dataclass(frozen=True)
class CalibrationErrors:
    """Expected calibration errors, 0–1, `before` and `after` fitting a temperature on so many `images` (`calibration.py`)."""

    before: float | None
    after: float | None
    images: int


def evaluate(probabilities: Floats, model_classes: Sequence[str], truth: Sequence[str]) -> Evaluation:
    """Compare `probabilities (n, len(model_classes))` with the true class names. A class that the model lacks is missed."""
    classes = tuple(dict.fromkeys([*model_classes, *truth]))
    confusion = np.zeros((len(classes), len(classes)), dtype=int)
    rows = np.array([classes.index(name) for name in truth], dtype=np.intp)
    called = probabilities.argmax(axis=1) if len(truth) else np.empty(0, np.intp)
    np.add.at(confusion, (rows, called), 1)
    error = _calibration_error(probabilities.max(axis=1), called == rows) if len(truth) else None
    return Evaluation(classes, tuple(tuple(int(n) for n in row) for row in confusion), error)


def _calibration_error(confidence: Floats, correct: NDArray[np.bool_]) -> float:
    """Expected calibration error: |accuracy − confidence| averaged over equal bins of confidence."""
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = [abs(float((correct[bins == b] - confidence[bins == b]).sum())) for b in range(CALIBRATION_BINS)]
    return sum(gaps) / len(confidence)


@dataclass(frozen=True)
class Answers:
    """The class that each model called on each image, in one order. `incumbent` is `None` when it knows no classes."""

    frame_ids: tuple[int, ...]
    truth: tuple[str, ...]
    challenger: tuple[str, ...]
    incumbent: tuple[str, ...] | None

    def __post_init__(self) -> None:
        """Raise `ValueError` when the lists are not of one length."""
        before = self.truth if self.incumbent is None else self.incumbent
        if len({len(self.frame_ids), len(self.truth), len(self.challenger), len(before)}) != 1:
            raise ValueError("the answers are not of the same images")

    def changes(self, classes: Sequence[str] | None = None) -> tuple[int, int]:
        """Images fixed and broken, of these classes or of all."""
        fixed = broken = 0
        for truth, after, before in zip(self.truth, self.challenger, self.incumbent or (), strict=True):
            if classes is None or truth in classes:
                fixed += before != truth == after
                broken += before == truth != after
        return fixed, broken


@dataclass(frozen=True)
class NewLabelAnswers(Answers):
    """The answers to the labels that the incumbent has not seen, as far as they can be asked, `of` so many labels in all."""

    of: int


@dataclass(frozen=True)
class Moment:
    """What both models say of one moment that neither has learned, however many `images` show it.

    `right` is the share of the images that is called by their class, `chance` the mean probability of that class, 0–1. Those
    of the incumbent are `None` when it knows no classes.
    """

    session: int
    truth: str
    images: int
    right: float
    chance: float
    incumbent_right: float | None
    incumbent_chance: float | None


@dataclass(frozen=True)
class NewDay:
    """What left-out sessions promise for a day without labels: `top1`, and the share that is sure and wrong, 0–1."""

    top1: float
    sure_and_wrong: float
    images: int
    sessions: int
