"""How sure is sure enough not to ask? One number, moved by the answers to checks of sure frames.

Adaptive conformal inference (Gibbs & Candès 2021, arXiv 2106.00170): whatever the frames do, a threshold that rises with every
check that finds a mistake, and falls a little with every one that finds none, keeps the share of mistakes at what was asked
for. Its state follows from the answers, so nothing is stored and a restart changes nothing.
"""

from collections import deque
from collections.abc import Iterable

import numpy as np

STEP = 0.05
"""By how much a mistake moves the threshold; the paper's γ."""

HIGHEST = 0.995
"""Above it nothing would be sure."""

WINDOW_FRAMES, MIN_FRAMES, LITTLE_KNOWN_SHARE = 60, 10, 0.2
"""A frame is among the least known when its worth is in the highest share of so many frames, one a second."""

SAMPLE_S = 1.0


class AdaptiveThreshold:
    """`limit` is the confidence (0-1) below which a frame is asked about."""

    def __init__(self, lowest: float, max_wrong_share: float) -> None:
        self._lowest, self._max_wrong_share = lowest, max_wrong_share
        self.limit = lowest
        self._recent: deque[float] = deque(maxlen=WINDOW_FRAMES)
        self._sampled_at: float | None = None

    def learn(self, checks: Iterable[bool]) -> None:
        """Begin again with all checks of sure frames in their order, each whether the model was right."""
        self.limit = self._lowest
        for right in checks:
            moved = self.limit + STEP * ((0.0 if right else 1.0) - self._max_wrong_share)
            self.limit = min(max(moved, self._lowest), max(HIGHEST, self._lowest))

    def little_known(self, worth: float, at: float) -> bool:
        """Whether an answer to a frame is worth more than to most of the last minute; it is one of them from here on."""
        recent = self._recent
        found = len(recent) >= MIN_FRAMES and worth >= float(np.quantile(np.array(recent), 1 - LITTLE_KNOWN_SHARE))
        if self._sampled_at is None or not 0 <= at - self._sampled_at < SAMPLE_S:
            self._recent.append(worth)
            self._sampled_at = at
        return found
