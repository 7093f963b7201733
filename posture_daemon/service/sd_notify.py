"""What systemd is told, if it started this process: ready, still getting on, what it is doing, stopping.

The protocol of sd_notify(3) is a datagram of `KEY=value` lines to the socket that `NOTIFY_SOCKET` names.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")

PINGS_PER_LIMIT = 4
"""How often within the watchdog's limit progress is told, at most; sd_watchdog_enabled(3) asks for twice at least."""


class SystemdNotifier:
    """The service manager that started us; without one, every call does nothing. Safe from any thread."""

    def __init__(
        self, address: str | None = None, watchdog_s: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`watchdog_s` is the silence after which we are killed; `None`: there is no watchdog."""
        self._address, self._clock = address, clock
        self._ping_every_s = None if watchdog_s is None else watchdog_s / PINGS_PER_LIMIT
        self._pinged_at: float | None = None
        self._status = ""
        self._is_stopping = False

    def progress(self) -> None:
        """The capture loop got on: the first time this is `READY=1`, then it feeds the watchdog. Call it for nothing else."""
        now = self._clock()
        if self._pinged_at is None:
            self._tell("READY=1")
        elif self._is_stopping or self._ping_every_s is None or now - self._pinged_at < self._ping_every_s:
            return
        else:
            self._tell("WATCHDOG=1")
        self._pinged_at = now

    def status(self, sentence: str) -> None:
        """One line for `systemctl status`; said again only when it has changed."""
        if sentence != self._status and not self._is_stopping:
            self._status = sentence
            self._tell(f"STATUS={' '.join(sentence.split())}")

    def stopping(self) -> None:
        """From now on the silence of the loop is no fault."""
        self._is_stopping = True
        self._tell("STOPPING=1\nSTATUS=stopping")

    def _tell(self, message: str) -> None:
        """A lost message is no reason to fail: the next one comes, or the watchdog finds out."""
        if self._address is None:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out, suppress(OSError):
            out.settimeout(1.0)
            out.sendto(message.encode(), self._address)


class WatchdogBeat:
    """Whether a step of the capture loop was progress: an answered frame is, and the wait for a camera known to give nothing.

    Such a camera is lost, or sees nothing, as at night. A frame that could not be handled is no progress: when all of them
    fail, a new process may be the cure. Nor is a silence that nobody has noticed yet.
    """

    def __init__(
        self, supervisor: SystemdNotifier, answered: Callable[[], int], camera_gives_nothing: Callable[[], bool]
    ) -> None:
        """`answered` counts the frames that the model has answered since the start."""
        self._supervisor, self._answered, self._camera_gives_nothing = supervisor, answered, camera_gives_nothing
        self._before = 0

    def after_step(self) -> None:
        """Tell the supervisor, if the loop got on. Called by the capture loop's own thread and by nobody else."""
        now = self._answered()
        if now > self._before or self._camera_gives_nothing():
            self._before = now
            self._supervisor.progress()


def supervisor(environment: MutableMapping[str, str] | None = None) -> SystemdNotifier:
    """The one that the environment names; its variables are taken out, so that no child process speaks in our name."""
    variables = os.environ if environment is None else environment
    address, usec, pid = (variables.pop(name, "") for name in VARIABLES)
    watched = usec.isdecimal() and int(usec) > 0 and pid in ("", str(os.getpid()))
    if not address.startswith(("/", "@")):  # vsock addresses are for virtual machines
        return SystemdNotifier()
    return SystemdNotifier(
        "\0" + address[1:] if address.startswith("@") else address, int(usec) / 1e6 if watched else None
    )
