"""The file in which the daemon says how it is (see `service/daemon_status.py`). Nothing in it must survive."""

import os
from pathlib import Path
from typing import Any

from posture_daemon.store.files import file_errors, private, read_ordinary
from posture_daemon.store.json_files import parse_json
from posture_daemon.store.lock import DAEMON_LOCK, is_held, owner_of

FILE_NAME, LOCK_NAME = "status.json", DAEMON_LOCK


def replace_words(folder: Path, words: str) -> None:
    """Replace the file in one step. Raises `DataFolderError`.

    No fsync: after a power cut nobody asks how things were, and flash wears out.
    """
    partial = folder / f".{FILE_NAME}.partial"
    with file_errors(
        f"{folder / FILE_NAME}, in which the daemon says how it is, cannot be written", "; see to its disk."
    ):
        partial.unlink(missing_ok=True)  # whatever lies there: a link would be followed, a pipe waited for
        with open(partial, "x", encoding="utf-8", opener=private) as file:
            file.write(words)
        os.replace(partial, folder / FILE_NAME)


def last_words(folder: Path) -> str:
    """The file as it is; nothing when it is missing or no text."""
    try:
        return read_ordinary(folder / FILE_NAME).decode()
    except (OSError, ValueError):
        return ""


def said_in(words: str) -> dict[str, Any]:
    """What these words say; nothing when they are cut off, or another file's."""
    try:
        said = parse_json(words)
    except ValueError:
        return {}
    return said if isinstance(said, dict) and "pid" in said else {}


def stopped_cleanly(folder: Path) -> bool:
    """Whether the last daemon came to its end: neither the power nor the process was cut off."""
    return "stopped_at" in said_in(last_words(folder))


def is_damaged(folder: Path) -> bool:
    """Whether there is a status file that cannot be read."""
    return (folder / FILE_NAME).exists() and not said_in(last_words(folder))


def running_pid(folder: Path) -> int | None:
    """Process id of the daemon that holds this folder (0 when it does not say); `None` when none does."""
    lock = folder / LOCK_NAME
    return (owner_of(lock) or 0) if is_held(lock) else None
