"""Reads of /proc and /sys that never block and never raise: what cannot be read is `None`."""

from __future__ import annotations

import os
from pathlib import Path

MAX_BYTES = 1 << 16


def read_text(path: Path) -> str | None:
    """The text of a small file, without white space and NULs around it.

    An offline thermal zone answers EAGAIN, which `open().read()` turns into a TypeError, and which makes programs that wait
    for it hang; here it is an `OSError` like any other.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(descriptor, MAX_BYTES).decode(errors="replace").strip(" \t\r\n\0")
    except OSError:
        return None
    finally:
        os.close(descriptor)


def read_int(path: Path) -> int | None:
    """A whole number; `None` also for an empty file, and for words."""
    try:
        return int(read_text(path) or "")
    except ValueError:
        return None


def find(folder: Path, pattern: str) -> list[Path]:
    """What matches below a folder, in the order of the names; nothing where there is no folder."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:  # it went while we looked
        return []
