"""The lives that are led on one day of one seed, side by side: ours with several owners, and what it is compared with.

Each begins with the same data folder, of who has lived and labelled all other days; only the day itself differs.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from posture_daemon.domain import Role
from posture_daemon.labelling.class_roles import guess_role
from tests.bench.life_baselines import nearest_means, nightly_ultralytics
from tests.bench.life_days import Day
from tests.bench.life_parts import Base, copy_folder
from tests.bench.life_records import LivedDay, Owner, Shown
from tests.bench.lives import Life, life_before, opened

KEYS = 12

NOTHING = Owner("nothing learned today", keys=0)
OURS = Owner("ours", KEYS)
TWICE = Owner("ours, 24 keys", 2 * KEYS)
BY_NOON = Owner("ours, 12 keys by noon", KEYS, until=0.5)
MISTYPES = Owner("ours, 8 % of the answers wrong", KEYS, mistypes=0.08)
EARLY = Owner("ours, all keys in the first quarter", KEYS, until=0.25)
OWNERS = (NOTHING, OURS, BY_NOON, MISTYPES)
"""Whose lives have a bar."""

BESIDE, BESIDE_SEEDS = (TWICE, EARLY), 2
"""Others, with the first seeds only, as `ALWAYS`, `ORACLE` and `BAD_DAY`: there is no bar for them, and time is short."""

ALWAYS, ORACLE = "always the challenger", "oracle of these challengers"
MEANS, ULTRALYTICS = "nearest class mean", "ultralytics freeze=10 each night"
BAD_DAY, FROM_NOTHING = "sits badly all day", "from nothing"


@dataclass(frozen=True, eq=False)
class Tried:
    """All that was lived on one day (or, from nothing, on all days) with one seed; lives and columns by their names."""

    seed: str
    day: str
    before: tuple[LivedDay, ...]
    lives: dict[str, LivedDay]
    columns: dict[str, tuple[Shown, ...]]
    roles: dict[str, Role]


def try_day(base: Base, days: Sequence[Day], day: Day, seed: int, scratch: Path, ultralytics: bool = False) -> Tried:
    """Everybody's life on this day, after all others."""
    others = [one for one in days if one is not day]
    ready = scratch / "before"
    before = life_before(base, others, ready, seed, day)
    owners = OWNERS + (BESIDE if seed < BESIDE_SEEDS else ())
    lives = {owner.name: _one(base, ready, day, owner, seed, len(others)) for owner in owners}
    columns = {name: lived.shown for name, lived in lives.items()}
    roles = {name: guess_role(name) for one in days for name in one.classes}
    if seed < BESIDE_SEEDS:
        shown = _one(base, ready, day, Owner(ALWAYS, KEYS), seed, len(others), always=True).shown
        columns[ALWAYS], columns[ORACLE] = shown, tuple(_by_oracle(one) for one in shown)
        lives |= _bad_day(base, ready, day, seed, len(others), roles)
    columns[MEANS] = nearest_means(base, others, day, lives[OURS.name].answers)
    if ultralytics:
        columns[ULTRALYTICS] = nightly_ultralytics(base, others, day, seed, scratch / "ultralytics")
    shutil.rmtree(ready)
    return Tried(f"{seed}", day.name, tuple(before), lives, columns, roles)


def try_from_nothing(base: Base, days: Sequence[Day], seed: int, scratch: Path) -> Tried:
    """One owner who begins with a base, names the classes, and presses twelve keys a day; the last day is in `lives`."""
    folder = copy_folder(base.folder, scratch / "nothing", base.cache)
    with opened(base, folder, seed, 0) as desk:
        life = Life(desk, Owner(FROM_NOTHING, KEYS), seed)
        for name in sorted({name for day in days for name in day.classes}):
            desk.labelling.add_class(name)
        lived = [life.live(day, then) for day, then in zip(days, [*days[1:], None], strict=True)]
    shutil.rmtree(folder)
    return Tried(f"{seed}", FROM_NOTHING, tuple(lived), {}, {}, {})


def _one(base: Base, ready: Path, day: Day, owner: Owner, seed: int, before: int, *, always: bool = False) -> LivedDay:
    folder = copy_folder(ready, ready.parent / "life")
    try:
        with opened(base, folder, seed, before, at_once=not always) as desk:
            return Life(desk, owner, seed, before, always=always).live(day)
    finally:
        shutil.rmtree(folder)


def _bad_day(
    base: Base, ready: Path, day: Day, seed: int, before: int, roles: Mapping[str, Role]
) -> dict[str, LivedDay]:
    """The same day of an owner who only ever sits badly; nothing where no class means that, or it has too few pictures."""
    bad = next((name for name, role in roles.items() if role is Role.BAD and day.classes[name] >= KEYS), None)
    return {} if bad is None else {BAD_DAY: _one(base, ready, day.only(bad), Owner(BAD_DAY, KEYS), seed, before)}


def _by_oracle(shown: Shown) -> Shown:
    label = shown.label if shown.oracle is None else shown.oracle
    return Shown(shown.moment, shown.truth, label, 1.0, shown.answers)
