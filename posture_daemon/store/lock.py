"""One daemon, and one training, per data folder: an advisory lock that the kernel releases when its process dies."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from posture_daemon.errors import DataFolderError
from posture_daemon.store.files import file_errors, read_ordinary

DAEMON_LOCK = "daemon.lock"
"""Held in the data folder by its daemon."""

TRAINING_LOCK = "training.lock"
"""Held in the data folder by the one process that trains."""


@contextmanager
def exclusive(path: Path) -> Iterator[bool]:
    """Hold the lock file `path` for the block; yields False at once when another process holds it.

    The file holds the process id of its owner, for people; it is never deleted, since a deleted lock file can be held twice.
    Raises `DataFolderError` for what is no ordinary file.
    """
    descriptor = _open(path, os.O_RDWR | os.O_CREAT)
    try:
        if not _try_lock(descriptor):
            yield False
            return
        _sign(descriptor, path)
        yield True
    finally:
        os.close(descriptor)


@contextmanager
def in_turn(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder for the block, waiting for other processes. Leaves no file behind."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """True while another process holds the lock file. Takes a shared lock for a moment, so that checks do not collide.

    Raises `DataFolderError` for what is no ordinary file.
    """
    try:
        descriptor = _open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _open(path: Path, flags: int) -> int:
    """Descriptor of a lock file. A pipe would wait for somebody at its other end, and two programs could meet at a device."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataFolderError(f"{path} is no ordinary file, as a lock must be; move it away.")
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)


def _try_lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def taken_at(path: Path) -> int | None:
    """When the lock was last taken, ns since the epoch; `None` for never. Reads only the time stamp of the file."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _sign(descriptor: int, path: Path) -> None:
    with file_errors(f"The file {path} cannot be written", "; free some space."):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def owner_of(path: Path) -> int | None:
    """Process id of the last holder of the lock file, if it is readable."""
    try:
        return int(read_ordinary(path))
    except (OSError, ValueError):
        return None
