"""`make demo`: the real daemon on the fake desk, sped up, with a simulated owner who answers the queue.

Nothing is special-cased: the daemon is the ordinary `posture-daemon run` in a process of its own, with settings in an
ordinary file; the owner labels through `labelling` as every front end does, and knows the truth because the fake desk tells
it for any moment. This file only starts, answers, watches and reports.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from posture_daemon.bootstrap.models import champion, load_model, open_store
from posture_daemon.domain import ModelVersion, Outcome, TrainingRun
from posture_daemon.errors import PostureError
from posture_daemon.fake_desk import FakeDesk
from posture_daemon.labelling.session import Labelling
from posture_daemon.learning.evaluation import Evaluation, evaluate
from posture_daemon.reports.status import overview
from posture_daemon.settings import Settings, load_settings
from posture_daemon.store import Store

SEED, FPS, SPEED = 37, 5, 120
START, NEXT_DAY = "2026-03-02T16:00", 86_400.0
UNSEEN_MINUTES = range(6 * 60, 12 * 60, 3)
"""The next day from 14:00 to 20:00, in minutes after 08:00: what the two models are compared on; nobody labels it."""

SETTINGS = f"""\
# Settings of the demo: the fake desk's clock runs {SPEED} times as fast as ours, so everything that the daemon measures on
# frames' time (rates, time blocks) is in desk seconds, and what it measures on our time is short.
[camera]
address = "fake:desk?seed={SEED}&fps={FPS}&speed={SPEED}&start={START}"
fps = 30
[queue]
unsure_below = 0.95
audit_share = 0.05
duplicate_cosine = 0.999
[labels]
block_length_s = 600
[training]
min_new_labels = 100
views = 4
[schedule]
cooldown_s = 20
check_every_s = 2
away_s = 0
[limits]
memory_reserve_mb = 256
start_celsius = 92
pause_celsius = 95
stop_celsius = 98
"""

TIME_LIMIT_S = 165.0
AFTER_SWAP_S = 5.0


@dataclass(frozen=True)
class DemoResult:
    """What decides the exit code."""

    promoted: bool
    skipped: int
    failed: int
    exit_code: int

    @property
    def good(self) -> bool:
        """A challenger was really promoted, and frames kept flowing."""
        return self.promoted and self.skipped == 0 and self.failed == 0 and self.exit_code == 0


def run_demo(folder: Path, console: Console, clock: Callable[[], float] = time.monotonic) -> DemoResult:
    """Run it all in `folder`; takes two to three minutes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "posture-daemon.toml").write_text(SETTINGS)
    settings = load_settings(None, {"data_dir": str(folder)}).settings
    store = open_store(settings)
    starter = champion(store)
    desk = FakeDesk(seed=SEED)
    console.rule("[bold]posture-daemon demo")
    console.print(
        "A person whom the starter model has never seen sits at a fake desk. It also has never seen anyone stand."
    )
    _print_unseen(console, "the starter", _unseen(store, starter, desk))
    daemon = _start_daemon(folder, console)
    try:
        run, status = _watch(store, settings, desk, console, clock)
    finally:
        daemon.send_signal(signal.SIGTERM)
        exit_code = daemon.wait(10)
    return _report(store, desk, run, status, exit_code, console)


def _start_daemon(folder: Path, console: Console) -> subprocess.Popen[bytes]:
    console.print(f"\n$ posture-daemon --data-dir {folder} run\n", style="bold")
    with (folder / "daemon.log").open("ab") as log:
        command = [sys.executable, "-m", "posture_daemon", "--data-dir", str(folder), "run"]
        return subprocess.Popen(command, stdout=log, stderr=log)


class SimulatedOwner:
    """Answers every waiting frame with the truth, and creates a class when it first sees one."""

    def __init__(self, store: Store, settings: Settings, desk: FakeDesk) -> None:
        self._labelling = Labelling(store, settings.labels, time.time)
        self._desk = desk

    def answer_all(self) -> str | None:
        """Answer what waits; returns the name of a class that was new."""
        created = None
        while (frame := self._labelling.next()) is not None:
            truth = self._desk.truth_at(frame.captured_at)
            if truth not in [c.name for c in self._labelling.classes()]:
                created = self._labelling.add_class(truth).name
            self._labelling.answer(frame.id, truth)
        return created


def _watch(
    store: Store, settings: Settings, desk: FakeDesk, console: Console, clock: Callable[[], float]
) -> tuple[TrainingRun | None, dict[str, Any]]:
    """Label, and look at the daemon once a second, until a promoted model answers frames (or time is up)."""
    owner = SimulatedOwner(store, settings, desk)
    began, swapped_at, told = clock(), None, ""
    while clock() - began < TIME_LIMIT_S:
        created = owner.answer_all()
        if created:
            console.print(f"[cyan]the owner sees something new and adds a class: {created}[/]")
        found = overview(store, settings)
        daemon, runs = found["daemon"] or {}, store.runs.recent()
        told = _tell(console, clock() - began, found, runs[0] if runs else None, told)
        promoted = next((run for run in runs if run.outcome is Outcome.PROMOTED), None)
        if swapped_at is None and promoted is not None and daemon.get("model") == promoted.challenger_id:
            swapped_at = clock()
            console.print(f"[green]model {promoted.challenger_id} was swapped in between two frames[/]")
        if swapped_at is not None and clock() - swapped_at > AFTER_SWAP_S:
            return promoted, daemon
        time.sleep(1)
    return None, overview(store, settings)["daemon"] or {}


def _tell(console: Console, elapsed: float, found: dict[str, Any], run: TrainingRun | None, told: str) -> str:
    """One line when there is news: every 30 labels, and when the gate or a training says something else."""
    labels = {name: sum(splits.values()) for name, splits in found["labels"].items()}
    total = sum(labels.values())
    deferred = run is None or run.outcome is Outcome.DEFERRED
    news = f"{total // 30 if deferred else ''} {run.outcome if run else ''}"
    daemon = found["daemon"] or {}
    if not daemon or news == told:
        return told
    frames = daemon["frames"]
    counts = ", ".join(f"{name} {n}" for name, n in labels.items() if n) or "none yet"
    line = f"{elapsed:4.0f} s  {frames['frames']} frames, {frames['skipped']} dropped; {total} labels: {counts}"
    console.print(line, soft_wrap=True)
    if run is not None:
        doing = (
            "gate open, training in a child process" if run.outcome is None else f"{run.outcome.value}: {run.reason}"
        )
        console.print(f"        {doing}", style="dim", soft_wrap=True)
    return news


def _unseen(store: Store, version: ModelVersion, desk: FakeDesk) -> Evaluation:
    """A model on the next day, which no label comes from."""
    model = load_model(store, version)
    start = desk.start + NEXT_DAY
    times = [t for t in (start + 60.0 * minute for minute in UNSEEN_MINUTES) if not desk.transition_at(t)]
    answers = [model.predict(desk.render(t)).probabilities for t in times]
    return evaluate(np.array(answers), [c.name for c in version.classes], [desk.truth_at(t) for t in times])


def _print_unseen(console: Console, who: str, found: Evaluation) -> None:
    console.print(f"On the next day, which nobody labels, {who} is right on {found.correct} of {found.images} frames.")


def _report(
    store: Store, desk: FakeDesk, run: TrainingRun | None, status: dict[str, Any], exit_code: int, console: Console
) -> DemoResult:
    frames = status.get("frames", {"skipped": -1, "failed": -1})
    ending = DemoResult(run is not None, frames["skipped"], frames["failed"], exit_code)
    console.rule("[bold]what happened")
    if run is None:
        last = store.runs.recent(1)
        console.print(f"[red]no challenger was promoted[/]: {last[0].reason if last else 'no training took place'}")
        return ending
    console.print(_comparison(store, desk, run))
    console.print(f"[bold green]PROMOTED[/] {run.reason}")
    console.print(
        f"frames answered: {frames['frames']}, frames dropped: {frames['skipped']}, failed: {frames['failed']}, "
        f"longest gap between two: {frames['longest_gap_s']:.2f} s; the daemon ended with code {exit_code}"
    )
    return ending


def _comparison(store: Store, desk: FakeDesk, run: TrainingRun) -> Table:
    versions = [store.models.get(i) for i in (run.incumbent_id, run.challenger_id) if i is not None]
    unseen = [_unseen(store, version, desk) for version in versions]
    holdout = [Evaluation.from_json(run.metrics[name]) for name in ("incumbent", "challenger")]
    table = Table("recall of", "holdout before", "holdout after", "unseen day before", "unseen day after")
    for name in holdout[1].classes:
        table.add_row(name, *[_recall(found, name) for found in (*holdout, *unseen)])
    table.add_row("[bold]top-1", *[f"[bold]{found.top1 or 0:.3f}" for found in (*holdout, *unseen)])
    return table


def _recall(found: Evaluation, name: str) -> str:
    right, images = found.per_class().get(name, (0, 0))
    return f"{right}/{images}"


def check(ending: DemoResult) -> None:
    """Raise `PostureError` with one sentence unless the demo did what it shows."""
    if not ending.promoted:
        raise PostureError(f"No challenger was promoted within {TIME_LIMIT_S:.0f} s; the daemon's log tells why.")
    if not ending.good:
        raise PostureError("A challenger was promoted, but frames were dropped or the daemon did not end well.")
