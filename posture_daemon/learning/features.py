"""Vectors of labelled images: from the cache, else from the features that the live path kept, else from the picture."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from posture_daemon.domain import Floats, Image, LabelledImage
from posture_daemon.errors import DatasetError, LabelError
from posture_daemon.learning.cache import FeatureCache, Half
from posture_daemon.learning.inputs import Inputs
from posture_daemon.learning.views import VIEWS_VERSION, augmented_view, view_rng
from posture_daemon.pictures import decode
from posture_daemon.ports import Backbone
from posture_daemon.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """The settings that shape a training."""

    seed: int
    views: int
    flip: bool
    min_images_per_class: int


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
    """Vectors of labelled images: from the cache, else from the features that the live path kept, else from the picture."""

    def __init__(
        self,
        store: Store,
        backbone: Backbone,
        cache: FeatureCache,
        inputs: Inputs,
        recipe: Recipe,
        *,
        tidy: bool = True,
    ) -> None:
        """`tidy` forgets what is cached for any other backbone, head convolution, seed or kind of views."""
        self._store, self._backbone, self._cache = store, backbone, cache
        self._inputs, self._recipe = inputs, recipe
        self._space = f"{backbone.sha256[:16]}/{inputs.key}/v{VIEWS_VERSION}/{recipe.seed}/{int(recipe.flip)}"
        self.computed = 0
        self.unreadable = 0
        if tidy:
            cache.keep_only([self._space])

    def load(self, images: Sequence[LabelledImage], views: int) -> Vectors:
        """Vectors of all readable images with this many augmented views each."""
        kept = (
            self._store.queue.pooled((i.frame_id for i in images), self._backbone.sha256) if self._inputs.pooled else {}
        )
        loaded: list[tuple[LabelledImage, Floats]] = []
        for image in images:
            try:
                loaded.append((image, self._of(image, views, kept.get(image.frame_id))))
            except (DatasetError, LabelError) as error:  # not a picture; or taken back and evicted meanwhile
                self.unreadable += 1
                log.warning("frame %d is left out: %s", image.frame_id, error)
        shape = (len(loaded), views + 1, self._inputs.width)
        vectors = np.array([vectors for _, vectors in loaded], dtype=np.float32).reshape(shape)
        return Vectors([image for image, _ in loaded], vectors)

    def _of(self, image: LabelledImage, views: int, kept: Half | None) -> Floats:
        found = self._cache.get(self._space, image.sha256)
        if kept is not None:
            found.setdefault(0, kept)
        missing = [view for view in range(views + 1) if view not in found]
        if missing:
            found.update(self._compute(image, missing))
        return np.array([found[view] for view in range(views + 1)], dtype=np.float32)

    def _compute(self, image: LabelledImage, views: Sequence[int]) -> dict[int, Half]:
        picture = decode(self._store.queue.jpeg(image.frame_id))
        maps = self._backbone.extract_batch(list(self._pictures(picture, image.sha256, views)))
        vectors = self._inputs.vectors(maps).astype(np.float16)
        fresh = dict(zip(views, vectors, strict=True))
        self._cache.put(self._space, image.sha256, fresh)
        self.computed += len(views)
        return fresh

    def _pictures(self, picture: Image, sha256: str, views: Sequence[int]) -> Iterator[Image]:
        for view in views:
            rng = view_rng(sha256, view, self._recipe.seed)
            yield picture if view == 0 else augmented_view(picture, self._backbone.image_size, rng, self._recipe.flip)
