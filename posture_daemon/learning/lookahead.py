"""What the labels themselves tell, before anything is promoted: whether more would help, and which may be wrong.

Both use the instant head (`instant.py`), so a thousand labels take seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Floats
from posture_daemon.errors import TrainingError
from posture_daemon.head import softmax
from posture_daemon.learning.calibration import fit_to
from posture_daemon.learning.candidate import Candidate
from posture_daemon.learning.instant import InstantHead
from posture_daemon.learning.layer import Linear
from posture_daemon.learning.lesson import Lesson

DOUBT_FROM = 0.9
"""Probability of another class from which a label is doubted."""


@dataclass(frozen=True)
class Point:
    """Holdout top-1, 0–1, after so many training labels."""

    labels: int
    top1: float

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Doubt:
    """A frame whose label the rest of the labels speak against: the head that never saw its block says otherwise."""

    frame_id: int
    label: str
    instead: str
    probability: float

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def learning_curve(lesson: Lesson, points: int = 12) -> list[Point]:
    """Learn label after label, and look at the holdout `points` times. Raises `TrainingError` without a holdout.

    Each class comes in the order of its capture, and all classes at an even pace, as folders are imported one by one.
    """
    if not lesson.holdout.images:
        raise TrainingError(
            "There is no holdout yet, so nothing can be measured; label frames of another day or block."
        )
    order = _even_pace(lesson.targets)
    targets, views = lesson.targets[order], lesson.training.vectors[order]
    first = int(np.argmax(targets != targets[0])) + 1  # the first label of a second class
    looks = set(np.linspace(first, len(targets), points).round().astype(int).tolist())
    head = InstantHead(views[:first], targets[:first].tolist(), lesson.prior, lesson.inputs.penalty)
    curve = [_point(lesson, head)]
    for image, target in zip(views[first:], targets[first:].tolist(), strict=True):
        layer = head.add(image, target)
        if head.images in looks:
            curve.append(_point(lesson, head, layer))
    return curve


def doubtful_labels(lesson: Lesson) -> list[Doubt]:
    """Training labels that the other blocks speak against, the surest first."""
    targets, views = lesson.targets, lesson.training.vectors
    blocks = np.array([image.block_id for image in lesson.training.images])
    head = InstantHead(views, targets.tolist(), lesson.prior, lesson.inputs.penalty)
    whole = Candidate(head.layer, lesson.names, 1.0)
    temperature = fit_to(whole.logits(lesson.holdout), lesson.holdout.truth, lesson.names)
    doubts = []
    for block in np.unique(blocks).tolist():
        left_out = blocks == block
        if len(np.unique(targets[~left_out])) < 2:
            continue  # what remains could not tell anything apart
        chances = softmax(head.without(left_out).logits(lesson.training.identity[left_out]), temperature)
        doubts += _doubts(lesson, np.flatnonzero(left_out).tolist(), chances)
    return sorted(doubts, key=lambda doubt: -doubt.probability)


def _even_pace(targets: NDArray[np.intp]) -> NDArray[np.intp]:
    """Rows in an order in which each class is at the same share of its images at any time."""
    share = np.empty(len(targets))
    for target in np.unique(targets):
        rows = np.flatnonzero(targets == target)
        share[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return np.argsort(share, kind="stable")


def _point(lesson: Lesson, head: InstantHead, layer: Linear | None = None) -> Point:
    top1 = Candidate(layer or head.layer, lesson.names, 1.0).evaluate(lesson.holdout).top1
    return Point(head.images, float(top1 or 0.0))


def _doubts(lesson: Lesson, rows: Sequence[int], chances: Floats) -> list[Doubt]:
    images, names = lesson.training.images, lesson.names
    said = [
        (images[row], names[int(chance.argmax())], float(chance.max()))
        for row, chance in zip(rows, chances, strict=True)
    ]
    return [
        Doubt(image.frame_id, image.class_name, name, probability)
        for image, name, probability in said
        if name != image.class_name and probability >= DOUBT_FROM
    ]
