"""One training: cached features of all labels in, a challenger head and its report out.

Runs in a process of its own (see `adapters/trainer.py`); knows the store, a backbone and numpy, but no torch.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from posture_daemon.domain import Floats, LabelledImage, ModelVersion, PostureClass, Split
from posture_daemon.errors import TrainingError
from posture_daemon.head import Head, softmax
from posture_daemon.learning.cache import FeatureCache
from posture_daemon.learning.calibration import fit_temperature
from posture_daemon.learning.evaluation import Evaluation, evaluate
from posture_daemon.learning.features import FeatureSource, Recipe, Vectors
from posture_daemon.learning.inputs import Inputs
from posture_daemon.learning.linear import Linear, fit
from posture_daemon.ports import Backbone
from posture_daemon.store import Store
from posture_daemon.store.files import sha256_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Challenger:
    """What a training gives: a head that is not yet anybody's champion."""

    head: Head
    classes: tuple[PostureClass, ...]
    temperature: float
    evaluation: Evaluation
    incumbent_evaluation: Evaluation | None
    report: dict[str, Any]


def train(store: Store, incumbent: ModelVersion, backbone: Backbone, cache: FeatureCache, recipe: Recipe) -> Challenger:
    """Train a challenger on all labels, new and old, and judge it and the incumbent on the same holdout.

    Raises `TrainingError` when there is nothing to learn from.
    """
    began = time.monotonic()
    old_head = Head.from_bytes(store.models.read_head(incumbent.head_sha256))
    inputs = Inputs.of(old_head, is_base=incumbent.is_base)
    images = store.labels.labelled()
    classes = classes_to_learn(store, incumbent, images, recipe.min_images_per_class)
    names = [c.name for c in classes]
    source = FeatureSource(store, backbone, cache, inputs, recipe)
    training = source.load([i for i in images if i.split is Split.TRAIN and i.class_name in names], recipe.views)
    holdout = source.load([i for i in images if i.split is Split.HOLDOUT], views=0)
    if not training.images or len(names) < 2:
        raise TrainingError("There are too few labelled images to train on: at least two classes are needed.")
    prepared = time.monotonic()
    layer = _fit(training, inputs, [c.name for c in incumbent.classes], names)
    fitted = time.monotonic()
    logits = holdout.identity @ layer.weight.T + layer.bias
    seconds = {"features": round(prepared - began, 3), "fit": round(fitted - prepared, 3)}
    return calibrated(
        inputs.head_with(layer),
        classes,
        logits,
        holdout.truth,
        _judge_incumbent(incumbent, inputs, holdout),
        {**_report(training, holdout, source, recipe), "seconds": seconds},
    )


def calibrated(
    head: Head,
    classes: tuple[PostureClass, ...],
    logits: Floats,
    truth: Sequence[str],
    incumbent_evaluation: Evaluation | None,
    report: dict[str, Any],
) -> Challenger:
    """Every strategy ends here: fit the temperature to the `logits (n, classes)` on the holdout, and judge the head there."""
    names = [c.name for c in classes]
    temperature = _temperature(logits, truth, names)
    evaluation = evaluate(softmax(logits, temperature), names, truth)
    return Challenger(head, classes, temperature, evaluation, incumbent_evaluation, report)


def _fit(training: Vectors, inputs: Inputs, old_names: Sequence[str], names: Sequence[str]) -> Linear:
    """The linear layer, from all views of all training images, beginning at the incumbent's."""
    views = training.vectors.shape[1]
    targets = np.repeat([names.index(name) for name in training.truth], views)
    flat = training.vectors.reshape(-1, inputs.width)
    return fit(flat, targets, len(training.images), inputs.start(old_names, names))


def _temperature(logits: Floats, truth: Sequence[str], names: Sequence[str]) -> float:
    """Fitted on the holdout images whose class the challenger knows."""
    known = [i for i, name in enumerate(truth) if name in names]
    return fit_temperature(logits[known], np.array([names.index(truth[i]) for i in known], np.intp))


def _report(training: Vectors, holdout: Vectors, source: FeatureSource, recipe: Recipe) -> dict[str, Any]:
    """What the record of the run keeps of where the head came from."""
    learned = ",".join(f"{image.frame_id}:{image.class_name}" for image in training.images)
    return {
        "train_images": dict(Counter(training.truth)),
        "holdout_images": dict(Counter(holdout.truth)),
        "views": recipe.views,
        "seed": recipe.seed,
        "computed_views": source.computed,
        "unreadable": source.unreadable,
        "labels_sha256": sha256_of(learned.encode()),
    }


def classes_to_learn(
    store: Store, incumbent: ModelVersion, images: Sequence[LabelledImage], least: int
) -> tuple[PostureClass, ...]:
    """The incumbent's classes in their order, then new ones that have enough training images."""
    counted = Counter(image.class_name for image in images if image.split is Split.TRAIN)
    known = {c.name for c in incumbent.classes}
    grown = [c for c in store.labels.classes() if c.name not in known and counted[c.name] >= least]
    too_few = [c.name for c in store.labels.classes() if c.name not in known and 0 < counted[c.name] < least]
    if too_few:
        log.warning("left out until they have %d images: %s", least, ", ".join(too_few))
    return (*incumbent.classes, *grown)


def _judge_incumbent(incumbent: ModelVersion, inputs: Inputs, holdout: Vectors) -> Evaluation | None:
    """The incumbent on the same holdout; `None` for a base, which has no answers to judge."""
    if incumbent.is_base:
        return None
    names = [c.name for c in incumbent.classes]
    layer = inputs.start(names, names)
    logits = holdout.identity @ layer.weight.T + layer.bias
    return evaluate(softmax(logits, incumbent.temperature), names, holdout.truth)
