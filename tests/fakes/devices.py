"""Trees that look like a device's /proc and /sys, and a stand-in for the jtop service with the shape of its real client."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Semaphore
from types import SimpleNamespace
from typing import Any

ORIN_NANO = Path(__file__).parents[1] / "fixtures/orin-nano-jp6"
LIMIT_S = 100
"""How long a test waits for another thread before it fails."""

MEMINFO = """MemTotal:        7802968 kB
MemFree:          205120 kB
MemAvailable:    3145728 kB
SwapTotal:       3901476 kB
SwapFree:        3900452 kB
NvMapMemUsed:     524288 kB
HugePages_Total:       0
"""


def put(root: Path, path: str, text: str) -> None:
    """Write one file and the folders above it."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def add_zone(root: Path, number: int, name: str | None, temperature: str | None, *trips: tuple[str, str]) -> Path:
    """A thermal zone with its trip points in order, as type and text; with `None` the file is missing."""
    zone = root / f"sys/class/thermal/thermal_zone{number}"
    zone.mkdir(parents=True)
    files = {"type": name, "temp": temperature}
    for index, (kind, text) in enumerate(trips):
        files |= {f"trip_point_{index}_type": kind, f"trip_point_{index}_temp": text}
    for file, text in files.items():
        if text is not None:
            (zone / file).write_text(f"{text}\n" if text else "")
    return zone


@contextmanager
def offline_zone(root: Path, number: int, name: str) -> Iterator[None]:
    """A zone that answers EAGAIN, as the Orin Nano's cv zones do: a FIFO that is held open and stays empty."""
    fifo = add_zone(root, number, name, None) / "temp"
    os.mkfifo(fifo)
    descriptor = os.open(fifo, os.O_RDWR)
    try:
        yield
    finally:
        os.close(descriptor)


class JtopException(Exception):
    """As the real one: a message that may have several lines."""


class StandInJtop:
    """The service: `open` makes clients. The test says when it answers, and how it fails.

    A client that wants in waits until `door` is open, and is turned away with what `refuses` holds. Each of its `ok` waits for
    the next answer, failure or `False`.
    """

    def __init__(self) -> None:
        self.door = Event()
        self.door.set()
        self.refuses: list[BaseException] = []
        self.uptime_s = 1000.0
        self.says: dict[str, Any] = {
            "temperature": {
                "cpu": {"temp": 51.5, "online": True, "max": 84.0},
                "cv0": {"temp": -256, "online": False},
                "nvme Composite": {"temp": 38.9, "online": True},
            },
            "memory": {"RAM": {"tot": 7802968, "used": 2800000, "free": 412356, "shared": 524288}, "SWAP": {"tot": 0}},
            "power": {
                "rail": {"VDD_SOC": {"volt": 5064, "curr": 280, "power": 1417, "avg": 1400, "online": True}},
                "tot": {"volt": 5072, "curr": 1420, "power": 7202, "avg": 7100, "online": True, "name": "VDD_IN"},
            },
            "gpu": {
                "gpu": {"type": "integrated", "status": {"load": 33.4, "railgate": False}, "freq": {"cur": 306000}}
            },
            "nvpmodel": SimpleNamespace(name="15W", id=0, models=["15W", "25W", "MAXN_SUPER", "7W"]),
        }
        self.knocks = 0
        self._knocked, self._asked = Semaphore(0), Semaphore(0)
        self._steps: SimpleQueue[bool | BaseException] = SimpleQueue()

    def open(self) -> Client:
        """A client, as `jtop.jtop()`."""
        return Client(self)

    def answer(self) -> None:
        """Give one answer, and wait until the client has taken it and asks for the next."""
        self.uptime_s += 1.0
        self.answer_the_same()

    def answer_the_same(self) -> None:
        """Give the last answer once more, as a service does whose measuring has died."""
        self.until_asked()
        self._steps.put(True)
        self.until_asked()
        self._asked.release()

    def fail(self, how: bool | BaseException) -> None:
        """Let the client's `ok` raise, or return `False`."""
        self.until_asked()
        self._steps.put(how)

    def until_asked(self) -> None:
        """Wait until a client waits for an answer."""
        assert self._asked.acquire(timeout=LIMIT_S), "nobody asks"

    def until_knocked(self) -> None:
        """Wait until a client wants in."""
        assert self._knocked.acquire(timeout=LIMIT_S), "nobody knocks"

    def end(self) -> None:
        """Let every client go."""
        self.door.set()
        for _ in range(3):
            self._steps.put(False)

    def let_in(self) -> None:
        """What a client does in `start`."""
        self.knocks += 1
        self._knocked.release()
        self.door.wait()
        if self.refuses:
            raise self.refuses.pop(0)

    def next_step(self) -> bool:
        """What a client does in `ok`."""
        self._asked.release()
        step = self._steps.get()
        if isinstance(step, BaseException):
            raise step
        return step


class Client:
    """The part of `jtop.jtop` that we use, and its memory without MemAvailable, which we must not use."""

    def __init__(self, service: StandInJtop) -> None:
        self._service = service

    def __enter__(self) -> Client:
        self._service.let_in()
        return self

    def __exit__(self, *_error: object) -> bool:
        return _error[2] is None

    def ok(self) -> bool:
        """Wait for the next answer."""
        return self._service.next_step()

    @property
    def uptime(self) -> timedelta:
        """Of the board, when the service measured."""
        return timedelta(seconds=self._service.uptime_s)

    def __getattr__(self, name: str) -> Any:
        found = self._service.says[name]
        if isinstance(found, BaseException):
            raise found
        return found
