"""Do the poses of a lesson look alike to the camera? Asked before anything is trained, of the features of the kept frames.

Two questions. Can two classes be told apart across rounds: a small ridge classifier is fitted to one round of the two and asked
about the other, each way. And does a pose show an empty chair: are its frames as near to frames of the empty chair as those are
to each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from posture_daemon.domain import Floats, PostureClass, Role

MIN_FRAMES = 4
"""Frames of a pose below which nothing is said of it."""

ALIKE_ACCURACY = 0.65
"""Balanced accuracy across rounds up to which two classes look the same; guessing has 0.5."""

EMPTY_SHARE = 0.5
"""Share of a pose's frames that must look like the empty chair."""

USUAL_QUANTILE = 0.25
"""How near frames of the empty chair are to each other: this quantile of their nearest cosines; a few show who leaves."""

RIDGE = 0.1
"""Penalty of the ridge classifier, as a share of the mean squared length of its vectors."""

Rounds = Sequence[Floats]
"""Unit feature vectors of one class, `(frames, width)` for each round."""


@dataclass(frozen=True)
class PoseDoubt:
    """One sentence about pictures that may spoil the training, and the classes that it is about."""

    sentence: str
    classes: tuple[str, ...]


def pose_doubts(poses: Mapping[PostureClass, Rounds]) -> tuple[PoseDoubt, ...]:
    """What is wrong with these poses, the empty chair first; classes named there are not compared again."""
    shown = {one: [r for r in rounds if len(r) >= MIN_FRAMES] for one, rounds in poses.items()}
    empty = [doubt for one in shown for doubt in _empty(one, shown)]
    named = {name for doubt in empty for name in doubt.classes}
    pairs = [(a, b) for a, b in combinations(shown, 2) if not named & {a.name, b.name}]
    return (*empty, *(_same(a, b) for a, b in pairs if accuracy_across_rounds(shown[a], shown[b]) <= ALIKE_ACCURACY))


def _same(one: PostureClass, other: PostureClass) -> PoseDoubt:
    text = f"{_named(one)} and {_named(other)} look the same to the camera here"
    return PoseDoubt(f"{text[0].upper()}{text[1:]}.", (one.name, other.name))


def _empty(one: PostureClass, shown: Mapping[PostureClass, Rounds]) -> list[PoseDoubt]:
    """A doubt when a round of a class that is no absence shows the empty chair."""
    away = [r for other, rounds in shown.items() if other.role is Role.AWAY for r in rounds]
    if one.role is Role.AWAY or not away:
        return []
    shares = [looks_like(frames, np.concatenate(away)) for frames in shown[one]]
    bad = [number for number, share in enumerate(shares, 1) if share >= EMPTY_SHARE]
    if not bad:
        return []
    when = "" if len(bad) == len(shares) else f" in round {bad[0]}"
    text = (
        f"The pictures of {_named(one)}{when} look like those of the empty chair: were you there only in one of them?"
    )
    return [PoseDoubt(text, (one.name,))]


def accuracy_across_rounds(one: Rounds, other: Rounds) -> float:
    """Balanced accuracy, 0-1, of telling two classes apart in a round that was not fitted; 1 with less than two rounds."""
    rounds = range(min(len(one), len(other)))
    if len(rounds) < 2:
        return 1.0
    found = [
        _accuracy([c[r] for c in (one, other)], [c[s] for c in (one, other)]) for r in rounds for s in rounds if r != s
    ]
    return float(np.mean(found))


def _accuracy(fitted: Sequence[Floats], asked: Sequence[Floats]) -> float:
    """Fit a ridge classifier to two classes, in its dual form since there are few frames; ask it about others."""
    vectors = np.concatenate(fitted).astype(np.float64)
    middle = (fitted[0].mean(axis=0) + fitted[1].mean(axis=0)) / 2
    target = np.concatenate([np.full(len(fitted[0]), 1 / len(fitted[0])), np.full(len(fitted[1]), -1 / len(fitted[1]))])
    centred = vectors - middle
    gram = centred @ centred.T
    weights = (
        np.linalg.solve(gram + RIDGE * max(np.trace(gram) / len(gram), 1e-12) * np.eye(len(gram)), target) @ centred
    )
    scores = [(frames - middle) @ weights for frames in asked]
    return float(np.mean(scores[0] > 0) + np.mean(scores[1] < 0)) / 2


def looks_like(frames: Floats, others: Floats) -> float:
    """Share of `frames`, 0-1, whose nearest of `others` is as near as those are to each other."""
    among = others @ others.T
    np.fill_diagonal(among, -1.0)
    usual = float(np.quantile(among.max(axis=1), USUAL_QUANTILE))
    return float(np.mean((frames @ others.T).max(axis=1) >= usual))


def _named(one: PostureClass) -> str:
    return f"'{one.name}'" if one.role is not Role.AWAY else "the empty chair"
