"""One training: cached features of all labels in, a challenger head and its report out.

Runs in a process of its own (see `adapters/trainer.py`); knows the store, a backbone and numpy, but no torch.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from posture_daemon.domain import ModelVersion, PostureClass, Split
from posture_daemon.errors import TrainingError
from posture_daemon.head import Head
from posture_daemon.learning.cache import FeatureCache
from posture_daemon.learning.calibration import fit_to
from posture_daemon.learning.candidate import Candidate, answers, calibration_report, report_on_test
from posture_daemon.learning.evaluation import Evaluation
from posture_daemon.learning.features import FeatureSource, Recipe, Vectors
from posture_daemon.learning.inputs import Inputs
from posture_daemon.learning.linear import Linear, fit
from posture_daemon.ports import Backbone
from posture_daemon.promotion import Answers
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
    answers: Answers
    test: dict[str, Any] | None
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
    test = source.load([i for i in images if i.split is Split.TEST], views=0)
    classes = classes_to_learn(store, incumbent, training.truth)
    names = [c.name for c in classes]
    if not training.images or len(names) < 2:
        raise TrainingError("There are too few labelled images to train on: at least two classes are needed.")
    prepared = time.monotonic()
    layer = _fit(training, _prior(store, incumbent, inputs, names), names)
    fitted = time.monotonic()
    uncalibrated = Candidate(layer, names, 1.0)
    after = replace(uncalibrated, temperature=fit_to(uncalibrated.logits(holdout), holdout.truth, names))
    before = _incumbent(incumbent, inputs)
    seconds = {"features": round(prepared - began, 3), "fit": round(fitted - prepared, 3)}
    return Challenger(
        head=inputs.head_with(layer),
        classes=classes,
        temperature=after.temperature,
        evaluation=after.evaluate(holdout),
        incumbent_evaluation=None if before is None else before.evaluate(holdout),
        answers=answers(holdout, after, before),
        test=report_on_test(test, after, before),
        report={
            **_report(training, holdout, source, recipe),
            "calibration": calibration_report(holdout, after),
            "seconds": seconds,
        },
    )


def _fit(training: Vectors, prior: Linear, names: Sequence[str]) -> Linear:
    """The linear layer, from all views of all training images."""
    targets = np.array([names.index(name) for name in training.truth], np.intp)
    return fit(training.vectors, targets, prior)


def _prior(store: Store, incumbent: ModelVersion, inputs: Inputs, names: Sequence[str]) -> Linear:
    """What was known before the owner's first label: the layer of the oldest ancestor that reads the same inputs.

    Not the incumbent's: it was fitted to these very labels, so each training would loosen the penalty of the one before.
    From the ancestor the result depends on the labels alone, not on how often they were trained on.
    """
    oldest = incumbent
    while (
        oldest.parent_id is not None
        and (parent := store.models.get(oldest.parent_id)).backbone_sha256 == oldest.backbone_sha256
    ):
        oldest = parent
    head = Head.from_bytes(store.models.read_head(oldest.head_sha256))
    origin = Inputs.of(head, is_base=oldest.is_base)
    if origin.key != inputs.key:  # a strategy in between has moved the convolution
        oldest, origin = incumbent, inputs
    return origin.start([c.name for c in oldest.classes], names)


def _report(training: Vectors, holdout: Vectors, source: FeatureSource, recipe: Recipe) -> dict[str, Any]:
    """What the record of the run keeps of where the head came from."""
    learned = ",".join(f"{image.frame_id}:{image.class_name}" for image in training.images)
    return {
        "label_ids": [image.frame_id for image in training.images],
        "warnings": _warnings(training, holdout, recipe.min_images_per_class),
        "train_images": dict(Counter(training.truth)),
        "holdout_images": dict(Counter(holdout.truth)),
        "views": recipe.views,
        "seed": recipe.seed,
        "computed_views": source.computed,
        "unreadable": source.unreadable,
        "labels_sha256": sha256_of(learned.encode()),
    }


def classes_to_learn(store: Store, incumbent: ModelVersion, learned: Iterable[str]) -> tuple[PostureClass, ...]:
    """The incumbent's classes in their order, then new ones that are `learned` from at least one image: a beginning."""
    new = set(learned) - {c.name for c in incumbent.classes}
    return (*incumbent.classes, *(c for c in store.labels.classes() if c.name in new))


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


def _incumbent(incumbent: ModelVersion, inputs: Inputs) -> Candidate | None:
    """The incumbent, to be examined on the same images; `None` for a base, which has no answers to judge."""
    names = [c.name for c in incumbent.classes]
    return None if incumbent.is_base else Candidate(inputs.start(names, names), names, incumbent.temperature)
