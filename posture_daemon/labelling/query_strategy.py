"""Query strategy of active learning: margin sampling weighted by diversity, in batches of near-duplicates.

The score of a frame is

    doubt · √distance · rarity

`doubt` is the margin uncertainty: 1 - (p1 - p2) of the two highest calibrated probabilities. `distance` is 1 - cosine to the
nearest frame that is labelled or already picked in this round, of features centred on the mean of the queued ones. Margin
sampling alone picks near-duplicates; distance alone (greedy core-set: Sener & Savarese 2018, arXiv 1708.00489) picks unusual
but clear frames. Distances are updated after every pick, as in the greedy k-means++ of BADGE (Ash et al. 2020, arXiv
1906.03671). `rarity` keeps a day from being one-sided: it is high for what is probably of a class that was seldom answered
today, since a dozen answers of one class teach that this day is that class. On real webcams (docs/asking.md) this needs fewer
answers than either factor alone and than BADGE.

Pure, deterministic functions on arrays; a question costs two matrix-vector products.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Floats
from posture_daemon.vision.novelty import unit

DUPLICATE_COSINE = 0.99
"""Cosine from which queued frames with the same prediction share a question. In the first sessions of the real front webcam
none of 480 questions mixed classes; in ten streams of a new person five frames in all had to be set apart."""

MAX_QUESTION_FRAMES = 8
"""Most frames in one question, so that they can be seen at a glance."""

CHUNK = 1024
"""Rows per matrix product, which bounds the memory for many frames."""


@dataclass(frozen=True, eq=False)
class Waiting:
    """The queued frames, in a fixed order.

    `features float32 (n, width)`, `doubt float32 (n,)` in 0-1, `guess intp (n,)` a number for the predicted class;
    `distance float32 (n,)` to the nearest labelled frame in 0-2, 1 where nothing is labelled; `rarity float32 (n,)` in 0-1 of
    their probable classes among today's answers.
    """

    features: Floats
    doubt: Floats
    guess: NDArray[np.intp]
    distance: Floats
    rarity: Floats


@dataclass(frozen=True)
class Question:
    """Rows that one answer may label: the picked one, then its near-duplicates. `distance` is its own when it was picked."""

    rows: tuple[int, ...]
    distance: float


def doubt_of(chances: Floats) -> Floats:
    """Margin uncertainty `float32 (n,)` of probabilities `chances (n, classes)`; 1 with fewer than two classes."""
    if chances.shape[1] < 2:
        return np.ones(len(chances), np.float32)
    best = np.partition(chances, -2, axis=1)[:, -2:]
    return np.asarray(1 - (best[:, 1] - best[:, 0]), dtype=np.float32)


def rarity_of(chances: Floats, answered: Sequence[int]) -> Floats:
    """How rare the class of each frame is expected to be, `float32 (n,)` in 0-1: 1 where all classes were answered as often.

    `chances (n, classes)`, and how many answers of today are of each class.
    """
    if chances.shape[1] < 2:
        return np.ones(len(chances), np.float32)
    wanted = 1 / (1 + np.asarray(answered, np.float32))
    return np.asarray(chances @ (wanted / wanted.max()), dtype=np.float32)


def distance_to(labelled: Floats, features: Floats) -> Floats:
    """Centred cosine distance (0-2) of `features (n, width)` to the nearest of `labelled (m, width)`; 1 for m = 0."""
    if not len(labelled) or not len(features):
        return np.ones(len(features), np.float32)
    mean = features.mean(axis=0)
    known, seen = unit(labelled - mean), unit(features - mean)
    nearest = [(seen[at : at + CHUNK] @ known.T).max(axis=1) for at in range(0, len(seen), CHUNK)]
    return np.asarray(np.clip(1 - np.concatenate(nearest), 0, 2), dtype=np.float32)


def questions(waiting: Waiting, limit: int) -> list[Question]:
    """The first `limit` questions, highest score first; each frame is in at most one."""
    if not len(waiting.features):
        return []
    apart, alike = unit(waiting.features - waiting.features.mean(axis=0)), unit(waiting.features)
    distance, worth = waiting.distance.copy(), waiting.doubt * waiting.rarity
    free = np.ones(len(distance), np.bool_)
    asked: list[Question] = []
    while len(asked) < limit and free.any():
        chosen = int(np.where(free, worth * np.sqrt(distance), -1.0).argmax())
        rows = _alike(alike, waiting.guess, free, chosen)
        asked.append(Question(tuple(rows), float(distance[chosen])))
        free[rows] = False
        distance = np.minimum(distance, np.clip(1 - apart @ apart[chosen], 0, 2))
    return asked


def _alike(units: Floats, guess: NDArray[np.intp], free: NDArray[np.bool_], chosen: int) -> Sequence[int]:
    """The picked row, then free rows with the same prediction that are near-duplicates of it, most similar first."""
    cosine = units @ units[chosen]
    cosine[~free | (guess != guess[chosen])] = -1
    cosine[chosen] = 2  # itself first, also where features are zeros
    nearest = np.argsort(-cosine, kind="stable")[:MAX_QUESTION_FRAMES]
    return [int(row) for row in nearest if cosine[row] >= DUPLICATE_COSINE]
