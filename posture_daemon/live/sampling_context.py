"""What the sampler must know besides the frame: what is labelled, what the previous model says, what the owner calls wrong.

Looked up between frames, each at its own pace, so that a frame pays for a few small products and no query.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from posture_daemon.domain import Floats, ModelVersion, Prediction
from posture_daemon.errors import PostureError
from posture_daemon.learning.feature_space import FeatureSpace
from posture_daemon.learning.labelled_pool import labelled_pool
from posture_daemon.learning.linear_layer import Linear
from posture_daemon.live.sampling import FrameSampler
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.vision.head import Head, softmax
from posture_daemon.vision.novelty import MAX_REMEMBERED

log = logging.getLogger(__name__)

WRONG_S = 1.0
"""How often the owner's word that something is wrong is looked for, in seconds."""

LABELS_S = 30.0
"""How often it is looked whether labels were given, in seconds."""


@dataclass(frozen=True, eq=False)
class SecondOpinion:
    """Another version on the same backbone: one product of its layer and the features that are there anyway."""

    version: ModelVersion
    head: Head
    layer: Linear | None  # None: the head has a convolution of its own

    @classmethod
    def of(cls, version: ModelVersion, head: Head) -> SecondOpinion:
        """Of a version that knows classes."""
        inputs, names = FeatureSpace.of(head, is_base=False), [c.name for c in version.classes]
        return cls(version, head, inputs.start(names, names) if inputs.pooled else None)

    def say(self, prediction: Prediction) -> tuple[str, float]:
        """Its class and calibrated confidence for the frame of this prediction."""
        chances = softmax(self._logits(prediction), self.version.temperature)
        best = int(chances.argmax())
        return self.version.classes[best].name, float(chances[best])

    def _logits(self, prediction: Prediction) -> Floats:
        if self.layer is None:
            return self.head.logits(prediction.features.map)
        return self.layer.logits(prediction.features.pooled)


class SamplingContext:
    """Keeps a router informed. Owned by the capture thread; what cannot be read is logged and left as it was."""

    def __init__(self, store: Store, router: FrameSampler, recipe: Recipe, wall: Callable[[], float]) -> None:
        """`wall` tells the time, seconds since the epoch."""
        self._store, self._router, self._recipe, self._wall = store, router, recipe, wall
        self._backbone = ""
        self._champion: tuple[int, str] | None = None
        self._labels: tuple[int, int, int, int] | None = None
        self._looked_at, self._wrong_at = -np.inf, -np.inf
        self._second: SecondOpinion | None = None

    def follow(self, prediction: Prediction, now: float) -> None:
        """Look at what is due, at `now` on a clock that never goes back. Before the frame of this prediction is routed."""
        if prediction.backbone_sha256 != self._backbone:
            self._backbone, self._labels, self._looked_at = prediction.backbone_sha256, None, -np.inf
            self._router.remember(self._store.queue.recent_pooled(self._backbone, limit=MAX_REMEMBERED))
        if (prediction.version_id, self._backbone) != self._champion:
            self._champion = prediction.version_id, self._backbone
            self._second = self._previous(prediction)
        if now - self._looked_at >= LABELS_S:
            self._looked_at = now
            self._learn(len(prediction.features.pooled))

    def other(self, prediction: Prediction) -> tuple[str, float] | None:
        """What the version before the champion says; `None` when there is none, or its features or its classes are others."""
        return None if self._second is None or not prediction.classes else self._second.say(prediction)

    def corrections(self, now: float) -> list[int]:
        """Requests of the owner to keep the frame of this moment, when it is time to look for them."""
        if now - self._wrong_at < WRONG_S:
            return []
        self._wrong_at = now
        return self._store.corrections.open(self._wall())

    def _learn(self, width: int) -> None:
        labels = self._store.labels.state()
        if labels != self._labels:
            self._labels = labels
            found = labelled_pool(self._store, self._backbone, width, self._recipe)
            self._router.learn(found.features, found.blocks)
            self._router.threshold.learn(self._store.labels.checks())

    def _previous(self, prediction: Prediction) -> SecondOpinion | None:
        version = self._store.models.previous()
        comparable = (
            version is not None
            and version.id != prediction.version_id
            and version.feature_key == prediction.backbone_sha256
            and {c.name for c in version.classes} == set(prediction.classes) != set()
        )
        if version is None or not comparable:
            return None
        try:
            return SecondOpinion.of(version, Head.from_bytes(self._store.models.read_head(version.head_sha256)))
        except PostureError as error:
            log.info("there is no second opinion: %s", error)
            return None
