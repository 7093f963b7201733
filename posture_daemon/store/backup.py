"""Copies of the database, made while others read and write, each checked before it counts.

A copy holds all that is in the database: labels, pictures, history, what is known about every model. Model files are not
in it: they lie beside the database in `models/`, found by their content and never changed. So a whole backup is a copy
from here and the folder `models/`. The feature cache is derived and needs none.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from posture_daemon.errors import DataFolderError
from posture_daemon.store.database import Database, user_errors
from posture_daemon.store.files import sync_folder
from posture_daemon.store.lock import in_turn

RESERVE_BYTES = 100_000_000
"""What must stay free on the disk beside the copy."""

PAGES_PER_STEP = 256
"""1 MB at a time, so that the copy is never long away from Python, nor the disk from others."""

PARTIAL = ".partial"
_TIME = "%Y%m%d-%H%M%S"
_NAME = re.compile(r"posture-(\d{8}-\d{6})\.db")


@dataclass(frozen=True)
class BackupFile:
    """A whole, checked copy; `made_at` as its name says, to the second."""

    path: Path
    made_at: float
    size_bytes: int


class Backups:
    """The folder of copies, `posture-YYYYMMDD-HHMMSS.db` (UTC), for their owner's eyes alone."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database, self.folder = database, folder

    def make(self, now: float, keep: int) -> Path:
        """Copy the database, check the copy, then delete all but the newest `keep` (at least this one).

        No writer waits for it. Raises `DataFolderError` before it begins when the disk has no room for it, and when the copy
        fails or is damaged; then nothing half written is left and no older one is deleted.
        """
        path = self.folder / f"posture-{datetime.fromtimestamp(now, timezone.utc):{_TIME}}.db"
        with user_errors(self._database.path), _folder_errors(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with in_turn(self.folder):  # of two at once the second would take the first one's file for a leftover
                self._remove_leftovers()
                self._refuse_full_disk()
                self._copy_durably(path)
                self._rotate(path, keep, now)
        return path

    def list(self) -> list[BackupFile]:
        """All copies, newest first. Files of other names are not ours."""
        names = {path: _NAME.fullmatch(path.name) for path in self.folder.glob("posture-*.db")}
        found = [BackupFile(p, _time_in(match[1]), p.stat().st_size) for p, match in names.items() if match]
        return sorted(found, key=lambda backup: backup.made_at, reverse=True)

    def newest_at(self, now: float = float("inf")) -> float | None:
        """When the newest copy was made; one that a wrong clock dated after `now` does not count. `None` without any."""
        return max((backup.made_at for backup in self.list() if backup.made_at <= now), default=None)

    def _remove_leftovers(self) -> None:
        """Of a process that was killed in the middle."""
        for path in self.folder.glob(f".posture-*{PARTIAL}*"):
            path.unlink()

    def _refuse_full_disk(self) -> None:
        source = self._database.path
        wal = source.with_name(f"{source.name}-wal")
        needed = source.stat().st_size + (wal.stat().st_size if wal.exists() else 0) + RESERVE_BYTES
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise DataFolderError(
                f"There is no room for a backup in {self.folder}: it needs {needed / 1e6:.0f} MB with its reserve and "
                f"{free / 1e6:.0f} MB are free; free some space."
            )

    def _copy_durably(self, path: Path) -> None:
        partial = path.with_name(f".{path.name}{PARTIAL}")
        try:
            os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            _copy(self._database.path, partial)
            self._refuse_damage(partial)
            _sync(partial)
            os.replace(partial, path)
        except BaseException:
            self._remove_leftovers()
            raise
        sync_folder(self.folder)

    def _refuse_damage(self, partial: Path) -> None:
        with closing(sqlite3.connect(f"{partial.absolute().as_uri()}?mode=ro", uri=True)) as copy:
            found = str(copy.execute("PRAGMA quick_check(1)").fetchone()[0])
        if found != "ok":
            raise DataFolderError(
                f"The backup of {self._database.path} is damaged ({' '.join(found.split())}) and was not kept, so the "
                f"database may be damaged too; the older backups in {self.folder} are left as they are."
            )

    def _rotate(self, made: Path, keep: int, now: float) -> None:
        """Delete the oldest beyond `keep`; what a wrong clock dated after `now` goes first, and what was just made never."""
        others = [backup for backup in self.list() if backup.path != made]
        others.sort(key=lambda backup: (backup.made_at <= now, backup.made_at), reverse=True)
        for backup in others[max(0, keep - 1) :]:
            backup.path.unlink()


def _copy(source: Path, target: Path) -> None:
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


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _time_in(text: str) -> float:
    return datetime.strptime(f"{text}+0000", f"{_TIME}%z").timestamp()


@contextmanager
def _folder_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataFolderError(
            f"No backup can be made in {folder} ({error.strerror}); older ones are left as they are."
        ) from error
