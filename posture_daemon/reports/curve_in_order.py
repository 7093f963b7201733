"""The holdout's top-1 label by label, with the instant head (`incremental_head.py`): a thousand labels take seconds.

It shows one course of things, the one that was. Whether more labels would help is for `learning_curve.py`, which draws many.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posture_daemon.errors import TrainingError
from posture_daemon.learning.incremental_head import IncrementalHead
from posture_daemon.learning.linear_layer import Linear
from posture_daemon.learning.scoring import Candidate
from posture_daemon.learning.training_set import TrainingSet


@dataclass(frozen=True)
class Point:
    """Holdout top-1, 0–1, after so many training labels."""

    labels: int
    top1: float


def learning_curve(lesson: TrainingSet, points: int = 12) -> list[Point]:
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
    head = IncrementalHead(views[:first], targets[:first].tolist(), lesson.prior, lesson.inputs.penalty)
    curve = [_point(lesson, head)]
    for image, target in zip(views[first:], targets[first:].tolist(), strict=True):
        layer = head.add(image, target)
        if head.images in looks:
            curve.append(_point(lesson, head, layer))
    return curve


def _even_pace(targets: NDArray[np.intp]) -> NDArray[np.intp]:
    """Rows in an order in which each class is at the same share of its images at any time."""
    share = np.empty(len(targets))
    for target in np.unique(targets):
        rows = np.flatnonzero(targets == target)
        share[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return np.argsort(share, kind="stable")


def _point(lesson: TrainingSet, head: IncrementalHead, layer: Linear | None = None) -> Point:
    top1 = Candidate(layer or head.layer, lesson.names, 1.0).evaluate(lesson.holdout).top1
    return Point(head.images, float(top1 or 0.0))
