"""Cloth as a tile: `uint8 (256, 256, 3)`, shoulders at the top edge, hips at the bottom edge."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Image
from posture_daemon.fake_desk import chance
from posture_daemon.fake_desk.people import Clothes

SIDE = 256
PATTERNED = ("stripes", "check", "knit")
"""Garments whose sleeves show the pattern."""


@lru_cache(maxsize=64)
def tile(clothes: Clothes) -> Image:
    """Weave the cloth of one set of clothes."""
    cloth = np.empty((SIDE, SIDE, 3), np.float32)
    cloth[:] = clothes.colour
    rng = chance.generator(clothes.pattern_key)
    accent = np.asarray(clothes.accent, np.float32)
    if clothes.garment == "stripes":
        pitch = int(rng.integers(24, 44))
        for y in range(pitch, SIDE, pitch):
            cloth[y : y + pitch // 2] = accent
    elif clothes.garment == "check":
        _checks(cloth, accent)
    elif clothes.garment == "knit":
        ribs = 1.0 + 0.09 * np.sin(np.arange(SIDE) * 2 * np.pi / 8)
        rows = 1.0 + 0.04 * np.sin(np.arange(SIDE) * 2 * np.pi / 5)
        cloth *= (ribs[None, :] * rows[:, None])[:, :, None].astype(np.float32)
    elif clothes.garment == "tshirt":
        _print(cloth, accent, rng)
    cloth *= _creases(rng)[:, :, None]
    return np.clip(cloth, 0, 255).astype(np.uint8)


def _checks(cloth: NDArray[np.float32], accent: NDArray[np.float32]) -> None:
    band = (np.arange(SIDE) % 36 < 16).astype(np.float32)
    thin = (np.arange(SIDE) % 36 == 26).astype(np.float32)
    weight = 0.38 * (band[:, None] + band[None, :])
    cloth += (accent - cloth) * weight[:, :, None]
    cloth[:] += 60 * np.maximum(thin[:, None], thin[None, :])[:, :, None]


def _print(cloth: NDArray[np.float32], accent: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Put a ring, three bars, a triangle or nothing on the chest."""
    ink = np.zeros((SIDE, SIDE), np.uint8)
    kind = int(rng.integers(4))
    if kind == 0:
        cv2.circle(ink, (128, 92), 34, 255, 12, cv2.LINE_AA)
    elif kind == 1:
        for row, reach in enumerate((44, 34, 24)):
            cv2.line(ink, (128 - reach, 70 + 24 * row), (128 + reach, 70 + 24 * row), 255, 10, cv2.LINE_AA)
    elif kind == 2:
        cv2.polylines(ink, [np.array([(128, 56), (172, 126), (84, 126)], np.int32)], True, 255, 8, cv2.LINE_AA)
    cloth += (accent - cloth) * (ink.astype(np.float32) / 255)[:, :, None]


def _creases(rng: np.random.Generator) -> NDArray[np.float32]:
    """`float32 (SIDE, SIDE)` around 1: folds that run down from the armpits, and the grain of the weave."""
    coarse = rng.normal(0, 1, (9, 13)).astype(np.float32)
    folds = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    grain = rng.normal(0, 1, (SIDE, SIDE)).astype(np.float32)
    return np.asarray(1.0 + 0.05 * folds + 0.025 * grain, dtype=np.float32)
