"""Does the challenger beat the incumbent? A pure function on their answers to the same holdout; ties go to the incumbent.

Only images on which exactly one of the two is right can tell them apart (McNemar 1947): the challenger *fixed* those
that the incumbent gets wrong, and *broke* those that it gets right.
"""

import math
from collections import Counter
from collections.abc import Sequence

from posture_daemon.domain import Decision, Verdict
from posture_daemon.learning.evaluation import Answers
from posture_daemon.settings import PromotionSettings

MAX_CLASSES_ADVISED = 3
"""Most classes that the advice about labels names."""


def probability_better(fixed: int, broken: int) -> float:
    """How sure these counts make us that the challenger truly fixes more than it breaks, 0–1; 0.5 when they say nothing.

    If every share of fixed among fixed and broken was equally likely before, it is Beta(fixed + 1, broken + 1) after, and the
    part above one half is P(Binomial(fixed + broken + 1, 1/2) ≤ fixed): a Bayesian sign test (Benavoli et al., JMLR 2017).
    Neighbouring holdout images resemble each other, so this is surer than it should be. Counting whole time blocks
    instead would keep an owner waiting for weeks; a promotion that was luck is for `rollback_watch.py` to take back.
    """
    trials = fixed + broken + 1
    ways: int = sum(math.comb(trials, k) for k in range(fixed + 1))
    return ways / (1 << trials)


def judge(answers: Answers, knows: Sequence[str], knew: Sequence[str], settings: PromotionSettings) -> Decision:
    """Promote when every verdict passes. `knows` and `knew` are the classes of the challenger and of the incumbent."""
    if not answers.truth:
        text = f"there are no holdout images yet, so nothing can be shown; {_advice(answers, knows, settings)}"
        return Decision((Verdict("holdout", False, text),))
    if answers.incumbent is None:
        text = f"{_share(answers, answers.challenger)} on the holdout; the champion knows no posture classes"
        return Decision((Verdict("better", _right(answers, answers.challenger) > 0, text),))
    newcomers = [name for name in knows if name not in knew]
    better = _newcomer(answers, knew, newcomers, settings) or _better(answers, knows, settings)
    return Decision((better, *_one_class(answers, knows, settings), *_recall_losses(answers, settings)))


def _better(answers: Answers, knows: Sequence[str], settings: PromotionSettings) -> Verdict:
    """More right answers, and enough of them that luck is unlikely."""
    fixed, broken = answers.changes()
    sure, advice = probability_better(fixed, broken), _advice(answers, knows, settings)
    text = f"{_scores(answers)}: fixed {fixed}, broke {broken} of {len(answers.truth)}"
    if fixed < broken:
        return Verdict("better", False, f"{text}, so it is no better")
    if fixed == broken:
        return Verdict("better", False, f"{text}, a tie, which goes to the champion; {advice}")
    if sure >= settings.min_probability:
        return Verdict("better", True, f"{text}, {percent(sure)} sure that it is better")
    limit = percent(settings.min_probability)
    return Verdict("better", False, f"{text}, only {percent(sure)} sure that it is better (at least {limit}); {advice}")


def _newcomer(answers: Answers, knew: Sequence[str], new: Sequence[str], settings: PromotionSettings) -> Verdict | None:
    """A verdict that lets a new class in, or `None` when there is no reason to.

    A holdout that has few images of the class, or none, could never show that knowing it is better. So it is enough that
    the old classes get no worse, and that the challenger is right on at least half of what there is of the new ones.
    """
    fixed, broken = answers.changes(knew)
    tried = [after == truth for truth, after in zip(answers.truth, answers.challenger, strict=True) if truth in new]
    clear = probability_better(*answers.changes()) >= settings.min_probability
    if not new or clear or fixed < broken or 2 * sum(tried) < len(tried):
        return None
    names = ", ".join(f"'{name}'" for name in new)
    shown = f"right on {sum(tried)} of its {len(tried)} holdout images" if tried else "no holdout image of it yet"
    text = f"knows {names}, which the champion cannot ({shown}), and the old classes get no worse"
    return Verdict("new class", True, f"{_scores(answers)}: {text} (fixed {fixed}, broke {broken})")


def _one_class(answers: Answers, knows: Sequence[str], settings: PromotionSettings) -> tuple[Verdict, ...]:
    """A failed verdict when the holdout holds a single class: a model that always says its name would win."""
    held_out = set(answers.truth)
    if len(held_out) > 1 or len(knows) < 2:
        return ()
    text = f"all {len(answers.truth)} holdout images are of '{answers.truth[0]}', which cannot show that it tells classes apart"
    return (Verdict("one class", False, f"{text}; {_advice(answers, knows, settings)}"),)


def _recall_losses(answers: Answers, settings: PromotionSettings) -> tuple[Verdict, ...]:
    """One failed verdict for each class that loses too much; classes with few images may not veto."""
    images = Counter(answers.truth)
    before, after = (_right_per_class(answers, called) for called in (answers.incumbent or (), answers.challenger))
    return tuple(
        Verdict(
            f"recall of {name}",
            False,
            f"recall of '{name}' falls from {before[name]} to {after[name]} of {images[name]}",
        )
        for name in images
        if images[name] >= settings.min_class_images
        and (before[name] - after[name]) / images[name] > settings.max_recall_loss
    )


def _advice(answers: Answers, knows: Sequence[str], settings: PromotionSettings) -> str:
    """Which labels would let the holdout tell: the classes with the fewest holdout images."""
    images = Counter(answers.truth)
    scarce = sorted((n for n in knows if images[n] < settings.min_class_images), key=lambda name: images[name])
    if not scarce:
        return "labels of another day or hour, of any class, would tell more"
    named = ", ".join(f"'{name}' ({images[name] or 'none'} held out)" for name in scarce[:MAX_CLASSES_ADVISED])
    return f"labels of another day or hour would tell more, first of {named}"


def _right(answers: Answers, called: Sequence[str]) -> int:
    return sum(_right_per_class(answers, called).values())


def _right_per_class(answers: Answers, called: Sequence[str]) -> Counter[str]:
    return Counter(truth for truth, name in zip(answers.truth, called, strict=True) if truth == name)


def _scores(answers: Answers) -> str:
    return f"top-1 on the holdout {_share(answers, answers.incumbent or ())} → {_share(answers, answers.challenger)}"


def _share(answers: Answers, called: Sequence[str]) -> str:
    right = _right(answers, called)
    return f"{right / len(answers.truth):.3f} ({right} of {len(answers.truth)})"


def percent(share: float) -> str:
    """A probability in words, never rounded up to certainty."""
    return "more than 99.9 %" if share > 0.999 else f"{100 * share:.1f} %"
