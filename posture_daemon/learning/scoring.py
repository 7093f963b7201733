"""The scores of a linear layer on images, and the judgement of a challenger beside the incumbent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from posture_daemon.domain import Floats, PostureClass
from posture_daemon.learning.calibration import calibration, fit_to
from posture_daemon.learning.evaluation import (
    Answers,
    CalibrationErrors,
    Evaluation,
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
    new_labels: NewLabelAnswers | None = None,
) -> Challenger:
    """Judge `after` and the incumbent `before` on `holdout` and `test`: each the same images, as either of them reads them."""
    new, old = holdout
    ids, called = tuple(image.frame_id for image in new.images), None if before is None else before.called(old)
    return Challenger(
        head=head,
        classes=classes,
        temperature=after.temperature,
        challenger=after.evaluate(new),
        incumbent=None if before is None else before.evaluate(old),
        answers=Answers(ids, tuple(new.truth), after.called(new), called),
        test=_on_test(test, after, before),
        report=replace(report, holdout_images=Counter(new.truth), calibration=_calibration(new, after)),
        new_labels=new_labels,
    )


def _on_test(images: Sequence[Vectors], after: Candidate, before: Candidate | None) -> ScoresOnTest | None:
    """Both on the test images; `None` when there are none."""
    new, old = images
    if not new.images:
        return None
    return ScoresOnTest(after.evaluate(new), None if before is None else before.evaluate(old))


def _calibration(images: Vectors, challenger: Candidate) -> CalibrationErrors:
    """How far its confidences are off on these images, before and after its temperature; see `calibration`."""
    blocks = [image.block_id for image in images.images]
    return calibration(challenger.logits(images), images.truth, challenger.names, blocks)
