"""Durable writes: a file is complete on disk before any name or row points to it."""

import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from posture_daemon.errors import DataFolderError, DiskUnwritable

UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""What the kernel says on a disk that is full, over its quota, or read-only."""


@contextmanager
def file_errors(before: str, after: str) -> Iterator[None]:
    """Turn an `OSError` in the block into a `DataFolderError`: these words, with the reason in brackets between them."""
    try:
        yield
    except OSError as error:
        kind = DiskUnwritable if error.errno in UNWRITABLE else DataFolderError
        raise kind(f"{before} ({error.strerror}){after}") from error


def read_ordinary(path: Path, most: int = -1) -> bytes:
    """What is in a file, up to `most` bytes. Raises `OSError`, and `ValueError` for a pipe, which would be waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is no ordinary file")
        return file.read(most)


def sha256_of(data: bytes) -> str:
    """Hexadecimal SHA-256 digest."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> str:
    """The same of a file, without holding it in memory. Raises `OSError`."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 18), b""):
            digest.update(block)
    return digest.hexdigest()


def private(path: str, flags: int) -> int:
    """For `open(…, opener=private)`: the file is readable by its owner only, whatever the umask."""
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def make_private_folder(folder: Path) -> None:
    """Create a folder and its missing parents with mode 0700, whatever the umask."""
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def write_durably(path: Path, data: bytes) -> None:
    """Replace `path` by `data`: temporary file, fsync, rename, fsync the folder. After a crash it is the old or the new one."""
    make_private_folder(path.parent)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Flush a file or folder to disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` survive a power cut."""
    sync_file(folder)
