"""Novelty, and near-duplicates to deduplicate: how alike frames are, by the cosine of their pooled features."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Floats

MAX_REMEMBERED = 4096
"""Frames in the index: with 256 features 4 MB, and a fraction of a millisecond per query."""

MIN_LABELLED = 20
"""Fewest labelled frames from which a novelty threshold is computed."""

MAX_LABELLED = 1000
"""Only the newest labelled frames are used: more would delay the capture loop."""

CHUNK = 100
"""Rows per matrix product: all at once would allocate ten megabytes every half minute and fragment the heap."""


class NoveltyIndex:
    """Ring buffer of the unit feature vectors of the newest `MAX_REMEMBERED` frames."""

    def __init__(self) -> None:
        self._units: Floats = np.empty((0, 0), np.float32)
        self._count = 0

    def replace(self, pooled: Iterable[NDArray[np.floating]]) -> None:
        """Replace the content by these vectors `(width,)`, newest last."""
        self._count = 0
        for one in list(pooled)[-MAX_REMEMBERED:]:
            self.add(one)

    def add(self, pooled: NDArray[np.floating]) -> None:
        """Add a vector `(width,)`, replacing the oldest when full; another width empties the index first."""
        if self._units.shape[1] != len(pooled):
            self._units, self._count = np.zeros((MAX_REMEMBERED, len(pooled)), np.float32), 0
        self._units[self._count % MAX_REMEMBERED] = unit(pooled)
        self._count += 1

    def nearest(self, pooled: NDArray[np.floating]) -> float:
        """Highest cosine similarity to the frames in the index, -1 to 1; -1 if it is empty."""
        if not self._count or self._units.shape[1] != len(pooled):
            return -1.0
        return float((self._units[: min(self._count, MAX_REMEMBERED)] @ unit(pooled)).max())


def novel_below(pooled: Floats, blocks: NDArray[np.intp], share: float) -> float | None:
    """Novelty threshold: a frame whose highest cosine to labelled frames is below it counts as novel.

    It is the `share` quantile (0-1) of the highest cosine of each labelled frame, `pooled (n, width)`, to those of other time
    blocks, `blocks (n,)`, and so adapts to backbone, camera and room. `None` with too few frames or blocks.
    """
    pooled, blocks = pooled[-MAX_LABELLED:], blocks[-MAX_LABELLED:]
    if len(pooled) < MIN_LABELLED or len(np.unique(blocks)) < 2:
        return None
    units = unit(pooled)
    nearest = [_nearest_of_others(units, blocks, slice(at, at + CHUNK)) for at in range(0, len(units), CHUNK)]
    return float(np.quantile(np.concatenate(nearest), share))


def _nearest_of_others(units: Floats, blocks: NDArray[np.intp], some: slice) -> Floats:
    """Highest cosine of the frames in slice `some` to those of other time blocks."""
    cosines = units[some] @ units.T
    cosines[blocks[some, None] == blocks[None, :]] = -1
    found: Floats = cosines.max(axis=1)
    return found


def unit(pooled: NDArray[np.floating]) -> Floats:
    """Vectors `(…, width)` scaled to length 1 as `float32`; zero vectors stay zero."""
    vectors = pooled.astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(lengths == 0, 1, lengths), dtype=np.float32)


def alike(one: Floats, others: Sequence[Floats], duplicate_cosine: float) -> bool:
    """True when `one` is a near-duplicate of any of `others`; all are unit vectors."""
    return bool(others) and float((np.stack(others) @ one).max()) >= duplicate_cosine
