"""All that a training learns from: the labelled images as vectors, the classes, and what was known before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Floats, LabelledImage, ModelVersion, PostureClass, Split
from posture_daemon.errors import TrainingError
from posture_daemon.learning.feature_space import FeatureSpace
from posture_daemon.learning.features import FeatureSource, Vectors
from posture_daemon.learning.interruption import UNINTERRUPTED, Uninterrupted
from posture_daemon.learning.linear_layer import Linear
from posture_daemon.learning.sample_weights import image_counts
from posture_daemon.ports import Backbone
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.vision.head import Head

if TYPE_CHECKING:
    from posture_daemon.learning.incremental_head import IncrementalHead

MOMENT_S = 1.0
"""Imported pictures of one class within a second show one moment; many are copies."""


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Training images with their views, holdout images as they are; `prior` has a row for each of `classes`."""

    classes: tuple[PostureClass, ...]
    inputs: FeatureSpace
    training: Vectors
    holdout: Vectors
    prior: Linear
    source: FeatureSource
    sessions: Mapping[int, int]  # session of each time block
    groups: Mapping[int, int]  # of frames that the owner answered: the step in which they did
    seen_before: FeatureSource | None = None  # for an incumbent that looks at another part of the pictures
    orders: Uninterrupted = UNINTERRUPTED  # followed between the steps of each fit

    def weigh(self, rows: NDArray[np.intp]) -> Floats:
        """For how many images each of these training images counts when they are learned together, `(rows,)`."""
        images = [self.training.images[row] for row in rows.tolist()]
        groups = [self.groups.get(image.frame_id) for image in images]
        return image_counts(self.sessions_of(images), groups, self.targets[rows].tolist())

    def sessions_of(self, images: Iterable[LabelledImage]) -> list[int]:
        """Number of the session of each image."""
        return [self.sessions.get(image.block_id, -1) for image in images]

    def parts_of(self, images: Iterable[LabelledImage]) -> list[tuple[str, int]]:
        """What each image is left out together with: others that the same key answered, else its time block."""
        keys = [(self.groups.get(image.frame_id), image.block_id) for image in images]
        return [("block", block) if key is None else ("key", key) for key, block in keys]

    def moments_of(self, images: Iterable[LabelledImage]) -> list[tuple[int, int, str]]:
        """What names the moment of each image: those that one key answered, or of one second, count once."""
        keys = [self.groups.get(image.frame_id, int(image.captured_at // MOMENT_S)) for image in images]
        return [(image.block_id, key, image.class_name) for image, key in zip(images, keys, strict=True)]

    def as_before(self, images: Vectors) -> Vectors:
        """The same images as the incumbent sees them, without views. Raises `TrainingError` if one is gone meanwhile."""
        if self.seen_before is None:
            return images
        found = self.seen_before.load(images.images, views=0)
        if len(found.images) != len(images.images):
            raise TrainingError("A labelled picture was removed while the training ran; the next one goes without it.")
        return found

    def need_holdout(self) -> None:
        """Raise `TrainingError` without one."""
        if not self.holdout.images:
            raise TrainingError(
                "There is no holdout yet, so nothing can be measured; label frames of another day or block."
            )

    @property
    def names(self) -> list[str]:
        """The classes in the order of the layer's rows."""
        return [c.name for c in self.classes]

    @cached_property
    def targets(self) -> NDArray[np.intp]:
        """Row of the class of each training image, `(images,)`."""
        return self.numbers_of(self.training.truth)

    def numbers_of(self, truth: Iterable[str]) -> NDArray[np.intp]:
        """Row of each of these class names, -1 for one that is not among the classes."""
        row = {name: number for number, name in enumerate(self.names)}
        return np.array([row.get(name, -1) for name in truth], np.intp)

    @cached_property
    def head(self) -> IncrementalHead:
        """The fit to all training images, from which some can be left out; fitted once, whoever asks.

        Raises `TrainingCancelled` when `orders` say so.
        """
        from posture_daemon.learning.incremental_head import (
            IncrementalHead,  # SciPy, which the daemon loads when it must
        )

        return IncrementalHead(
            self.training.vectors,
            self.targets.tolist(),
            self.prior,
            self.inputs.penalty,
            weigh=self.weigh,
            each_step=self.orders.look,
        )


def gather(
    store: Store,
    incumbent: ModelVersion,
    backbone: Backbone,
    recipe: Recipe,
    orders: Uninterrupted = UNINTERRUPTED,
    incumbents: Backbone | None = None,
) -> TrainingSet:
    """Gather it for a challenger of the incumbent. Raises `TrainingError` when there is nothing to learn from.

    `backbone` looks at what the challenger shall look at, `incumbents` at what the incumbent does: by default the same.
    """
    head = Head.from_bytes(store.models.read_head(incumbent.head_sha256))
    inputs = FeatureSpace.of(head, is_base=incumbent.is_base)
    images = store.labels.labelled()
    source = FeatureSource(store, backbone, inputs, recipe, orders)
    training = source.load([i for i in images if i.split is Split.TRAIN], recipe.views)
    holdout = source.load([i for i in images if i.split is Split.HOLDOUT], views=0)
    classes = classes_to_learn(store, incumbent, training.truth)
    if not training.images or len(classes) < 2:
        raise TrainingError("There are too few labelled images to train on: at least two classes are needed.")
    prior = prior_of(store, incumbent, inputs, [c.name for c in classes])
    sessions, groups = store.labels.sessions(), store.labels.steps()
    differs = incumbents is not None and incumbents.sha256 != backbone.sha256
    before = FeatureSource(store, incumbents, inputs, recipe, orders) if incumbents is not None and differs else None
    return TrainingSet(classes, inputs, training, holdout, prior, source, sessions, groups, before, orders)


def classes_to_learn(store: Store, incumbent: ModelVersion, learned: Iterable[str]) -> tuple[PostureClass, ...]:
    """The incumbent's classes in their order, then new ones that are `learned` from at least one image: a beginning."""
    new = set(learned) - {c.name for c in incumbent.classes}
    return (*incumbent.classes, *(c for c in store.labels.classes() if c.name in new))


def prior_of(store: Store, incumbent: ModelVersion, inputs: FeatureSpace, names: list[str]) -> Linear:
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
    origin = FeatureSpace.of(head, is_base=oldest.is_base)
    if origin.key != inputs.key:  # a strategy in between has moved the convolution
        oldest, origin = incumbent, inputs
    return origin.start([c.name for c in oldest.classes], names)
