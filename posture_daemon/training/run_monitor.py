"""One training while it runs: asks `RunControl` each second, keeps the peak of its memory, and records each change of order."""

import logging
import time
from collections.abc import Callable

from posture_daemon.domain import Failure, Order
from posture_daemon.errors import PostureError
from posture_daemon.ports import Instruction, ResourceProbe, TrainingSeen
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.training.run_control import RunControl, RunReading
from posture_daemon.training.run_record import Interrupted, RunCourse

log = logging.getLogger(__name__)

MAX_INTERRUPTIONS = 50
"""Pauses and ends that the record of a run keeps; a run that has more is telling nothing new."""


class RunMonitor:
    """The supervision of one run. `refusal` says in words why the owner does not want it to go on, or `None`."""

    def __init__(
        self,
        run_id: int,
        store: Store,
        probe: ResourceProbe,
        settings: Settings,
        refusal: Callable[[], str | None],
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run_id = run_id
        self._store, self._probe, self._refusal = store, probe, refusal
        self._clock, self._monotonic = clock, monotonic
        self._control = RunControl(settings, monotonic())
        self._order = Order.RUN
        self._peak_bytes: int | None = None
        self._interruptions: list[Interrupted] = []
        self.failure: Failure | None = None

    def supervise(self, seen: TrainingSeen) -> Instruction:
        """Implements `ports.Supervise`."""
        if seen.memory_bytes is not None:
            self._peak_bytes = max(seen.memory_bytes, self._peak_bytes or 0)
        said = self._control.look(RunReading(self._probe.read(), seen.memory_bytes, self._refused()), self._monotonic())
        self.failure = said.failure
        if said.order is not self._order:
            self._tell(said)
        self._order = said.order
        return said

    def _refused(self) -> str | None:
        """The owner's refusal; none while the database is busy, which must not cost a training."""
        try:
            return self._refusal()
        except PostureError as error:
            log.warning("whether training run %d may go on could not be read: %s", self.run_id, error)
            return None

    def course(self, reported_peak_bytes: int | None = None) -> RunCourse:
        """What the record of the run keeps of how it went; the larger of both peaks, for each sees what the other may miss."""
        peak = max(self._peak_bytes or 0, reported_peak_bytes or 0)
        ran_s, paused_s = round(self._control.ran_s, 1), round(self._control.paused_s, 1)
        return RunCourse(peak or None, ran_s, paused_s, tuple(self._interruptions))

    def _tell(self, said: Instruction) -> None:
        words = {Order.RUN: "goes on", Order.PAUSE: "pauses", Order.END: "ends"}[said.order]
        log.info("training run %d %s: %s", self.run_id, words, said.reason)
        if len(self._interruptions) < MAX_INTERRUPTIONS:
            self._interruptions.append(Interrupted(self._clock(), said.order, said.reason))
        try:
            self._store.runs.note(self.run_id, f"paused: {said.reason}" if said.order is Order.PAUSE else said.reason)
        except PostureError as error:
            log.warning("how training run %d stands could not be written down: %s", self.run_id, error)
