"""Lives with the product, day after day, on days that nobody tuned on: what was shown, what was promised, what the gate decided.

    python tests/bench/bench_days.py --days ../shared/data/side_desk_days [--weights FILE.pt] [--seeds 5] [--json FILE]
    python tests/bench/bench_days.py --fake

FOLDER/DAY/CLASS/*.jpg: a day, or a session, a folder (see `life_days.py` for the order and the pace). Each day that is large
enough is tried as a new day: all others are imported one by one, each with an evening of training, then it comes picture by
picture through capture loop, router, questions, labelling, schedule, gate and swap (`lives.py`), for several owners and beside
what ours is compared with (`life_columns.py`). One more life begins with a base and goes through all days in order. A seed draws
the views, the router's chances and the owner's slips. Without `--days` ten owners of the fake desk live five days each.

Exits 1 where a bar is missed.
"""

import os

for _name in (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
):  # before numpy is loaded: the lives share the cores themselves
    os.environ.setdefault(_name, "1")

import logging
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from posture_daemon.errors import PostureError
from tests.bench.fake_lives import OWNERS, draw_owner
from tests.bench.life_columns import Tried, try_day, try_from_nothing
from tests.bench.life_days import Day, read_days
from tests.bench.life_parts import Base, make_base, open_base
from tests.bench.life_report import lived_days, report, rows
from tests.bench.shared import DATA, WEIGHTS, options, tell

SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Task:
    """One day (`None`: all of them, from nothing) of one folder, with one seed; `label` names the run in the rows."""

    folder: Path
    most: int
    day: str | None
    seed: int
    label: tuple[str, str] | None
    base: Path
    scratch: Path
    ultralytics: bool


def lead(task: Task) -> Tried:
    """Live it; runs in a worker."""
    logging.disable(logging.ERROR)
    base, days = _prepared(task.base, task.folder, task.most)
    own = Path(tempfile.mkdtemp(dir=task.scratch))
    try:
        if task.day is None:
            found = try_from_nothing(base, days, task.seed, own)
        else:
            day = next(one for one in days if one.name == task.day)
            found = try_day(base, days, day, task.seed, own, task.ultralytics)
    finally:
        shutil.rmtree(own, ignore_errors=True)
    seed, name = task.label or (found.seed, found.day)
    return Tried(seed, name, found.before, found.lives, found.columns, found.roles)


@lru_cache(maxsize=1)
def _prepared(folder: Path, days: Path, most: int) -> tuple[Base, list[Day]]:
    """What a worker keeps from task to task."""
    base, found = open_base(folder, folder.parent / "cache"), read_days(days, most)
    base.backbone.remember([moment.image for day in found for moment in day.moments])
    return base, found


def tasks_of_days(folder: Path, most: int, seeds: int, base: Path, scratch: Path, ultralytics: bool) -> list[Task]:
    """Each day that is large enough, and one life from nothing, by seed; two of one seed never begin together."""
    names = [day.name for day in read_days(folder, most) if day.tests]
    every: list[str | None] = [*names, None]
    return [Task(folder, most, day, seed, None, base, scratch, ultralytics) for day in every for seed in range(seeds)]


def fake_tasks(seeds: int, base: Path, scratch: Path, keep: Path, pool: ProcessPoolExecutor) -> list[Task]:
    """Ten owners: the last of their five days after the others, and all of them from nothing. An owner counts as a day."""
    found = []
    for owner, folder in zip(OWNERS, pool.map(draw_owner, OWNERS, [keep] * len(OWNERS)), strict=True):
        last = sorted(path.name for path in folder.iterdir())[-1]
        for seed in range(seeds):
            label = f"{seed}", owner.name
            found += [Task(folder, 0, day, seed, label, base, scratch, False) for day in (last, None)]
    return found


def live_all(tasks: Sequence[Task], pool: ProcessPoolExecutor) -> list[Tried]:
    """All of them, in the order of the tasks."""
    waiting = {pool.submit(lead, task): number for number, task in enumerate(tasks)}
    found: dict[int, Tried] = {}
    began = time.monotonic()
    for done in as_completed(waiting):
        number = waiting[done]
        found[number] = done.result()
        task = tasks[number]
        what = f"{task.folder.name} {task.day or 'from nothing'}, seed {task.seed}"
        sys.stderr.write(f"{len(found)} of {len(tasks)} after {time.monotonic() - began:.0f} s: {what}\n")
    return [found[number] for number in sorted(found)]


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """In memory where that is possible: every life has a database that is synced at each frame."""
    where = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="lives-", dir=where) as folder:
        yield Path(folder)


def main() -> int:
    """Live, score, tell."""
    given = options(
        __doc__, days=None, weights=DATA / WEIGHTS, seeds=5, json=None, fake=False, ultralytics=False, jobs=2, most=120,
        keep=None,
    )  # fmt: skip
    began = time.monotonic()
    with scratch_folder() as scratch, ProcessPoolExecutor(given.jobs, get_context("fork")) as pool:
        base = make_base(given.weights.resolve(), scratch)
        fake = given.fake or given.days is None
        if fake:
            tasks = fake_tasks(1, base, scratch, given.keep or scratch / "fake", pool)
        else:
            tasks = tasks_of_days(given.days.resolve(), given.most, given.seeds, base, scratch, given.ultralytics)
        tried = live_all(tasks, pool)
    folder = "fake desk" if fake else given.days.resolve().name
    title = f"{folder}: {lived_days(tried)} days lived, {len({one.seed for one in tried})} seeds"
    return report(rows(tried, folder), title, sys.argv, time.monotonic() - began, given.json)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PostureError as error:
        tell(f"{error}")
        sys.exit(2)
    except RuntimeError:
        traceback.print_exc()
        sys.exit(2)
