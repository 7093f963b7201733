"""Cross-validation by time block or session: each training image is classified by a fit that has not seen its part.

Neighbours in time look alike, so leaving out single images
would only ask whether their neighbours are remembered.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Floats, LabelledImage, ModelVersion
from posture_daemon.learning.calibration import fit_to
from posture_daemon.learning.evaluation import NewLabelAnswers
from posture_daemon.learning.features import Vectors
from posture_daemon.learning.scoring import Candidate
from posture_daemon.learning.training_set import TrainingSet
from posture_daemon.store import Store
from posture_daemon.vision.head import softmax

MAX_FOLDS = 5
"""Fits at most. Twenty cost four times as much and doubt no better on the real frames (docs/labels.md)."""


MAX_SESSIONS = 20
"""Sessions that are left out one by one; a fit takes some 30 ms."""


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Images and the scores that they get from what did not learn them, `logits (images, classes)`, before temperature."""

    images: Sequence[LabelledImage]
    logits: Floats
    names: Sequence[str]

    @property
    def called(self) -> tuple[str, ...]:
        """The class that each image is called."""
        return tuple(self.names[row] for row in self.logits.argmax(axis=1)) if self.images else ()

    @property
    def chances(self) -> Floats:
        """Probabilities, `(images, classes)`, at one temperature that is fitted to all of these images."""
        truth = [image.class_name for image in self.images]
        return softmax(self.logits, fit_to(self.logits, truth, self.names))


def out_of_fold(
    data: TrainingSet,
    *others: Vectors,
    only: Iterable[int] | None = None,
    parts: Sequence[Hashable] | None = None,
    max_folds: int = MAX_FOLDS,
    each: Callable[[], None] = lambda: None,
) -> OutOfFold:
    """Training images, those of `others` (a holdout: the whole fit has not learned it), or of all these `only` some frames.

    `parts` says what each training image is left out together with: its time block unless given. An image is not
    asked where without its part nothing of its class is left, or fewer than two classes. `each` is called between the fits;
    it may wait, or end it all by raising.
    """
    wanted = None if only is None else set(only)
    images = data.training.images
    part = _numbers([image.block_id for image in images] if parts is None else parts)
    asked = np.array([wanted is None or image.frame_id in wanted for image in images], np.bool_)
    found: list[LabelledImage] = []
    logits: list[Floats] = []
    for fold in data.head.folds(part, part[asked], max_folds, each):
        rows = fold.asks(np.where(asked, part, -1), data.targets)
        found += [images[row] for row in rows.tolist()]
        logits.append(fold.layer.logits(data.training.identity[rows]))
    for other in others:
        rows = np.array([i for i, one in enumerate(other.images) if wanted is None or one.frame_id in wanted], np.intp)
        found += [other.images[row] for row in rows.tolist()]
        logits.append(data.head.layer.logits(other.identity[rows]))
    return OutOfFold(found, np.concatenate([np.empty((0, len(data.names)), np.float32), *logits]), data.names)


def by_session(
    data: TrainingSet, holdout: Vectors, max_folds: int = MAX_SESSIONS, each: Callable[[], None] = lambda: None
) -> OutOfFold:
    """All images, each asked of a fit without its whole session: what is to be expected of a day that nobody has labelled.

    No image without at least two sessions, nor one whose class only its own session has. Beyond
    `max_folds` of them several are left out together.
    """
    of_training, of_holdout = (np.array(data.sessions_of(v.images), np.intp) for v in (data.training, holdout))
    asked = [(data.training, of_training, data.targets), (holdout, of_holdout, data.numbers_of(holdout.truth))]
    there = np.unique(np.concatenate([of_training, of_holdout]))
    found: list[LabelledImage] = []
    logits: list[Floats] = []
    for fold in data.head.folds(of_training, there, max_folds, each) if len(there) > 1 else ():
        for vectors, sessions, targets in asked:
            rows = fold.asks(sessions, targets)
            found += [vectors.images[row] for row in rows.tolist()]
            logits.append(fold.layer.logits(vectors.identity[rows]))
    return OutOfFold(found, np.concatenate([np.empty((0, len(data.names)), np.float32), *logits]), data.names)


def answers_to_new_labels(
    store: Store, incumbent: ModelVersion, before: Candidate | None, data: TrainingSet, each: Callable[[], None]
) -> NewLabelAnswers | None:
    """What the incumbent and, out of sample, a challenger say of the labels that the incumbent has not seen, for the record.

    The challenger has learned the training images among them, so its answer is that of a fit without their time blocks; images
    that cannot be asked so are left out and counted. `None` without such labels, or when the incumbent is a base, which has no
    answers. `each` is called between fits.
    """
    new = store.labels.frames_after(store.runs.labels_seen_by(incumbent))
    images = [i for vectors in (data.training, data.holdout) for i in vectors.images if i.frame_id in new]
    if before is None or not images:
        return None
    asked = out_of_fold(data, data.holdout, only=new, each=each)
    called = {
        image.frame_id: name
        for vectors in (data.training, data.holdout)
        for image, name in zip(vectors.images, before.called(data.as_before(vectors)), strict=True)
    }
    ids = tuple(image.frame_id for image in asked.images)
    truth = tuple(image.class_name for image in asked.images)
    return NewLabelAnswers(ids, truth, asked.called, tuple(called[i] for i in ids), of=len(images))


def _numbers(parts: Sequence[Hashable]) -> NDArray[np.intp]:
    """A number for each distinct part, in the order of their first appearance."""
    number: dict[Hashable, int] = {}
    return np.array([number.setdefault(part, len(number)) for part in parts], np.intp)
