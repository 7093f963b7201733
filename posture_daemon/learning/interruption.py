"""Pausing and ending a running training, by two small files in its folder.

The parent writes `order`, the child that computes looks at it between two batches and writes `answer`. Files, because the one
that computes may be a grandchild (ultralytics), because a look costs microseconds, and because a person can read them too.
"""

import gc
import os
import re
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from posture_daemon.device.allocator import give_back
from posture_daemon.domain import Order
from posture_daemon.errors import TrainingCancelled

ORDER, ANSWER = "order", "answer"

LOOK_AGAIN_S = 0.1
"""Between two looks at the order while paused."""


def give(folder: Path, order: Order) -> None:
    """Tell the training in this folder; in one step, so that no half of a word is read."""
    _replace(folder / ORDER, order.value)


class Uninterrupted:
    """For a computation that nothing pauses or ends."""

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Compute."""
        yield

    def look(self) -> None:
        """Go on."""


UNINTERRUPTED = Uninterrupted()


class Interruption(Uninterrupted):
    """The side of the child. Threads share one; each wraps a batch of its work in `batch()`.

    `release` is called when the training pauses, in order to give memory back; what it drops is loaded again when needed.
    """

    def __init__(
        self, folder: Path, release: Callable[[], None] = lambda: None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._folder, self._release, self._sleep = folder, release, sleep
        self._lock = threading.Lock()
        self._working = 0
        self._paused = False

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Wait while paused, then compute. Raises `TrainingCancelled` when told to end."""
        self.look()
        with self._lock:
            self._working += 1
        try:
            yield
        finally:
            with self._lock:
                self._working -= 1

    def look(self) -> None:
        """Follow the order of this moment: return, wait until it is `run` again, or raise `TrainingCancelled`."""
        while (order := _read(self._folder / ORDER)) is Order.PAUSE:
            self._rest()
            self._sleep(LOOK_AGAIN_S)
        if order is Order.END:
            _replace(self._folder / ANSWER, Order.END.value)
            raise TrainingCancelled("The training was told to end for now.")
        with self._lock:
            if self._paused:
                self._paused = False
                _replace(self._folder / ANSWER, Order.RUN.value)

    def _rest(self) -> None:
        """Once nobody works any more: give back what can be given back, and say so."""
        with self._lock:
            if self._working or self._paused:
                return
            self._paused = True
            self._release()
            gc.collect()
            give_back()
            _replace(self._folder / ANSWER, Order.PAUSE.value)


def peak_memory_bytes() -> int:
    """The largest resident size of this process. Not `ru_maxrss`, which begins with that of the process that forked it."""
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return 1024 * (int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _replace(path: Path, word: str) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(word)
    os.replace(partial, path)


def _read(path: Path) -> Order | None:
    try:
        return Order(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
