"""A model as it would answer, examined on images that it did not learn from."""

from collections.abc import Sequence
from dataclasses import dataclass

from posture_daemon.domain import Floats, PostureClass
from posture_daemon.learning.calibration import calibration
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
from posture_daemon.learning.training_report import TrainingReport
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

    def called(self, images: Vectors) -> tuple[str, ...]:
        """The class that it calls each image."""
        return tuple(self.names[row] for row in self.logits(images).argmax(axis=1)) if images.images else ()


@dataclass(frozen=True, eq=False)
class Challenger:
    """What a training gives: a head that is not yet anybody's champion."""

    head: Head
    classes: tuple[PostureClass, ...]
    temperature: float
    evaluation: Evaluation
    incumbent_evaluation: Evaluation | None
    answers: Answers
    test: ScoresOnTest | None
    report: TrainingReport
    new_labels: NewLabelAnswers | None = None


def answers(images: Vectors, challenger: Candidate, incumbent: Candidate | None) -> Answers:
    """What each calls each image."""
    ids = tuple(image.frame_id for image in images.images)
    before = None if incumbent is None else incumbent.called(images)
    return Answers(ids, tuple(images.truth), challenger.called(images), before)


def report_on_test(images: Vectors, challenger: Candidate, incumbent: Candidate | None) -> ScoresOnTest | None:
    """Both on the test images; `None` when there are none."""
    if not images.images:
        return None
    return ScoresOnTest(challenger.evaluate(images), None if incumbent is None else incumbent.evaluate(images))


def calibration_report(images: Vectors, challenger: Candidate) -> CalibrationErrors:
    """How far its confidences are off on these images, before and after its temperature; see `calibration`."""
    blocks = [image.block_id for image in images.images]
    return calibration(challenger.logits(images), images.truth, challenger.names, blocks)
