"""What the daemon tells other processes, once a second: a small file, replaced in one step. Nothing in it must survive."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from posture_daemon.store.lock import is_held, owner_of

FILE_NAME, LOCK_NAME = "status.json", "daemon.lock"


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


def camera_trouble(folder: Path) -> str | None:
    """What is wrong with the camera of the running daemon, in one sentence; `None` when nothing is, or none runs."""
    trouble: str | None = ((read_status(folder) or {}).get("camera") or {}).get("error")
    return trouble


def running_pid(folder: Path) -> int | None:
    """Process id of the daemon that holds this folder (0 when it does not say); `None` when none does."""
    lock = folder / LOCK_NAME
    return (owner_of(lock) or 0) if is_held(lock) else None
