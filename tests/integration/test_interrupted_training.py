"""A real training child that is paused, ended, starved or killed: what it leaves behind, and that the result is the same."""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from posture_daemon.adapters.probes import DeviceProbe
from posture_daemon.adapters.trainer import process as trainer_module
from posture_daemon.adapters.trainer.process import SubprocessTrainer
from posture_daemon.bootstrap.models import champion
from posture_daemon.domain import Order, Outcome, TrainingRun
from posture_daemon.errors import TrainingCancelled, TrainingOutOfMemory
from posture_daemon.ports import GO_ON, Instruction, Supervise, TrainingSeen
from posture_daemon.settings import LimitsSettings, Settings, TrainingSettings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.training.job import TrainingJob
from posture_daemon.training.retrain import Retrainer
from tests.builders import add_version, colour_backbone, label_days, random_head
from tests.children import answered, training_child
from tests.fakes.devices import ORIN_NANO
from tests.waiting import LIMIT_S, computed_s, wait_until

pytest.importorskip("onnx")

PAUSE = Instruction(Order.PAUSE, "too warm")
END = Instruction(Order.END, "too hot")
VIEWS = 64
KILLS = int(os.environ.get("TEST_KILLS", "6"))


@pytest.fixture
def store(store: Store, tmp_path: Path) -> Store:
    """A store with labels of three classes, none of their views computed, and a base whose network is a real ONNX file."""
    base = add_version(store, random_head(2), colour_backbone(store, tmp_path))
    store.models.promote(base.id, 0.0)
    label_days(store, "good", "bad", "away")
    return store


@pytest.fixture(autouse=True)
def watched_closely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty looks a second instead of one, so that the tests need not wait."""
    monkeypatch.setattr(trainer_module, "SUPERVISE_EVERY_S", 0.05)
    monkeypatch.setattr(trainer_module, "POLL_S", 0.02)


def request_for(store: Store, **changed: Any) -> Path:
    """A request file in a new folder, as the retrainer writes it."""
    folder = store.folder / "training-test"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    recipe = Recipe(0, VIEWS, True, 2, threads=2)
    job = TrainingJob(str(store.folder), 1, recipe, threads=2, nice=5, out_dir=str(folder), **changed)
    (folder / "request.json").write_text(job.to_json())
    return folder / "request.json"


def cached_bytes(store: Store) -> int:
    """How much the training has computed so far; it is written portion by portion."""
    folder = store.folder / "cache"
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.exists() else 0


def head_of(result: Path) -> bytes:
    """The challenger."""
    return (result.parent / "head.safetensors").read_bytes()


@pytest.fixture
def uninterrupted(store: Store) -> bytes:
    """The head that a training gives when it is left alone; nothing of it is left in the cache."""
    head = head_of(SubprocessTrainer().train(request_for(store)))
    shutil.rmtree(store.folder / "cache")
    return head


def test_a_training_pauses_within_two_seconds_and_gives_the_same_model(store: Store, uninterrupted: bytes) -> None:
    """Of computing, from the order to the answer; then half a second without any; then it goes on to the very same head."""
    paused_at: list[float] = []
    resting: list[tuple[float, float]] = []

    def supervise(_seen: TrainingSeen) -> Instruction:
        if not paused_at:
            if not cached_bytes(store):
                return GO_ON
            paused_at.append(child_computed_s())
        if answered(store.folder / "training-test") is Order.PAUSE:
            resting.append((time.monotonic(), child_computed_s()))
        return GO_ON if resting and resting[-1][0] - resting[0][0] > 0.5 else PAUSE

    head = head_of(SubprocessTrainer().train(request_for(store), supervise))
    assert resting, "it never paused"
    assert resting[0][1] - paused_at[0] <= 2.0 * 2, "on two threads"
    assert resting[-1][1] - resting[0][1] <= 0.1
    assert head == uninterrupted


def test_a_training_that_was_ended_is_continued_to_the_same_model(
    store: Store, uninterrupted: bytes, monkeypatch: pytest.MonkeyPatch, exit_codes: list[int]
) -> None:
    """It ends by itself and says why; the next one computes only what is missing, and gives the very same head."""
    monkeypatch.setattr(trainer_module, "GRACE_S", LIMIT_S)
    with pytest.raises(TrainingCancelled, match="too hot"):
        SubprocessTrainer().train(request_for(store), lambda _seen: END if cached_bytes(store) else GO_ON)
    assert exit_codes[0] >= 0, "it had to be killed"
    assert not (store.folder / "training-test" / "result.json").exists()
    kept = cached_bytes(store)
    head = head_of(SubprocessTrainer().train(request_for(store)))
    assert 0 < kept < cached_bytes(store)
    assert head == uninterrupted


def child_computed_s() -> float:
    """What the child that trains has computed, seconds of a processor."""
    child = training_child()
    assert child is not None
    return computed_s(child)


@pytest.fixture
def exit_codes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of the children that have ended, in order; negative where a signal did it."""
    codes: list[int] = []
    end = trainer_module._end

    def end_and_note(child: subprocess.Popen[bytes]) -> None:
        end(child)
        codes.append(child.returncode)

    monkeypatch.setattr(trainer_module, "_end", end_and_note)
    return codes


def children_computed_s() -> float:
    """What all children that have ended computed, seconds of a processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_a_daemon_that_stops_keeps_what_was_computed(
    store: Store, uninterrupted: bytes, monkeypatch: pytest.MonkeyPatch, exit_codes: list[int]
) -> None:
    """The child ends at its batch: it computes for less than two of the five seconds that a stop may take."""
    monkeypatch.setattr(trainer_module, "GRACE_STOPPING_S", LIMIT_S)
    trainer = SubprocessTrainer()
    ended_before_s = children_computed_s()
    stopped_at: list[float] = []

    def supervise(_seen: TrainingSeen) -> Instruction:
        if cached_bytes(store) and not stopped_at:
            stopped_at.append(child_computed_s())
            trainer.cancel()
        return GO_ON

    with pytest.raises(TrainingCancelled, match="the daemon is stopping"):
        trainer.train(request_for(store), supervise)
    assert exit_codes[0] >= 0, "it had to be killed"
    assert children_computed_s() - ended_before_s - stopped_at[0] < 2.0 * 2, "on two threads"
    assert cached_bytes(store) > 0
    assert head_of(SubprocessTrainer().train(request_for(store))) == uninterrupted


class Board:
    """An Orin Nano's tree of files, whose temperature the test sets; and a retrainer that trains on it for real."""

    def __init__(self, store: Store, folder: Path) -> None:
        shutil.copytree(ORIN_NANO, folder / "board", dirs_exist_ok=True)
        self.root = folder / "board"
        self.store, self.trainer = store, SubprocessTrainer()
        settings = Settings(data_dir=store.folder, training=TrainingSettings(views=VIEWS, threads=2, timeout_s=1200))
        probe = DeviceProbe(store.folder, self.root)
        self.retrainer = Retrainer(store, self.trainer, probe, settings)

    def heat(self, celsius: float) -> None:
        """What the GPU's zone says from now on."""
        (self.root / "sys/class/thermal/thermal_zone1/temp").write_text(f"{round(1000 * celsius)}\n")

    def answer(self) -> Order | None:
        """What the training child last said that it does."""
        folders = list(self.store.folder.glob(".training-*"))
        return answered(folders[0]) if folders else None

    @contextmanager
    def training(self) -> Iterator[Future[TrainingRun]]:
        """A forced run in a thread; whatever happens in the block, it is over afterwards."""
        with ThreadPoolExecutor(1) as pool:
            run = pool.submit(self.retrainer.run, "test", force=True)
            try:
                yield run
            finally:
                self.trainer.cancel()


@pytest.mark.slow
def test_a_board_that_gets_hot_has_peace_within_two_seconds(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the sensor's file to the pause, at the pace of the product; cool again, it goes on to the very same head."""
    label_days(store, "good", "bad", "away", blocks=15, count=8, start=1e6)  # four seconds of computing
    whole = head_of(SubprocessTrainer().train(request_for(store)))
    shutil.rmtree(store.folder / "cache")
    monkeypatch.setattr(trainer_module, "SUPERVISE_EVERY_S", 1.0)
    board = Board(store, tmp_path)
    with board.training() as run:
        wait_until(lambda: cached_bytes(store) > 0, "a first portion", every_s=0.01)
        board.heat(82.0)
        before = child_computed_s()
        wait_until(lambda: board.answer() is Order.PAUSE, "the pause", every_s=0.01)
        assert child_computed_s() - before <= 2.0 * 2, "on two threads"
        assert store.runs.recent()[0].reason == "paused: too warm: hottest zone gpu-thermal 82.0 °C"
        board.heat(71.0)
        ended = run.result(600)
    assert ended.outcome is Outcome.PROMOTED, ended.reason
    assert [one["order"] for one in ended.metrics["interruptions"]] == ["pause", "run"]
    assert store.models.read_head(champion(store).head_sha256) == whole


@pytest.mark.slow
def test_a_board_that_gets_too_hot_is_left_alone_and_the_training_continued(
    store: Store, uninterrupted: bytes, tmp_path: Path
) -> None:
    """DEFERRED with the reason; the gate stays closed in the heat; when it is cool the rest is computed, to the same head."""
    board = Board(store, tmp_path)
    with board.training() as run:
        wait_until(lambda: cached_bytes(store) > 0, "a first portion", every_s=0.01)
        board.heat(89.0)
        ended = run.result(300)
    assert (ended.outcome, ended.reason) == (Outcome.DEFERRED, "too hot: hottest zone gpu-thermal 89.0 °C")
    again = Board(store, tmp_path / "again")
    again.heat(75.0)
    assert "hottest zone gpu-thermal 75.0 °C (at most 72.0 °C)" in again.retrainer.run("test", force=True).reason
    again.heat(50.0)
    done = again.retrainer.run("test", force=True)
    assert done.outcome is Outcome.PROMOTED, done.reason
    assert 0 < done.metrics["report"]["computed_views"] < 3 * 12 * (1 + VIEWS) + 3 * 6
    assert store.models.read_head(champion(store).head_sha256) == uninterrupted


def test_the_kernel_refuses_a_training_more_memory_than_it_may_take(store: Store) -> None:
    """In the child, whatever allocates first: it is recognised, and said in one sentence."""
    with pytest.raises(TrainingOutOfMemory, match="ran out of memory") as error:
        SubprocessTrainer().train(request_for(store, max_memory_bytes=60_000_000))
    assert "\n" not in str(error.value)


class KilledTrainer(SubprocessTrainer):
    """Its child gets SIGKILL after so many seconds, as from the kernel when memory runs out; `None`: it lives."""

    after_s: float | None = None

    def train(self, request: Path, supervise: Supervise = lambda _seen: GO_ON) -> Path:
        """Train, with a murderer about."""
        if self.after_s is None:
            return super().train(request, supervise)
        murderer = threading.Timer(self.after_s, self._murder)
        murderer.start()
        try:
            return super().train(request, supervise)
        finally:
            murderer.cancel()
            murderer.join()

    def _murder(self) -> None:
        child = training_child()
        if child is not None:
            child.kill()


@pytest.mark.slow
def test_killed_at_any_moment_it_leaves_the_champion_and_nothing_else(store: Store) -> None:
    """Killed again and again (TEST_KILLS times): no process, no folder, the same champion; the next training succeeds."""
    trainer, chance = KilledTrainer(), random.Random(4)
    settings = Settings(
        data_dir=store.folder,
        training=TrainingSettings(views=VIEWS, threads=2),
        limits=LimitsSettings(memory_reserve_mb=0, disk_reserve_mb=0),
    )
    retrainer = Retrainer(store, trainer, DeviceProbe(store.folder), settings)
    before = champion(store)
    files = {path.name for path in store.folder.iterdir()} | {"cache", "training.lock"}
    killed = 0
    for _ in range(KILLS):
        trainer.after_s = chance.uniform(0.0, 1.5)
        run = retrainer.run("test", force=True)
        if run.outcome is Outcome.PROMOTED:  # it was faster than its murderer: begin again
            store.models.promote(before.id, 0.0)
            shutil.rmtree(store.folder / "cache")
            continue
        killed += 1
        assert (run.outcome, run.metrics["failure"]) == (Outcome.FAILED, "out of memory")
        assert store.models.champion() == before
        assert {path.name for path in store.folder.iterdir()} <= files
        assert psutil.Process().children(recursive=True) == []
    assert killed >= KILLS // 2
    trainer.after_s = None
    run = retrainer.run("test", force=True)
    assert run.outcome is Outcome.PROMOTED, run.reason
    assert not list((store.folder / "cache").rglob("*.partial"))
