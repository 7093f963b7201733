"""Outlines: closed smooth curves, limbs and arcs, as arrays of points."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@lru_cache(maxsize=8)
def _basis(steps: int) -> Array:
    """`(steps, 4)`: weights of four neighbours along one span of a Catmull–Rom curve."""
    t = np.arange(steps)[:, None] / steps
    powers = np.hstack([t**3, t**2, t, np.ones_like(t)])
    matrix = 0.5 * np.array([[-1, 3, -3, 1], [2, -5, 4, -1], [-1, 0, 1, 0], [0, 2, 0, 0]])
    result: Array = powers @ matrix
    return result


def closed(points: Sequence[Sequence[float]] | Array, steps: int = 6) -> Array:
    """`(n·steps, d)`: a smooth closed curve through `(n, d)` points."""
    p = np.asarray(points, dtype=np.float64)
    return _through(p[_around(len(p))], steps)


def open_curve(points: Sequence[Sequence[float]] | Array, steps: int = 6) -> Array:
    """`((n−1)·steps + 1, d)`: a smooth curve from the first of `(n, d)` points to the last."""
    p = np.asarray(points, dtype=np.float64)
    q = np.concatenate([[2 * p[0] - p[1]], p, [2 * p[-1] - p[-2]]])
    return np.concatenate([_through(q[_along(len(q))], steps), p[-1:]])


def _through(neighbours: Array, steps: int) -> Array:
    """`(n·steps, d)`: the curve through spans that are given with their `(n, 4, d)` neighbours."""
    curve: Array = np.matmul(_basis(steps), neighbours).reshape(-1, neighbours.shape[2])
    return curve


@lru_cache(maxsize=64)
def _around(n: int) -> NDArray[np.int64]:
    """`(n, 4)`: for every span of a closed curve the four points that shape it."""
    return np.asarray((np.arange(n)[:, None] + np.array([-1, 0, 1, 2])) % n, np.int64)


@lru_cache(maxsize=64)
def _along(n: int) -> NDArray[np.int64]:
    """`(n − 3, 4)`: the same for an open curve of `n` points, its two extra ends included."""
    return np.arange(n - 3)[:, None] + np.arange(4)


def mirrored(half: Sequence[Sequence[float]] | Array) -> Array:
    """Close a right half (top to bottom) with its mirror image at x = 0; points on the axis are not doubled."""
    right = np.asarray(half, dtype=np.float64)
    left = right[::-1].copy()
    left[:, 0] *= -1.0
    keep = np.abs(left[:, 0]) > 1e-9
    return np.concatenate([right, left[keep]])


def ellipse(centre: Sequence[float] | Array, rx: float, ry: float) -> Array:
    """`(20, 2)`: an upright ellipse."""
    return _CIRCLE * (rx, ry) + np.asarray(centre, dtype=np.float64)[:2]


_CIRCLE = np.stack([np.cos(np.arange(20) * np.pi / 10), np.sin(np.arange(20) * np.pi / 10)], axis=1)
_HALF_CIRCLE = np.stack([np.cos(np.linspace(-1, 1, 9) * np.pi / 2), np.sin(np.linspace(-1, 1, 9) * np.pi / 2)], axis=1)


def limb(start: Array, start_radius: float, end: Array, end_radius: float) -> Array:
    """`(18, 2)`: two circles and what lies between them, as an arm in its sleeve."""
    dx, dy = float(end[0] - start[0]), float(end[1] - start[1])
    length = math.hypot(dx, dy) or 1.0
    cap = _HALF_CIRCLE @ np.array([[dx, dy], [-dy, dx]]) / length
    return np.concatenate([end + end_radius * cap, start - start_radius * cap])


def cuff(start: Array, start_radius: float, end: Array, end_radius: float) -> Array:
    """`(14, 2)`: like `limb`, but cut off with a slightly bent hem at the end, as a short sleeve is."""
    direction = (end - start) / max(1e-6, float(np.hypot(*(end - start))))
    side = np.array([-direction[1], direction[0]])
    across = np.linspace(-1, 1, 5)[:, None]
    hem = end + side * across * end_radius + direction * (1 - across**2) * end_radius * 0.3
    return np.concatenate([hem, limb(start, start_radius, end, end_radius)[9:]])
