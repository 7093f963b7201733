"""Augmented views: the same moment seen a little differently, so that the head learns the posture and not the picture.

Two kinds in turn. *Near* views (odd numbers) keep the posture and its place: a crop of 85–100 % a side, a turn of a few
degrees, other colours; no mirror, nothing erased. *Far* views (even numbers) are ultralytics' classify augmentation (random
resized crop with scale 0.5–1, flip, colour, erasing). Near views are worth seven points on new days of a camera at the side,
far ones as much on another day of a front webcam, and half of each is near the better one on both (docs/learning.md).

Drawn with OpenCV instead of Pillow: an eighth of the time. A view depends only on the picture, its number and the seed, so it
can be cached.
"""

import math

import cv2
import numpy as np

from posture_daemon.domain import Image

VIEWS_VERSION = 2
"""Part of the cache key: count it up with every change that alters the pixels of a view."""

SCALE = (0.5, 1.0)
"""Share of the picture's area that a crop keeps, as ultralytics' classify default."""
ASPECT = (3 / 4, 4 / 3)
ROTATION_DEGREES = 15.0
NEAR_SIDE = (0.85, 1.0)
"""Share of each side that the crop of a near view keeps."""
NEAR_ROTATION_DEGREES = 4.0
COLOUR = 0.4
ERASE_PROBABILITY = 0.4


def augmented_view(image: Image, number: int, size: int, rng: np.random.Generator, flip: bool) -> Image:
    """View `number` (1, 2, …) of a BGR image, `uint8 (size, size, 3)`; `flip` also mirrors half of the far views."""
    return _near_view(image, size, rng) if number % 2 else _far_view(image, size, rng, flip)


def _near_view(image: Image, size: int, rng: np.random.Generator) -> Image:
    height, width = image.shape[:2]
    share_x, share_y = rng.uniform(*NEAR_SIDE, 2)
    view = _crop(image, max(1, round(width * share_x)), max(1, round(height * share_y)), size, rng)
    return _recolour(_rotate(view, rng, NEAR_ROTATION_DEGREES), rng)


def _far_view(image: Image, size: int, rng: np.random.Generator, flip: bool) -> Image:
    view = _random_crop(image, size, rng)
    if flip and rng.random() < 0.5:
        view = view[:, ::-1]
    if rng.random() < 0.5:
        view = _rotate(view, rng, ROTATION_DEGREES, shear=0.15)
    return _erase(_recolour(view, rng), rng)


def view_rng(picture_sha256: str, view: int, seed: int) -> np.random.Generator:
    """The randomness of view number `view` (1, 2, …) of one picture."""
    return np.random.default_rng([int(picture_sha256[:15], 16), view, seed])


def _random_crop(image: Image, size: int, rng: np.random.Generator) -> Image:
    height, width = image.shape[:2]
    area = rng.uniform(*SCALE) * height * width
    aspect = math.exp(rng.uniform(math.log(ASPECT[0]), math.log(ASPECT[1])))
    crop_width = min(width, max(1, round(math.sqrt(area * aspect))))
    crop_height = min(height, max(1, round(math.sqrt(area / aspect))))
    return _crop(image, crop_width, crop_height, size, rng)


def _crop(image: Image, crop_width: int, crop_height: int, size: int, rng: np.random.Generator) -> Image:
    """A part of this size from anywhere in the picture, as `uint8 (size, size, 3)`."""
    height, width = image.shape[:2]
    x = int(rng.integers(0, width - crop_width + 1))
    y = int(rng.integers(0, height - crop_height + 1))
    shrinks = crop_width > size
    crop = image[y : y + crop_height, x : x + crop_width]
    resized = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.uint8)


def _rotate(view: Image, rng: np.random.Generator, degrees: float, shear: float = 0.0) -> Image:
    """Turn by up to `degrees` either way, and shear by up to `shear`, as RandAugment may."""
    size = view.shape[0]
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), rng.uniform(-degrees, degrees), 1.0)
    turn[0, 1] += rng.uniform(-shear, shear)
    turned = cv2.warpAffine(np.ascontiguousarray(view), turn, (size, size), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(turned, dtype=np.uint8)


def _recolour(view: Image, rng: np.random.Generator) -> Image:
    """Brightness, contrast, saturation and white balance, in one affine map of the three channels."""
    brightness, contrast = rng.uniform(1 - COLOUR, 1 + COLOUR, 2)
    saturation, balance = rng.uniform(0.3, 1.5), rng.uniform(0.9, 1.1, 3)
    mix = saturation * np.eye(3) + (1 - saturation) / 3
    gain = brightness * contrast * balance[:, None] * mix
    offset = brightness * (1 - contrast) * float(view.mean()) * balance
    coloured = cv2.transform(np.ascontiguousarray(view), np.hstack([gain, offset[:, None]]))
    return np.asarray(coloured, dtype=np.uint8)  # cv2.transform saturates to 0-255


def _erase(view: Image, rng: np.random.Generator) -> Image:
    """Cover a random rectangle with a random grey in 40 % of the views (Zhong et al. 2020, arXiv 1708.04896)."""
    if rng.random() >= ERASE_PROBABILITY:
        return view
    size = view.shape[0]
    area, aspect = rng.uniform(0.02, 0.25) * size * size, math.exp(rng.uniform(math.log(0.3), math.log(3.3)))
    height, width = (min(size - 1, int(math.sqrt(x))) for x in (area * aspect, area / aspect))
    y, x = int(rng.integers(0, size - height)), int(rng.integers(0, size - width))
    view[y : y + height, x : x + width] = rng.integers(0, 256)
    return view
