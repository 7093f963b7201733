"""Vectors of labelled images: from the cache, else from the features that the live path kept, else from the picture.

What must be computed is cut into portions of a few pictures. Each of `threads` workers takes a portion from the database to
its vectors: decode once, draw the views, run the backbone on one thread. Measured, that is a third faster than to let the
backbone use all threads on one batch, and the size of a batch makes no difference, so batches are small.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Floats, Image, LabelledImage
from posture_daemon.errors import DatasetError, LabelError
from posture_daemon.learning.augmentation import VIEWS_VERSION, augmented_view, view_rng
from posture_daemon.learning.feature_cache import CachedSpace, FeatureCache
from posture_daemon.learning.feature_space import FeatureSpace
from posture_daemon.learning.interruption import UNINTERRUPTED, Uninterrupted
from posture_daemon.ports import Backbone
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.vision.jpeg import decode
from posture_daemon.vision.region import crop

log = logging.getLogger(__name__)

PORTION_VIEWS = 16
"""Views from which a portion is full: small enough to stop soon, large enough that the query for its pictures is nothing."""

PIXELS = 224 * 224
"""A batch of n has n times so many pixels at most: they bound its memory, whatever the image size."""

Found = NDArray[np.bool_]
Place = tuple[int, int]
"""Row of an image, and the number of one of its views."""


def space_name(feature_key: str, inputs_key: str, recipe: Recipe) -> str:
    """Names all that shapes a vector, for the cache."""
    backbone_sha256, at, region = feature_key.partition("@")  # without a region as ever, so that old caches serve
    return f"{backbone_sha256[:16]}{at}{region}/{inputs_key}/v{VIEWS_VERSION}/{recipe.seed}"


def cached_space(
    store: Store,
    feature_key: str,
    inputs_key: str,
    width: int,
    recipe: Recipe,
    labelled: Callable[[], Collection[str]] = tuple,
) -> CachedSpace:
    """The cached vectors of this store that all this shapes; see `FeatureCache.space`."""
    cache = FeatureCache(store.folder, recipe.max_cache_mb, recipe.cache_bits)
    return cache.space(space_name(feature_key, inputs_key, recipe), width, labelled)


@dataclass(frozen=True, eq=False)
class Vectors:
    """`vectors float32 (images, 1 + views, width)`; view 0 is the identity."""

    images: list[LabelledImage]
    vectors: Floats

    @property
    def truth(self) -> list[str]:
        """Class name of each image."""
        return [image.class_name for image in self.images]

    @property
    def identity(self) -> Floats:
        """The pictures as they are, `(images, width)`."""
        return self.vectors[:, 0]


class FeatureSource:
    """Gives the vectors of labelled images, and sees to it that the next one who asks finds them in the cache.

    `computed` counts views, `unreadable` images that were left out. `orders` may pause what is computed, or end it by raising
    `TrainingCancelled`; what is in the cache by then is not computed again.
    """

    def __init__(
        self,
        store: Store,
        backbone: Backbone,
        inputs: FeatureSpace,
        recipe: Recipe,
        orders: Uninterrupted = UNINTERRUPTED,
    ) -> None:
        self._store, self._backbone, self._orders = store, backbone, orders
        self._inputs, self._recipe = inputs, recipe
        self._space = cached_space(
            store,
            backbone.sha256,
            inputs.key,
            inputs.width,
            recipe,
            lambda: {image.sha256 for image in store.labels.labelled()},
        )
        self.computed = 0
        self.unreadable = 0

    @property
    def storing(self) -> bool:
        """False once the cache is full or cannot be written."""
        return self._space.storing

    def load(self, images: Sequence[LabelledImage], views: int) -> Vectors:
        """Vectors of all readable images with this many augmented views each."""
        vectors, found = self._space.find([image.sha256 for image in images], views + 1)
        for row, kept in self._kept(images, found).items():
            vectors[row, 0], found[row, 0] = kept, True
        for places, computed in self.compute(images, found):
            rows, numbers = np.array(places, np.intp).reshape(-1, 2).T
            vectors[rows, numbers], found[rows, numbers] = computed, True
        readable = found.all(axis=1)
        self.unreadable += int((~readable).sum())
        if readable.all():  # spare a copy
            return Vectors(list(images), vectors)
        return Vectors([images[row] for row in np.flatnonzero(readable).tolist()], vectors[readable])

    def ready(self, images: Sequence[LabelledImage], views: int) -> Vectors:
        """What is at hand; nothing is computed. A picture stands for its own missing views; without it an image is left out."""
        vectors, found = self._space.find([image.sha256 for image in images], views + 1)
        for row, kept in self._kept(images, found).items():
            vectors[row, 0], found[row, 0] = kept, True
        vectors = np.where(found[:, :, None], vectors, vectors[:, :1])
        rows = np.flatnonzero(found[:, 0])
        return Vectors([images[row] for row in rows.tolist()], vectors[rows])

    def found(self, images: Sequence[LabelledImage], views: int) -> Found:
        """Which views `load` would not have to compute, `bool (images, 1 + views)`. Reads no vector."""
        found = self._space.has([image.sha256 for image in images], views + 1)
        found[list(self._kept(images, found)), 0] = True
        return found

    def compute(self, images: Sequence[LabelledImage], found: Found) -> Iterator[tuple[list[Place], Floats]]:
        """Compute and store the views that are not `found`: places and their vectors, a portion at a time, in order.

        Views of a picture that cannot be read are not among them. Who stops early loses the portions that were begun.
        """
        pool = ThreadPoolExecutor(self._recipe.threads, thread_name_prefix="views")
        try:
            for places, vectors in pool.map(lambda rows: self._portion(images, found, rows), _portions(found)):
                keys = [(images[row].sha256, view) for row, view in places]
                self.computed += len(places)
                yield places, self._space.put(keys, vectors)
        finally:
            pool.shutdown(cancel_futures=True)

    def _kept(self, images: Sequence[LabelledImage], found: Found) -> dict[int, NDArray[np.float16]]:
        """Identity vectors that the live path kept, by row, where the cache has none."""
        if not self._inputs.pooled or found[:, 0].all():
            return {}
        frames = {images[row].frame_id: row for row in np.flatnonzero(~found[:, 0]).tolist()}
        kept = self._store.queue.pooled(frames, self._backbone.sha256)
        return {frames[frame_id]: vector for frame_id, vector in kept.items()}

    def _portion(
        self, images: Sequence[LabelledImage], found: Found, rows: Sequence[int]
    ) -> tuple[list[Place], Floats]:
        """Vectors of the missing views of these rows; runs in a worker."""
        jpegs = self._store.queue.jpegs([images[row].frame_id for row in rows])
        places: list[Place] = []
        pictures: list[Image] = []
        for row in rows:
            missing = np.flatnonzero(~found[row]).tolist()
            try:
                with self._orders.batch():
                    pictures += self._pictures(images[row], jpegs, missing)
            except (DatasetError, LabelError) as error:  # not a picture; or taken back and evicted meanwhile
                log.warning("frame %d is left out: %s", images[row].frame_id, error)
                continue
            places += [(row, view) for view in missing]
        return places, self._vectors(pictures)

    def _pictures(self, image: LabelledImage, jpegs: dict[int, bytes], views: Sequence[int]) -> list[Image]:
        if image.frame_id not in jpegs:
            raise LabelError(f"There is no frame {image.frame_id}; it may have been evicted from the queue.")
        picture, size = crop(decode(jpegs[image.frame_id]), self._backbone.region), self._backbone.image_size
        rngs = [view_rng(image.sha256, view, self._recipe.seed) for view in views]
        drawn = zip(views, rngs, strict=True)
        return [picture if view == 0 else augmented_view(picture, size, rng) for view, rng in drawn]

    def _vectors(self, pictures: Sequence[Image]) -> Floats:
        """`float32 (pictures, width)`, in batches that bound the memory."""
        batch = max(1, self._recipe.batch * PIXELS // self._backbone.image_size**2)
        parts = []
        for at in range(0, len(pictures), batch):
            with self._orders.batch():
                parts.append(self._inputs.vectors(self._backbone.extract_batch(pictures[at : at + batch])))
        return np.concatenate(parts) if parts else np.empty((0, self._inputs.width), np.float32)


def _portions(found: Found) -> Iterator[list[int]]:
    """Rows with missing views, in order, so many together that they miss `PORTION_VIEWS` or more."""
    portion: list[int] = []
    views = 0
    counts = (~found).sum(axis=1)
    for row in np.flatnonzero(counts).tolist():
        portion.append(row)
        views += int(counts[row])
        if views >= PORTION_VIEWS:
            yield portion
            portion, views = [], 0
    if portion:
        yield portion
