"""What the labels in the store can teach, and what they cannot show: classes × splits × time blocks, and warnings."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from posture_daemon.domain import LabelledImage, Split
from posture_daemon.labelling.session import Labelling
from posture_daemon.reports.advice import ClassStats, advice, class_stats
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.vision.novelty import unit

MAX_IMBALANCE = 5
"""The largest class may have so many times the training images of the smallest."""


@dataclass(frozen=True)
class Leak:
    """A held-out image that a training image is too like: the holdout would reward remembering it."""

    held_out: int
    training: int
    cosine: float


@dataclass(frozen=True)
class DatasetStats:
    """`compared` of the labelled images have features of the champion's backbone, so that leaks among them can be seen."""

    classes: tuple[ClassStats, ...]
    leaks: tuple[Leak, ...]
    compared: int
    warnings: tuple[str, ...]
    advice: tuple[str, ...]


def dataset_stats(store: Store, settings: Settings) -> DatasetStats:
    """Look at all labels. Reads only, except that classes of the champion become the owner's, as in every front end."""
    images = store.labels.labelled()
    classes = class_stats(store, Labelling(store, settings.labels, time.time).classes())
    leaks, compared = _leaks(store, images, settings.queue.duplicate_cosine)
    warnings = (
        *_leak_warnings(leaks, compared, len(images)),
        *_class_warnings(classes),
        *_split_warnings(classes, settings.promotion.min_class_images),
    )
    return DatasetStats(classes, leaks, compared, warnings, tuple(advice(store, settings)))


def _leaks(store: Store, images: Sequence[LabelledImage], limit: float) -> tuple[tuple[Leak, ...], int]:
    """Each held-out image with its nearest training image, where the cosine of their features reaches the limit.

    Features lie with the frames of the camera; imported pictures have none. The same picture cannot be there twice.
    """
    champion = store.models.champion()
    pooled = {} if champion is None else store.queue.pooled((i.frame_id for i in images), champion.feature_key)
    training = [i.frame_id for i in images if i.split is Split.TRAIN and i.frame_id in pooled]
    held_out = [i.frame_id for i in images if i.split is not Split.TRAIN and i.frame_id in pooled]
    if not training or not held_out:
        return (), len(pooled)
    cosines = unit(np.array([pooled[i] for i in held_out])) @ unit(np.array([pooled[i] for i in training])).T
    nearest = cosines.argmax(axis=1)
    found = zip(held_out, nearest, cosines.max(axis=1), strict=True)
    return tuple(Leak(id_, training[at], round(float(c), 4)) for id_, at, c in found if c >= limit), len(pooled)


def _leak_warnings(leaks: Sequence[Leak], compared: int, images: int) -> Iterator[str]:
    if leaks:
        worst = max(leaks, key=lambda leak: leak.cosine)
        yield (
            f"{len(leaks)} held-out images look like training images (closest: frame {worst.held_out} and frame "
            f"{worst.training}, cosine {worst.cosine:.3f}), so the holdout flatters"
        )
    if compared < images:
        yield f"{images - compared} of {images} images have no stored features and were not searched for leaks"


def _class_warnings(classes: Sequence[ClassStats]) -> Iterator[str]:
    sizes = {c.posture_class.name: c.images[Split.TRAIN] for c in classes if c.images[Split.TRAIN]}
    if sizes:
        most, least = max(sizes, key=lambda n: sizes[n]), min(sizes, key=lambda n: sizes[n])
        if sizes[most] > MAX_IMBALANCE * sizes[least]:
            yield f"'{most}' has {sizes[most]} training images, '{least}' only {sizes[least]}"
    for c in classes:
        name, labels = c.posture_class.name, sum(c.images.values())
        if labels == 0:
            yield f"'{name}' has no labels"
        elif sum(c.blocks.values()) == 1:
            yield f"'{name}' comes from a single time block, and no other can show whether it was learned"
        elif c.images[Split.TRAIN] == 0:
            yield f"'{name}' has no training images"
        elif c.images[Split.HOLDOUT] == 0:
            yield f"'{name}' has no held-out images, so nothing shows how well it is learned"


def _split_warnings(classes: Sequence[ClassStats], few: int) -> Iterator[str]:
    """Of the holdout and the test set as a whole; `few` images of a class are too few to tell."""
    judged = [c.posture_class.name for c in classes if c.images[Split.HOLDOUT]]
    if len(judged) == 1 and len(classes) > 1:
        yield f"the holdout only has '{judged[0]}': a model that always says so would look perfect"
    for split, word in ((Split.HOLDOUT, "held-out"), (Split.TEST, "test")):
        short = [f"'{c.posture_class.name}' {c.images[split]}" for c in classes if 0 < c.images[split] < few]
        if short:
            yield f"few {word} images (below {few}): {', '.join(short)}"
