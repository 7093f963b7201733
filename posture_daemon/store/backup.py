"""Backups: a folder of checked copies of the database, of which the newest are kept.

A copy holds the whole database: labels, pictures, history, model records. The model files that it needs lie beside the
copies in `models/`; see `model_copies`. The feature cache is derived and is not backed up.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from posture_daemon.store.files import file_errors, make_private_folder
from posture_daemon.store.lock import in_turn
from posture_daemon.store.place import refuse_long
from posture_daemon.store.sqlite_copy import PARTIAL, copy_durably, damage_in, revision_in
from posture_daemon.store.sqlite_errors import user_errors

BACKUPS = "backups"
"""The folder in the data folder."""

_TIME = "%Y%m%d-%H%M%S"
_NAME = re.compile(r"posture-(\d{8}-\d{6})(?:-before-(\d{4}))?\.db")


@dataclass(frozen=True)
class BackupFile:
    """A copy that passed its check when it was made; `made_at` is from its name, s since the epoch, to the second.

    `before` is set for a copy made before a migration: the schema revision migrated to. Rotation does not delete such a copy.
    """

    path: Path
    made_at: float
    size_bytes: int
    before: str | None = None


class Backups:
    """The folder of copies, `posture-YYYYMMDD-HHMMSS.db` (UTC), readable by their owner only."""

    def __init__(self, source: Path, folder: Path) -> None:
        """`source` is the database file, `folder` that of its copies."""
        self._source, self.folder = source, folder

    def make(self, now: float, keep: int) -> Path:
        """Copy the database, check the copy, then delete all but the newest `keep` (at least this one).

        Writers are not blocked. Raises `DataFolderError` when the disk has no room, or the copy fails or is damaged; then no
        partial file is left and no older copy is deleted.
        """
        path = self.folder / f"posture-{_stamp(now)}.db"
        with self._in_turn():
            copy_durably(self._source, path)
            self._rotate(path, keep, now)
        return path

    def make_before(self, revision: str, now: float) -> Path:
        """Make a copy before a migration; only the last of this kind is kept. Raises `DataFolderError`."""
        path = self.folder / f"posture-{_stamp(now)}-before-{revision}.db"
        with self._in_turn():
            copy_durably(self._source, path)
            for backup in self.list():
                if backup.before is not None and backup.path != path:
                    backup.path.unlink()
        return path

    def list(self) -> list[BackupFile]:
        """All copies, newest first; files of other names are ignored."""
        found = []
        for path in self.folder.glob("posture-*.db"):
            match = _NAME.fullmatch(path.name)
            made_at = None if match is None else _time_in(match[1])
            if match is not None and made_at is not None:
                found.append(BackupFile(path, made_at, path.stat().st_size, match[2]))
        return sorted(found, key=lambda backup: backup.made_at, reverse=True)

    def newest_good(self, now: float) -> BackupFile | None:
        """The newest copy that passes its check; those dated after `now` come last. Checks one after the other."""
        newest = sorted(self.list(), key=lambda backup: (backup.made_at <= now, backup.made_at), reverse=True)
        return next((backup for backup in newest if is_good(backup.path)), None)

    def newest_at(self, now: float = float("inf")) -> float | None:
        """When the newest copy was made, ignoring those that a wrong clock dated after `now`; `None` without any."""
        return max((backup.made_at for backup in self.list() if backup.made_at <= now), default=None)

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Serialise backups: a second one would delete the unfinished file of the first."""
        cannot = f"No backup can be made in {self.folder}"
        with user_errors(self._source), file_errors(cannot, "; older ones are left as they are."):
            refuse_long(self.folder, "The folder of backups")
            make_private_folder(self.folder)
            with in_turn(self.folder):
                for path in self.folder.glob(f".posture-*{PARTIAL}*"):  # of a process that was killed
                    path.unlink()
                yield

    def _rotate(self, made: Path, keep: int, now: float) -> None:
        """Delete copies beyond `keep`, those dated after `now` first, then the oldest; never `made`."""
        others = [backup for backup in self.list() if backup.path != made and backup.before is None]
        others.sort(key=lambda backup: (backup.made_at <= now, backup.made_at), reverse=True)
        for backup in others[max(0, keep - 1) :]:
            backup.path.unlink()


def is_good(path: Path) -> bool:
    """Whether a file is an undamaged database of posture-daemon."""
    try:
        return damage_in(path) is None and revision_in(path) is not None
    except sqlite3.Error:
        return False


def _stamp(now: float) -> str:
    return datetime.fromtimestamp(now, timezone.utc).strftime(_TIME)


def _time_in(text: str) -> float | None:
    try:
        return datetime.strptime(f"{text}+0000", f"{_TIME}%z").timestamp()
    except ValueError:  # not a valid date
        return None
