"""The rows of a bench of lives: what was lived, scored, held against the bars, told and written as JSON."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from tests.bench import life_columns as names
from tests.bench import life_scores as scores
from tests.bench.life_columns import Tried
from tests.bench.life_days import key_places
from tests.bench.life_records import Choice, Shown
from tests.bench.life_scores import Bar, Row
from tests.bench.shared import machine, tell, tell_table

TUNED_ON = (
    "constants of the product were chosen on: the four larger days of side_desk_days, front_webcam and side_webcam (views, "
    "penalty, weights, temperatures, the rule of promotion); nothing was chosen on fingers_sessions or the fake days"
)
"""Stands beside the numbers; whoever chooses a constant on another set says so here."""

NEW_DAY_BARS = {"side_desk_days": 0.80, "fingers_sessions": None, "front_webcam": 0.97, "fake desk": 0.97}
"""Top-1 of the likeliest class from the first answer on; other folders as the first. `None`: classes beyond the backbone."""

PROMISE_BARS = {"fingers_sessions": 0.05}
OTHER_PROMISE_BAR = 0.04

STEPS = (0, 1, 4, 7, 10)
"""Answers so far at which a line of the table begins anew."""

Score = Callable[[Sequence[Shown]], float | None]
Since = Callable[[Tried], int]
Runs = dict[tuple[str, str], float]


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


def _runs(days: Iterable[Tried], value: Callable[[Tried], float | None]) -> Runs:
    found = {(one.seed, one.day): value(one) for one in days}
    return {run: score for run, score in found.items() if score is not None}


def _first(one: Tried) -> int:
    """The moment from which the owner's answers can be seen: after the first of twelve keys."""
    return min(key_places(one.lives[names.OURS.name].pictures, names.KEYS))


def _half(one: Tried) -> int:
    """The moment from which twelve keys by noon have been pressed."""
    return max(key_places(one.lives[names.OURS.name].pictures, names.KEYS, 0.5))


def _whole(_one: Tried) -> int:
    return 0


def _shown(days: Sequence[Tried], column: str, score: Score = scores.top1, since: Since = _first) -> Runs:
    """The score of what a column showed, by default from the first answer on: the same frames for everybody."""
    there = [one for one in days if column in one.columns]
    return _runs(there, lambda one: score(scores.part(one.columns[column], since(one))))


def _less(days: Sequence[Tried], column: str, other: str, since: Since = _first) -> Runs:
    """Points of top-1 by which a column is better than another, run by run."""
    one, two = (_shown(days, name, since=since) for name in (column, other))
    return {run: 100 * (value - two[run]) for run, value in one.items() if run in two}


def _percent(score: Score) -> Score:
    def percent(shown: Sequence[Shown]) -> float | None:
        share = score(shown)
        return None if share is None else 100 * share

    return percent


def _new_day(days: Sequence[Tried], least: float | None) -> Iterator[Row]:
    ours, bar = names.OURS.name, None if least is None else Bar("at least", least)
    yield Row(
        "a new day, top-1 of the likeliest class from the first answer on: ours, 12 keys", _shown(days, ours), bar
    )
    others = (names.TWICE.name, names.EARLY.name, names.NOTHING.name, names.MEANS)
    for column in (*others, names.ULTRALYTICS, names.ALWAYS, names.ORACLE):
        if found := _shown(days, column):
            yield Row(f"  {column}", found)
    for name in scores.by_answers((), STEPS):
        found = _runs(days, partial(_after_answers, name))
        yield Row(f"  ours, after {name} answers", found)
    yield Row("  ours, share answered by the fast learner", _shown(days, ours, scores.at_once))
    yield Row("  ours, the settled posture is right, `unknown` never is", _shown(days, ours, scores.posture_right))
    for column in (ours, names.NOTHING.name):
        found = _shown(days, column, scores.named_posture_right)
        yield Row(f"  {column}: right of the settled postures that name a class", found)


def _after_answers(name: str, one: Tried) -> float | None:
    return scores.by_answers(one.columns[names.OURS.name], STEPS)[name]


def _rest(days: Sequence[Tried]) -> Iterator[Row]:
    """The second half of the day, with twelve answers by noon and with none."""
    before, after = names.NOTHING.name, names.BY_NOON.name
    yield Row("served on the second half of the day, without an answer", _shown(days, before, since=_half))
    yield Row("served on the second half of the day, after 12 keys by noon", _shown(days, after, since=_half))
    gains = _less(days, after, before, _half)
    yield Row("  after less before, points", gains, Bar("at least", 10), digits=1)
    yield Row("  the worst run, points", gains, Bar("at least", -2, of="worst"), digits=1)


def _surely_wrong(days: Sequence[Tried]) -> Iterator[Row]:
    for title, name in (("12 keys", names.OURS.name), ("no answer", names.NOTHING.name)):
        found = _shown(days, name, _percent(scores.sure_and_wrong), _whole)
        yield Row(f"sure (over 0.8) and wrong on a new day, {title}, % of frames", found, Bar("at most", 3), digits=1)
    for title, name in (("12 keys", names.OURS.name), ("no answer", names.NOTHING.name)):
        found = _shown(days, name, _percent(scores.posture_unknown), _whole)
        yield Row(f"  the posture is unknown, {title}, % of pictures", found, digits=1)
    bad = [one for one in days if names.BAD_DAY in one.lives]
    for only_surely, word in ((False, "called good"), (True, "surely called good")):
        if found := _runs(bad, partial(_called_good, only_surely)):
            yield Row(f"an owner who sits badly all day: {word}, % of frames", found, digits=1)


def _called_good(only_surely: bool, one: Tried) -> float | None:
    share = scores.called_good(one.lives[names.BAD_DAY], one.roles, only_surely=only_surely)
    return None if share is None else 100 * share


def _owners(days: Sequence[Tried]) -> Iterator[Row]:
    loss = _less(days, names.OURS.name, names.MISTYPES.name)
    wrong = sum(len(one.lives[names.MISTYPES.name].answers) for one in days)
    slips = sum(_slips(one) for one in days)
    yield Row("an owner with 8 % wrong answers loses, points", loss, Bar("at most", 3), 1, f"{slips} of {wrong} wrong")


def _slips(one: Tried) -> int:
    """Answers of the owner who mistypes that were of a wrong class."""
    lived = one.lives[names.MISTYPES.name]
    truth = {shown.moment: shown.truth for shown in lived.shown}
    return sum(any(truth[number] != answer.class_name for number in answer.moments) for answer in lived.answers)


def _promises(tried: Sequence[Tried], folder: str) -> Iterator[Row]:
    """What the champion of a morning promised, against what it has on the day, without a label of it."""
    mornings = {
        (one.seed, f"{one.day} {day.name}"): day
        for one in tried
        for day in (one.before if not one.lives else (one.lives[names.NOTHING.name],))
    }
    known = {run: day.fresh for run, day in mornings.items() if day.fresh is not None}
    promises = {run: mornings[run].promised for run in known}
    made = {run: promise for run, promise in promises.items() if promise is not None}
    yield Row("promised top-1 for a new day", made, note=f"{len(known) - len(made)} of {len(known)} promise nothing")
    gaps = {run: 100 * (promise - known[run]) for run, promise in made.items()}
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
