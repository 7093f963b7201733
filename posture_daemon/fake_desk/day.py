"""How a day at the desk flows: visits to each posture, held for seconds to tens of minutes, joined by short movements.

A visit is cut into *beats*, each one pose held for about a minute. The day turns at 04:00, with an empty chair on
both sides, so that days can be made one by one and in any order. Times are Unix seconds.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from posture_daemon.errors import CameraError
from posture_daemon.fake_desk import chance
from posture_daemon.fake_desk.pose import AWAY, BAD, CLASSES, GOOD, STANDING, Pose, blend, pose_for

DAY_S = 86_400.0
DAY_TURNS_AT_S = 4 * 3_600.0
MEAN_VISIT_S = 240.0
MEAN_BEAT_S = 70.0
MIN_BEAT_S = 6.0

SHARES = {GOOD: 0.40, BAD: 0.30, AWAY: 0.15, STANDING: 0.15}
"""The share of time that each posture gets in the long run."""

_NEXT = {
    GOOD: {BAD: 0.7, AWAY: 0.15, STANDING: 0.15},
    BAD: {GOOD: 0.65, AWAY: 0.2, STANDING: 0.15},
    AWAY: {GOOD: 0.65, BAD: 0.15, STANDING: 0.2},
    STANDING: {GOOD: 0.5, BAD: 0.15, AWAY: 0.35},
}


@dataclass(frozen=True)
class Beat:
    """One pose, held from `start` until the next beat's start; the body arrives in it after `settle_s` seconds."""

    start: float
    posture: str
    variation: int
    depth: float
    settle_s: float


def day_number(t: float) -> int:
    """Count desk days; they turn at 04:00, when the chair is empty."""
    return int((t - DAY_TURNS_AT_S) // DAY_S)


def known_classes(classes: Sequence[str] | None) -> tuple[str, ...]:
    """Check the postures that may occur and put them in their usual order."""
    wanted = CLASSES if classes is None else tuple(classes)
    strange = [name for name in wanted if name not in CLASSES]
    if strange or not wanted:
        what = f"no posture {strange[0]!r}" if strange else "no posture at all"
        raise CameraError(f"The fake desk was asked for {what}; choose from {', '.join(CLASSES)}.")
    return tuple(name for name in CLASSES if name in wanted)


class Day:
    """The true course of events at one desk, for every time there is."""

    def __init__(self, seed: int, classes: Sequence[str] | None = None) -> None:
        """Choose a desk by its `seed`; leave out postures by naming the others in `classes`."""
        self.seed = seed
        self.classes = known_classes(classes)
        self._steps = _transition_matrix(self.classes)
        self._mean_visit_s = _mean_visits(self.classes, self._steps)
        self._beats = lru_cache(maxsize=16)(self._make_day)

    def truth_at(self, t: float) -> str:
        """Return the class at time `t`; on the way from one posture to another, the nearer one."""
        before, now = self._around(t)
        return before.posture if t - now.start < now.settle_s / 2 else now.posture

    def transition_at(self, t: float) -> bool:
        """Tell whether the body is on its way from one class to another."""
        before, now = self._around(t)
        return before.posture != now.posture and t - now.start < now.settle_s

    def pose_at(self, t: float) -> Pose:
        """Return the pose at time `t`, without the small motions of a living body."""
        before, now = self._around(t)
        weight = chance.ease((t - now.start) / now.settle_s)
        target = pose_for(now.posture, now.variation, now.depth)
        return blend(pose_for(before.posture, before.variation, before.depth), target, weight) if weight < 1 else target

    def _around(self, t: float) -> tuple[Beat, Beat]:
        number = day_number(t)
        starts, beats = self._beats(number)
        index = bisect_right(starts, t) - 1
        before = beats[index - 1] if index > 0 else self._beats(number - 1)[1][-1]
        return before, beats[index]

    def _make_day(self, number: int) -> tuple[list[float], list[Beat]]:
        rng = chance.generator(self.seed, 0xDA7, number)
        start = number * DAY_S + DAY_TURNS_AT_S
        beats: list[Beat] = []
        for posture, begin, end in self._visits(rng, start, start + DAY_S):
            beats.extend(_cut(rng, posture, begin, end))
        return [beat.start for beat in beats], beats

    def _visits(self, rng: np.random.Generator, t: float, end: float) -> Iterator[tuple[str, float, float]]:
        """Walk through the postures of one day, from empty chair to empty chair."""
        home = AWAY if AWAY in self.classes else self.classes[0]
        state = self.classes.index(home)
        close = end - MIN_BEAT_S * 10
        while t < close:
            length = _lognormal(rng, self._mean_visit_s[state])
            stop = min(close, t + length)
            yield self.classes[state], t, stop
            t = stop
            state = int(rng.choice(len(self.classes), p=self._steps[state]))
        yield home, t, end


def _cut(rng: np.random.Generator, posture: str, begin: float, end: float) -> Iterator[Beat]:
    """Cut a visit into beats; a bad posture gets worse from beat to beat, an empty chair does not move."""
    depth = rng.uniform(0.35, 0.75)
    while begin < end:
        yield Beat(begin, posture, int(rng.integers(1 << 62)), min(1.0, depth), rng.uniform(1.0, 3.0))
        length = end - begin if posture == AWAY else _lognormal(rng, MEAN_BEAT_S)
        begin = end if end - begin - length < MIN_BEAT_S else begin + length
        depth += 0.15


def _lognormal(rng: np.random.Generator, mean_s: float, spread: float = 1.0) -> float:
    """Draw a duration with a long tail, never shorter than a beat (s)."""
    return float(MIN_BEAT_S + (mean_s - MIN_BEAT_S) * rng.lognormal(-spread * spread / 2, spread))


def _transition_matrix(classes: Sequence[str]) -> NDArray[np.float64]:
    """`(n, n)`: the chance of going from each class to each other one, with the missing classes left out."""
    matrix = np.array([[_NEXT[a].get(b, 0.0) for b in classes] for a in classes])
    if len(classes) == 1:
        return np.ones((1, 1))
    normal: NDArray[np.float64] = matrix / matrix.sum(axis=1, keepdims=True)
    return normal


def _mean_visits(classes: Sequence[str], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(n,)` seconds: how long a visit must last on average so that `SHARES` come out of the chain of visits."""
    n = len(classes)
    balance = np.vstack([steps.T - np.eye(n), np.ones(n)])
    often = np.linalg.lstsq(balance, np.append(np.zeros(n), 1.0), rcond=None)[0]
    share = np.array([SHARES[name] for name in classes])
    mean: NDArray[np.float64] = MEAN_VISIT_S * share / share.sum() / often
    return mean
