"""Online copies of the database, made while others read and write, and checked before they get their name."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from posture_daemon.errors import DatabaseDamaged, DataFolderError
from posture_daemon.store.files import sync_file, sync_folder

RESERVE_BYTES = 100_000_000
"""Free disk space that a copy must leave."""

PAGES_PER_STEP = 256
"""1 MB per step, so that a copy blocks neither Python nor the disk for long."""

PARTIAL = ".partial"


def copy_durably(source: Path, target: Path) -> None:
    """Copy a database that others may be writing to; `target` is whole and on disk when it has its name.

    Raises `DatabaseDamaged` when the copy fails its check, `DataFolderError` when there is no room, `OSError` and SQLite's
    errors; then no partial file is left.
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
    """SQLite's online backup inside a read transaction, so that concurrent writers do not restart it."""
    with (
        closing(sqlite3.connect(source, timeout=10, isolation_level=None)) as read,
        closing(sqlite3.connect(target, isolation_level=None)) as written,
    ):
        written.execute("PRAGMA synchronous = OFF")  # the whole file is synced before it gets its name
        read.execute("BEGIN")
        read.execute("SELECT count(*) FROM sqlite_master").fetchone()
        read.backup(written, pages=PAGES_PER_STEP)
        read.execute("ROLLBACK")
        written.execute("PRAGMA journal_mode = DELETE").fetchone()  # one file, readable where nothing may be written


def damage_in(path: Path) -> str | None:
    """Result of SQLite's quick_check in one line, `None` if the file is sound. Read-only, reads the whole file.

    Raises `sqlite3.OperationalError` when the file cannot be read, which says nothing about its content.
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
    """A read-only connection that creates no database; `mode=ro` would leave WAL files behind."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=10)
    connection.execute("PRAGMA query_only = ON")
    return connection


def revision_in(path: Path) -> str | None:
    """Schema revision of a file; `None` for a new one. Raises SQLite's errors."""
    with closing(reader(path)) as connection:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone() is None:
            return None
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if found is None else str(found[0])


def size_of(path: Path) -> int:
    """Size of a database including its WAL, bytes."""
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
