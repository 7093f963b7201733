"""Values of the jtop service, read in a thread of their own because the jtop client can block for ever on a hung service.

Only that thread uses the client; callers get the last snapshot if it is fresh.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import Any, TypeVar

from posture_daemon.adapters.probes.thermal import plausible

log = logging.getLogger(__name__)

FRESH_S = 3.0
"""Age from which a snapshot is no longer used."""

MIN_PAUSE_S, MAX_PAUSE_S = 5.0, 300.0
"""Pause between two attempts to connect, doubled after each failure up to the maximum."""

CLOSE_S = 1.0

Value = TypeVar("Value")


@dataclass(frozen=True)
class JtopSnapshot:
    """One answer of jtop. `heard_at` is in monotonic seconds; `celsius` holds the online sensors by jtop's names."""

    heard_at: float = 0.0
    celsius: Mapping[str, float] = field(default_factory=dict)
    gpu_percent: float | None = None
    power_watts: float | None = None
    power_mode: str | None = None
    uptime_s: float | None = None


class JtopReader:
    """Reads the jtop service from `start` to `close`. No method blocks on the service; `wait` and `close` have timeouts."""

    def __init__(
        self,
        open_client: Callable[[], Any] | None = None,
        pause_first_s: float = MIN_PAUSE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open, self._pause_first_s, self._clock = open_client or _open_client, pause_first_s, clock
        self._lock, self._stop, self._heard = Lock(), Event(), Event()
        self._thread: Thread | None = None
        self._snapshot: JtopSnapshot | None = None
        self._problem: str | None = None
        self._asked_at: float | None = None  # None: no request is pending
        self._uptime_s: float | None = None

    def start(self) -> None:
        """Start the thread, unless it was started or closed already: there is never more than one."""
        with self._lock:
            if self._thread is None and not self._stop.is_set():
                self._thread = Thread(target=self._run, name="jtop", daemon=True)
                self._thread.start()

    def latest(self) -> JtopSnapshot | None:
        """The last answer if it is younger than `FRESH_S`."""
        found = self._snapshot
        return found if found is not None and self._clock() - found.heard_at < FRESH_S else None

    @property
    def why(self) -> str:
        """Why `latest` is `None`, in words."""
        asked_at, problem = self._asked_at, self._problem
        silent = 0.0 if asked_at is None else self._clock() - asked_at
        if silent >= FRESH_S:
            return f"the service has not answered for {silent:.0f} s"
        return problem or "the service has not answered yet"

    def wait(self, max_s: float) -> None:
        """Wait at most `max_s` seconds for the first answer or failure."""
        self._heard.wait(max_s)

    def close(self) -> None:
        """Stop the thread; a daemon thread that hangs in the client is abandoned after `CLOSE_S`."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            self._asked_at = self._clock()
            try:
                self._listen()
                problem = "the service stopped answering"
            except ImportError:
                self._fail("jetson-stats is not installed in this environment")
                return
            except BaseException as error:  # a client that fails in whatever way must not end the thread
                problem = " ".join(str(error).split()) or type(error).__name__
            failures = failures + 1 if self._snapshot is None else 1
            self._fail(problem)
            self._stop.wait(pause_s(failures, self._pause_first_s))

    def _listen(self) -> None:
        """Read as long as the client answers; `ok` waits a few seconds at most for the next answer."""
        with self._open() as client:
            while not self._stop.is_set() and client.ok():
                self._keep(snapshot_of(client, self._clock()))

    def _keep(self, heard: JtopSnapshot) -> None:
        """Store an answer. A service that no longer measures repeats its last one, with the same uptime: that is ignored."""
        if heard.uptime_s is not None and heard.uptime_s == self._uptime_s:
            return
        self._snapshot, self._asked_at, self._problem = heard, heard.heard_at, None
        self._uptime_s = heard.uptime_s
        self._heard.set()

    def _fail(self, problem: str) -> None:
        if problem != self._problem and not self._stop.is_set():
            log.info("jtop: %s; /sys is read instead", problem)
        self._snapshot, self._problem, self._asked_at = None, problem, None
        self._heard.set()


def pause_s(failures: int, first_s: float = MIN_PAUSE_S) -> float:
    """Exponential back-off: seconds to wait after `failures` failures in a row."""
    return min(first_s * 2.0 ** min(failures - 1, 30), MAX_PAUSE_S)


def snapshot_of(client: Any, heard_at: float) -> JtopSnapshot:
    """Read all values of a client. One that is missing or malformed in this version of jtop becomes `None`."""
    return JtopSnapshot(
        heard_at,
        _or_none(lambda: _celsius(client.temperature)) or {},
        _or_none(lambda: _gpu_percent(client.gpu)),
        _or_none(lambda: _power_watts(client.power)),
        _or_none(lambda: str(client.nvpmodel.name or "") or None),  # `nvpmodel` is None without power modes
        _or_none(lambda: float(client.uptime.total_seconds())),
    )


def _or_none(read: Callable[[], Value | None]) -> Value | None:
    try:
        return read()
    except Exception as error:
        log.debug("jtop: unexpected shape: %r", error)
        return None


def _celsius(sensors: Any) -> dict[str, float]:
    """°C by sensor; an offline sensor reports -256 with `online` false."""
    found = {name: plausible(float(sensor["temp"])) for name, sensor in sensors.items() if sensor.get("online", True)}
    return {str(name): celsius for name, celsius in found.items() if celsius is not None}


def _gpu_percent(gpus: Any) -> float | None:
    """Load of the busiest GPU, 0-100. jtop reports 0 where NVML does not know the load; that is ignored."""
    loads = [
        float(gpu["status"]["load"])
        for gpu in gpus.values()
        if "load" in gpu["status"] and (gpu.get("power_control") != "nvml" or gpu["status"]["load"])
    ]
    return next((load for load in sorted(loads, reverse=True) if 0 <= load <= 100), None)


def _power_watts(power: Any) -> float | None:
    """Watts of the whole board; 0 is not a measurement. jtop has `{}` for a board without a power monitor."""
    watts = float(power["tot"]["power"]) / 1000
    return watts if watts > 0 else None


def _open_client() -> Any:
    """The jtop client, without its thread that loads cuDNN and TensorRT and runs dpkg to report their versions."""
    from jtop import jtop

    return type("Client", (jtop,), {"_load_jetson_libraries": lambda _self: None})()
