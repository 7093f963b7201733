"""The article's four strategies: where each one starts, what it learns from, and what it leaves alone.

ultralytics itself trains them (`adapters/strategies`); here is only what tells them apart, and the judgement, which is the
same as for the default.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from posture_daemon.domain import Floats, LabelledImage, ModelVersion, PostureClass, Split, Strategy
from posture_daemon.errors import DatasetError, LabelError, TrainingError
from posture_daemon.head import Head, softmax
from posture_daemon.learning.evaluation import Evaluation, evaluate
from posture_daemon.learning.training import Challenger, calibrated
from posture_daemon.pictures import decode
from posture_daemon.ports import Backbone
from posture_daemon.store import Store
from posture_daemon.store.files import sha256_of

log = logging.getLogger(__name__)

BACKBONE_LAYERS = 10
"""`freeze=10` leaves exactly the head to train."""


@dataclass(frozen=True)
class FitPlan:
    """How long and how fast ultralytics trains; learning rates are AdamW's, before their decay.

    With `watch_holdout` it also looks at the holdout after every epoch, which costs time and shows how it came along. It
    never chooses the weights by that: those of the last epoch count.
    """

    epochs: int = 10
    batch: int = 16
    learning_rate: float = 0.001
    finetune_learning_rate: float = 0.0002
    watch_holdout: bool = False


@dataclass(frozen=True)
class Course:
    """One strategy made definite: the version it starts from, its training images, and how it moves the weights."""

    start: ModelVersion
    images: Sequence[LabelledImage]
    freeze: int
    learning_rate: float


def course_of(strategy: Strategy, store: Store, incumbent: ModelVersion, plan: FitPlan) -> Course:
    """Say what this strategy means now. Raises `TrainingError` when it has nothing to learn from."""
    only_new = strategy in (Strategy.NEW, Strategy.FINETUNE)
    learned_at = store.runs.started_training(incumbent.id) if only_new else None
    images = [image for image in store.labels.labelled(after=learned_at) if image.split is Split.TRAIN]
    if not images:
        since = "" if learned_at is None else f" given since the training that model {incumbent.id} came from"
        raise TrainingError(f"There are no labels for training{since}, so the strategy {strategy.value} cannot learn.")
    frozen = strategy is Strategy.FINETUNE
    return Course(
        start=root_of(store, incumbent) if strategy is Strategy.SCRATCH else incumbent,
        images=images,
        freeze=BACKBONE_LAYERS if frozen else 0,
        learning_rate=plan.finetune_learning_rate if frozen else plan.learning_rate,
    )


def root_of(store: Store, version: ModelVersion) -> ModelVersion:
    """The oldest ancestor: the base or the posture model that was imported."""
    while version.parent_id is not None:
        version = store.models.get(version.parent_id)
    return version


def judge_fitted(
    store: Store,
    fitted: tuple[Head, tuple[PostureClass, ...], Backbone],
    incumbent: tuple[ModelVersion, Backbone],
    report: Mapping[str, Any],
) -> Challenger:
    """Calibrate a head that ultralytics fitted, and judge it and the incumbent on the same holdout, each on its backbone."""
    head, classes, backbone = fitted
    version, old_backbone = incumbent
    holdout = [image for image in store.labels.labelled() if image.split is Split.HOLDOUT]
    old_head = Head.from_bytes(store.models.read_head(version.head_sha256))
    judged, (logits, old_logits) = answers(store, holdout, [(head, backbone), (old_head, old_backbone)])
    truth = [image.class_name for image in judged]
    return calibrated(
        head, classes, logits, truth, _evaluate_version(version, old_logits, truth), {**report, **_counted(truth)}
    )


def answers(
    store: Store, images: Sequence[LabelledImage], models: Sequence[tuple[Head, Backbone]]
) -> tuple[list[LabelledImage], list[Floats]]:
    """Logits `float32 (n, classes)` of each model on the n images that can be read, and these images.

    Uncached: a backbone that has just been trained has no features yet, and the next training may never need them.
    """
    readable: list[LabelledImage] = []
    rows: list[list[Floats]] = [[] for _ in models]
    for image in images:
        try:
            picture = decode(store.queue.jpeg(image.frame_id))
        except (DatasetError, LabelError) as error:
            log.warning("frame %d is left out: %s", image.frame_id, error)
            continue
        readable.append(image)
        for of_model, (head, backbone) in zip(rows, models, strict=True):
            of_model.append(head.logits(backbone.extract(picture).map))
    widths = [head.class_count for head, _ in models]
    return readable, [np.array(r, np.float32).reshape(len(r), w) for r, w in zip(rows, widths, strict=True)]


def labels_digest(images: Sequence[LabelledImage]) -> str:
    """SHA-256 over frames and their classes: what exactly was learned from."""
    return sha256_of(",".join(f"{image.frame_id}:{image.class_name}" for image in images).encode())


def _evaluate_version(version: ModelVersion, logits: Floats, truth: Sequence[str]) -> Evaluation | None:
    """`None` for a base, which has no answers to judge."""
    if version.is_base:
        return None
    return evaluate(softmax(logits, version.temperature), [c.name for c in version.classes], truth)


def _counted(truth: Sequence[str]) -> dict[str, Any]:
    return {"holdout_images": dict(Counter(truth))}
