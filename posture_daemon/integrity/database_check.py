"""Integrity check of the database at the start of the daemon, and automatic restore of a backup."""

import logging
from datetime import datetime, timezone
from pathlib import Path

from posture_daemon.errors import DatabaseDamaged
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.backup import BACKUPS, BackupFile, Backups
from posture_daemon.store.database import FILE_NAME, refuse_lost, refuse_newer_schema
from posture_daemon.store.files import read_ordinary, write_durably
from posture_daemon.store.restore import Restored, restore
from posture_daemon.store.sqlite_copy import damage_in, size_of
from posture_daemon.store.sqlite_errors import user_errors
from posture_daemon.store.status_file import stopped_cleanly

log = logging.getLogger(__name__)

MAX_BYTES_AT_EVERY_START = 256_000_000
"""Up to this size the database is checked at every start; a slow SD card takes three seconds for it."""

DYING_DISK_S = 7 * 86_400.0
"""If the database is damaged again within this time the disk may be failing: nothing is restored automatically."""

RESTORED = "restored"
"""File with the time of the last automatic restore, seconds since the epoch."""


def check_database(settings: Settings, now: float) -> None:
    """Refuse a damaged database, or restore the newest good backup if `keep.restore_damaged` is set.

    A large database is checked only if the last daemon did not stop cleanly. Raises `DataFolderError`, `DatabaseDamaged`.
    """
    folder = settings.data_dir
    path = folder / FILE_NAME
    cause = _damage(path)
    if cause is None:
        return
    backup = Backups(path, folder / BACKUPS).newest_good(now)
    if backup is None or not settings.keep.restore_damaged or _lately(folder, now):
        raise DatabaseDamaged(offer(path, cause, backup))
    done = bring_back(folder, backup.path, now)
    _note(folder, now)
    log.error("the database was damaged (%s). %s", cause, done.sentence())


def bring_back(folder: Path, backup: Path, now: float) -> Restored:
    """Restore a backup and models from its folder, and record an incident. Raises `DataFolderError`."""
    done = restore(folder, backup, now)
    store = Store(folder)
    try:
        store.incidents.add(done.sentence(), now)
        store.mend_from(backup.parent)
    except OSError as error:  # loading a damaged model reports it again
        log.error("the models of the restored database could not be looked after (%s)", error.strerror)
    finally:
        store.close()
    return done


def _damage(path: Path) -> str | None:
    """What is damaged; `None` for a sound database, or none at all."""
    if not path.parent.is_dir():
        return None
    try:
        with user_errors(path):
            refuse_lost(path)
            if not path.is_file():
                return None
            refuse_newer_schema(path)
            must = size_of(path) <= MAX_BYTES_AT_EVERY_START or not stopped_cleanly(path.parent)
            return damage_in(path) if must else None
    except DatabaseDamaged as error:
        return str(error.__cause__ or "it is gone")


def _note(folder: Path, now: float) -> None:
    try:
        write_durably(folder / RESTORED, f"{now:.0f}\n".encode())
    except OSError as error:  # then another automatic restore is possible within the week
        log.error("that the database was restored cannot be written down (%s)", error.strerror)


def _lately(folder: Path, now: float) -> bool:
    """Whether the last automatic restore was less than `DYING_DISK_S` ago."""
    try:
        before = float(read_ordinary(folder / RESTORED))
    except (OSError, ValueError):
        return False
    return abs(now - before) < DYING_DISK_S


def offer(path: Path, cause: str, backup: BackupFile | None) -> str:
    """Error message for a damaged database, with the backup to restore, if there is one."""
    if backup is None:
        return (
            f"The database {path} is damaged ({cause}), and there is no good backup of it; move it away to begin anew, or "
            "restore one from elsewhere: posture-daemon restore FILE."
        )
    made = datetime.fromtimestamp(backup.made_at, timezone.utc)
    return (
        f"The database {path} is damaged ({cause}); bring back {backup.path.name}, the newest good backup, of "
        f"{made:%Y-%m-%d %H:%M} UTC, with: posture-daemon restore (the damaged file is kept)."
    )
