"""One training: cached features of all labels in, a challenger head and its report out.

Runs in a process of its own (see `adapters/trainer/process.py`); knows the store, a backbone and numpy, but no torch.
"""

import time
from collections import Counter
from dataclasses import replace

from posture_daemon.domain import ModelVersion, Split
from posture_daemon.learning.calibration import fit_to
from posture_daemon.learning.feature_cache import FeatureCache
from posture_daemon.learning.feature_space import FeatureSpace
from posture_daemon.learning.features import Vectors
from posture_daemon.learning.interruption import UNINTERRUPTED, Uninterrupted
from posture_daemon.learning.linear_fit import fit
from posture_daemon.learning.new_label_scores import answers_to_new_labels
from posture_daemon.learning.scoring import Candidate, Challenger, answers, calibration_report, report_on_test
from posture_daemon.learning.training_report import TrainingReport
from posture_daemon.learning.training_set import TrainingSet, gather
from posture_daemon.ports import Backbone
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.store.files import sha256_of


def train(
    store: Store,
    incumbent: ModelVersion,
    backbone: Backbone,
    cache: FeatureCache,
    recipe: Recipe,
    orders: Uninterrupted = UNINTERRUPTED,
) -> Challenger:
    """Train a challenger on all labels, new and old, and judge it and the incumbent on the same holdout.

    Raises `TrainingError` when there is nothing to learn from, and `TrainingCancelled` when `orders` say so. The checkpoint of
    a training that ended early is the feature cache: all that takes long is in it, and a vector is the same whenever computed.
    """
    began = time.monotonic()
    lesson = gather(store, incumbent, backbone, cache, recipe, orders)
    names, holdout = lesson.names, lesson.holdout
    test = lesson.source.load([i for i in store.labels.labelled() if i.split is Split.TEST], views=0)
    prepared = time.monotonic()
    layer = fit(
        lesson.training.vectors,
        lesson.targets,
        lesson.prior,
        lesson.inputs.penalty,
        counts=lesson.counts,
        each_step=orders.look,
    )
    fitted = time.monotonic()
    uncalibrated = Candidate(layer, names, 1.0)
    after = replace(uncalibrated, temperature=fit_to(uncalibrated.logits(holdout), holdout.truth, names))
    before = _incumbent(incumbent, lesson.inputs)
    seconds = {"features": round(prepared - began, 3), "fit": round(fitted - prepared, 3)}
    return Challenger(
        head=lesson.inputs.head_with(layer),
        classes=lesson.classes,
        temperature=after.temperature,
        evaluation=after.evaluate(holdout),
        incumbent_evaluation=None if before is None else before.evaluate(holdout),
        answers=answers(holdout, after, before),
        test=report_on_test(test, after, before),
        report=replace(_report(lesson, recipe), calibration=calibration_report(holdout, after), seconds=seconds),
        new_labels=answers_to_new_labels(store, incumbent, before, lesson, orders.look),
    )


def _report(lesson: TrainingSet, recipe: Recipe) -> TrainingReport:
    """What the record of the run keeps of where the head came from."""
    training, holdout, source = lesson.training, lesson.holdout, lesson.source
    learned = ",".join(f"{image.frame_id}:{image.class_name}" for image in training.images)
    return TrainingReport(
        label_ids=tuple(image.frame_id for image in training.images),
        labels_sha256=sha256_of(learned.encode()),
        train_images=Counter(training.truth),
        holdout_images=Counter(holdout.truth),
        unreadable=source.unreadable,
        warnings=_warnings(training, holdout, recipe.min_images_per_class),
        seed=recipe.seed,
        views=recipe.views,
        computed_views=source.computed,
    )


def _warnings(training: Vectors, holdout: Vectors, least: int) -> tuple[str, ...]:
    """What the owner should know of classes that are short of images; none of it stops the others."""
    learned, judged = Counter(training.truth), Counter(holdout.truth)
    few = [(name, count) for name, count in learned.items() if count < least]
    return (
        *(
            f"'{name}' has few training images ({count}, below {least}): its answers will be unsure"
            for name, count in few
        ),
        *(f"'{name}' has held-out images only, so it cannot be learned yet" for name in judged if name not in learned),
        *(
            f"'{name}' has no held-out images, so nothing shows how well it does"
            for name in learned
            if name not in judged
        ),
    )


def _incumbent(incumbent: ModelVersion, inputs: FeatureSpace) -> Candidate | None:
    """The incumbent, to be examined on the same images; `None` for a base, which has no answers to judge."""
    names = [c.name for c in incumbent.classes]
    return None if incumbent.is_base else Candidate(inputs.start(names, names), names, incumbent.temperature)
