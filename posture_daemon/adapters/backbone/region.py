"""A backbone that looks at a part of each picture. Nothing else needs to know that models look at different parts."""

from __future__ import annotations

from collections.abc import Sequence

from posture_daemon.domain import Features, Floats, Image, Region, feature_key
from posture_daemon.ports import Backbone
from posture_daemon.vision.region import crop


class RegionBackbone:
    """Implements `ports.Backbone` with another one, `inner`, and a region; its `sha256` is the feature key of both."""

    def __init__(self, inner: Backbone, region: Region) -> None:
        self.inner, self.region = inner, region
        self.sha256 = feature_key(inner.sha256, region)

    @property
    def image_size(self) -> int:
        """Side of the square input, pixels."""
        return self.inner.image_size

    def extract(self, image: Image) -> Features:
        """Features of the region of a whole picture."""
        return self.inner.extract(crop(image, self.region))

    def extract_batch(self, images: Sequence[Image]) -> Floats:
        """Features of pictures that are cut to the region already."""
        return self.inner.extract_batch(images)


def looking_at(backbone: Backbone, region: Region | None) -> Backbone:
    """The backbone for this part of each picture; `None`: all of it. One that looks at another part already is turned."""
    whole = backbone.inner if isinstance(backbone, RegionBackbone) else backbone
    return whole if region is None else RegionBackbone(whole, region)
