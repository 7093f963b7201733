"""Reads of /proc and /sys that never block and never raise; an unreadable file is `None`."""

import os
from pathlib import Path

PIECE_BYTES = 1 << 16
MAX_BYTES = 1 << 20
"""A machine with many containers has some hundred thousand bytes of mounts; nothing else that is read here is large."""


def read_text(path: Path) -> str | None:
    """A file without white space and NULs. Not blocking: an offline thermal zone answers EAGAIN, on which readers hang."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        data = b""
        while len(data) < MAX_BYTES and (piece := os.read(descriptor, PIECE_BYTES)):
            data += piece  # lists such as /proc/self/mountinfo come page by page
        return data.decode(errors="replace").strip(" \t\r\n\0")
    except OSError:
        return None
    finally:
        os.close(descriptor)


def read_int(path: Path) -> int | None:
    """The integer in a file; `None` also for an empty file or other text."""
    try:
        return int(read_text(path) or "")
    except ValueError:
        return None


def find(folder: Path, pattern: str) -> list[Path]:
    """Matching paths below a folder, sorted by name; empty if the folder does not exist."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:  # it was removed meanwhile
        return []
