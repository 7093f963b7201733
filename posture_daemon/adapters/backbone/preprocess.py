"""From a camera image to the input of the backbone, as ultralytics prepares images for a classifier at prediction time.

That is: shorter side to `size` with Pillow's antialiased bilinear filter, centre crop, RGB, divided by 255. It must be
Pillow: the filter of `cv2.INTER_LINEAR` skips pixels when shrinking, and `cv2.INTER_AREA` is close but not equal.
Only the part that the crop keeps is ever copied or resized; that differs from resizing everything by rounding alone
(one level of 255 in one pixel of a thousand).
"""

import math

import numpy as np
from PIL import Image as Pillow

from posture_daemon.domain import Floats, Image

PREPROCESSING = "ultralytics-classify-1: shorter side bilinear antialiased (Pillow), centre crop, RGB, 0-1"
"""Written into every backbone's metadata, so that a later change of this file cannot go unnoticed."""


def to_input(image: Image, size: int) -> Floats:
    """Return `float32 (1, 3, size, size)`, RGB, 0–1, from a BGR image `uint8 (height, width, 3)` of any size."""
    square = centre_square(image, size)
    planes = np.ascontiguousarray(square[..., ::-1].transpose(2, 0, 1)).astype(np.float32)
    planes /= np.float32(255)
    return planes[None]


def centre_square(image: Image, size: int) -> Image:
    """Resize the shorter side to `size` and crop the middle: `uint8 (size, size, 3)`, same channel order."""
    if image.shape != (size, size, 3):
        height, width = image.shape[:2]
        shorter = min(height, width)
        top, bottom = _kept_span(height, size * height // shorter, size)
        left, right = _kept_span(width, size * width // shorter, size)
        return _resize(image, (left, top, right, bottom), size)
    return image


def _kept_span(length: int, resized: int, size: int) -> tuple[float, float]:
    """Return where the crop begins and ends along one side, in pixels of the original image."""
    start = round((resized - size) / 2.0)  # torchvision's CenterCrop rounds halves to even, as Python does
    scale = length / resized
    return start * scale, (start + size) * scale


def _resize(image: Image, box: tuple[float, float, float, float], size: int) -> Image:
    """Resize the `(left, top, right, bottom)` part of `image` to a square of `size`."""
    height, width = image.shape[:2]
    left, top, right, bottom = box
    margin = math.ceil(max((right - left) / size, (bottom - top) / size, 1.0)) + 1  # the filter looks past the crop
    x0, x1 = max(0, math.floor(left) - margin), min(width, math.ceil(right) + margin)
    y0, y1 = max(0, math.floor(top) - margin), min(height, math.ceil(bottom) + margin)
    part = Pillow.fromarray(np.ascontiguousarray(image[y0:y1, x0:x1]))
    inside = (left - x0, top - y0, right - x0, bottom - y0)
    return np.asarray(part.resize((size, size), Pillow.Resampling.BILINEAR, box=inside))
