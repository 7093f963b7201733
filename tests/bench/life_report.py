"""The rows of a bench of lives: what was lived, scored, held against the bars, told and written as JSON."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from tests.bench import life_columns as names
from tests.bench import life_scores as scores
from tests.bench.life_columns import Tried
from tests.bench.life_days import key_places
from tests.bench.life_scores import Bar, Row
from tests.bench.lives import Choice, LivedDay, Shown
from tests.bench.shared import machine, tell, tell_table

TUNED_ON = (
    "constants of the product were chosen on: front_webcam and side_webcam (views, penalties, weights of sessions, questions); "
    "nothing was chosen on side_desk_days, fingers_sessions or the fake days"
)
"""Stands beside the numbers; whoever chooses a constant on another set says so here."""

NEW_DAY_BARS = {"side_desk_days": 0.80, "fingers_sessions": None, "front_webcam": 0.97, "fake desk": 0.97}
"""Top-1 of what is shown from the first answer on; other folders are held to the first. `None`: classes beyond the backbone."""

PROMISE_BARS = {"fingers_sessions": 0.05}
OTHER_PROMISE_BAR = 0.04

STEPS = (0, 1, 4, 7, 10)
"""Answers so far at which a line of the table begins anew."""

Score = Callable[[Sequence[Shown]], float | None]


def rows(tried: Sequence[Tried], folder: str) -> list[Row]:
    """All of them, those with a bar first where they belong."""
    days = [one for one in tried if one.columns]
    return [
        *_new_day(days, NEW_DAY_BARS.get(folder, NEW_DAY_BARS["side_desk_days"])),
        *_rest(days),
        *_surely_wrong(days),
        *_owners(days),
        *_promises(tried, folder),
        *_choices(tried),
        *_questions(days),
        *_speed(tried),
    ]


def _runs(days: Iterable[Tried], value: Callable[[Tried], float | None]) -> dict[tuple[str, str], float]:
    found = {(one.seed, one.day): value(one) for one in days}
    return {run: score for run, score in found.items() if score is not None}


def _first(one: Tried) -> int:
    """The moment from which the owner's answers can be seen: after the first of twelve keys."""
    return min(key_places(one.lives[names.OURS.name].pictures, names.KEYS))


def _half(one: Tried) -> int:
    return max(key_places(one.lives[names.OURS.name].pictures, names.KEYS, 0.5))


def _column(days: Sequence[Tried], column: str, score: Score = scores.top1) -> dict[tuple[str, str], float]:
    """Of what was shown from the first answer on, in the same frames for everybody."""
    there = [one for one in days if column in one.columns]
    return _runs(there, lambda one: score(scores.part(one.columns[column], _first(one))))


def _new_day(days: Sequence[Tried], least: float | None) -> Iterator[Row]:
    bar = None if least is None else Bar("at least", least)
    what = "a new day, top-1 of what is shown from the first answer on"
    yield Row(f"{what}: {names.OURS.name}, 12 keys", _column(days, names.OURS.name), bar)
    for column in (
        names.TWICE.name, names.NOTHING.name, names.MEANS, names.ULTRALYTICS, names.ALWAYS, names.ORACLE,
    ):  # fmt: skip
        if found := _column(days, column):
            yield Row(f"  {column}", found)
    ours = {one: one.columns[names.OURS.name] for one in days}
    yield Row("  ours, before the first answer", _runs(days, lambda o: scores.top1(scores.part(ours[o], 0, _first(o)))))
    for name in scores.by_answers((), STEPS):
        found = _runs(days, lambda one, name=name: scores.by_answers(ours[one], STEPS)[name])  # type: ignore[misc]
        yield Row(f"  ours, after {name} answers", found)
    yield Row("  ours, the settled posture is right", _column(days, names.OURS.name, scores.posture_right))


def _rest(days: Sequence[Tried]) -> Iterator[Row]:
    """The second half of the day, with twelve answers by noon and with none."""

    def gain(one: Tried) -> float | None:
        after, before = (
            scores.top1(scores.part(one.columns[name], _half(one))) for name in (names.BY_NOON.name, names.NOTHING.name)
        )
        return None if after is None or before is None else 100 * (after - before)

    for title, name in (("before", names.NOTHING.name), ("after", names.BY_NOON.name)):
        found = _runs(days, lambda one, name=name: scores.top1(scores.part(one.columns[name], _half(one))))  # type: ignore[misc]
        yield Row(f"served on the second half of the day, {title} 12 keys by noon", found)
    gains = _runs(days, gain)
    yield Row("  after less before, points", gains, Bar("at least", 10), digits=1)
    yield Row("  the worst run, points", gains, Bar("at least", -2, of="worst"), digits=1)


def _surely_wrong(days: Sequence[Tried]) -> Iterator[Row]:
    for title, name in (("12 keys", names.OURS.name), ("no answer", names.NOTHING.name)):
        found = _runs(days, lambda one, name=name: _percent(scores.sure_and_wrong(one.columns[name])))  # type: ignore[misc]
        yield Row(f"sure (over 0.8) and wrong on a new day, {title}, % of frames", found, Bar("at most", 3), digits=1)
    shown = {
        name: _runs(days, lambda o, n=name: _percent(scores.posture_unknown(o.columns[n])))
        for name in (names.OURS.name,)
    }  # type: ignore[misc]
    yield Row("the posture is unknown, 12 keys, % of pictures", shown[names.OURS.name], digits=1)
    bad = [one for one in days if names.BAD_DAY in one.lives]
    for surely, word in ((False, "called good"), (True, "surely called good")):
        found = _runs(
            bad,
            lambda o, surely=surely: _percent(scores.called_good(o.lives[names.BAD_DAY], o.roles, surely=surely)),  # type: ignore[misc]
        )
        if found:
            yield Row(f"an owner who sits badly all day: {word}, % of frames", found, digits=1)


def _owners(days: Sequence[Tried]) -> Iterator[Row]:
    def loss(one: Tried) -> float | None:
        ours, theirs = (
            scores.top1(scores.part(one.columns[name], _first(one))) for name in (names.OURS.name, names.MISTYPES.name)
        )
        return None if ours is None or theirs is None else 100 * (ours - theirs)

    yield Row("an owner with 8 % wrong answers loses, points", _runs(days, loss), Bar("at most", 3), digits=1)
    yield Row("an owner who answers only what is asked first: top-1", _column(days, names.EARLY.name))


def _promises(tried: Sequence[Tried], folder: str) -> Iterator[Row]:
    """What the champion of a morning promised, against what it has on the day, without a label of it."""
    gaps: dict[tuple[str, str], float] = {}
    promises: dict[tuple[str, str], float] = {}
    for one in tried:
        lived = one.before if not one.lives else (one.lives[names.NOTHING.name],)
        for day in lived:
            if day.promised is not None and day.fresh is not None:
                run = (one.seed, f"{one.day} {day.name}")
                promises[run], gaps[run] = day.promised, 100 * (day.promised - day.fresh)
    yield Row("promised top-1 for a new day", promises)
    limit = 100 * PROMISE_BARS.get(folder, OTHER_PROMISE_BAR)
    yield Row("promised less true top-1 on the next day, points", gaps, Bar("within", limit), digits=1)
    if folder in PROMISE_BARS:
        says = {
            (one.seed, one.day): float(any("cannot tell" in sentence for sentence in one.lives[names.OURS.name].advice))
            for one in tried
            if one.lives
        }
        yield Row("says which classes it cannot tell apart, share of lives", says, Bar("at least", 1.0), digits=2)


def _choices(tried: Sequence[Tried]) -> Iterator[Row]:
    """The gate: evenings before are the same for all owners of a day, so they count once; owners who err do not count."""
    owners = {names.OURS.name, names.TWICE.name, names.BY_NOON.name}
    owned = (day for one in tried for name, day in one.lives.items() if name in owners)
    lived = [*chain(*(one.before for one in tried)), *owned]
    choices: list[Choice] = [choice for day in lived for choice in day.choices]
    for title, next_day in (("the rest of the day", False), ("the next day", True)):
        refused = scores.contradicted(choices, promoted=False, next_day=next_day)
        promoted = scores.contradicted(choices, promoted=True, next_day=next_day)
        share = {("all", "all"): refused.share or 0.0}
        bar = Bar("at most", 0.2)
        yield Row(f"refused although better by > 2 points on {title}, share", share, bar, 2, str(refused))
        found = {} if promoted.share is None else {("all", "all"): promoted.share}
        yield Row(f"  promoted although worse by > 2 points on {title}, share", found, None, 2, str(promoted))
    rolled_back = sum(day.rolled_back for day in lived)
    yield Row("  rollbacks", {("all", "all"): float(rolled_back)}, None, 0)


def _questions(days: Sequence[Tried]) -> Iterator[Row]:
    for owner in (names.OURS, names.TWICE):
        lives = {(one.seed, one.day): one.lives[owner.name] for one in days if owner.name in one.lives}
        note = f"{scores.mean(life.unasked for life in lives.values()) or 0:.1f} keys found no question"
        asked = {run: float(len(life.answers)) for run, life in lives.items()}
        yield Row(f"questions answered, {owner.keys} keys", asked, None, 1, note)
        waiting = {run: float(life.waiting) for run, life in lives.items()}
        yield Row(f"  frames left waiting, {owner.keys} keys", waiting, None, 1)


def _speed(tried: Sequence[Tried]) -> Iterator[Row]:
    """The longest look of a life: the next frame shows the answer. Without a fast learner, that is the next training."""
    longest = {
        (one.seed, one.day): max(looks)
        for one in tried
        if one.lives and (looks := [a.look_s for a in one.lives[names.OURS.name].answers if a.look_s is not None])
    }
    note = "" if longest else "nothing is learned before the next training"
    yield Row("from an answer to the frame that shows it, s (longest of a life)", longest, Bar("at most", 1), 2, note)


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def report(found: Sequence[Row], title: str, command: Sequence[str], seconds: float, json_file: Path | None) -> int:
    """Tell all rows, write them; 1 where a bar is missed."""
    tell(f"{title}; {machine()}; {seconds:.0f} s", TUNED_ON, "")
    heads = ("", "mean", "sd over seeds", "least to most of days", "bar", "", "")
    tell_table([heads, *(_cells(row) for row in found)])
    missed = [row.name.strip() for row in found if row.verdict == "FAIL"]
    tell("", f"{len(missed)} bars are missed." if missed else "All bars are met.")
    if json_file is not None:
        json_file.write_text(json.dumps(_as_json(found, title, command, seconds), indent=1) + "\n")
    return 1 if missed else 0


def _as_json(found: Sequence[Row], title: str, command: Sequence[str], seconds: float) -> dict[str, Any]:
    return {
        "title": title,
        "command": [*command],
        "machine": machine(),
        "seconds": round(seconds, 1),
        "tuned_on": TUNED_ON,
        "rows": [row.as_json() for row in found],
        "passed": all(row.verdict != "FAIL" for row in found),
    }


def _cells(row: Row) -> tuple[str, ...]:
    def told(value: float | None) -> str:
        return "–" if value is None else f"{value:.{row.digits}f}"

    days = row.by(1)
    extent = f"{told(min(days.values()))} to {told(max(days.values()))}" if len(days) > 1 else ""
    spread = "" if row.spread is None else f"± {told(row.spread)}"
    return row.name, told(row.value), spread, extent, "" if row.bar is None else str(row.bar), row.verdict, row.note


def lived_days(tried: Iterable[Tried]) -> int:
    """How many days were lived in all."""
    return sum(len(one.before) + len(one.lives) for one in tried)


__all__ = ["LivedDay", "lived_days", "report", "rows"]
