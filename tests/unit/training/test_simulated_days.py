"""A thousand days on a virtual clock: real gate, supervision, retrainer and SQLite; made-up heat, memory, owner, crashes.

Each world lasts twenty days and two good ones, a second at a time while a training runs and three hours at a time otherwise.
What must never happen is looked for in each of these seconds; what must happen in the end is looked for after two good days.
"""

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posture_daemon.device.resources import Resources
from posture_daemon.domain import MB, Order, Outcome, TrainingRun
from posture_daemon.errors import TrainingCancelled
from posture_daemon.ports import GO_ON, Instruction, Supervise, TrainingSeen
from posture_daemon.settings import LimitsSettings, ScheduleSettings, Settings, TrainingSettings
from posture_daemon.store import Store, database
from posture_daemon.training.retrain import Retrainer
from tests.builders import add_champion, ensure_classes, make_store, new_frame, zones
from tests.fakes.trainer import CLASSES, StandInTrainer

HOUR = 3600.0
LOOK_EVERY_H = 3
MANY_DAYS = int(os.environ.get("TEST_SIMULATED_DAYS", "1000"))
DAYS = min(100, MANY_DAYS)
"""What `make test` lives through; `make test-slow` lives through many."""
DAYS_A_WORLD = 20
WORK_S = 40
"""What a training takes, seconds of computing."""

HEATS = 25.0
"""°C that computing adds in the long run, and how long that takes, seconds."""
HEATS_IN_S = 30.0

LIMITS = LimitsSettings(memory_reserve_mb=1000)
SCHEDULE = ScheduleSettings(cooldown_s=2 * HOUR, away_s=300, away_patience_s=8 * HOUR)


class Killed(BaseException):
    """The daemon's process is gone, as with SIGKILL: nobody writes down how the run ended."""


@dataclass(frozen=True)
class Phase:
    """Some hours of the world. What the sensors do not tell is `None`."""

    hours: int
    ambient: float | None
    available_mb: int | None
    disk_mb: int | None
    labels: int
    away: bool
    paused: bool
    clock_jump_s: float
    dies_after_s: int | None
    squeezed_after_s: int | None
    """Seconds into a training after which another program takes the memory."""
    blinded_after_s: int | None
    """Seconds into a training after which its sensor fails, for so many seconds again."""


PHASES = st.builds(
    Phase,
    hours=st.integers(1, 8).map(lambda looks: looks * LOOK_EVERY_H),
    ambient=st.sampled_from([None, 30.0, 50.0, 58.0, 62.0, 66.0, 70.0, 74.0, 90.0]),
    available_mb=st.sampled_from([None, 390, 1200, *[4000] * 6]),
    disk_mb=st.sampled_from([None, 100, *[5000] * 8]),
    labels=st.sampled_from([0, 12, 30, 30, 30]),
    away=st.booleans(),
    paused=st.sampled_from([True, *[False] * 6]),
    clock_jump_s=st.sampled_from([*[0.0] * 6, 5 * HOUR, -5 * HOUR, 400 * 24 * HOUR, -400 * 24 * HOUR, -1e9]),
    dies_after_s=st.sampled_from([*[None] * 4, 0, 5, 20, 39]),
    squeezed_after_s=st.sampled_from([*[None] * 4, 5, 20]),
    blinded_after_s=st.sampled_from([*[None] * 4, 5, 20]),
)
GOOD = Phase(48, 30.0, 8000, 5000, 0, True, False, 0.0, None, None, None)


class World(StandInTrainer):
    """The device, its owner and the clock; and the training that heats it."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.store: Store = make_store(folder)
        add_champion(self.store, "good", "bad", "away")
        self.result["classes"] = [*CLASSES, {"name": "away", "role": "away"}]
        ensure_classes(self.store, "good", "bad")
        self.phase, self.now, self.wall, self.extra_heat = GOOD, 0.0, 1.7e9, 0.0
        self.frames = itertools.count()
        self.running = 0
        self.squeezed = self.blinded = False
        self.retrainer = self.process()

    def process(self) -> Retrainer:
        """A daemon, or a second program on the same data folder."""
        options = Settings(
            data_dir=self.store.folder, training=TrainingSettings(min_new_labels=20), schedule=SCHEDULE, limits=LIMITS
        )
        return Retrainer(
            self.store, self, self, options,
            clock=lambda: self.wall, monotonic=lambda: self.now, away=lambda: 600.0 if self.phase.away else None,
        )  # fmt: skip

    def begin(self, phase: Phase) -> None:
        """The next hours of the world."""
        self.phase = phase
        self.wall += phase.clock_jump_s
        self.store.pauses.begin(self.wall) if phase.paused else self.store.pauses.end()
        times = [self.wall + number for number in range(phase.labels)]
        frames = [(new_frame(f"jpeg {next(self.frames)}".encode(), at, source="folder"), "good") for at in times]
        bad = [(frame, "bad" if number % 2 else name) for number, (frame, name) in enumerate(frames)]
        if bad:
            self.store.imports.add_block(bad, None, self.wall, 5)

    def pass_(self, seconds: float, *, computing: bool = False) -> None:
        """Time goes by; the device warms towards where computing would take it, or cools."""
        self.now += seconds
        self.wall += seconds
        target = HEATS if computing else 0.0
        self.extra_heat += (target - self.extra_heat) * min(1.0, seconds / HEATS_IN_S)

    @property
    def celsius(self) -> float | None:
        """What the sensor shows."""
        blind = self.phase.ambient is None or self.blinded
        return None if blind else (self.phase.ambient or 0.0) + self.extra_heat

    def read(self) -> Resources:
        """Implements `ports.ResourceProbe`."""
        available = 200 if self.squeezed else self.phase.available_mb
        return Resources(
            memory_available_bytes=None if available is None else available * MB,
            disk_free_bytes=None if self.phase.disk_mb is None else self.phase.disk_mb * MB,
            zones=zones(cpu=self.celsius, cv0=None),
        )

    def close(self) -> None:
        """Nothing was begun."""

    def train(self, request: Path, supervise: Supervise) -> Path:
        """Implements `ports.Trainer`: so many seconds of computing, each of them allowed; raises as it is told to."""
        self.running += 1
        try:
            assert self.running == 1, "two trainings at once"
            self._may_begin()
            self._compute(lambda seen: self._checked(supervise(seen)))
            self.seconds = 0
            return super().train(request, supervise)
        finally:
            self.running -= 1
            self.squeezed = self.blinded = False

    def _may_begin(self) -> None:
        """Nothing that protects the device or is the owner's stood against it."""
        phase, celsius = self.phase, self.celsius
        assert celsius is not None, "began blind"
        assert celsius <= LIMITS.start_celsius, "began hot"
        assert phase.available_mb is not None, "began without knowing the memory"
        assert phase.available_mb >= LIMITS.memory_reserve_mb, "began without memory"
        assert phase.disk_mb is not None and phase.disk_mb >= LIMITS.disk_reserve_mb, "began without disk"  # noqa: PT018
        assert not phase.paused, "began while paused"

    def _compute(self, supervise: Supervise) -> None:
        done = 0
        for second in itertools.count():
            if second == self.phase.dies_after_s:
                raise Killed
            self.squeezed = self.phase.squeezed_after_s is not None and second >= self.phase.squeezed_after_s
            blinded_at = self.phase.blinded_after_s
            self.blinded = blinded_at is not None and blinded_at <= second < 2 * blinded_at
            if second == 3:  # another program tries at the same time
                other = self.process().run("another", force=True)
                assert other.outcome is Outcome.DEFERRED
            said = supervise(TrainingSeen(300 * MB))
            if said.order is Order.END:
                raise TrainingCancelled(said.reason)
            computing = said.order is Order.RUN
            done += computing
            self.pass_(1.0, computing=computing)
            if done == WORK_S:
                return
            assert second < 100 * WORK_S, "neither computes nor ends"

    def _checked(self, said: Instruction) -> Instruction:
        """No second of computing above a limit, blind, or short of memory."""
        if said.order is Order.RUN:
            seen = self.read()
            assert self.celsius is not None, "computes blind"
            assert self.celsius < LIMITS.pause_celsius, "computes hot"
            assert seen.memory_available_bytes is not None, "computes without knowing the memory"
            assert seen.memory_available_bytes >= LIMITS.memory_floor_mb * MB, "computes without memory"
        return said

    def look(self) -> TrainingRun | None:
        """The schedule's look at the gate; a daemon that dies is started again."""
        try:
            return self.retrainer.run("schedule")
        except Killed:
            self.retrainer = self.process()
            self.retrainer.recover()
            assert all(run.outcome is not None for run in self.store.runs.recent())
            return None


def live(world: World, phase: Phase) -> bool:
    """Live through a phase; tell whether something was learned."""
    world.begin(phase)
    learned = False
    for _ in range(phase.hours // LOOK_EVERY_H):
        world.pass_(LOOK_EVERY_H * HOUR)
        run = world.look()
        learned |= run is not None and run.outcome in (Outcome.KEPT, Outcome.PROMOTED)
    return learned


@pytest.fixture(autouse=True, scope="module")
def unhurried() -> Iterator[None]:
    """The same SQLite, without waiting for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "PRAGMAS", (*database.PRAGMAS, "synchronous = OFF"))
        yield


def live_through(phases: list[Phase]) -> None:
    """A world of its own: in no second what must not be, and what must be in the end."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        hours = 0
        for phase in itertools.cycle(phases):
            if hours >= 24 * DAYS_A_WORLD:
                break
            hours += phase.hours
            live(world, phase)
        assert live(world, replace(GOOD, labels=30)), world.store.runs.recent(1)[0].reason
        assert world.store.labels.new(world.store.runs.labels_learned()) == []
        world.store.close()


def worlds(days: int) -> Callable[[Callable[[list[Phase]], None]], Callable[[], None]]:
    """As many as it takes to live through so many days; the same in each run."""
    several = settings(
        deadline=None, derandomize=True, database=None, max_examples=max(1, days // DAYS_A_WORLD),
        suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip
    return lambda test: several(given(phases=st.lists(PHASES, min_size=6, max_size=30))(test))


@worlds(DAYS)
def test_it_never_trains_when_it_must_not_and_always_does_in_the_end(phases: list[Phase]) -> None:
    """Never above a limit, never with an unknown that matters, never two at once; and when it could, it has learned it all."""
    live_through(phases)


@pytest.mark.slow(seconds=160)
@worlds(MANY_DAYS)
def test_it_never_trains_when_it_must_not_in_a_thousand_days(phases: list[Phase]) -> None:
    """The same, for long (TEST_SIMULATED_DAYS)."""
    live_through(phases)


def test_the_world_can_do_harm() -> None:
    """The checks would notice: a supervisor that says go on in the heat, or without memory, is caught."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        world.phase = replace(GOOD, ambient=95.0)
        with pytest.raises(AssertionError, match="computes hot"):
            world._checked(GO_ON)
        with pytest.raises(AssertionError, match="began hot"):
            world._may_begin()
        world.store.close()
