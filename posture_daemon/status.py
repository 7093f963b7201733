"""What the daemon tells other processes, once a second: a small file, replaced in one step. Nothing in it must survive."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from posture_daemon.errors import UnwellError
from posture_daemon.store.lock import is_held, owner_of

FILE_NAME, LOCK_NAME = "status.json", "daemon.lock"

SILENT_S = 30.0
"""Seconds of silence from which a daemon is not well. It speaks every second, but a busy disk may keep it waiting."""


def write_status(folder: Path, status: dict[str, Any]) -> None:
    """Replace the file. No fsync: after a power cut nobody asks how things were, and flash wears out."""
    partial = folder / f".{FILE_NAME}.partial"
    partial.write_text(json.dumps(status))
    os.replace(partial, folder / FILE_NAME)


def read_status(folder: Path) -> dict[str, Any] | None:
    """What the running daemon last said; `None` when none runs on this folder."""
    if running_pid(folder) is None:
        return None
    try:
        status: dict[str, Any] = json.loads((folder / FILE_NAME).read_text())
    except (OSError, ValueError):
        return {}
    return status


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
