"""Checks of the data folder, the database and its backups. They create and migrate nothing."""

import os
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from posture_daemon.device.report import Health, Line, nearest
from posture_daemon.domain import MB
from posture_daemon.errors import DatabaseDamaged, DataFolderError
from posture_daemon.integrity.checkup.finding import Finding, few, fine, note, problem
from posture_daemon.integrity.database_check import offer
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.backup import BACKUPS, Backups, is_good
from posture_daemon.store.database import FILE_NAME, SCHEMA_HEAD, on_read_only_mount, refuse_lost, refuse_newer_schema
from posture_daemon.store.restore import asides, many
from posture_daemon.store.sqlite_copy import damage_in, revision_in, size_of
from posture_daemon.store.sqlite_errors import damaged, user_errors

HOUR_S = 3600.0
LATE_AFTER_PAUSES = 3
"""A newest backup older than this many intervals is too old."""


def data_folder(folder: Path, now: float) -> Finding:
    """Whether the folder is writable and its database undamaged."""
    place = nearest(folder)
    if not os.access(place, os.W_OK | os.X_OK) or on_read_only_mount(place):
        return problem("data folder", f"{place} is read-only for this user")
    if not folder.exists():
        return note("data folder", f"{folder} is not there yet; the first command that needs it creates it")
    if not folder.is_dir():
        return problem("data folder", f"{folder} is no folder; choose another with --data-dir")
    try:
        return _database(folder / FILE_NAME)
    except DatabaseDamaged as error:
        good = Backups(folder / FILE_NAME, folder / BACKUPS).newest_good(now)
        return problem("data folder", offer(folder / FILE_NAME, str(error.__cause__ or error), good))
    except DataFolderError as error:
        return problem("data folder", str(error))


def _database(path: Path) -> Finding:
    with user_errors(path):
        refuse_lost(path)
        if not path.exists():
            return note("data folder", f"{path.parent} is writable, and holds no database yet")
        refuse_newer_schema(path)
        found, revision = damage_in(path), revision_in(path)
    if found is not None:
        raise damaged(path, found) from ValueError(found)
    old = "" if revision == SCHEMA_HEAD else f"; the next start brings it up to schema {SCHEMA_HEAD}"
    about = f"schema {revision}, {size_of(path) / MB:.1f} MB"
    return fine("data folder", f"{path.parent} is writable, its database is sound ({about}){old}")


def backups(store: Store, settings: Settings, now: float) -> Iterator[Finding]:
    """Whether there is an undamaged backup that is new enough. Rotation deletes damaged ones."""
    schedule, found = settings.schedule, store.backups.list()
    good = [backup for backup in found if is_good(backup.path)]
    bad = few([backup.path.name for backup in found if backup not in good])
    newest = max((backup.made_at for backup in good), default=None)
    wanted_s = LATE_AFTER_PAUSES * schedule.backup_every_h * HOUR_S or float("inf")

    def make() -> str:
        return f"made the backup {store.back_up(now, schedule.backups)}"

    if newest is not None and now - newest <= wanted_s:
        text = f"{len(good)} sound, the newest of {_day(newest)}"
        yield note("backups", f"{text}; damaged: {bad}") if bad else fine("backups", text)
    elif bad:
        yield problem("backups", f"damaged: {bad}; no good one is new enough", make)
    elif schedule.backup_every_h:
        when = "there is none yet" if newest is None else f"the newest is of {_day(newest)}"
        text = f"{when}; the daemon makes one every {schedule.backup_every_h:g} hours while it runs"
        yield note("backups", text, make)
    else:
        yield note("backups", "none, as they are switched off (schedule.backup_every_h)")


def kept_aside(folder: Path) -> Iterator[Finding]:
    """Databases that restores have replaced; only the owner knows whether they are needed."""
    kept = asides(folder)
    if kept:
        size = sum(size_of(path) for path in kept) / MB
        names = few([path.name for path in kept])
        yield note("replaced", f"kept after a restore, {size:.1f} MB: {names}; delete what nobody needs any more")


def incidents(store: Store, now: float) -> Iterator[Finding]:
    """Incidents that were not acknowledged."""

    def see() -> str:
        return f"noted that {many(store.incidents.see(now), 'incident')} have been seen"

    for number, incident in enumerate(store.incidents.unseen()):
        line = Line("incident", f"{_day(incident.happened_at)}: {incident.text}", Health.NOTE)
        yield Finding(line, see if number == 0 else None, "notes that it was seen")


def _day(time: float) -> str:
    return f"{datetime.fromtimestamp(time, timezone.utc):%Y-%m-%d %H:%M} UTC"
