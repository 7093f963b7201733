"""What a running training is told: pause when warm or blind, end for now when hot, short or unwanted, with hysteresis."""

from pathlib import Path
from typing import Any

import pytest

from posture_daemon.domain import MB, Failure, Order
from posture_daemon.ports import Instruction
from posture_daemon.settings import LimitsSettings, Settings, TrainingSettings
from posture_daemon.training.run_control import RunControl, RunReading, at_most
from tests.builders import resources, zones

SETTINGS = Settings(
    data_dir=Path("/nowhere"),
    training=TrainingSettings(timeout_s=100),
    limits=LimitsSettings(
        start_celsius=72, pause_celsius=80, stop_celsius=88, max_pause_s=60,
        memory_floor_mb=400, memory_pressure_percent=20, max_memory_mb=1000, power_modes="15W",
    ),
)  # fmt: skip


class Training:
    """A running training, looked at once a second."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.supervisor = RunControl(SETTINGS, self.now)

    def look(self, *, training_bytes: int | None = 200 * MB, refusal: str | None = None, **device: Any) -> Instruction:
        """One second later, on a cool device except for what is changed."""
        self.now += 1.0
        seen = resources(**{"power_mode": "15W", **device})
        return self.supervisor.look(RunReading(seen, training_bytes, refusal), self.now)

    def at(self, celsius: float | None) -> Order:
        """The order at a temperature."""
        return self.look(zones=zones(cpu=celsius)).order


@pytest.mark.parametrize(
    ("device", "order"),
    [
        ({}, Order.RUN),
        ({"zones": zones(cpu=79.9)}, Order.RUN),
        ({"zones": zones(cpu=80.0)}, Order.PAUSE),
        ({"zones": zones(cpu=40.0, gpu=87.9)}, Order.PAUSE),
        ({"zones": zones(cpu=88.0)}, Order.END),
        ({"zones": zones(cpu=None)}, Order.PAUSE),
        ({"zones": zones(cpu=40.0, cv0=None)}, Order.RUN),
        ({"memory_available_bytes": None}, Order.PAUSE),
        ({"memory_available_bytes": 400 * MB}, Order.RUN),
        ({"memory_available_bytes": 400 * MB - 1}, Order.END),
        ({"memory_waiting_percent": None}, Order.RUN),
        ({"memory_waiting_percent": 19.9}, Order.RUN),
        ({"memory_waiting_percent": 20.0}, Order.END),
        ({"power_mode": "MAXN"}, Order.PAUSE),
        ({"power_mode": None}, Order.PAUSE),
        ({"refusal": "the owner has paused training"}, Order.END),
        ({"training_bytes": 1000 * MB}, Order.RUN),
        ({"training_bytes": None}, Order.RUN),
    ],
)
def test_each_reading_has_its_answer(device: dict[str, Any], order: Order) -> None:
    """On both sides of each limit; blindness and a forbidden power mode pause, since they may pass."""
    said = Training().look(**device)
    assert said.order is order
    assert said.failure is None


def test_what_has_paused_goes_on_only_when_it_is_cool_again() -> None:
    """From 80 °C it pauses; from 72 to 80 it stays as it is, running or paused. Blind for two seconds, it pauses as well."""
    training = Training()
    temperatures = [79.0, 80.0, 76.0, 72.1, 72.0, 79.0, 81.0, 60.0, None, None, 60.0]
    orders = [training.at(celsius) for celsius in temperatures]
    run, pause = Order.RUN, Order.PAUSE
    assert orders == [run, pause, pause, pause, run, run, pause, run, pause, pause, run]


def test_pauses_together_have_an_end() -> None:
    """After 60 s of pauses, not in one piece, it ends for now: a paused training holds memory that others may need."""
    training = Training()
    orders = [training.at(85.0 if second % 2 else 60.0) for second in range(130)]
    assert orders.count(Order.PAUSE) == 60
    assert orders[-1] is Order.END


def test_time_counts_only_while_it_runs() -> None:
    """100 s of running, however long it was paused in between; then it has failed, and is not continued."""
    training = Training()
    for _ in range(50):
        training.at(60.0)
    for _ in range(30):
        training.at(85.0)
    said = [training.look() for _ in range(60)]
    over = [one for one in said if one.order is Order.END]
    assert (training.supervisor.paused_s, len(said) - len(over)) == (30.0, 49)
    assert over[0].failure is Failure.OUT_OF_TIME
    assert "stopped after 100 s" in over[0].reason


def test_a_training_that_takes_too_much_memory_has_failed() -> None:
    """So that the next one is smaller."""
    said = Training().look(training_bytes=1000 * MB + 1)
    assert (said.order, said.failure) == (Order.END, Failure.OUT_OF_MEMORY)
    assert "took 1000 MB" in said.reason


def test_a_clock_that_stands_still_harms_nothing() -> None:
    """Two looks at the same moment count no time."""
    training = Training()
    training.supervisor.look(RunReading(resources(power_mode="15W")), training.now)
    assert training.supervisor.ran_s == 0.0


def test_a_time_limit_alone() -> None:
    """For a training that is waited for: it goes on until its time is over."""
    now = [0.0]
    supervise = at_most(10, lambda: now[0])
    assert supervise(None).order is Order.RUN
    now[0] = 10.0
    assert supervise(None).failure is Failure.OUT_OF_TIME
