"""Does the challenger beat the incumbent? A pure function on answers that neither has learned; ties go to the incumbent.

The evidence is counted by *moment*, and every *session* weighs alike, the newest too (`learning/evidence.py`). In each moment
the two are compared by the mean of two differences: whether they are right, and how much probability they give the right
class. The first is what the owner sees; the second tells two models apart that are right on the same images, so a dozen answers
show which way it goes (docs/learning.md).
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from posture_daemon.domain import Decision, Verdict
from posture_daemon.learning.evaluation import Moment
from posture_daemon.learning.sign_test import probability_better
from posture_daemon.settings import PromotionSettings

MAX_CLASSES_ADVISED = 3
"""Most classes that the advice about labels names."""

PROVISIONAL_MOMENTS = 10
"""Fewer moments than this promise next to nothing: a model promoted on them is provisional."""

NO_WORSE = 0.3
"""How sure one must be that the challenger is better where the champion is behind: on days of a real desk always promoting
it was better than any rule that asked for more."""

TIE = 0.001
"""Less than a tenth of a point is rounding: the same labels learned again."""

PROVISIONAL = "the champion was provisional"
NEW_DAY = "the champion has seen nothing of this day"

PRIOR_MOMENTS, PRIOR_SPREAD = 2.0, 0.4
"""What is assumed of the spread of a moment's difference before any is seen: that of two moments, as a standard deviation.
Without it three moments that agree would make us certain."""

SURELY = 0.98
"""Probability from which a loss of one class is no accident, as sure as for a rollback: five moments and none gained."""


def judge(
    moments: Sequence[Moment],
    knows: Sequence[str],
    knew: Sequence[str],
    settings: PromotionSettings,
    *,
    behind: str | None = None,
) -> Decision:
    """Promote when every verdict passes. `knows` and `knew` are the classes of the challenger and of the incumbent.

    `behind` says in words why the challenger need only be no worse: the incumbent has shown next to nothing, or it has seen
    nothing of this day, which the challenger has learned beside all that the incumbent knows.
    """
    if not moments:
        text = f"there are no answers yet that it has not learned, so nothing can be shown; {_advice(moments, knows, settings)}"
        return Decision((Verdict("evidence", False, text),))
    if any(moment.incumbent_right is None for moment in moments):
        return Decision((_first(moments),))
    new = [name for name in knows if name not in knew]
    better = _newcomer(moments, new, settings) or _better(moments, knows, settings, behind)
    return Decision((better, *_one_class(moments, knows, settings), *_recall_losses(moments, settings)))


def is_provisional(moments: int) -> bool:
    """Whether so many moments are too few to promise anything."""
    return moments < PROVISIONAL_MOMENTS


@dataclass(frozen=True)
class Gain:
    """By how much the challenger is ahead, -1 to 1, and how sure that makes us that it truly is, 0–1."""

    mean: float
    probability: float


def gain(moments: Sequence[Moment]) -> Gain:
    """Of all moments, those of each session together weighing alike: twelve of today are not drowned by those of last month."""
    if not moments:
        return Gain(0.0, 0.5)
    differences = np.array([_difference(moment) for moment in moments])
    sizes = Counter(moment.session for moment in moments)
    weights = np.array([1 / sizes[moment.session] for moment in moments])
    weights /= weights.sum()
    mean = float(weights @ differences)
    spread = float(weights @ (differences - mean) ** 2)
    count = len(moments)
    variance = (count * spread + PRIOR_MOMENTS * PRIOR_SPREAD**2) / (count + PRIOR_MOMENTS)
    error = math.sqrt(variance * float((weights**2).sum()))
    return Gain(mean, 0.5 * (1 + math.erf(mean / error / math.sqrt(2))))


def _difference(moment: Moment) -> float:
    right, chance = moment.incumbent_right or 0.0, moment.incumbent_chance or 0.0
    return (moment.right - right + moment.chance - chance) / 2


def _first(moments: Sequence[Moment]) -> Verdict:
    """Against a base, which has no answers: any right one is better than none, but few of them promise nothing."""
    right = sum(moment.right for moment in moments)
    text = (
        f"right in {right:.0f} of {len(moments)} moments that it had not learned; the champion knows no posture classes"
    )
    if is_provisional(len(moments)):
        text += "; so few show little, so it is provisional"
    return Verdict("better", right > 0, text)


def _better(
    moments: Sequence[Moment], knows: Sequence[str], settings: PromotionSettings, behind: str | None
) -> Verdict:
    """Better, and surely enough."""
    found, least = gain(moments), NO_WORSE if behind else settings.min_probability
    text, advice = _scores(moments), _advice(moments, knows, settings)
    sure = f"{percent(found.probability)} sure that it is better"
    if abs(found.mean) < TIE or (found.mean < 0 and not behind):
        how = "as good as the champion" if abs(found.mean) < TIE else "worse"
        return Verdict("better", False, f"{text}: it is {how}, so the champion stays; {advice}")
    if found.probability >= least:
        kind = f", and {behind}" if behind else ""
        return Verdict("better", True, f"{text}: {sure}{kind}")
    return Verdict("better", False, f"{text}: only {sure} (at least {percent(least)}); {advice}")


def _newcomer(moments: Sequence[Moment], new: Sequence[str], settings: PromotionSettings) -> Verdict | None:
    """A verdict that lets a new class in, or `None` when there is no reason to.

    It is let in when its own pictures, left out in turn, are recognised, and the old classes are not probably worse off, by
    more than rounding: whoever is called by its name by mistake counts as a loss of theirs.
    """
    own = [moment for moment in moments if moment.truth in new]
    old = [moment for moment in moments if moment.truth not in new]
    recognised, change = sum(moment.right for moment in own), gain(old)
    worse = change.mean <= -TIE and 1 - change.probability >= settings.min_probability
    if not new or 2 * recognised < len(own) or worse:
        return None
    names = ", ".join(f"'{name}'" for name in new)
    shown = f"right in {recognised:.0f} of its {len(own)} moments" if own else "no moment of it to ask about yet"
    gained = round(sum(moment.right - (moment.incumbent_right or 0.0) for moment in old))
    text = f"knows {names}, which the champion cannot ({shown}), and the old classes get no worse"
    return Verdict("new class", True, f"{_scores(moments)}: {text} ({gained:+d} of {len(old)} moments)")


def _one_class(moments: Sequence[Moment], knows: Sequence[str], settings: PromotionSettings) -> tuple[Verdict, ...]:
    """A failed verdict when the evidence holds a single class: a model that always says its name would win."""
    there = {moment.truth for moment in moments}
    if len(there) > 1 or len(knows) < 2:
        return ()
    text = f"all {len(moments)} moments are of '{moments[0].truth}', which cannot show that it tells classes apart"
    return (Verdict("one class", False, f"{text}; {_advice(moments, knows, settings)}"),)


def _recall_losses(moments: Sequence[Moment], settings: PromotionSettings) -> tuple[Verdict, ...]:
    """One failed verdict for each class that surely loses too much; classes with few moments may not veto."""
    verdicts = []
    for name in dict.fromkeys(moment.truth for moment in moments):
        own = [moment for moment in moments if moment.truth == name]
        before, after = (
            sum(values) for values in zip(*((m.incumbent_right or 0.0, m.right) for m in own), strict=True)
        )
        gained, broken = (sum(max(0.0, sign * (m.right - (m.incumbent_right or 0.0))) for m in own) for sign in (1, -1))
        worse = probability_better(round(broken), round(gained))
        lost = (before - after) / len(own)
        if len(own) >= settings.min_class_images and lost > settings.max_recall_loss and worse >= SURELY:
            text = f"recall of '{name}' falls from {before:.0f} to {after:.0f} of {len(own)} moments"
            verdicts.append(Verdict(f"recall of {name}", False, text))
    return tuple(verdicts)


def _advice(moments: Sequence[Moment], knows: Sequence[str], settings: PromotionSettings) -> str:
    """Which labels would tell: the classes with the fewest moments."""
    counts = Counter(moment.truth for moment in moments)
    scarce = sorted((n for n in knows if counts[n] < settings.min_class_images), key=lambda name: counts[name])
    if not scarce:
        return "labels of another day or hour, of any class, would tell more"
    named = ", ".join(f"'{name}' ({counts[name] or 'no'} moments)" for name in scarce[:MAX_CLASSES_ADVISED])
    return f"labels of another day or hour would tell more, first of {named}"


def _scores(moments: Sequence[Moment]) -> str:
    count, sessions = len(moments), len({moment.session for moment in moments})
    before, after = (
        sum(values) for values in zip(*((m.incumbent_right or 0.0, m.right) for m in moments), strict=True)
    )
    ahead = round(100 * gain(moments).mean, 1) + 0.0  # a minus zero plus zero is zero
    where = f"of {count} moments in {sessions} session{'s' if sessions > 1 else ''} that neither had learned"
    return f"right in {after:.0f} {where}, the champion in {before:.0f}, and {ahead:+.1f} points ahead in all"


def percent(share: float) -> str:
    """A probability in words, never rounded up to certainty."""
    return "more than 99.9 %" if share > 0.999 else f"{100 * share:.1f} %"
