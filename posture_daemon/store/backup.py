"""Backups: the folder of checked copies, the newest of which stay.

A copy holds all that is in the database: labels, pictures, history, what is known about every model. Beside the copies, in
`models/`, lie the model files that they need in order to answer; see `spares`. The feature cache is derived and needs none.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from posture_daemon.errors import DataFolderError
from posture_daemon.store.files import make_private_folder
from posture_daemon.store.lock import in_turn
from posture_daemon.store.sqlite_copy import PARTIAL, copy_durably, damage_in, revision_in
from posture_daemon.store.sqlite_errors import user_errors

BACKUPS = "backups"
"""The folder in the data folder."""

_TIME = "%Y%m%d-%H%M%S"
_NAME = re.compile(r"posture-(\d{8}-\d{6})(?:-before-(\d{4}))?\.db")


@dataclass(frozen=True)
class BackupFile:
    """A copy that was whole when it was made; `made_at` as its name says, to the second.

    `before` names the schema for which it was made; such a copy is of the schema before that, and no other pushes it out.
    """

    path: Path
    made_at: float
    size_bytes: int
    before: str | None = None


class Backups:
    """The folder of copies, `posture-YYYYMMDD-HHMMSS.db` (UTC), for their owner's eyes alone."""

    def __init__(self, source: Path, folder: Path) -> None:
        """Of the database file `source`."""
        self._source, self.folder = source, folder

    def make(self, now: float, keep: int) -> Path:
        """Copy the database, check the copy, then delete all but the newest `keep` (at least this one).

        No writer waits for it. Raises `DataFolderError` before it begins when the disk has no room for it, and when the copy
        fails or is damaged; then nothing half written is left and no older one is deleted.
        """
        path = self.folder / f"posture-{_stamp(now)}.db"
        with self._in_turn():
            copy_durably(self._source, path)
            self._rotate(path, keep, now)
        return path

    def make_before(self, revision: str, now: float) -> Path:
        """The same before a change of the schema; only the last one of this kind stays. Raises `DataFolderError`."""
        path = self.folder / f"posture-{_stamp(now)}-before-{revision}.db"
        with self._in_turn():
            copy_durably(self._source, path)
            for backup in self.list():
                if backup.before is not None and backup.path != path:
                    backup.path.unlink()
        return path

    def list(self) -> list[BackupFile]:
        """All copies, newest first. Files of other names are not ours."""
        found = []
        for path in self.folder.glob("posture-*.db"):
            match = _NAME.fullmatch(path.name)
            made_at = None if match is None else _time_in(match[1])
            if match is not None and made_at is not None:
                found.append(BackupFile(path, made_at, path.stat().st_size, match[2]))
        return sorted(found, key=lambda backup: backup.made_at, reverse=True)

    def newest_good(self, now: float) -> BackupFile | None:
        """The newest that is sound today, one dated after `now` only without any other. Reads as many as it takes."""
        newest = sorted(self.list(), key=lambda backup: (backup.made_at <= now, backup.made_at), reverse=True)
        return next((backup for backup in newest if is_good(backup.path)), None)

    def newest_at(self, now: float = float("inf")) -> float | None:
        """When the newest copy was made; one that a wrong clock dated after `now` does not count. `None` without any."""
        return max((backup.made_at for backup in self.list() if backup.made_at <= now), default=None)

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Of two at once the second would take the first one's file for a leftover."""
        with user_errors(self._source), _folder_errors(self.folder):
            make_private_folder(self.folder)
            with in_turn(self.folder):
                self._remove_leftovers()
                yield

    def _remove_leftovers(self) -> None:
        """Of a process that was killed in the middle."""
        for path in self.folder.glob(f".posture-*{PARTIAL}*"):
            path.unlink()

    def _rotate(self, made: Path, keep: int, now: float) -> None:
        """Delete the oldest beyond `keep`; what a wrong clock dated after `now` goes first, and what was just made never."""
        others = [backup for backup in self.list() if backup.path != made and backup.before is None]
        others.sort(key=lambda backup: (backup.made_at <= now, backup.made_at), reverse=True)
        for backup in others[max(0, keep - 1) :]:
            backup.path.unlink()


def is_good(path: Path) -> bool:
    """Whether a file is a sound database of ours."""
    try:
        return damage_in(path) is None and revision_in(path) is not None
    except sqlite3.Error:
        return False


def _stamp(now: float) -> str:
    return datetime.fromtimestamp(now, timezone.utc).strftime(_TIME)


def _time_in(text: str) -> float | None:
    try:
        return datetime.strptime(f"{text}+0000", f"{_TIME}%z").timestamp()
    except ValueError:  # digits, but no day
        return None


@contextmanager
def _folder_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataFolderError(
            f"No backup can be made in {folder} ({error.strerror}); older ones are left as they are."
        ) from error
