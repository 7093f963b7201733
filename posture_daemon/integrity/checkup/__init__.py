"""What `doctor` says of the data folder, and what `doctor --fix` mends: never a label, never a frame."""

from __future__ import annotations

from posture_daemon.device.report import Health
from posture_daemon.integrity.checkup.database import backups, data_folder, incidents, kept_aside
from posture_daemon.integrity.checkup.files import access, cache, leftovers, status_file
from posture_daemon.integrity.checkup.finding import Finding
from posture_daemon.integrity.checkup.models import models, surplus
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.database import FILE_NAME, SCHEMA_HEAD
from posture_daemon.store.sqlite_copy import revision_in

__all__ = ["Finding", "look"]


def look(settings: Settings, now: float) -> list[Finding]:
    """All findings, the data folder itself first. A look changes nothing."""
    folder = settings.data_dir
    first = data_folder(folder, now)
    found = [first]
    if folder.is_dir():
        found += [*access(folder), *leftovers(folder, now), *status_file(folder), *kept_aside(folder)]
    if first.line.health is Health.OK and revision_in(folder / FILE_NAME) == SCHEMA_HEAD:
        found += _inside(settings, now)
    return found


def _inside(settings: Settings, now: float) -> list[Finding]:
    """What takes an open database, so that none is opened that is damaged, or of another schema."""
    store = Store(settings.data_dir)
    try:
        return [
            *models(store, now),
            *surplus(store, now),
            *cache(store, settings),
            *backups(store, settings, now),
            *incidents(store, now),
        ]
    finally:
        store.close()  # what mends opens it again
