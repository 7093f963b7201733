"""Scores of what was shown, and of what the gate decided. Pure functions; shares are 0-1."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from posture_daemon.domain import UNKNOWN, Role
from tests.bench.life_records import Choice, LivedDay, Shown

SURE = 0.8
POINTS = 0.02
"""A difference in top-1 that counts: two points."""


def mean(values: Iterable[float]) -> float | None:
    """`None` of nothing."""
    found = [*values]
    return sum(found) / len(found) if found else None


def part(shown: Sequence[Shown], first: int = 0, last: int | None = None) -> list[Shown]:
    """Frames of the moments from number `first` on, before `last`."""
    return [one for one in shown if first <= one.moment and (last is None or one.moment < last)]


def top1(shown: Sequence[Shown]) -> float | None:
    """Share of the frames whose likeliest class is the true one, also where the settled posture is `unknown`."""
    return mean(one.label == one.truth for one in shown)


def sure_and_wrong(shown: Sequence[Shown]) -> float | None:
    """Share of all frames that were called by a wrong class at over `SURE`, in a session that the product says it knows."""
    return mean(surely(one) and one.label not in (one.truth, UNKNOWN) for one in shown)


def surely(one: Shown) -> bool:
    """Whether the owner is told this as sure."""
    return one.familiar and one.confidence > SURE


def at_once(shown: Sequence[Shown]) -> float | None:
    """Share of the frames that the fast learner answered."""
    return mean(one.at_once for one in shown)


def posture_right(shown: Sequence[Shown]) -> float | None:
    """Share of the settled postures that were the true one."""
    return mean(one.state == one.truth for one in shown if one.state is not None)


def named_posture_right(shown: Sequence[Shown]) -> float | None:
    """Share that was the true one of the settled postures that named a class."""
    return mean(one.state == one.truth for one in shown if one.state not in (None, UNKNOWN))


def posture_unknown(shown: Sequence[Shown]) -> float | None:
    """Share of the settled postures that were `unknown`."""
    return mean(one.state == UNKNOWN for one in shown if one.state is not None)


def by_answers(shown: Sequence[Shown], steps: Sequence[int]) -> dict[str, float | None]:
    """Top-1 by the number of answers so far: from one step to the next."""
    ends = [*steps[1:], 10**9]
    names = [
        f"{a}" if b == a + 1 else f"{a}-{b - 1}" if b < 10**9 else f"{a} or more"
        for a, b in zip(steps, ends, strict=True)
    ]
    return {
        name: top1([one for one in shown if low <= one.answers < high])
        for name, low, high in zip(names, steps, ends, strict=True)
    }


def called_good(lived: LivedDay, roles: Mapping[str, Role], *, only_surely: bool) -> float | None:
    """Of a day of one class: share of the frames that were shown as a class whose role is good, or as that and sure."""
    return mean(roles.get(one.label) is Role.GOOD and (surely(one) or not only_surely) for one in lived.shown)


@dataclass(frozen=True)
class Judged:
    """Of so many decisions one way, how many the truth contradicts by more than `POINTS`, on so many that could be judged."""

    wrong: int
    judged: int

    @property
    def share(self) -> float | None:
        """`None` where nothing could be judged."""
        return self.wrong / self.judged if self.judged else None

    def __str__(self) -> str:
        return f"{self.wrong} of {self.judged}"


def contradicted(choices: Iterable[Choice], *, promoted: bool, next_day: bool) -> Judged:
    """Promotions of what is worse, or refusals of what is better, on the rest of the day or on the next one."""
    found = [choice.next_day if next_day else choice.rest for choice in choices if choice.promoted is promoted]
    gains = [after - before for before, after in (pair for pair in found if pair is not None)]
    return Judged(sum((-gain if promoted else gain) > POINTS + 1e-9 for gain in gains), len(gains))


@dataclass(frozen=True)
class Bar:
    """`kind` is `at least`, `at most` or `within`; of the `mean` or of the `worst` run."""

    kind: str
    limit: float
    of: str = "mean"

    def __str__(self) -> str:
        sign = {"at least": "≥ ", "at most": "≤ ", "within": "± "}[self.kind]
        return f"{sign}{self.limit:g}{' worst' if self.of == 'worst' else ''}"

    def holds(self, value: float | None) -> bool:
        """What is not known does not hold."""
        if value is None:
            return False
        if self.kind == "within":
            return abs(value) <= self.limit + 1e-9
        return value >= self.limit - 1e-9 if self.kind == "at least" else value <= self.limit + 1e-9


@dataclass(frozen=True)
class Row:
    """One line: values by run, which is (seed or owner, day), a bar or none, and `note` in words."""

    name: str
    values: Mapping[tuple[str, str], float]
    bar: Bar | None = None
    digits: int = 3
    note: str = ""

    @property
    def value(self) -> float | None:
        """Mean over the days of the mean over the seeds: a day counts like any other. Of `worst` bars the least run."""
        if self.bar is not None and self.bar.of == "worst":
            return min(self.values.values(), default=None)
        return mean(self.by(1).values())

    def by(self, place: int) -> dict[str, float]:
        """Means by seed (0) or by day (1)."""
        names = dict.fromkeys(run[place] for run in self.values)
        return {name: mean(v for run, v in self.values.items() if run[place] == name) or 0.0 for name in names}

    @property
    def spread(self) -> float | None:
        """Standard deviation over the seeds; `None` of one."""
        means = [*self.by(0).values()]
        return statistics.stdev(means) if len(means) > 1 else None

    @property
    def verdict(self) -> str:
        """`pass`, `FAIL`, or nothing without a bar."""
        if self.bar is None:
            return ""
        return "pass" if self.bar.holds(self.value) else "FAIL"

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        days = self.by(1)
        return {
            "row": self.name,
            "value": self.value,
            "sd_over_seeds": self.spread,
            "range_over_days": [min(days.values()), max(days.values())] if days else None,
            "by_day": days,
            "runs": len(self.values),
            "bar": None if self.bar is None else str(self.bar),
            "verdict": self.verdict,
            "note": self.note,
        }
