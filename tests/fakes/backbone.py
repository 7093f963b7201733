"""A backbone of colours, for tests that need no network."""

import hashlib
from collections.abc import Sequence

import cv2
import numpy as np

from posture_daemon.domain import Features, Floats, Image, Region

CHANNELS = 3


class StandInBackbone:
    """Implements `ports.Backbone`: the feature map is the picture, shrunk to 4 × 4, with channels in 0–1."""

    image_size = 32
    region: Region | None = None

    def __init__(self, name: str = "colours") -> None:
        self.sha256 = hashlib.sha256(name.encode()).hexdigest()
        self.seen = 0

    def extract(self, image: Image) -> Features:
        """Features of one picture."""
        return Features(self.extract_batch([image])[0])

    def extract_batch(self, images: Sequence[Image]) -> Floats:
        """Feature maps of several pictures, counted in `seen`."""
        self.seen += len(images)
        small = [cv2.resize(image, (4, 4), interpolation=cv2.INTER_AREA) for image in images]
        maps = np.array(small, np.float32).reshape(-1, 4, 4, CHANNELS).transpose(0, 3, 1, 2) / 255
        return np.ascontiguousarray(maps)
