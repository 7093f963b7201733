"""One session's own head: the labels of all days, today's answers one by one, and whether they speak for or against it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Floats, LabelledImage, ModelVersion, Split
from posture_daemon.learning.calibration import fit_temperature, shrunk
from posture_daemon.learning.feature_space import FeatureSpace
from posture_daemon.learning.features import FeatureSource, Vectors
from posture_daemon.learning.linear_layer import Linear
from posture_daemon.learning.sample_weights import image_counts, views_each
from posture_daemon.learning.sign_test import probability_better
from posture_daemon.learning.training_set import classes_to_learn, prior_of
from posture_daemon.ports import Backbone
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.store.sessions import LiveSession

if TYPE_CHECKING:
    from posture_daemon.learning.incremental_head import IncrementalHead

MAX_IMAGES = 2000
"""The newest labels that it begins with: what bounds its time (a tenth of a second)."""

MAX_VECTORS = 6500
"""All views of 500 images, fewer of each from there on: held for as long as the daemon runs, 33 MB with 1,280 features."""

MAX_VIEWED = 16
"""Newly answered pictures whose views are computed at once; those of more are left to `training/precompute.py`."""

MAX_REPLAYED = 24
"""Answers of today that are asked again one by one after a start; earlier ones are learned all together."""

MAX_FOLDS = 5
"""Fits without some sessions, for the temperature."""

NO_STEP = -1
"""Of images that were imported or shown on request: nothing was asked."""

ONE_SIDED_TEMPERATURE = 2.0
"""Answers of one class alone teach that this day is that class, however often it is something else."""

WORSE = 0.9
"""Probability that the champion would do better, from which it answers: three answers that it alone is right on are enough."""


@dataclass(frozen=True)
class Trust:
    """`answers` of this session; of those that the champion has not learned, how many only one of the two was right on."""

    answers: int
    learned: bool
    fixed: int
    broken: int

    @property
    def holds(self) -> bool:
        """Whether the answers do not say that the champion would do better."""
        return probability_better(self.broken, self.fixed) < WORSE


class OnlineSession:
    """Follows the labels of one session on one champion. Not thread-safe."""

    def __init__(
        self, store: Store, champion: ModelVersion, inputs: FeatureSpace, backbone: Backbone, recipe: Recipe
    ) -> None:
        self._store, self._champion, self.inputs, self._recipe = store, champion, inputs, recipe
        self.backbone_sha256 = backbone.sha256
        self._source = FeatureSource(store, backbone, inputs, recipe)
        self._head: IncrementalHead | None = None
        self._begins: float | None = None
        self._names: tuple[str, ...] = ()
        self._images: list[LabelledImage] = []
        self._steps: list[int | None] = []  # of each image that the owner answered
        self._session_of: dict[int, int] = {}
        self._passed_over: set[int] = set()  # older than the newest so many when it began
        self._fixed = self._broken = 0
        self._temperature = 1.0
        self._classes_today: set[str] = set()

    @property
    def temperature(self) -> float:
        """Of the confidences; high while today has shown one class only, as how another one looks today is not known."""
        one_sided = len(self._classes_today) < 2
        return max(self._temperature, ONE_SIDED_TEMPERATURE) if one_sided else self._temperature

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, in the order of the layer's rows."""
        return self._names

    @property
    def layer(self) -> Linear | None:
        """The layer now; `None` while there are fewer than two classes."""
        return None if self._head is None else self._head.layer

    def goes_on(self, champion: ModelVersion, session: LiveSession) -> bool:
        """Whether this is still the same champion and session."""
        same = (champion.id, champion.classes) == (self._champion.id, self._champion.classes)
        return same and self._begins in (None, session.begins)

    def learn(self, session: LiveSession) -> Trust:
        """Learn what is new; start over when a label was taken back or changed.

        The labels of other days are learned before the first answer of this one, so that it is not shown later than the next.
        """
        self._begins, self._session_of = session.begins, self._store.labels.sessions()
        images = [image for image in self._labelled(session) if image.frame_id not in self._passed_over]
        steps = self._store.labels.steps()
        of_today = [image for image in images if image.block_id in session.blocks]
        self._classes_today = {image.class_name for image in of_today}
        today = sorted({steps[image.frame_id] for image in of_today if image.frame_id in steps})
        taught = {image.block_id for image in of_today if image.frame_id not in steps}
        learned = {image.frame_id: image.class_name for image in self._images}
        there = {image.frame_id: image.class_name for image in images}
        names = tuple(c.name for c in classes_to_learn(self._store, self._champion, there.values()))
        if self._head is None or names != self._names or not learned.items() <= there.items():
            self._start_over(images, steps, today, names)
        known = {image.frame_id for image in self._images} | self._passed_over
        new = [image for image in images if image.frame_id not in known]
        self._add_one_by_one(new, steps)
        return Trust(len(today) + len(taught), self._head is not None, self._fixed, self._broken)

    def _labelled(self, session: LiveSession) -> list[LabelledImage]:
        """What teaches of all days, and all but the test images of today."""
        return [
            image
            for image in self._store.labels.labelled()
            if image.split is Split.TRAIN or (image.split is Split.HOLDOUT and image.block_id in session.blocks)
        ]

    def _start_over(
        self, images: Sequence[LabelledImage], steps: dict[int, int], today: Sequence[int], names: tuple[str, ...]
    ) -> None:
        """From the labels of other days; with too few of them, from the first of today that show two classes."""
        self._names, self._head = names, None
        self._images, self._steps = [], []
        self._fixed = self._broken = 0
        self._passed_over |= {image.frame_id for image in images[:-MAX_IMAGES]}
        images = images[-MAX_IMAGES:]
        later = set(today[-MAX_REPLAYED:])
        first = [image for image in images if steps.get(image.frame_id) not in later]
        for step in sorted(later):
            if len({image.class_name for image in first}) >= 2:
                break
            first += [image for image in images if steps.get(image.frame_id) == step]
        if len({image.class_name for image in first}) < 2:
            return
        self._begin(self._vectors(first, views_each(len(first), MAX_VECTORS)), steps)

    def _begin(self, data: Vectors, steps: dict[int, int]) -> None:
        from posture_daemon.learning.incremental_head import (
            IncrementalHead,  # SciPy, which a folder without labels does without
        )

        if len(set(data.truth)) < 2:
            return
        self._remember(data.images, steps)
        prior = prior_of(self._store, self._champion, self.inputs, list(self._names))
        self._head = IncrementalHead(
            data.vectors, self._targets(data.images), prior, self.inputs.penalty, self._weigh, max_vectors=MAX_VECTORS
        )
        self._temperature = self._honest_temperature(self._head, data)

    def _honest_temperature(self, head: IncrementalHead, data: Vectors) -> float:
        """Fitted on the answers of fits without the session of each image, or without its block while there is but one."""
        sessions = np.array(self._sessions_of(data.images))
        parts = sessions if len(np.unique(sessions)) > 1 else np.array([image.block_id for image in data.images])
        targets = np.array(self._targets(data.images))
        asked = [(fold.layer, fold.asks(parts, targets)) for fold in head.folds(parts, parts, MAX_FOLDS)]
        if not asked:
            return 1.0
        logits = np.concatenate([layer.logits(data.identity[rows]) for layer, rows in asked])
        return shrunk(
            fit_temperature(logits, targets[np.concatenate([rows for _, rows in asked])]), len(np.unique(sessions))
        )

    def _add_one_by_one(self, new: Sequence[LabelledImage], steps: dict[int, int]) -> None:
        """Each answer is asked before it is learned."""
        seen_by_champion = self._store.runs.labels_seen_by(self._champion)
        vectors = self._vectors(new, 1 if self._head is None else self._head.views)
        numbers = [steps.get(image.frame_id, NO_STEP) for image in vectors.images]
        for step in sorted(set(numbers)):
            rows = np.flatnonzero(np.array(numbers) == step)
            these = Vectors([vectors.images[row] for row in rows.tolist()], vectors.vectors[rows])
            if self._head is None:
                return
            if step > max(seen_by_champion, NO_STEP):
                self._ask(these, self._head.layer)
            self._remember(these.images, steps)
            self._head.extend(these.vectors, self._targets(these.images))

    def _ask(self, answered: Vectors, layer: Linear) -> None:
        """Hold both against an answer that neither has learned."""
        if self._champion.is_base:
            return
        ours = _share_right(layer, self._names, answered)
        known = [c.name for c in self._champion.classes]
        theirs = _share_right(self.inputs.start(known, known), known, answered)
        self._fixed += ours >= 0.5 > theirs
        self._broken += theirs >= 0.5 > ours

    def _vectors(self, images: Sequence[LabelledImage], each: int) -> Vectors:
        """So many of each image; all views of thousands would take hundreds of megabytes for a moment."""
        self._source.load(images[-MAX_VIEWED:], self._recipe.views)  # leaves them in the cache
        return self._source.ready(images, min(self._recipe.views, each - 1))

    def _remember(self, images: Iterable[LabelledImage], steps: dict[int, int]) -> None:
        for image in images:
            self._images.append(image)
            self._steps.append(steps.get(image.frame_id))

    def _weigh(self, rows: NDArray[np.intp]) -> Floats:
        images = [self._images[row] for row in rows.tolist()]
        groups = [self._steps[row] for row in rows.tolist()]
        return image_counts(self._sessions_of(images), groups, self._targets(images))

    def _sessions_of(self, images: Sequence[LabelledImage]) -> list[int]:
        return [self._session_of.get(image.block_id, -1) for image in images]

    def _targets(self, images: Sequence[LabelledImage]) -> list[int]:
        return [self._names.index(image.class_name) for image in images]


def _share_right(layer: Linear, names: Sequence[str], images: Vectors) -> float:
    called = layer.logits(images.identity).argmax(axis=1).tolist()
    return float(np.mean([names[row] == truth for row, truth in zip(called, images.truth, strict=True)]))
