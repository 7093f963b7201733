"""One training: cached features of all labels in, a challenger head and its report out.

Runs in a process of its own (see `adapters/trainer/process.py`); knows the store, a backbone and numpy, but no torch.
"""

import time
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace

from posture_daemon.domain import LabelledImage, ModelVersion, Split
from posture_daemon.learning.evidence import left_out, moments, with_temperature_of
from posture_daemon.learning.feature_space import FeatureSpace
from posture_daemon.learning.features import Vectors
from posture_daemon.learning.interruption import UNINTERRUPTED, Uninterrupted
from posture_daemon.learning.out_of_fold import answers_to_new_labels
from posture_daemon.learning.scoring import Candidate, Challenger, judge, with_evidence
from posture_daemon.learning.training_report import TrainingReport, labels_digest
from posture_daemon.learning.training_set import TrainingSet, gather
from posture_daemon.ports import Backbone
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store


def train(
    store: Store,
    incumbent: ModelVersion,
    backbone: Backbone,
    recipe: Recipe,
    orders: Uninterrupted = UNINTERRUPTED,
    incumbents: Backbone | None = None,
) -> Challenger:
    """Train a challenger on all labels, new and old, and judge it and the incumbent on the same holdout.

    Raises `TrainingError` when there is nothing to learn from, and `TrainingCancelled` when `orders` say so. The checkpoint of
    a training that ended early is the feature cache: all that takes long is in it, and a vector is the same whenever computed.
    Where the incumbent looks at another part of the pictures than the challenger, `incumbents` is the backbone that does.
    """
    began = time.monotonic()
    data = gather(store, incumbent, backbone, recipe, orders, incumbents)
    test = data.source.load([i for i in store.labels.labelled() if i.split is Split.TEST], views=0)
    prepared = time.monotonic()
    layer = data.head.layer  # the evidence leaves parts out of this very fit
    fitted = time.monotonic()
    seconds = {"features": round(prepared - began, 3), "fit": round(fitted - prepared, 3)}
    report = replace(_report(data, recipe), seconds=seconds)
    return _judged(store, incumbent, data, Candidate(layer, data.names, 1.0), test, report, orders)


def _judged(
    store: Store,
    incumbent: ModelVersion,
    data: TrainingSet,
    fitted: Candidate,
    test: Vectors,
    report: TrainingReport,
    orders: Uninterrupted,
) -> Challenger:
    """The fit at an honest temperature beside the incumbent, with what neither has learned as evidence."""
    found, holdout = left_out(data, orders.look), data.holdout
    after, before = with_temperature_of(fitted, found, holdout), _incumbent(incumbent, data.inputs)
    new = store.labels.frames_after(store.runs.labels_seen_by(incumbent))
    promise, of_new_day = found.new_day(data, after.temperature), _learns_new_session(data, new)
    judged = judge(
        data.inputs.head_with(after.layer),
        data.classes,
        after,
        before,
        (holdout, data.as_before(holdout)),
        (test, data.as_before(test)),
        replace(report, new_day=promise, new_session=of_new_day),
    )
    evidence = moments(data, before, new, orders.look)
    return with_evidence(judged, evidence, answers_to_new_labels(store, incumbent, before, data, orders.look))


def _learns_new_session(data: TrainingSet, new: Collection[int]) -> bool:
    """Whether all labels of some session, of two classes or more, are new to the incumbent."""
    images = data.training.images
    by_session: dict[int, list[LabelledImage]] = {}
    for image, session in zip(images, data.sessions_of(images), strict=True):
        by_session.setdefault(session, []).append(image)
    return any(
        all(image.frame_id in new for image in of) and len({image.class_name for image in of}) > 1
        for of in by_session.values()
    )


def _report(data: TrainingSet, recipe: Recipe) -> TrainingReport:
    """What the record of the run keeps of where the head came from."""
    training, source = data.training, data.source
    return TrainingReport(
        label_ids=tuple(image.frame_id for image in training.images),
        labels_sha256=labels_digest(training.images),
        train_images=Counter(training.truth),
        unreadable=source.unreadable,
        warnings=tuple(_warnings(training, data.holdout, recipe.min_images_per_class)),
        seed=recipe.seed,
        views=recipe.views,
        computed_views=source.computed,
    )


def _warnings(training: Vectors, holdout: Vectors, least: int) -> Iterator[str]:
    """What the owner should know of classes that are short of images; none of it stops the others."""
    learned, judged = Counter(training.truth), Counter(holdout.truth)
    for name, count in learned.items():
        if count < least:
            yield f"'{name}' has few training images ({count}, below {least}): its answers will be unsure"
    for name in (name for name in judged if name not in learned):
        yield f"'{name}' has held-out images only, so it cannot be learned yet"
    for name in (name for name in learned if name not in judged):
        yield f"'{name}' has no held-out images, so nothing shows how well it does"


def _incumbent(incumbent: ModelVersion, inputs: FeatureSpace) -> Candidate | None:
    """The incumbent, to be examined on the same images; `None` for a base, which has no answers to judge."""
    names = [c.name for c in incumbent.classes]
    return None if incumbent.is_base else Candidate(inputs.start(names, names), names, incumbent.temperature)
