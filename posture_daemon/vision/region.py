"""The part of a picture that the network is shown."""

from __future__ import annotations

import numpy as np

from posture_daemon.domain import Image, Region

GREEN = (0, 220, 0)


def crop(image: Image, region: Region | None) -> Image:
    """The region of a picture as a square, and no copy; the whole picture where there is no region.

    The network takes a square. So the shorter side of the box grows on both sides until it is one, as far as the picture
    goes: else the head of somebody in an upright box would be cut off, as `centre_square` does with whole pictures.
    """
    if region is None:
        return image
    height, width = image.shape[:2]
    side = min(width, height, max(1, round(region.width * width), round(region.height * height)))
    left, top = _start(region.x, region.width, width, side), _start(region.y, region.height, height, side)
    return image[top : top + side, left : left + side]


def outlined(image: Image, region: Region | None) -> Image:
    """A copy with a green frame about what is looked at."""
    drawn = image.copy()
    part = crop(drawn, region)
    width = max(2, min(part.shape[:2]) // 40)
    for edge in (part[:width], part[-width:], part[:, :width], part[:, -width:]):
        edge[:] = GREEN
    return np.asarray(drawn, dtype=np.uint8)


def _start(start: float, share: float, length: int, side: int) -> int:
    """Where a span of `side` pixels about the middle of the box begins, within a picture of `length` pixels."""
    middle = (start + share / 2) * length
    return min(max(0, round(middle - side / 2)), length - side)
