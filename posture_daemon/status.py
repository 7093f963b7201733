"""What the daemon tells other processes, once a second: a small file, replaced in one step. Nothing in it must survive."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from posture_daemon.store.files import private
from posture_daemon.store.lock import DAEMON_LOCK, is_held, owner_of

FILE_NAME, LOCK_NAME = "status.json", DAEMON_LOCK


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


def running_pid(folder: Path) -> int | None:
    """Process id of the daemon that holds this folder (0 when it does not say); `None` when none does."""
    lock = folder / LOCK_NAME
    return (owner_of(lock) or 0) if is_held(lock) else None
