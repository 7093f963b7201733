"""Did my label change anything? Which images a training classifies differently, in sentences. Pure: it needs no solver.

The answers to the holdout decide the promotion and are recorded with every run. The owner's new labels, those that the
incumbent has not seen, are asked too (`out_of_fold.py`).
"""

from collections import Counter
from dataclasses import dataclass

from posture_daemon.learning.evaluation import Answers, NewLabelAnswers
from posture_daemon.training.run_record import RunRecord


@dataclass(frozen=True)
class Flip:
    """An image that the challenger calls differently than the incumbent did. `new` is one of the new labels."""

    frame_id: int
    truth: str
    before: str
    after: str
    new: bool


def flips(record: RunRecord) -> list[Flip]:
    """Every image whose answer changed; a new label of the holdout is named once, as held out."""
    held_out = set() if record.answers is None else set(record.answers.frame_ids)
    new = [flip for flip in _flips(record.new_labels, new=True) if flip.frame_id not in held_out]
    return [*_flips(record.answers, new=False), *new]


def effect(record: RunRecord) -> list[str]:
    """A sentence on the holdout and one on the new labels, as far as there is something to compare."""
    found = []
    holdout, new = record.answers, record.new_labels
    if holdout is not None and holdout.incumbent is not None and holdout.truth:
        found.append(f"On the holdout: {_by_class(holdout)}.")
    if new is not None and new.incumbent is not None:
        found.append(_on_new_labels(new))
    return found


def _flips(answers: Answers | None, *, new: bool) -> list[Flip]:
    if answers is None or answers.incumbent is None:
        return []
    rows = zip(answers.frame_ids, answers.truth, answers.incumbent, answers.challenger, strict=True)
    return [Flip(frame_id, truth, was, now, new) for frame_id, truth, was, now in rows if was != now]


def _by_class(answers: Answers) -> str:
    """The classes with images that are right now or no longer, those with the most first."""
    flips = _flips(answers, new=False)
    more = Counter(flip.truth for flip in flips if flip.after == flip.truth)
    fewer = Counter(flip.truth for flip in flips if flip.before == flip.truth)
    if not more and not fewer:
        return "no image that was right is wrong now, and none the other way round"
    parts = []
    for name, _ in (more + fewer).most_common():
        said = [f"{more[name]} more right"] if more[name] else []
        said += [f"{fewer[name]} fewer" if more[name] else f"{fewer[name]} fewer right"] if fewer[name] else []
        parts.append(f"{name}: {', '.join(said)}")
    return "; ".join(parts)


def _on_new_labels(new: NewLabelAnswers) -> str:
    asked, asked_of, known = len(new.truth), new.of, new.incumbent or ()
    if asked == 0:
        return f"Your {asked_of} new labels cannot be asked yet: without their time blocks fewer than two classes are left."
    before, after = (sum(map(str.__eq__, new.truth, called)) for called in (known, new.challenger))
    of = f"{asked} new labels" if asked == asked_of else f"{asked_of} new labels, {asked} can be asked, and of these"
    return (
        f"Of your {of} the model before was right on {before}, this one is on {after}, asked without having learned their "
        "time blocks."
    )
