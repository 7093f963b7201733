"""The daemon's jobs, and a watch over the clock that they are planned by.

APScheduler plans by the wall clock. On a board without a battery that one jumps: at boot from 1970, after months by hours,
and a job that was planned before a jump back would not run for as long as the jump was. So the clock is held against one
that cannot jump, and after a jump, or after a suspend, which looks the same, every job is planned anew.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from posture_daemon.errors import PostureError

log = logging.getLogger(__name__)

JUMP_S = 5.0
"""A difference between the two clocks that no slewing (at most 0.5 ms a second) explains."""


@dataclass(frozen=True)
class Job:
    """Something to do every `every_s` seconds, first after `first_s`; never twice at once. `run` must not raise."""

    name: str
    run: Callable[[], None]
    every_s: float
    first_s: float | None = None


def quietly(run: Callable[[], object], trouble: str = "") -> Callable[[], None]:
    """A job whose failure is a line in the log, after `trouble`: the next time it is tried again."""

    def job() -> None:
        try:
            run()
        except (PostureError, OSError) as error:
            log.error("%s%s", trouble, error)

    return job


class Every(IntervalTrigger):  # type: ignore[misc]  # APScheduler has no types
    """An interval that counts from now when it is late.

    APScheduler's own goes through every time that was missed, in memory and under its lock: after a jump of ten years those
    are millions, and until they are counted nothing runs.
    """

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """The next time on the grid of the last one, unless that is over."""
        planned: datetime | None = super().get_next_fire_time(previous_fire_time, now)
        late = planned is not None and previous_fire_time is not None and planned <= now
        return now + self.interval if late else planned


class Schedule:
    """Runs jobs in threads of its own, from `start` until `stop`."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs
        self._scheduler = BackgroundScheduler(
            # A late job runs late and once: clocks jump and laptops sleep, and neither is a reason to skip or to pile up.
            # One instance: a training that takes longer than the pause between two looks is not joined by a second.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
            timezone="UTC",  # intervals only, so there is no summer time to fall into
        )

    def start(self) -> None:
        """Begin."""
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        for job in self._jobs:
            self._scheduler.add_job(
                job.run,
                Every(seconds=job.every_s, timezone="UTC"),
                id=job.name,
                next_run_time=_first(job),
                replace_existing=True,
            )
        self._scheduler.start()

    def stop(self) -> None:
        """End, after the jobs that are running."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)

    def plan_anew(self) -> None:
        """Count every job's time from now."""
        for job in self._jobs:
            self._scheduler.modify_job(job.name, next_run_time=_first(job))

    def next_at(self) -> dict[str, float | None]:
        """When each job runs next, seconds since the epoch."""
        found = {job.name: self._scheduler.get_job(job.name) for job in self._jobs} if self._scheduler.running else {}
        times = {name: getattr(job, "next_run_time", None) for name, job in found.items()}
        return {name: None if time is None else time.timestamp() for name, time in times.items()}


class ClockWatch:
    """Holds the wall clock against one that only goes forward and stands still during a suspend."""

    def __init__(self, wall: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._difference = wall() - monotonic()

    def jump_s(self) -> float:
        """How far the wall clock has jumped since the last look, seconds; 0 for the small change of a clock that is slewed."""
        difference = self._wall() - self._monotonic()
        jump, self._difference = difference - self._difference, difference
        return jump if abs(jump) >= JUMP_S else 0.0


def _first(job: Job) -> datetime:
    return datetime.now(timezone.utc) + timedelta(seconds=job.every_s if job.first_s is None else job.first_s)
