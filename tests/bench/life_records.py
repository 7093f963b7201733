"""What is written down of a life: frame by frame, answer by answer, training by training."""

from dataclasses import dataclass

from posture_daemon.domain import ModelVersion
from posture_daemon.training.run_record import RunRecord


@dataclass(frozen=True)
class Owner:
    """Presses `keys` a day, all within the first `until` (0-1) of its pictures; a share `mistypes` (0-1) of them is wrong."""

    name: str
    keys: int = 12
    until: float = 1.0
    mistypes: float = 0.0


@dataclass(frozen=True)
class Shown:
    """One frame: what was shown of the picture `moment`, after so many `answers` today. `state` is the posture, once settled.

    `at_once`: the fast learner said it. Not `familiar`: the product says that it does not know this session.
    """

    moment: int
    truth: str
    label: str
    confidence: float
    answers: int
    state: str | None = None
    oracle: str | None = None
    at_once: bool = False
    familiar: bool = True


@dataclass(frozen=True)
class Answer:
    """One key after so many pictures: these moments of this day were called `class_name`; `look_s` until it was learned."""

    after: int
    moments: tuple[int, ...]
    class_name: str
    look_s: float | None = None


@dataclass(frozen=True)
class Choice:
    """The end of a training with a challenger; top-1 of (incumbent, challenger) on the rest of the day, and on the next day."""

    promoted: bool
    after: int
    reason: str
    rest: tuple[float, float] | None
    next_day: tuple[float, float] | None


@dataclass(frozen=True)
class LivedDay:
    """What is written down of one day.

    `promised` is the top-1 (0-1) that the record of the champion of that morning promised, `fresh` what it has on all
    pictures of the day; `None` for a base. `unasked` keys found no question, `waiting` frames have no answer in the end.
    """

    name: str
    pictures: int
    shown: tuple[Shown, ...]
    answers: tuple[Answer, ...]
    choices: tuple[Choice, ...]
    unasked: int
    waiting: int
    promised: float | None
    fresh: float | None
    rolled_back: int
    advice: tuple[str, ...]


def promised(version: ModelVersion) -> float | None:
    """The top-1 (0-1) that the record of a version promises for a day without labels; `None` where it promises nothing."""
    report = RunRecord.of(version.metrics).report
    return None if report is None or report.new_day is None else report.new_day.top1
