"""The jobs and the clock: what jumps, sleeps or takes long does no harm."""

import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest

from posture_daemon.daemon.scheduler import ClockWatch, Every, Job, Schedule

LONG_S = 200


@pytest.fixture
def clocks() -> list[float]:
    """Wall clock and monotonic clock, seconds."""
    return [1_000_000.0, 50.0]


def watch(clocks: list[float]) -> ClockWatch:
    """A watch over the two."""
    return ClockWatch(lambda: clocks[0], lambda: clocks[1])


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 86_400.0 * 365 * 50, 6.0])
def test_a_jump_is_noticed_once_in_either_direction(clocks: list[float], jump: float) -> None:
    """Also the one from 1970 at boot; a suspend looks like a jump forward, as the monotonic clock stands still meanwhile."""
    one = watch(clocks)
    clocks[0] += 1 + jump
    clocks[1] += 1
    assert one.jump_s() == pytest.approx(jump)
    assert one.jump_s() == 0.0


def test_a_clock_that_is_slewed_has_not_jumped(clocks: list[float]) -> None:
    """A day of half a millisecond a second, looked at each second, is 43 s that come in crumbs."""
    one = watch(clocks)
    for _ in range(1000):
        clocks[0] += 1.0005
        clocks[1] += 1.0
        assert one.jump_s() == 0.0


def test_summer_time_is_no_jump() -> None:
    """Seconds since the epoch know no summer time: the real clocks agree across a change of the time zone."""
    assert ClockWatch(time.time, time.monotonic).jump_s() == 0.0


@pytest.fixture
def schedule() -> Iterator[Schedule]:
    """A job that is due in an hour."""
    made = Schedule([Job("rare", lambda: None, 3600.0), Job("soon", lambda: None, 3600.0, 1800.0)])
    made.start()
    yield made
    made.stop()


def test_jobs_are_planned_from_their_first_time(schedule: Schedule) -> None:
    """An hour, and half an hour, from now."""
    planned = {name: round((at or 0) - time.time(), -2) for name, at in schedule.next_at().items()}
    assert planned == {"rare": 3600.0, "soon": 1800.0}


def test_after_a_jump_every_job_is_planned_anew(schedule: Schedule) -> None:
    """A job that was planned by a clock a year ahead would otherwise not run for a year."""
    schedule._scheduler.modify_job("rare", next_run_time=None)
    assert schedule.next_at()["rare"] is None
    schedule.plan_anew()
    assert round((schedule.next_at()["rare"] or 0) - time.time(), -2) == 3600.0


def test_a_job_that_takes_longer_than_its_pause_is_not_joined_by_a_second() -> None:
    """Nor does it pile up: it is started again when it has ended."""
    running, most, runs = 0, 0, threading.Semaphore(0)
    begun, may_end, lock = threading.Event(), threading.Event(), threading.Lock()

    def long() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        begun.set()
        may_end.wait(LONG_S)
        with lock:
            running -= 1
        runs.release()

    ticks = threading.Semaphore(0)
    one = Schedule([Job("long", long, 0.02, 0.0), Job("tick", ticks.release, 0.02, 0.0)])
    one.start()
    assert begun.wait(LONG_S)
    for _ in range(10):  # ten times the pause have passed meanwhile
        assert ticks.acquire(timeout=LONG_S)
    may_end.set()
    for _ in range(2):
        assert runs.acquire(timeout=LONG_S)
    one.stop()
    assert most == 1


def test_a_schedule_that_never_began_can_be_stopped_and_asked() -> None:
    """A daemon whose camera fails at once stops before it has scheduled anything."""
    one = Schedule([Job("rare", lambda: None, 3600.0)])
    assert one.next_at() == {}
    one.stop()


def test_a_jump_forth_is_one_late_run_not_millions() -> None:
    """Ten years of a job of every second: it is due once, at once, and then counts from now; in time it keeps its grid."""
    trigger, now = Every(seconds=1.0, timezone="UTC"), datetime(2036, 1, 1, tzinfo=timezone.utc)
    before = datetime(2026, 1, 1, tzinfo=timezone.utc)
    assert trigger.get_next_fire_time(before, now) == now + timedelta(seconds=1)
    late = now - timedelta(seconds=0.25)
    assert trigger.get_next_fire_time(late, now) == late + timedelta(seconds=1)
    due, at = 0, before
    while at is not None and at <= now:  # as APScheduler counts
        due, at = due + 1, trigger.get_next_fire_time(at, now)
    assert due == 1
