"""What is asked first: the frames from which most is learned, each with those that look just like it.

A question is worth

    doubt · √distance

Doubt is 1 less the margin between the two most probable classes (calibrated). Distance is 1 less the cosine to the nearest
frame that is labelled or already asked in this round, of features about the mean of the waiting ones. The first factor alone
(lowest margin) asks the same question several times over; the second alone (farthest first, a greedy core-set: Sener &
Savarese 2018, arXiv 1708.00489) wastes answers on what is odd but clear. Updated after every pick, as in the greedy form of
k-means++ in BADGE (Ash et al. 2020, arXiv 1906.03671). On the real webcams (docs/asking.md) it needs fewer answers than
either factor alone and than BADGE.

Pure functions on arrays, deterministic; a question costs two products of a matrix and a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Floats
from posture_daemon.vision.novelty import unit

ALIKE_COSINE = 0.99
"""Cosine from which waiting frames of one guess may share a question. In the first sessions of the real front webcam none of
480 questions mixed classes; in ten streams of a new person five frames in all had to be picked out."""

MAX_QUESTION_FRAMES = 8
"""Frames in one question: what can be looked over at a glance."""

CHUNK = 1024
"""Rows of a product at a time, so that ten thousand frames need no more memory than a few."""


@dataclass(frozen=True, eq=False)
class Waiting:
    """What is known of the frames that wait, in a fixed order; nothing here changes.

    `features float32 (n, width)`, `doubt float32 (n,)` in 0-1, `guess (n,)` a number for the class that the model names;
    `distance float32 (n,)` to the nearest labelled frame in 0-2, 1 where nothing is labelled.
    """

    features: Floats
    doubt: Floats
    guess: NDArray[np.intp]
    distance: Floats


@dataclass(frozen=True)
class Question:
    """Rows of waiting frames that one answer may label; the first one was chosen, the others look like it.

    `distance` is that of the first one when it was chosen.
    """

    rows: tuple[int, ...]
    distance: float


def doubt_of(chances: Floats) -> Floats:
    """1 less the margin between the two most probable classes, of `chances (n, classes)`; 1 with fewer than two classes."""
    if chances.shape[1] < 2:
        return np.ones(len(chances), np.float32)
    best = np.partition(chances, -2, axis=1)[:, -2:]
    return np.asarray(1 - (best[:, 1] - best[:, 0]), dtype=np.float32)


def distance_to(labelled: Floats, features: Floats) -> Floats:
    """From each of `features (n, width)` to the nearest of `labelled (m, width)`, about the mean of the former; 1 for m = 0."""
    if not len(labelled) or not len(features):
        return np.ones(len(features), np.float32)
    mean = features.mean(axis=0)
    known, seen = unit(labelled - mean), unit(features - mean)
    nearest = [(seen[at : at + CHUNK] @ known.T).max(axis=1) for at in range(0, len(seen), CHUNK)]
    return np.asarray(np.clip(1 - np.concatenate(nearest), 0, 2), dtype=np.float32)


def questions(waiting: Waiting, limit: int) -> list[Question]:
    """The first `limit` questions, the most useful first; each frame is in one at most."""
    if not len(waiting.features):
        return []
    apart, alike = unit(waiting.features - waiting.features.mean(axis=0)), unit(waiting.features)
    distance = waiting.distance.copy()
    free = np.ones(len(distance), np.bool_)
    asked: list[Question] = []
    while len(asked) < limit and free.any():
        chosen = int(np.where(free, waiting.doubt * np.sqrt(distance), -1.0).argmax())
        rows = _alike(alike, waiting.guess, free, chosen)
        asked.append(Question(tuple(rows), float(distance[chosen])))
        free[rows] = False
        distance = np.minimum(distance, np.clip(1 - apart @ apart[chosen], 0, 2))
    return asked


def _alike(units: Floats, guess: NDArray[np.intp], free: NDArray[np.bool_], chosen: int) -> Sequence[int]:
    """The chosen row, then the free rows of the same guess that look like it, the most alike first."""
    cosine = units @ units[chosen]
    cosine[~free | (guess != guess[chosen])] = -1
    cosine[chosen] = 2  # itself first, also where features are zeros
    nearest = np.argsort(-cosine, kind="stable")[:MAX_QUESTION_FRAMES]
    return [int(row) for row in nearest if cosine[row] >= ALIKE_COSINE]
