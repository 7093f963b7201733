"""`make demo`: the real daemon on the fake desk, sped up, with a simulated owner who answers the queue.

Nothing is special-cased: the daemon is the ordinary `posture-daemon run` in a process of its own, with settings in an
ordinary file; the owner labels through `labelling` as every front end does, and knows the truth because the fake desk tells
it for any moment. This file only starts, answers, watches and reports.
"""

import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from posture_daemon.adapters.child_process import isolated
from posture_daemon.bootstrap.models import champion, load_model, open_store
from posture_daemon.domain import ModelVersion, Outcome, TrainingRun
from posture_daemon.errors import PostureError
from posture_daemon.fake_desk import FakeDesk
from posture_daemon.labelling.session import Labelling
from posture_daemon.learning.evaluation import Evaluation, evaluate
from posture_daemon.service.daemon_status import DaemonStatus, FrameCounts, read_status
from posture_daemon.settings import Settings, load_settings
from posture_daemon.store import Store
from posture_daemon.ui.console import styled

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
min_session_labels = 100
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

TIME_LIMIT_S = 300.0
"""A quiet machine needs a minute, a busy one two or three; after this the demo gives up."""
AFTER_SWAP_S = 5.0
STOP_S = 60.0
ANSWERS_A_LINE = 30


@dataclass(frozen=True)
class DemoResult:
    """How it ended. `skipped` frames are told but not judged: a busy machine drops some, and the benches hold that number."""

    promoted: bool
    skipped: int
    failed: int
    exit_code: int


def run_demo(folder: Path, console: Console, clock: Callable[[], float] = time.monotonic) -> DemoResult:
    """Run it all in `folder`; takes two to three minutes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "posture-daemon.toml").write_text(SETTINGS)
    settings = load_settings(None, {"data_dir": str(folder)}).settings
    store = open_store(settings)
    desk = FakeDesk(seed=SEED)
    console.rule(styled(("posture-daemon demo", "bold")))
    console.print(
        f"The real daemon, on a drawn webcam whose clock runs {SPEED} times as fast as ours. Its starter model has never "
        "seen this person, nor anyone stand up. A simulated owner answers what it asks. About two minutes."
    )
    before = _unseen(store, champion(store), desk)
    console.print(f"On a day that nobody will label, the starter model is right on {_right(before)}.")
    daemon = _start_daemon(folder, console)
    owner = SimulatedOwner(store, settings, desk)
    try:
        run, status = _watch(store, settings, owner, Narrator(console, clock))
    finally:
        exit_code = _stop(daemon)
    frames = status.frames or FrameCounts()
    result = DemoResult(run is not None, frames.skipped, frames.failed, exit_code)
    if run is not None:
        _print_story(console, store, desk, run, before, owner)
    console.print(flow(result, frames.frames, frames.longest_gap_s))
    return result


def _start_daemon(folder: Path, console: Console) -> subprocess.Popen[bytes]:
    console.print()
    console.print(f"$ posture-daemon --data-dir {shlex.quote(str(folder))} run", style="bold")
    console.print()
    with (folder / "daemon.log").open("ab") as log:
        command = [*isolated("posture_daemon"), "--data-dir", str(folder), "run"]
        return subprocess.Popen(command, stdout=log, stderr=log)


def _stop(daemon: subprocess.Popen[bytes]) -> int:
    """Ask it to end and return its exit code; a daemon that hears nothing for a minute is killed, which is a bad end."""
    daemon.send_signal(signal.SIGTERM)
    try:
        return daemon.wait(STOP_S)
    except subprocess.TimeoutExpired:
        daemon.kill()
        return daemon.wait()


class SimulatedOwner:
    """Answers every waiting frame with the truth, and creates a class when it first sees one."""

    def __init__(self, store: Store, settings: Settings, desk: FakeDesk) -> None:
        self._labelling = Labelling(store, settings.labels, time.time)
        self._desk = desk
        self.answers, self.added = 0, list[str]()

    def answer_all(self) -> None:
        """Answer what waits now."""
        while (frame := self._labelling.next()) is not None:
            truth = self._desk.truth_at(frame.captured_at)
            if truth not in [c.name for c in self._labelling.classes()]:
                self.added.append(self._labelling.add_class(truth).name)
            self._labelling.answer(frame.id, truth)
            self.answers += 1


class Narrator:
    """Tells what happens while it happens, each thing once: that training waits is one line for each thing it waits for."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self._console, self._clock, self._began = console, clock, clock()
        self._told = set[object]()

    def elapsed(self) -> float:
        """Seconds since the daemon was started."""
        return self._clock() - self._began

    def once(self, what: object, line: str) -> None:
        """Print `line` with the time, unless `what` was told before."""
        if what not in self._told:
            self._told.add(what)
            self._console.print(f"{self.elapsed():4.0f} s  {line}", soft_wrap=True)

    def owner(self, owner: SimulatedOwner) -> None:
        """New classes, and a line every thirty answers."""
        for name in owner.added:
            self.once(name, f"the owner sees something new and adds a class: {name}")
        if owner.answers >= ANSWERS_A_LINE:
            self.once(("answers", owner.answers // ANSWERS_A_LINE), f"{owner.answers} questions answered")

    def today(self, daemon: DaemonStatus) -> None:
        """From when today's answers answer the frames, long before a training."""
        if daemon.online is not None and daemon.online.serving:
            self.once("today", f"frames are answered as the owner did: {daemon.online.why}")

    def runs(self, runs: Sequence[TrainingRun]) -> None:
        """Each attempt to train, oldest first: when it begins, and how it ended."""
        for run in reversed(runs):
            if run.outcome is None:
                self.once((run.id, None), "enough labels: training in a process of its own, beside the frames")
            elif run.outcome is Outcome.DEFERRED:
                waits_for = tuple(verdict.name for verdict in run.decision if not verdict.passed)
                self.once(waits_for, f"no training yet: {run.reason}")
            elif run.outcome is Outcome.PROMOTED:
                self.once((run.id, run.outcome), "PROMOTED: the challenger won on answers that neither had learned")
                return  # what comes after it is no part of the story
            else:
                self.once((run.id, run.outcome), f"{run.outcome.value}, the old model stays: {run.reason}")


def _watch(
    store: Store, settings: Settings, owner: SimulatedOwner, narrator: Narrator
) -> tuple[TrainingRun | None, DaemonStatus]:
    """Label, and look at the daemon once a second, until a promoted model answers frames (or time is up)."""
    swapped_at: float | None = None
    while narrator.elapsed() < TIME_LIMIT_S:
        owner.answer_all()
        narrator.owner(owner)
        daemon, runs = read_status(settings.data_dir) or DaemonStatus(), store.runs.recent()
        narrator.today(daemon)
        narrator.runs(runs)
        promoted = next((run for run in runs if run.outcome is Outcome.PROMOTED), None)
        if swapped_at is None and promoted is not None and daemon.model == promoted.challenger_id:
            swapped_at = narrator.elapsed()
            narrator.once("swap", f"model {promoted.challenger_id} answers from now on, swapped in between two frames")
        if swapped_at is not None and narrator.elapsed() - swapped_at > AFTER_SWAP_S:
            return promoted, daemon
        time.sleep(1)
    return None, read_status(settings.data_dir) or DaemonStatus()


def _unseen(store: Store, version: ModelVersion, desk: FakeDesk) -> Evaluation:
    """A model on the next day, which no label comes from."""
    model = load_model(store, version)
    start = desk.start + NEXT_DAY
    times = [t for t in (start + 60.0 * minute for minute in UNSEEN_MINUTES) if not desk.transition_at(t)]
    answers = [model.predict(desk.render(t)).probabilities for t in times]
    return evaluate(np.array(answers), [c.name for c in version.classes], [desk.truth_at(t) for t in times])


def _right(found: Evaluation) -> str:
    return f"{found.correct} of {found.images} frames ({100 * (found.top1 or 0):.0f} %)"


def _print_story(
    console: Console, store: Store, desk: FakeDesk, run: TrainingRun, before: Evaluation, owner: SimulatedOwner
) -> None:
    """What happened, in five lines and a table."""
    assert run.challenger_id is not None, "a promoted run has a challenger"
    after = _unseen(store, store.models.get(run.challenger_id), desk)
    added = f", and added a class: {', '.join(owner.added)}" if owner.added else ""
    took = (run.finished_at or run.started_at) - run.started_at
    console.rule(styled(("what happened", "bold")))
    console.print(f"1. On a day that nobody labelled, the starter model was right on {_right(before)}.")
    console.print(f"2. The owner answered {owner.answers} questions{added}.")
    console.print(f"3. A training took {took:.0f} s in a process of its own; the camera's frames went on meanwhile.")
    console.print(styled("4. ", ("PROMOTED", "bold green"), f": {run.reason}."))
    console.print(styled("5. On that same day the new model is right on ", (_right(after), "bold"), "."))
    console.print(_comparison(before, after))


def flow(result: DemoResult, answered: int, longest_gap_s: float) -> str:
    """How the frames flowed, and how the daemon ended."""
    busy = " (this machine was busy with other work; a quiet one drops none)" if result.skipped else ""
    return (
        f"Frames: {answered} answered, {result.skipped} dropped{busy}, {result.failed} failed; longest gap between two "
        f"{longest_gap_s:.2f} s. The daemon ended with code {result.exit_code}."
    )


def _comparison(before: Evaluation, after: Evaluation) -> Table:
    table = Table("recall of", "unseen day before", "unseen day after")
    for name in after.per_class():
        table.add_row(name, _recall(before, name), _recall(after, name))
    table.add_row("top-1", *[f"{found.top1 or 0:.3f}" for found in (before, after)], style="bold")
    return table


def _recall(found: Evaluation, name: str) -> str:
    right, images = found.per_class().get(name, (0, 0))
    return f"{right}/{images}"


def check(result: DemoResult) -> None:
    """Raise `PostureError` with one sentence unless the demo did what it shows."""
    if not result.promoted:
        raise PostureError(
            f"No promoted model answered frames within {TIME_LIMIT_S:.0f} s; the daemon's log tells why."
        )
    if result.failed or result.exit_code:
        raise PostureError(
            f"A challenger was promoted, but {result.failed} frames failed and the daemon ended with code {result.exit_code}; "
            "its log tells why."
        )
