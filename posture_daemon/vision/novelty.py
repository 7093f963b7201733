"""Novelty, to deduplicate frames by: the cosine of pooled features to those seen before, a matrix times a vector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Floats

MAX_REMEMBERED = 4096
"""Frames that a new one is compared with: with 256 features 4 MB, and a fraction of a millisecond."""

MIN_LABELLED = 20
"""Labelled frames in other time blocks from which it can be told what is unlike them."""

MAX_LABELLED = 1000
"""The newest labelled frames from which it is told: with more, thousands of them would hold up the camera."""

ROWS_AT_A_TIME = 100
"""Of these: all at once would take ten megabytes every half minute, which a process that runs for months does not give back."""


class NoveltyIndex:
    """The newest `MAX_REMEMBERED` frames."""

    def __init__(self) -> None:
        self._units: Floats = np.empty((0, 0), np.float32)
        self._count = 0

    def replace(self, pooled: Iterable[NDArray[np.floating]]) -> None:
        """Begin anew with these, the newest last."""
        self._count = 0
        for one in list(pooled)[-MAX_REMEMBERED:]:
            self.add(one)

    def add(self, pooled: NDArray[np.floating]) -> None:
        """Remember one more, `(width,)`; beyond the limit the oldest is forgotten."""
        if self._units.shape[1] != len(pooled):
            self._units, self._count = np.zeros((MAX_REMEMBERED, len(pooled)), np.float32), 0
        self._units[self._count % MAX_REMEMBERED] = unit(pooled)
        self._count += 1

    def nearest(self, pooled: NDArray[np.floating]) -> float:
        """Cosine to the nearest one; -1 when there is none."""
        if not self._count or self._units.shape[1] != len(pooled):
            return -1.0
        return float((self._units[: min(self._count, MAX_REMEMBERED)] @ unit(pooled)).max())


def novel_below(pooled: Floats, blocks: NDArray[np.intp], share: float) -> float | None:
    """The cosine to the nearest labelled frame below which a frame is unlike all of them.

    Calibrated on the labelled frames `pooled (n, width)` themselves: such a `share` (0-1) of them is less like its nearest
    one of another time block, `blocks (n,)`. So it means the same for every backbone, camera and room. `None`: too few to tell.
    """
    pooled, blocks = pooled[-MAX_LABELLED:], blocks[-MAX_LABELLED:]
    if len(pooled) < MIN_LABELLED or len(np.unique(blocks)) < 2:
        return None
    units = unit(pooled)
    nearest = [
        _nearest_of_others(units, blocks, slice(at, at + ROWS_AT_A_TIME)) for at in range(0, len(units), ROWS_AT_A_TIME)
    ]
    return float(np.quantile(np.concatenate(nearest), share))


def _nearest_of_others(units: Floats, blocks: NDArray[np.intp], some: slice) -> Floats:
    """For some of the frames the cosine to the nearest one of another time block."""
    cosines = units[some] @ units.T
    cosines[blocks[some, None] == blocks[None, :]] = -1
    found: Floats = cosines.max(axis=1)
    return found


def unit(pooled: NDArray[np.floating]) -> Floats:
    """The same directions, length 1; zeros stay zeros."""
    vectors = pooled.astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(lengths == 0, 1, lengths), dtype=np.float32)


def alike(one: Floats, others: Sequence[Floats], duplicate_cosine: float) -> bool:
    """True when a frame counts as the same as any of the others; all as `unit` gives them."""
    return bool(others) and float((np.stack(others) @ one).max()) >= duplicate_cosine
