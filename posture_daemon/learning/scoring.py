"""The scores of a linear layer on images, and the judgement of a challenger beside the incumbent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Floats, PostureClass
from posture_daemon.learning.calibration import calibration, fit_to
from posture_daemon.learning.evaluation import (
    Answers,
    CalibrationErrors,
    Evaluation,
    Moment,
    NewLabelAnswers,
    ScoresOnTest,
    evaluate,
)
from posture_daemon.learning.features import Vectors
from posture_daemon.learning.linear_layer import Linear
from posture_daemon.learning.training_report import Judged, TrainingReport
from posture_daemon.vision.head import Head, softmax


@dataclass(frozen=True, eq=False)
class Candidate:
    """A linear layer, the class of each of its rows, and its temperature."""

    layer: Linear
    names: Sequence[str]
    temperature: float

    def logits(self, images: Vectors) -> Floats:
        """Scores of the pictures as they are, `(images, classes)`."""
        return self.layer.logits(images.identity)

    def evaluate(self, images: Vectors) -> Evaluation:
        """What it gets right of these images."""
        return evaluate(softmax(self.logits(images), self.temperature), self.names, images.truth)

    def calibrated(self, images: Vectors) -> Candidate:
        """The same at the temperature that fits these images best."""
        return replace(self, temperature=fit_to(self.logits(images), images.truth, self.names))

    def called(self, images: Vectors) -> tuple[str, ...]:
        """The class that it calls each image."""
        return tuple(self.names[row] for row in self.logits(images).argmax(axis=1)) if images.images else ()


@dataclass(frozen=True, eq=False)
class OfTruth:
    """Of each image whether it is called by its class, `bool (images,)`, and the probability of that class, `(images,)`."""

    right: NDArray[np.bool_]
    chance: Floats


def of_truth(model: Candidate, images: Vectors) -> OfTruth:
    """What a model says of these images. An image of a class that it lacks is missed."""
    return of_truth_in(model.logits(images), model.names, images.truth)


def of_truth_in(logits: Floats, names: Sequence[str], truth: Sequence[str]) -> OfTruth:
    """The same of scores `logits (images, names)`, at the temperature that fits these very images."""
    chances = softmax(logits, fit_to(logits, truth, names))
    rows = np.array([names.index(name) if name in names else -1 for name in truth], np.intp)
    chance = np.where(rows < 0, 0.0, chances[np.arange(len(rows)), rows]) if len(rows) else np.empty(0)
    return OfTruth(chances.argmax(axis=1) == rows, chance.astype(np.float32))


def moment(session: int, truth: str, rows: Sequence[int], ours: OfTruth, theirs: OfTruth | None) -> Moment:
    """The images in these rows, which show one moment."""
    these = list(rows)
    return Moment(
        session=session,
        truth=truth,
        images=len(these),
        right=float(ours.right[these].mean()),
        chance=float(ours.chance[these].mean()),
        incumbent_right=None if theirs is None else float(theirs.right[these].mean()),
        incumbent_chance=None if theirs is None else float(theirs.chance[these].mean()),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Challenger(Judged):
    """What a training gives: a head that is not yet anybody's champion."""

    head: Head


def judge(
    head: Head,
    classes: tuple[PostureClass, ...],
    after: Candidate,
    before: Candidate | None,
    holdout: Sequence[Vectors],
    test: Sequence[Vectors],
    report: TrainingReport,
) -> Challenger:
    """Judge `after` and the incumbent `before` on `holdout` and `test`: each the same images, as either of them reads them.

    The evidence is the time blocks of the holdout; `with_evidence` replaces it by more.
    """
    new, old = holdout
    moments = _held_out(new, old, after, before)
    ids, called = tuple(image.frame_id for image in new.images), None if before is None else before.called(old)
    return Challenger(
        head=head,
        classes=classes,
        temperature=after.temperature,
        challenger=after.evaluate(new),
        incumbent=None if before is None else before.evaluate(old),
        answers=Answers(ids, tuple(new.truth), after.called(new), called),
        test=_on_test(test, after, before),
        report=replace(
            report,
            holdout_images=Counter(new.truth),
            calibration=_calibration(new, after),
            moments=len(moments),
        ),
        moments=moments,
    )


def with_evidence(judged: Challenger, moments: tuple[Moment, ...], new_labels: NewLabelAnswers | None) -> Challenger:
    """The same with all answers that neither of the two has learned as evidence, and those to new labels for the record."""
    report = replace(judged.report, moments=len(moments))
    return replace(judged, moments=moments, new_labels=new_labels, report=report)


def _on_test(images: Sequence[Vectors], after: Candidate, before: Candidate | None) -> ScoresOnTest | None:
    """Both on the test images; `None` when there are none."""
    new, old = images
    if not new.images:
        return None
    return ScoresOnTest(after.evaluate(new), None if before is None else before.evaluate(old))


def _held_out(new: Vectors, old: Vectors, after: Candidate, before: Candidate | None) -> tuple[Moment, ...]:
    """Each time block of the holdout, and class in it, as one moment."""
    ours, theirs = of_truth(after, new), None if before is None else of_truth(before, old)
    rows: dict[tuple[int, str], list[int]] = {}
    for row, image in enumerate(new.images):
        rows.setdefault((image.block_id, image.class_name), []).append(row)
    return tuple(moment(0, truth, these, ours, theirs) for (_, truth), these in rows.items())


def _calibration(images: Vectors, challenger: Candidate) -> CalibrationErrors:
    """How far its confidences are off on these images, before and after its temperature; see `calibration`."""
    blocks = [image.block_id for image in images.images]
    return calibration(challenger.logits(images), images.truth, challenger.names, blocks)
