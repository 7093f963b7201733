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

MAX_DOUBTS = 3
"""Most that are told: where nearly all is doubtful, a list of all pairs says less."""

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
    empty = _chair_doubts(shown)
    named = {name for doubt in empty for name in doubt.classes}
    pairs = [pair for pair in combinations(shown, 2) if not named & {one.name for one in pair}]
    told_apart = {(a, b): accuracy_across_rounds(shown[a], shown[b]) for a, b in pairs}
    alike = sorted((pair for pair in pairs if told_apart[pair] <= ALIKE_ACCURACY), key=lambda pair: told_apart[pair])
    return (*empty, *(_same(*pair) for pair in alike))[:MAX_DOUBTS]


def _same(one: PostureClass, other: PostureClass) -> PoseDoubt:
    text = f"{_named(one)} and {_named(other)} look the same to the camera here"
    return PoseDoubt(f"{text[0].upper()}{text[1:]}.", (one.name, other.name))


def _chair_doubts(shown: Mapping[PostureClass, Rounds]) -> list[PoseDoubt]:
    """Poses that show the empty chair; where that is true of several, it is rather the chair that was not empty."""
    chair = next((one for one in shown if one.role is Role.AWAY and shown[one]), None)
    if chair is None:
        return []
    away = np.concatenate(list(shown[chair]))
    found = {one: _empty_rounds(rounds, away) for one, rounds in shown.items() if one.role is not Role.AWAY}
    doubtful = {one: rounds for one, rounds in found.items() if rounds}
    if len(doubtful) > 1:
        names = ", ".join(f"'{one.name}'" for one in doubtful)
        text = f"The pictures of the empty chair ('{chair.name}') look like those of {names}: had you left the picture?"
        return [PoseDoubt(text, (chair.name,))]
    return [_empty(one, rounds, len(shown[one])) for one, rounds in doubtful.items()]


def _empty_rounds(rounds: Rounds, away: Floats) -> list[int]:
    """Rounds, from 1, whose frames look like the empty chair."""
    return [number for number, frames in enumerate(rounds, 1) if looks_like(frames, away) >= EMPTY_SHARE]


def _empty(one: PostureClass, rounds: Sequence[int], of: int) -> PoseDoubt:
    when = "" if len(rounds) == of else f" in round {rounds[0]}"
    text = f"The pictures of '{one.name}'{when} look like those of the empty chair: were you there only in one of them?"
    return PoseDoubt(text, (one.name,))


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
