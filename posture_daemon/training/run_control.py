"""What a running training is told, each second: go on, pause, or end for now. Time and readings come in, so it is pure to test.

Warm, or blind: pause, and go on when it is cool again (not before: `limits.start_celsius` is the other end of the hysteresis).
Hot, short of memory, or the owner wants the device: keep what is done and end, to be continued when the gate opens.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from posture_daemon.device.limits import State, heat, power_verdict
from posture_daemon.device.resources import Resources
from posture_daemon.domain import MB, Failure, Order
from posture_daemon.ports import GO_ON, Instruction
from posture_daemon.settings import Settings


@dataclass(frozen=True)
class RunReading:
    """The device, what the training itself takes (bytes; `None`: unknown), and the owner's refusal in words, if any."""

    resources: Resources
    training_bytes: int | None = None
    refusal: str | None = None


class RunControl:
    """One per training. `look` is asked once a second, with seconds of a clock that only goes forward."""

    def __init__(self, settings: Settings, now: float) -> None:
        self._limits, self._max_s = settings.limits, settings.training.timeout_s
        self._looked_at = now
        self._order = Order.RUN
        self.ran_s = self.paused_s = 0.0

    def look(self, reading: RunReading, now: float) -> Instruction:
        """Decide for the next second."""
        self._count(now)
        said = self._failed(reading) or self._over(reading) or self._waiting(reading)
        if said.order is Order.PAUSE and self.paused_s >= self._limits.max_pause_s:
            said = Instruction(Order.END, f"{said.reason}; paused for {self.paused_s:.0f} s, which is long enough")
        self._order = said.order
        return said

    def _count(self, now: float) -> None:
        passed, self._looked_at = max(0.0, now - self._looked_at), now
        if self._order is Order.PAUSE:
            self.paused_s += passed
        else:
            self.ran_s += passed

    def _failed(self, reading: RunReading) -> Instruction | None:
        taken, most = reading.training_bytes, self._limits.max_memory_mb * MB
        if taken is not None and taken > most:
            reason = f"The training took {taken // MB} MB of memory, more than the {most // MB} MB that it may."
            return Instruction(Order.END, reason, Failure.OUT_OF_MEMORY)
        if self.ran_s >= self._max_s:
            reason = f"The training was stopped after {self._max_s:.0f} s, the longest that is allowed."
            return Instruction(Order.END, reason, Failure.OUT_OF_TIME)
        return None

    def _over(self, reading: RunReading) -> Instruction | None:
        """Why it must end for now."""
        resources, limits = reading.resources, self._limits
        if reading.refusal is not None:
            return Instruction(Order.END, reading.refusal)
        found = heat(resources, limits)
        if found.state is State.HOT:
            return Instruction(Order.END, f"too hot: {found.text}")
        available, waiting = resources.memory_available_bytes, resources.memory_waiting_percent
        least = limits.memory_floor_mb
        if available is not None and available < least * MB:
            return Instruction(Order.END, f"memory is short: {available // MB} MB available (at least {least} MB)")
        if waiting is not None and waiting >= limits.memory_pressure_percent:
            return Instruction(Order.END, f"memory is short: processes wait for it {waiting:.0f} % of the time")
        return None

    def _waiting(self, reading: RunReading) -> Instruction:
        """Pause, or go on."""
        found, power = heat(reading.resources, self._limits), power_verdict(reading.resources, self._limits)
        if found.state in (State.WARM, State.UNKNOWN):
            return Instruction(Order.PAUSE, f"too warm: {found.text}" if found.state is State.WARM else found.text)
        if reading.resources.memory_available_bytes is None:
            return Instruction(Order.PAUSE, "available memory is unknown")
        if not power.passed:
            return Instruction(Order.PAUSE, power.text)
        if self._order is Order.PAUSE and found.state is not State.COOL:
            return Instruction(Order.PAUSE, f"not yet cool: {found.text} (at most {found.limit or 0:.1f} °C)")
        return GO_ON


def at_most(seconds: float, monotonic: Callable[[], float] = time.monotonic) -> Callable[[object], Instruction]:
    """For a training that nothing stops but time, as in a comparison that somebody has started by hand and waits for."""
    end = monotonic() + seconds

    def supervise(_seen: object) -> Instruction:
        if monotonic() < end:
            return GO_ON
        reason = f"The training was stopped after {seconds:.0f} s, the longest that is allowed."
        return Instruction(Order.END, reason, Failure.OUT_OF_TIME)

    return supervise
