"""Checks of the data folder for `doctor`, and repairs for `doctor --fix`, which never change a label or a frame."""

from posture_daemon.device.report import Health
from posture_daemon.integrity.checkup.database import backups, data_folder, incidents, kept_aside
from posture_daemon.integrity.checkup.files import access, cache, leftovers, status_file
from posture_daemon.integrity.checkup.finding import Finding
from posture_daemon.integrity.checkup.models import drawn_people, models, surplus
from posture_daemon.integrity.checkup.region import of_another_camera, region
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.database import FILE_NAME, SCHEMA_HEAD
from posture_daemon.store.sqlite_copy import revision_in

__all__ = ["Finding", "look"]


def look(settings: Settings, now: float) -> list[Finding]:
    """All findings, that of the data folder itself first. Read-only."""
    folder = settings.data_dir
    first = data_folder(folder, now)
    found = [first]
    if folder.is_dir():
        found += [*access(folder), *leftovers(folder, now), *status_file(folder), *kept_aside(folder)]
    found += of_another_camera(settings)
    if first.line.health is Health.OK and revision_in(folder / FILE_NAME) == SCHEMA_HEAD:
        found += _inside(settings, now)
    return found


def _inside(settings: Settings, now: float) -> list[Finding]:
    """Checks that need the database open; only for an undamaged one of the present schema."""
    store = Store(settings.data_dir)
    try:
        files = [*models(store, now), *drawn_people(store, settings), *surplus(store, now), *cache(store, settings)]
        files += region(store, settings)
        return [*files, *backups(store, settings, now), *incidents(store, now)]
    finally:
        store.close()  # repairs reopen it
