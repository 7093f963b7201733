"""A camera that does what a test says, and what tests of its reader need: clocks, a stop event, waiting with words."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from posture_daemon.adapters.cameras.latest_frame import CameraState, LatestFrame, Patience
from posture_daemon.domain import Frame, Image
from posture_daemon.errors import CameraError
from tests.waiting import poll

LONG_S = 100.0
"""Longer than anything here takes, seconds: reaching it is a failure."""

Step = Frame | Exception | None


class ScriptedCamera:
    """A camera whose reads are what the test puts into `reads`, and whose openings fail as `openings` says.

    A read blocks until the test gives it something.
    """

    name = "scripted"
    wanted_size: tuple[int, int] | None = None

    def __init__(self, openings: list[Exception | None] | None = None) -> None:
        self.reads: queue.Queue[Step] = queue.Queue()
        self.openings = openings or []
        self.opened = 0
        self.closed = threading.Semaphore(0)
        self.reading = threading.Semaphore(0)

    def give(self, *steps: Step) -> None:
        """Let reads return or raise these, in this order."""
        for step in steps:
            self.reads.put(step)

    def open(self) -> None:
        """Open, or fail as scripted."""
        self.opened += 1
        failure = self.openings.pop(0) if self.openings else None
        if failure is not None:
            raise failure

    def read(self) -> Frame | None:
        """Wait for what the test gives."""
        self.reading.release()
        step = self.reads.get(timeout=2 * LONG_S)
        if isinstance(step, Exception):
            raise step
        return step

    def close(self) -> None:
        """Count."""
        self.closed.release()


class CountingEvent(threading.Event):
    """A stop event that records the delays waited on it and lets none of them pass really.

    After `limit` of them it is set, so that the thread ends by itself.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.delays: list[float | None] = []
        self._limit = limit

    def wait(self, timeout: float | None = None) -> bool:
        """Record instead of waiting."""
        self.delays.append(timeout)
        if len(self.delays) >= self._limit:
            self.set()
        return self.is_set()


def scene(number: int) -> Image:
    """A picture with noise, which changes with its number."""
    return np.random.default_rng(number).integers(0, 256, (48, 64, 3)).astype(np.uint8)


def frame(sequence: int = 0, at: float = 0.0) -> Frame:
    """Make a black picture."""
    return Frame(np.zeros((2, 2, 3), dtype=np.uint8), at, sequence)


def lost(reason: str = "camera scripted stopped.") -> CameraError:
    """Make the error of a camera that is gone."""
    return CameraError(reason)


@contextmanager
def started(reader: LatestFrame) -> Iterator[LatestFrame]:
    """Run the reader for the duration of a test and insist that it stops."""
    reader.start()
    try:
        yield reader
    finally:
        assert reader.stop(LONG_S)


def await_state(reader: LatestFrame, wanted: Callable[[CameraState], bool]) -> CameraState:
    """Poll the state until it is as wanted."""
    found = poll(lambda: (state := reader.state, wanted(state))[1] and state, what="the camera")
    assert found, f"never came: last state {reader.state}"
    state: CameraState = found
    return state


QUICK = Patience(min_delay_s=0.01, max_delay_s=0.05)
