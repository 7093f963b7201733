"""One training: cached features of all labels in, a challenger head and its report out.

Runs in a process of its own (see `adapters/trainer.py`); knows the store, a backbone and numpy, but no torch.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from posture_daemon.domain import Floats, ModelVersion, PostureClass, Split
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
    source = FeatureSource(store, backbone, cache, inputs, recipe)
    training = source.load([i for i in images if i.split is Split.TRAIN], recipe.views)
    holdout = source.load([i for i in images if i.split is Split.HOLDOUT], views=0)
    classes = _classes(store, incumbent, training)
    names = [c.name for c in classes]
    if not training.images or len(names) < 2:
        raise TrainingError("There are too few labelled images to train on: at least two classes are needed.")
    prepared = time.monotonic()
    layer = _fit(training, inputs, [c.name for c in incumbent.classes], names)
    fitted = time.monotonic()
    logits = holdout.identity @ layer.weight.T + layer.bias
    temperature = _temperature(logits, holdout.truth, names)
    seconds = {"features": round(prepared - began, 3), "fit": round(fitted - prepared, 3)}
    return Challenger(
        head=inputs.head_with(layer),
        classes=classes,
        temperature=temperature,
        evaluation=evaluate(softmax(logits, temperature), names, holdout.truth),
        incumbent_evaluation=_judge_incumbent(incumbent, inputs, holdout),
        report={**_report(training, holdout, source, recipe), "seconds": seconds},
    )


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
        "warnings": _warnings(training, holdout, recipe.min_images_per_class),
        "train_images": dict(Counter(training.truth)),
        "holdout_images": dict(Counter(holdout.truth)),
        "views": recipe.views,
        "seed": recipe.seed,
        "computed_views": source.computed,
        "unreadable": source.unreadable,
        "labels_sha256": sha256_of(learned.encode()),
    }


def _classes(store: Store, incumbent: ModelVersion, training: Vectors) -> tuple[PostureClass, ...]:
    """The incumbent's classes in their order, then new ones that have a training image: a single one is a beginning."""
    known, learned = {c.name for c in incumbent.classes}, set(training.truth)
    return (*incumbent.classes, *(c for c in store.labels.classes() if c.name in learned - known))


def _warnings(training: Vectors, holdout: Vectors, least: int) -> list[str]:
    """What the owner should know of classes that are short of images; none of it stops the others."""
    learned, judged = Counter(training.truth), Counter(holdout.truth)
    few = [(name, count) for name, count in learned.items() if count < least]
    return [
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
    ]


def _judge_incumbent(incumbent: ModelVersion, inputs: Inputs, holdout: Vectors) -> Evaluation | None:
    """The incumbent on the same holdout; `None` for a base, which has no answers to judge."""
    if incumbent.is_base:
        return None
    names = [c.name for c in incumbent.classes]
    layer = inputs.start(names, names)
    logits = holdout.identity @ layer.weight.T + layer.bias
    return evaluate(softmax(logits, incumbent.temperature), names, holdout.truth)
