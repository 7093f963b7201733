"""Lives with the product, day after day, on days that nobody tuned on: what was shown, promised and decided.

    python tests/bench/bench_days.py --days ../shared/data/side_desk_days [--weights FILE.pt] [--seeds 5] [--json FILE]
    python tests/bench/bench_days.py --fake

FOLDER/DAY/CLASS/*.jpg: a day, or a session, a folder (see `life_days.py` for the order and the pace). Each day that is large
enough is tried as a new day: all others are imported one by one, each with an evening of training, then it comes picture by
picture through capture loop, router, questions, labelling, schedule, gate and swap (`lives.py`), for several owners and beside
what ours is compared with (`life_columns.py`). One more life begins with a base and goes through all days in order. A seed
draws the views, the router's chances and the owner's slips. Without `--days` ten owners of the fake desk live five days each.

Exits 1 where a bar is missed.
"""

import logging
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from posture_daemon.errors import PostureError
from tests.bench.fake_lives import OWNERS, draw_owner
from tests.bench.life_columns import FROM_NOTHING, Tried, try_day, try_from_nothing
from tests.bench.life_days import Day, evenly, read_days
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
    base, days = _prepared(task.base, task.folder, task.most, not task.ultralytics)
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
def _prepared(folder: Path, days: Path, most: int, averaged: bool) -> tuple[Base, list[Day]]:
    """What a worker keeps from task to task."""
    base, found = open_base(folder, folder.parent / "cache", averaged=averaged), read_days(days, most)
    base.backbone.remember([moment.image for day in found for moment in day.moments])
    return base, found


def tasks_of_days(given: Namespace, base: Path, scratch: Path) -> list[Task]:
    """Each day that is tried, and one life from nothing, by seed; two of one seed never begin together.

    At most `given.tried` of the days that are large enough, evenly spread.
    """
    folder = given.days.resolve()
    every: list[str | None] = [
        *evenly([day.name for day in read_days(folder, given.most) if day.tests], given.tried),
        None,
    ]
    return [
        Task(folder, given.most, day, seed, None, base, scratch, given.ultralytics)
        for day in every
        for seed in range(given.seeds)
    ]


def fake_tasks(given: Namespace, base: Path, scratch: Path, pool: ProcessPoolExecutor) -> list[Task]:
    """Owners of the fake desk: the last of their days after the others, and all from nothing. An owner counts as a day.

    They differ in all that a seed draws and more, so each lives with one seed, a number of its own.
    """
    keep, owners, found = given.keep or scratch / "fake", OWNERS[: given.owners], []
    for owner, folder in zip(owners, pool.map(draw_owner, owners, [keep] * len(owners)), strict=True):
        last = sorted(path.name for path in folder.iterdir())[-1]
        for day, name in ((last, owner.name), (None, f"{owner.name} {FROM_NOTHING}")):
            found.append(Task(folder, 0, day, 0, ("0", name), base, scratch, given.ultralytics))
    return found


def live_all(tasks: Sequence[Task], pool: ProcessPoolExecutor) -> list[Tried]:
    """All of them, in the order of the tasks. Whatever ends one ends all that have not begun."""
    waiting = {pool.submit(lead, task): number for number, task in enumerate(tasks)}
    try:
        found = dict(_as_they_end(waiting, tasks))
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    return [found[number] for number in sorted(found)]


def _as_they_end(waiting: Mapping[Future[Tried], int], tasks: Sequence[Task]) -> Iterator[tuple[int, Tried]]:
    began = time.monotonic()
    for count, done in enumerate(as_completed(waiting), start=1):
        task = tasks[waiting[done]]
        what = f"{task.folder.name} {task.day or FROM_NOTHING}, seed {task.seed}"
        yield waiting[done], done.result()
        sys.stderr.write(f"{count} of {len(tasks)} after {time.monotonic() - began:.0f} s: {what}\n")


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
        tried=5, owners=10, keep=None,
    )  # fmt: skip
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # in good order, so that its scratch folder goes
    with scratch_folder() as scratch, ProcessPoolExecutor(given.jobs, get_context("fork")) as pool:
        base = make_base(given.weights.resolve(), scratch)
        fake = given.fake or given.days is None
        tasks = fake_tasks(given, base, scratch, pool) if fake else tasks_of_days(given, base, scratch)
        tried = live_all(tasks, pool)
    folder = "fake desk" if fake else given.days.resolve().name
    title = f"{folder}: {lived_days(tried)} days lived, {len({one.seed for one in tried})} seeds"
    return report(rows(tried, folder), title, sys.argv, time.monotonic() - began, given.json)


def alone_on_a_core() -> None:
    """Begin anew with one thread for each process, which must be said before numpy is loaded: lives share the cores."""
    single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    if any(os.environ.get(name) != number for name, number in single.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **single})


if __name__ == "__main__":
    alone_on_a_core()
    try:
        sys.exit(main())
    except PostureError as error:
        tell(f"{error}")
        sys.exit(2)
    except RuntimeError:
        traceback.print_exc()
        sys.exit(2)
