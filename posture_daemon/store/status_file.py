"""What the daemon tells other processes, once a second: a small file, replaced in one step. Nothing in it must survive."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from posture_daemon.errors import UnwellError
from posture_daemon.store.files import private
from posture_daemon.store.lock import DAEMON_LOCK, is_held, owner_of

FILE_NAME, LOCK_NAME = "status.json", DAEMON_LOCK

SILENT_S = 30.0
"""Seconds of silence from which a daemon is not well. It speaks every second, but a busy disk may keep it waiting."""


def write_status(folder: Path, status: dict[str, Any]) -> None:
    """Replace the file. No fsync: after a power cut nobody asks how things were, and flash wears out."""
    partial = folder / f".{FILE_NAME}.partial"
    with open(partial, "w", encoding="utf-8", opener=private) as file:
        json.dump(status, file)
    os.replace(partial, folder / FILE_NAME)


def read_status(folder: Path) -> dict[str, Any] | None:
    """What the running daemon last said, nothing when that cannot be read; `None` when none runs on this folder."""
    return None if running_pid(folder) is None else _last_said(folder)


def stopped_cleanly(folder: Path) -> bool:
    """Whether the last daemon came to its end: neither the power nor the process was cut off."""
    return "stopped_at" in _last_said(folder)


def is_damaged(folder: Path) -> bool:
    """Whether there is a status file that cannot be read."""
    return (folder / FILE_NAME).exists() and not _last_said(folder)


def _last_said(folder: Path) -> dict[str, Any]:
    try:
        status = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return status if isinstance(status, dict) and "pid" in status else {}


def camera_trouble(folder: Path) -> str | None:
    """What is wrong with the camera of the running daemon, in one sentence; `None` when nothing is, or none runs."""
    trouble: str | None = ((read_status(folder) or {}).get("camera") or {}).get("error")
    return trouble


def running_pid(folder: Path) -> int | None:
    """Process id of the daemon that holds this folder (0 when it does not say); `None` when none does."""
    lock = folder / LOCK_NAME
    return (owner_of(lock) or 0) if is_held(lock) else None


def check_health(status: Mapping[str, Any] | None, now: float) -> None:
    """Return if the daemon that says `status` (see `read_status`) gets on at `now`, seconds since the epoch.

    Raises `UnwellError` otherwise. A lost camera is no illness: the daemon looks for it itself, and a restart would not help.
    """
    if status is None:
        raise UnwellError("No posture-daemon is running on this data folder.")
    if not status:
        raise UnwellError("The daemon has not yet told how it is.")
    silent_s = abs(now - status["written_at"])  # the clock may have been set back meanwhile
    if silent_s > SILENT_S:
        raise UnwellError(f"The daemon has said nothing for {silent_s:.0f} s.")
    if status.get("step_s", 0.0) > SILENT_S:
        raise UnwellError(f"The capture loop has hung for {status['step_s']:.0f} s.")
