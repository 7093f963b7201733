"""Have I labelled enough? One sentence from a learning curve, by rules that can be argued with. Pure.

In this order:

1. Fewer than `MIN_IMAGES` holdout images or `MIN_BLOCKS` holdout blocks, fewer than two training blocks a class, or a 95 %
   interval of top-1 wider than `MAX_INTERVAL`: too few to tell.
2. Less than a point is left to win: enough.
3. The curve rises, measured (the last third of the labels brought a point or more) or foreseen (as many labels again would
   bring a point or more): more labels would help, first of the class whose recall rises most. But when the measured rise is
   within twice the standard error of the draws, it may be luck: unsure.
4. It is flat and right: enough. It is flat and wrong (below `GOOD_TOP1`): more of the same would not help.

A *point* is a hundredth of top-1, or one holdout image where that is more: less than an image cannot be seen.

What is foreseen is a power law with a floor, error(n) = a + b n^-c, by least squares (Cortes et al. 1993, "Learning curves:
asymptotic values and rate of convergence"; the form that fits best in Viering & Loog's survey, arXiv 2103.10948).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from scipy.optimize import nnls

from posture_daemon.reports.learning_curve import Curve, CurvePoint

MIN_IMAGES, MIN_BLOCKS = 20, 2
MAX_INTERVAL = 0.25
GOOD_TOP1 = 0.9
ONE_POINT = 0.01
EXPONENTS = np.linspace(0.1, 2.0, 20)


class Sufficiency(str, Enum):
    """What the curve says."""

    TOO_FEW = "too few to tell"
    UNSURE = "unsure"
    MORE = "more"
    ENOUGH = "enough"
    NOT_THESE = "not more of these"


@dataclass(frozen=True)
class Enough:
    """The answer, and the sentences that say it.

    The `last` labels, about a third, brought `gained`, as many again as there are would bring `foreseen`; of top-1, 0–1.
    """

    answer: Sufficiency
    sentences: tuple[str, ...]
    last: int
    gained: float
    foreseen: float


def enough(curve: Curve) -> Enough:
    """Answer the question, and say how sure the holdout lets us be."""
    begin, end = _last_stretch(curve.steps)
    last, gained = round(end.labels - begin.labels), end.top1 - begin.top1
    foreseen = min(foreseen_gain(curve.steps), 1 - end.top1)
    answer = _answer(curve, gained, foreseen)
    return Enough(answer, (_sentence(curve, answer, foreseen), _holdout(curve)), last, gained, foreseen)


def foreseen_gain(steps: Sequence[CurvePoint]) -> float:
    """What as many labels again would add to top-1, 0–1, if the curve goes on as it came. 0 with fewer than three steps."""
    if len(steps) < 3:
        return 0.0
    labels = np.array([step.labels for step in steps])
    errors = np.array([1 - step.top1 for step in steps])
    fits = [(nnls(np.column_stack([np.ones_like(labels), (labels / labels[-1]) ** -c]), errors), c) for c in EXPONENTS]
    (weights, _), exponent = min(fits, key=lambda one: float(one[0][1]))
    return float(weights[1] * (1 - 2**-exponent))


def _last_stretch(steps: Sequence[CurvePoint]) -> tuple[CurvePoint, CurvePoint]:
    """Where about the last third of the labels begins, and its end."""
    return min(steps, key=lambda step: abs(step.labels - steps[-1].labels * 2 / 3)), steps[-1]


def _answer(curve: Curve, gained: float, foreseen: float) -> Sufficiency:
    images, (low, high) = sum(curve.held_out.values()), curve.likely
    few_blocks = curve.blocks < MIN_BLOCKS or curve.training_blocks < 2 * len(curve.held_out)
    if images < MIN_IMAGES or few_blocks or high - low > MAX_INTERVAL:
        return Sufficiency.TOO_FEW
    begin, end = _last_stretch(curve.steps)
    point = max(ONE_POINT, 1 / images) - 1e-9  # one image of 24 is one, however the difference is rounded
    if 1 - end.top1 < point:
        return Sufficiency.ENOUGH
    if gained >= point:
        return Sufficiency.MORE if gained > 2 * begin.spread / np.sqrt(curve.draws) else Sufficiency.UNSURE
    if foreseen >= point:
        return Sufficiency.MORE
    return Sufficiency.ENOUGH if end.top1 >= GOOD_TOP1 else Sufficiency.NOT_THESE


def _sentence(curve: Curve, answer: Sufficiency, foreseen: float) -> str:
    begin, end = _last_stretch(curve.steps)
    brought = f"the last {end.labels - begin.labels:.0f} labels brought {points(end.top1 - begin.top1)}"
    if answer is Sufficiency.TOO_FEW:
        least = min(curve.held_out, key=lambda name: curve.held_out[name])
        return (
            f"Too few to tell: label frames of another hour or day, first of {least}, so that the holdout can say more."
        )
    if answer is Sufficiency.UNSURE:
        return f"Hard to tell: {brought}, but it matters as much which ones they are; label some more and ask again."
    if answer is Sufficiency.MORE:
        more = f", and as many again as there are would bring about {points(foreseen)}" if foreseen >= ONE_POINT else ""
        return f"More labels of {_rising(begin, end)} would help: {brought}{more}."
    if answer is Sufficiency.ENOUGH:
        why = "next to nothing is left to win" if 1 - end.top1 < ONE_POINT else brought
        return f"Enough for this room: {why}; show it another day instead."
    return (
        f"More of the same would not help: {brought}, and it stays at {end.top1:.2f}; show it another day, and look at "
        f"`posture-daemon dataset doubts`, first at {_rising(begin, end)}."
    )


def _rising(begin: CurvePoint, end: CurvePoint) -> str:
    """The class whose recall rose most over the last stretch, if any rose by a point, else the one of the lowest recall."""
    rises = {name: recall - begin.recalls.get(name, 0.0) for name, recall in end.recalls.items()}
    most = max(rises, key=lambda name: rises[name])
    return most if rises[most] >= ONE_POINT else min(end.recalls, key=lambda name: end.recalls[name])


def _holdout(curve: Curve) -> str:
    images, (low, high) = sum(curve.held_out.values()), curve.likely
    right = round(curve.steps[-1].top1 * images)
    return (
        f"{right} of {images} holdout images, of {curve.blocks} time blocks, are right now; of all frames of such times likely "
        f"{100 * low:.0f} to {100 * high:.0f} of 100."
    )


def points(share: float) -> str:
    """A difference of two shares, 0–1, in words."""
    found = round(100 * share, 1)
    return f"{found:g} point" if abs(found) == 1 else f"{found:g} points"
