"""Copies of the database, made while others read and write, each checked before it gets its name."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from posture_daemon.errors import DatabaseDamaged, DataFolderError
from posture_daemon.store.files import sync_file, sync_folder

RESERVE_BYTES = 100_000_000
"""What must stay free on the disk beside a copy."""

PAGES_PER_STEP = 256
"""1 MB at a time, so that the copy is never long away from Python, nor the disk from others."""

PARTIAL = ".partial"


def copy_durably(source: Path, target: Path) -> None:
    """Copy a database that others may be writing to; `target` is whole and on disk when it has its name.

    Raises `DatabaseDamaged` when the copy does not pass its check, `DataFolderError` when there is no room, `OSError` and
    SQLite's errors; then nothing half written is left.
    """
    refuse_full_disk(source, target.parent)
    partial = target.with_name(f".{target.name}{PARTIAL}")
    try:
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        copy(source, partial)
        found = damage_in(partial)
        if found is not None:
            raise DatabaseDamaged(
                f"The backup of {source} is damaged ({found}) and was not kept, so the database may be damaged too; the older "
                f"backups in {target.parent} are left as they are."
            )
        sync_file(partial)
        os.replace(partial, target)
    except BaseException:
        for path in partial.parent.glob(f"{partial.name}*"):
            path.unlink()
        raise
    sync_folder(target.parent)


def copy(source: Path, target: Path) -> None:
    """SQLite's own online backup, of one moment: the open transaction holds it, so that writers never make it begin anew."""
    with (
        closing(sqlite3.connect(source, timeout=10, isolation_level=None)) as read,
        closing(sqlite3.connect(target, isolation_level=None)) as written,
    ):
        written.execute("PRAGMA synchronous = OFF")  # it is synced as a whole, before it gets its name
        read.execute("BEGIN")
        read.execute("SELECT count(*) FROM sqlite_master").fetchone()
        read.backup(written, pages=PAGES_PER_STEP)
        read.execute("ROLLBACK")
        written.execute("PRAGMA journal_mode = DELETE").fetchone()  # one file, readable where nothing may be written


def damage_in(path: Path) -> str | None:
    """What SQLite finds wrong with a file, in one line; `None` when all its pages hang together. Changes nothing.

    It reads all of it. Raises `sqlite3.OperationalError` when that cannot be, which says nothing about the content.
    """
    try:
        with closing(reader(path)) as connection:
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        return str(error)
    return None if found == "ok" else " ".join(found.split())


def reader(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing and creates no database; one with `mode=ro` would leave side files behind."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=10)
    connection.execute("PRAGMA query_only = ON")
    return connection


def revision_in(path: Path) -> str | None:
    """The schema revision of a file; `None` when it has none, as a new one. Raises SQLite's errors."""
    with closing(reader(path)) as connection:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone() is None:
            return None
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if found is None else str(found[0])


def size_of(path: Path) -> int:
    """Bytes of a database with what is still in its WAL."""
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def refuse_full_disk(source: Path, folder: Path) -> None:
    """Raise `DataFolderError` unless a copy of `source` fits on the disk of `folder`, with the reserve."""
    needed, free = size_of(source) + RESERVE_BYTES, shutil.disk_usage(folder).free
    if free < needed:
        raise DataFolderError(
            f"There is no room for a backup in {folder}: it needs {needed / 1e6:.0f} MB with its reserve and "
            f"{free / 1e6:.0f} MB are free; free some space."
        )
