"""Augmented views: the same moment seen a little differently, so that the head learns the posture and not the picture.

They keep the posture and its place: a crop of 85–100 % a side, a turn of a few degrees, other colours. No mirror, as left and
right may differ, nothing erased, no far crop: ultralytics' classify augmentation, which does all that, was chosen for things
in photographs. On new days of a camera at the side these views are worth twelve points more (docs/learning.md).

Drawn with OpenCV instead of Pillow: an eighth of the time. A view depends only on the picture, its number and the seed, so it
can be cached.
"""

import cv2
import numpy as np

from posture_daemon.domain import Image

VIEWS_VERSION = 2
"""Part of the cache key: count it up with every change that alters the pixels of a view."""

SIDE = (0.85, 1.0)
"""Share of each side of the picture that a crop keeps."""
ROTATION_DEGREES = 4.0
COLOUR = 0.4


def augmented_view(image: Image, size: int, rng: np.random.Generator) -> Image:
    """One random view of a BGR image, `uint8 (size, size, 3)`."""
    return _recolour(_rotate(_random_crop(image, size, rng), rng), rng)


def view_rng(picture_sha256: str, view: int, seed: int) -> np.random.Generator:
    """The randomness of view number `view` (1, 2, …) of one picture."""
    return np.random.default_rng([int(picture_sha256[:15], 16), view, seed])


def _random_crop(image: Image, size: int, rng: np.random.Generator) -> Image:
    height, width = image.shape[:2]
    crop_width, crop_height = (
        max(1, round(side * share)) for side, share in zip((width, height), rng.uniform(*SIDE, 2), strict=True)
    )
    x, y = int(rng.integers(0, width - crop_width + 1)), int(rng.integers(0, height - crop_height + 1))
    crop = image[y : y + crop_height, x : x + crop_width]
    resized = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA if crop_width > size else cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.uint8)


def _rotate(view: Image, rng: np.random.Generator) -> Image:
    size, degrees = view.shape[0], rng.uniform(-ROTATION_DEGREES, ROTATION_DEGREES)
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), degrees, 1.0)
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
