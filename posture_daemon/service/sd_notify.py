"""Notifications to systemd, if it started this process: ready, watchdog keep-alive, status, stopping.

The protocol of sd_notify(3) is a datagram of `KEY=value` lines to the socket that `NOTIFY_SOCKET` names.
"""

import os
import socket
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")

PINGS_PER_LIMIT = 4
"""Keep-alives sent per watchdog timeout, at most; sd_watchdog_enabled(3) recommends at least two."""


class SystemdNotifier:
    """Connection to the service manager that started us; does nothing without one. Thread-safe."""

    def __init__(
        self, address: str | None = None, watchdog_s: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`watchdog_s` is the watchdog timeout in seconds, `None` without a watchdog."""
        self._address, self._clock = address, clock
        self._ping_every_s = None if watchdog_s is None else watchdog_s / PINGS_PER_LIMIT
        self._pinged_at: float | None = None
        self._status = ""
        self._is_stopping = False

    def progress(self) -> None:
        """The capture loop made progress: sends `READY=1` the first time, then the watchdog keep-alive."""
        now = self._clock()
        if self._pinged_at is None:
            self._tell("READY=1")
        elif self._is_stopping or self._ping_every_s is None or now - self._pinged_at < self._ping_every_s:
            return
        else:
            self._tell("WATCHDOG=1")
        self._pinged_at = now

    def status(self, sentence: str) -> None:
        """Set the line of `systemctl status`; sent only when it has changed."""
        if sentence != self._status and not self._is_stopping:
            self._status = sentence
            self._tell(f"STATUS={' '.join(sentence.split())}")

    def stopping(self) -> None:
        """Announce the shutdown; no keep-alives are sent from now on."""
        self._is_stopping = True
        self._tell("STOPPING=1\nSTATUS=stopping")

    def _tell(self, message: str) -> None:
        """Send a datagram. Errors are ignored: the next message follows, or the watchdog notices."""
        if self._address is None:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out, suppress(OSError):
            out.settimeout(1.0)
            out.sendto(message.encode(), self._address)


class WatchdogBeat:
    """Watchdog policy: a step of the capture loop was progress if a frame was classified or the camera is known to be down.

    Down means lost or blind, as at night. A frame whose handling failed is no progress: if all of them fail, a restart may
    help. Neither is a camera that is silent but not yet declared lost.
    """

    def __init__(
        self, supervisor: SystemdNotifier, answered: Callable[[], int], camera_gives_nothing: Callable[[], bool]
    ) -> None:
        """`answered` returns the number of frames classified since the start."""
        self._supervisor, self._answered, self._camera_gives_nothing = supervisor, answered, camera_gives_nothing
        self._before = 0

    def after_step(self) -> None:
        """Notify systemd if the loop made progress. Called only from the thread of the capture loop."""
        now = self._answered()
        if now > self._before or self._camera_gives_nothing():
            self._before = now
            self._supervisor.progress()


def supervisor(environment: MutableMapping[str, str] | None = None) -> SystemdNotifier:
    """The notifier for the environment; removes the variables, so that child processes cannot notify in our name."""
    variables = os.environ if environment is None else environment
    address, usec, pid = (variables.pop(name, "") for name in VARIABLES)
    watched = usec.isdecimal() and int(usec) > 0 and pid in ("", str(os.getpid()))
    if not address.startswith(("/", "@")):  # vsock addresses are for virtual machines
        return SystemdNotifier()
    return SystemdNotifier(
        "\0" + address[1:] if address.startswith("@") else address, int(usec) / 1e6 if watched else None
    )
