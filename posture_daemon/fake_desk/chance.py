"""Chance without state: every random choice is a pure function of whole numbers, and so can be asked again."""

import math

import numpy as np

_MASK = (1 << 64) - 1


def key(*parts: int) -> int:
    """Mix whole numbers into one 64-bit number (splitmix64), so that (1, 2) and (2, 1) are unrelated."""
    state = 0x9E3779B97F4A7C15
    for part in parts:
        state = (state ^ (part & _MASK)) * 0xBF58476D1CE4E5B9 & _MASK
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB & _MASK
        state ^= state >> 31
    return state


def generator(*parts: int) -> np.random.Generator:
    """Return a fresh numpy generator for these numbers; never numpy's global one."""
    return np.random.Generator(np.random.PCG64(key(*parts)))


def unit(*parts: int) -> float:
    """Return a number in [0, 1) for these numbers."""
    return key(*parts) / (_MASK + 1)


def ease(x: float) -> float:
    """Smooth step from 0 at x ≤ 0 to 1 at x ≥ 1, level at both ends."""
    x = min(1.0, max(0.0, x))
    return x * x * (3.0 - 2.0 * x)


def drift(seed: int, x: float) -> float:
    """Smooth aimless motion in −1…1 that changes its mind once per unit of `x` (value noise)."""
    step = math.floor(x)
    before, after = unit(seed, step), unit(seed, step + 1)
    return 2.0 * (before + (after - before) * ease(x - step)) - 1.0
