"""The pooled features of what is labelled, with which new and waiting frames are compared.

From the rows of the frames that the live path kept, else from the feature cache; nothing is computed here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Floats, LabelledImage
from posture_daemon.learning.feature_space import POOLED_KEY
from posture_daemon.learning.features import cached_space
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store

MAX_KNOWN = 4000
"""The newest labels that are looked at: what bounds memory (4 MB) and time (0.2 s against ten thousand waiting frames)."""


@dataclass(frozen=True, eq=False)
class LabelledPool:
    """Pooled features `float32 (n, width)` of labelled frames, and the time block of each, `(n,)`."""

    features: Floats
    blocks: NDArray[np.intp]


def labelled_pool(store: Store, feature_key: str, width: int, recipe: Recipe, most: int = MAX_KNOWN) -> LabelledPool:
    """The newest labelled frames whose features by the backbone and region of `feature_key` are at hand, in order of capture.

    The backbone has `width` channels.
    """
    images = store.labels.labelled()[-most:]
    kept = store.queue.pooled((image.frame_id for image in images), feature_key)
    found = {id_: row.astype(np.float32) for id_, row in kept.items() if row.shape == (width,)}
    found |= _cached(store, feature_key, width, recipe, [i for i in images if i.frame_id not in found])
    there = [image for image in images if image.frame_id in found]
    features = np.array([found[image.frame_id] for image in there], np.float32).reshape(len(there), width)
    return LabelledPool(features, np.array([image.block_id for image in there], np.intp))


def _cached(
    store: Store, feature_key: str, width: int, recipe: Recipe, images: list[LabelledImage]
) -> dict[int, NDArray[np.float32]]:
    """Of imported pictures: what a training has computed, by frame."""
    if not images:
        return {}
    space = cached_space(store, feature_key, POOLED_KEY, width, recipe)
    vectors, there = space.find([image.sha256 for image in images], 1)
    return {images[row].frame_id: vectors[row, 0] for row in np.flatnonzero(there[:, 0]).tolist()}
