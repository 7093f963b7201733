"""The SQLite file: connection settings, transactions, schema migrations."""

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.orm import Session

from posture_daemon.errors import DatabaseDamaged, DataFolderError
from posture_daemon.store.backup import BACKUPS, Backups
from posture_daemon.store.files import file_errors
from posture_daemon.store.lock import in_turn
from posture_daemon.store.sqlite_copy import revision_in
from posture_daemon.store.sqlite_errors import user_errors

log = logging.getLogger(__name__)

FILE_NAME = "posture.db"
SCHEMA_HEAD = "0007"
"""The newest revision in `migrations/versions`; a test keeps the two equal, so that start-up need not import Alembic."""

PRAGMAS = (
    "journal_mode = WAL",  # readers never wait for the writer
    "synchronous = FULL",  # a commit survives a power cut (NORMAL may lose the last ones)
    "foreign_keys = ON",
    "busy_timeout = 10000",  # ms
    "journal_size_limit = 16777216",  # bytes: shrink the WAL after a burst
    "cache_size = -512",  # KiB: each connection of the pool has one for ever (2 MB by default); the kernel caches pages too
)


KEPT_OPEN = 3
"""Connections that are kept: the frames', the page's and a job's. More are opened for a moment only."""


class Database:
    """One SQLite file. `read()` and `write()` are the only ways to a transaction."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        """Open `folder/posture.db`, or create it; migrate, after a copy dated by `clock`. Raises `DataFolderError`."""
        self.path = folder / FILE_NAME
        self._clock = clock
        _prepare_folder(folder)
        with user_errors(self.path):
            refuse_lost(self.path)
            refuse_newer_schema(self.path)
            _make_private(self.path)
            self._engine = _engine(self.path)
            self._writer = self._engine.execution_options(begin="IMMEDIATE")
            try:
                self._migrate()
            except BaseException:
                self.close()
                raise

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session with a consistent snapshot; nothing is committed. Raises `DataFolderError`, `DatabaseDamaged`."""
        with user_errors(self.path), Session(self._engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: all of it is on disk when the block ends, or none of it.

        It takes SQLite's write lock at once (BEGIN IMMEDIATE), so that two processes wait for each other instead of failing.
        """
        with user_errors(self.path), Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close all connections; the last one folds the WAL back into the file."""
        self._engine.dispose()

    def _migrate(self) -> None:
        # When two processes switch a new file to WAL at once, SQLite fails one immediately, whatever its timeout.
        with in_turn(self.path.parent):
            with self._engine.connect() as connection:
                revision = _revision(connection)
            if revision not in (None, SCHEMA_HEAD):
                self._copy_first()
            if revision != SCHEMA_HEAD:
                with self._writer.begin() as connection:
                    if _revision(connection) != SCHEMA_HEAD:  # another process may have been faster
                        _upgrade(connection)

    def _copy_first(self) -> None:
        """Back up before a migration, for a downgrade of the program; the migration itself is atomic."""
        try:
            path = Backups(self.path, self.path.parent / BACKUPS).make_before(SCHEMA_HEAD, self._clock())
            log.info("before its schema is changed, the database was copied to %s", path)
        except DatabaseDamaged:
            raise
        except DataFolderError as error:
            log.warning("The schema is changed without a copy of the database: %s", error)


class Repository:
    """Base of the parts of the store: each reads and writes some of the tables."""

    def __init__(self, database: Database) -> None:
        self._database = database


def _prepare_folder(folder: Path) -> None:
    with file_errors(f"The data folder {folder} cannot be created", "; choose another with --data-dir."):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not os.access(folder, os.W_OK | os.X_OK) or on_read_only_mount(folder):
        raise DataFolderError(
            f"The data folder {folder} is read-only for this user; make it writable or choose another with --data-dir."
        )


def on_read_only_mount(folder: Path) -> bool:
    """Whether the file system is mounted read-only, which holds for root too."""
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def refuse_lost(path: Path) -> None:
    """Raise `DatabaseDamaged` when the database is missing or empty but has backups: a new one would hide the loss."""
    if path.exists() and (path.is_dir() or path.stat().st_size > 0):
        return
    folder = path.parent / BACKUPS
    if Backups(path, folder).list():
        raise DatabaseDamaged(
            f"The database {path} is {'empty' if path.exists() else 'gone'}, but there are backups of it; bring the newest "
            f"back with posture-daemon restore, or move {folder} away to begin anew."
        )


def refuse_newer_schema(path: Path) -> None:
    """Raise `DataFolderError` for a newer schema, before the file is opened for writing. Revisions are zero-padded."""
    if not path.exists():
        return
    revision = revision_in(path)
    if revision is not None and revision > SCHEMA_HEAD:
        raise DataFolderError(
            f"The database {path} was written by a newer posture-daemon (schema {revision}, this one knows up to "
            f"{SCHEMA_HEAD}); nothing was touched, update posture-daemon or choose another --data-dir."
        )


def _make_private(path: Path) -> None:
    """Create the file, readable by its owner only. SQLite gives its WAL files the mode of the main file."""
    if path.is_dir():  # the error of SQLite explains it
        return
    with file_errors(f"The database {path} cannot be written", "; make it and its folder writable."):
        path.touch(mode=0o600)
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)


def _engine(path: Path) -> Engine:
    # isolation_level=None: pysqlite must not begin transactions by itself, `_begin` does (SQLAlchemy's own recipe).
    # A URL of parts: in a text `?`, `#` and `%` of the folder's name would mean something.
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"isolation_level": None, "timeout": 10},
        pool_size=KEPT_OPEN,
    )
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    return engine


def _set_pragmas(connection: sqlite3.Connection, _record: Any) -> None:
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get('begin', 'DEFERRED')}")


def _revision(connection: Connection) -> str | None:
    """The schema revision in the file; `None` for a new one."""
    table = text("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")
    if connection.execute(table).first() is None:
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection) -> None:
    """Run Alembic inside the caller's transaction; a failed migration leaves the file as it was."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    # `%` is the sign of ConfigParser's interpolation.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
