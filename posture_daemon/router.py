"""Should this frame be kept for the owner, and why? Pure state, driven by the frames' own clock."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Floats, Prediction, Reason
from posture_daemon.settings import QueueSettings

REMEMBERED = 512
"""Kept frames that a new one is compared with."""


@dataclass(frozen=True)
class Kept:
    """The reason, and one line that explains it to the owner."""

    reason: Reason
    explanation: str


class Router:
    """Keeps unsure frames and a few sure ones, at a bounded rate, never two alike. `counts` tells what became of the rest."""

    def __init__(self, settings: QueueSettings, rng: Random) -> None:
        self._settings = settings
        self._rng = rng
        self._recent: deque[Floats] = deque(maxlen=REMEMBERED)
        self._kept_at: deque[float] = deque()
        self.counts: Counter[str] = Counter()

    def remember(self, pooled: Iterable[NDArray[np.float16]]) -> None:
        """Replace what a frame may be too like: pooled features of frames that were kept before, by the present backbone."""
        self._recent.clear()
        self._recent.extend(_unit(one) for one in pooled)

    def route(self, prediction: Prediction, at: float) -> Kept | None:
        """Decide about one frame. One to keep counts against the rate; once it is stored, tell `stored`."""
        kept = self._reason(prediction)
        if kept is None:
            self.counts["sure"] += 1
            return None
        if not self._within_rate(at):
            self.counts["over the rate"] += 1
            return None
        if self._is_duplicate(_unit(prediction.features.pooled)):
            self.counts["near-duplicate"] += 1
            return None
        self._kept_at.append(at)
        return kept

    def stored(self, prediction: Prediction) -> None:
        """The frame lies in the queue: what looks like it is a near-duplicate from here on."""
        self._recent.append(_unit(prediction.features.pooled))
        self.counts["kept"] += 1

    def _reason(self, prediction: Prediction) -> Kept | None:
        if not prediction.classes:
            return Kept(Reason.NO_CLASSES, "the model has not learned any of your classes yet")
        confidence, limit = prediction.confidence, self._settings.unsure_below
        if confidence < limit:
            said = f"{prediction.label} at {confidence:.0%}"
            return Kept(Reason.UNCERTAIN, f"the model says {said}, below your threshold of {limit:.0%}")
        if self._rng.random() < self._settings.audit_share:
            return Kept(
                Reason.AUDIT, f"picked at random to check a sure answer: {prediction.label} at {confidence:.0%}"
            )
        return None

    def _within_rate(self, at: float) -> bool:
        """At most `most_per_minute` frames in any minute. A clock that jumps back starts a new minute."""
        while self._kept_at and not at - 60 < self._kept_at[0] <= at:
            self._kept_at.popleft()
        return len(self._kept_at) < self._settings.most_per_minute

    def _is_duplicate(self, features: Floats) -> bool:
        if not self._recent:
            return False
        return float((np.stack(self._recent) @ features).max()) >= self._settings.duplicate_cosine


def _unit(pooled: NDArray[np.floating]) -> Floats:
    vector = pooled.astype(np.float32)
    norm = float(np.linalg.norm(vector))
    return vector if norm == 0.0 else np.asarray(vector / norm, dtype=np.float32)
