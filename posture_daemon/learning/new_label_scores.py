"""What a training made of the labels that the model before it had not seen.

The challenger has learned the training images among them, so asking it would only show that it remembers. What is recorded for
it is the answer of a fit without their time blocks (`out_of_fold.py`); what cannot be asked so is left out and counted.
"""

from collections.abc import Callable

from posture_daemon.domain import ModelVersion
from posture_daemon.learning.evaluation import NewLabelAnswers
from posture_daemon.learning.out_of_fold import out_of_fold
from posture_daemon.learning.scoring import Candidate
from posture_daemon.learning.training_set import TrainingSet
from posture_daemon.store import Store


def answers_to_new_labels(
    store: Store, incumbent: ModelVersion, before: Candidate | None, lesson: TrainingSet, each: Callable[[], None]
) -> NewLabelAnswers | None:
    """What the incumbent and, out of sample, a challenger say of the labels that the incumbent has not seen, for the record.

    `None` without such labels, or when the incumbent is a base and there is nothing to compare. `each` is called between fits.
    """
    new = store.labels.frames_after(store.runs.labels_seen_by(incumbent))
    images = [i for vectors in (lesson.training, lesson.holdout) for i in vectors.images if i.frame_id in new]
    if before is None or not images:
        return None
    asked = out_of_fold(lesson, lesson.holdout, only=new, each=each)
    called = {
        image.frame_id: name
        for vectors in (lesson.training, lesson.holdout)
        for image, name in zip(vectors.images, before.called(vectors), strict=True)
    }
    ids = tuple(image.frame_id for image in asked.images)
    truth = tuple(image.class_name for image in asked.images)
    return NewLabelAnswers(ids, truth, asked.called, tuple(called[i] for i in ids), of=len(images))
