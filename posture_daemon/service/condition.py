"""State of the installed service in words, from systemd and the journal."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from posture_daemon.errors import ServiceError
from posture_daemon.service import NAME
from posture_daemon.service.machine import run_system_program
from posture_daemon.service.plan import DATA

PROPERTIES = (
    "LoadState", "FragmentPath", "DropInPaths", "UnitFileState", "NeedDaemonReload", "ActiveState", "SubState", "Result",
    "MainPID", "StatusText", "ActiveEnterTimestampMonotonic", "WatchdogUSec", "WatchdogTimestampMonotonic", "NRestarts",
)  # fmt: skip

UNIT_FAILED = "d9b373ed55a64feb8242e02dbe79a49c"
"""Message id of "unit entered the failed state" in the journal, with the reason in UNIT_RESULT; since systemd 229."""

REASONS = {
    "watchdog": "its capture loop gave no sign of life, and the watchdog ended it",
    "exit-code": "it ended with an error",
    "signal": "it was killed",
    "core-dump": "it crashed",
    "oom-kill": "memory ran out",
    "timeout": "it took too long to start or stop",
    "resources": "systemd could not start it",
    "protocol": "it ended before it was ready",
}

STATES = {
    ("active", "running"): "runs",
    ("activating", "auto-restart"): "waits to be started again",
    ("activating", "start"): "is starting",
    ("deactivating", "stop-sigterm"): "is stopping",
    ("failed", "failed"): "has failed",
    ("inactive", "dead"): "does not run",
}


@dataclass(frozen=True)
class LastFailure:
    """The last failure of the service: time in seconds since the epoch, and systemd's result code."""

    at: float
    result: str


@dataclass(frozen=True)
class Condition:
    """State of the service: whether it runs, and lines for the owner."""

    runs: bool
    lines: tuple[str, ...]


def condition() -> Condition:
    """Ask systemd and the journal. Raises `ServiceError` where there is no systemd."""
    return in_words(_shown(), _last_ending(), time.time(), time.monotonic())


def in_words(shown: Mapping[str, str], ending: LastFailure | None, now: float, monotonic: float) -> Condition:
    """The condition, from `PROPERTIES` as systemd shows them; `monotonic` is CLOCK_MONOTONIC in seconds."""
    if shown.get("LoadState") != "loaded":
        return Condition(False, ("installed: no; `sudo posture-daemon service install` does that",))
    state = shown.get("ActiveState", ""), shown.get("SubState", "")
    starts = "yes" if shown.get("UnitFileState") == "enabled" else "no"
    lines = [
        f"installed: {_files(shown)}",
        f"starts with the machine: {starts}",
        f"now: it {STATES.get(state, ' '.join(state))}{_since(shown, now, monotonic)}",
    ]
    if shown.get("StatusText"):
        lines.append(f"it says: {shown['StatusText']}")
    lines += [f"watchdog: {_watchdog(shown, monotonic)}", f"started again: {_restarts(shown, ending)}"]
    lines += [f"data: {DATA}", f"log: journalctl -u {NAME} -f; only what went wrong: journalctl -u {NAME} -p warning"]
    return Condition(state[0] == "active", tuple(lines))


def _files(shown: Mapping[str, str]) -> str:
    drop_ins = [path.rpartition("/")[2] for path in shown.get("DropInPaths", "").split()]
    reload = "; changed since systemd has read it: sudo systemctl daemon-reload" * (
        shown.get("NeedDaemonReload") == "yes"
    )
    return shown.get("FragmentPath", "") + (f" with {', '.join(drop_ins)}" if drop_ins else "") + reload


def _since(shown: Mapping[str, str], now: float, monotonic: float) -> str:
    """Start time, computed from monotonic times, which do not jump when the wall clock is set."""
    entered = _seconds(shown.get("ActiveEnterTimestampMonotonic"))
    if shown.get("ActiveState") != "active" or entered is None:
        return ""
    return f" since {_time(now - (monotonic - entered))} (process {shown.get('MainPID')})"


def _watchdog(shown: Mapping[str, str], monotonic: float) -> str:
    limit = shown.get("WatchdogUSec", "0")
    if limit in ("0", "infinity"):
        return "off"
    last = _seconds(shown.get("WatchdogTimestampMonotonic"))
    if shown.get("ActiveState") != "active" or last is None:
        return f"after {limit} without an answered frame"
    return f"after {limit} without an answered frame; the last sign of life was {max(0.0, monotonic - last):.0f} s ago"


def _restarts(shown: Mapping[str, str], ending: LastFailure | None) -> str:
    number = shown.get("NRestarts", "0")
    last = "" if ending is None else f"; {_time(ending.at)}: {REASONS.get(ending.result, ending.result)}"
    times = "never since it was last started" if number == "0" else f"{number} times since it was last started by hand"
    return times + last


def _seconds(microseconds: str | None) -> float | None:
    return int(microseconds) / 1e6 if microseconds and microseconds.isdecimal() and int(microseconds) > 0 else None


def _time(at: float) -> str:
    return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M:%S")


def _shown() -> dict[str, str]:
    try:
        done = run_system_program("systemctl", "show", NAME, f"--property={','.join(PROPERTIES)}")
    except (OSError, ServiceError):
        raise ServiceError("There is no systemd on this machine.") from None
    if done.returncode != 0:
        raise ServiceError(f"systemd does not answer: {' '.join(done.stderr.split())}")
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def _last_ending() -> LastFailure | None:
    """The newest failure in the journal, as far as this user may read it."""
    matches = [f"MESSAGE_ID={UNIT_FAILED}", f"UNIT={NAME}.service"]
    try:
        entry = json.loads(
            run_system_program("journalctl", "--quiet", "--output=json", "--lines=1", *matches).stdout or "null"
        )
    except (OSError, ServiceError, ValueError):
        return None
    if entry is None:
        return None
    return LastFailure(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, entry.get("UNIT_RESULT", ""))
