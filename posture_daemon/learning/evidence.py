"""What speaks for a challenger: answers that neither model has learned, by moment and session, and a promise for a new day.

The holdout is of old days, so it calls what makes a new day right a fault; and what it promises holds for neighbours of the
training frames alone. So the labels that the incumbent has not seen are asked too: of the incumbent as it is, and of fits
without the moment of each. Neighbours in time are near-duplicates, so a moment counts once, however many frames it has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import LabelledImage
from posture_daemon.learning.calibration import fit_to, for_a_new_day
from posture_daemon.learning.evaluation import Moment, NewDay
from posture_daemon.learning.features import Vectors
from posture_daemon.learning.out_of_fold import OutOfFold, by_session, out_of_fold
from posture_daemon.learning.scoring import Candidate, OfTruth, moment, of_truth_in
from posture_daemon.learning.training_set import TrainingSet
from posture_daemon.vision.head import softmax

SURE = 0.8
"""Confidence above which a wrong answer is a false promise, as `queue.unsure_below` has it by default."""

MAX_MOMENT_FITS = 24
"""Fits without some of the new moments; beyond it several are left out together."""


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Answers of fits without the session of each image, or without its block while there is only one session."""

    asked: OutOfFold
    sessions: int

    def temperature(self) -> float:
        """The temperature that is honest for a day that nobody has labelled; 1 when nothing could be asked."""
        found = fit_to(self.asked.logits, [i.class_name for i in self.asked.images], self.asked.names)
        return for_a_new_day(found, self.sessions)

    def new_day(self, data: TrainingSet, temperature: float) -> NewDay | None:
        """What to expect of a day without labels; `None` before there are two sessions to leave out."""
        if self.sessions < 2 or not self.asked.images:
            return None
        images = self.asked.images
        chances = softmax(self.asked.logits, temperature)
        right = np.array(
            [self.asked.names[row] == i.class_name for row, i in zip(chances.argmax(1), images, strict=True)]
        )
        weights = _once_a_moment(data, images)
        sure_wrong = (chances.max(axis=1) > SURE) & ~right
        return NewDay(float(weights @ right), float(weights @ sure_wrong), len(images), self.sessions)


def left_out(data: TrainingSet, each: Callable[[], None]) -> LeftOut:
    """Ask each image of a fit without its session; with a single session, without its time block."""
    sessions = len(set(data.sessions_of([*data.training.images, *data.holdout.images])))
    asked = by_session(data, data.holdout, each=each) if sessions > 1 else out_of_fold(data, data.holdout, each=each)
    return LeftOut(asked, sessions)


def moments(
    data: TrainingSet,
    before: Candidate | None,
    new: Collection[int],
    each: Callable[[], None],
) -> tuple[Moment, ...]:
    """What both say of the holdout, and of the `new` frames, which the incumbent has not learned.

    The challenger has, so there a fit without the moment of each answers for it. An image of a class that the incumbent
    lacks counts as missed by it. Each speaks at the temperature that fits these very answers: here it is compared who tells
    the classes apart, and not who is how sure.
    """
    parts = data.parts_of(data.training.images)
    asked = out_of_fold(
        data, data.holdout, only=_undecided(data, new), parts=parts, max_folds=MAX_MOMENT_FITS, each=each
    )
    if not asked.images:
        return ()
    truth = [image.class_name for image in asked.images]
    ours = of_truth_in(asked.logits, asked.names, truth)
    theirs = None if before is None else _asked_of(before, data, asked.images)
    return tuple(_counted_by_moment(data, asked.images, ours, theirs))


def _asked_of(model: Candidate, data: TrainingSet, images: Sequence[LabelledImage]) -> OfTruth:
    seen = (data.as_before(vectors) for vectors in (data.training, data.holdout))
    vector = {i.frame_id: row for v in seen for i, row in zip(v.images, v.identity, strict=True)}
    asked = np.array([vector[image.frame_id] for image in images], np.float32)
    vectors = Vectors(list(images), asked[:, None])
    return of_truth_in(model.logits(vectors), model.names, vectors.truth)


def _undecided(data: TrainingSet, new: Collection[int]) -> set[int]:
    return {*new, *(image.frame_id for image in data.holdout.images)}


def _counted_by_moment(
    data: TrainingSet, images: Sequence[LabelledImage], ours: OfTruth, theirs: OfTruth | None
) -> list[Moment]:
    rows: dict[tuple[int, tuple[int, int, str]], list[int]] = {}
    for row, key in enumerate(zip(data.sessions_of(images), data.moments_of(images), strict=True)):
        rows.setdefault(key, []).append(row)
    return [moment(session, truth, these, ours, theirs) for (session, (_, _, truth)), these in rows.items()]


def _once_a_moment(data: TrainingSet, images: Sequence[LabelledImage]) -> NDArray[np.float64]:
    """Weights of the images, summing to 1, with which each moment counts once."""
    keys = data.moments_of(images)
    counts = Counter(keys)
    weights = np.array([1 / counts[key] for key in keys])
    return np.asarray(weights / weights.sum())


def with_temperature_of(candidate: Candidate, found: LeftOut, images: Vectors) -> Candidate:
    """The candidate at the temperature of the left-out answers, else of the holdout `images`."""
    if not found.asked.images:
        return candidate.calibrated(images)
    return Candidate(candidate.layer, candidate.names, found.temperature())
