"""What the daemon does for itself, beside learning: backup, tidying, refits of the champion's confidence.

Each is a job that never raises. What has a date on disk is asked for it, so that a board that is switched off every night is
backed up as well.
"""

import logging
import shutil
import time
from collections.abc import Callable, Sequence

from posture_daemon.daemon.scheduler import Job, quietly
from posture_daemon.errors import DatabaseDamaged
from posture_daemon.learning.recalibrate import Recalibrator
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.backup import is_good
from posture_daemon.training.strategies import CHECKPOINTS

log = logging.getLogger(__name__)

HOUR_S = 3600.0
LOOK_EVERY_S = 900.0
"""How often it is asked whether a backup is due."""

CHECKPOINT_KEPT_S = 30 * 86_400.0
"""A training that nobody has continued for so long will not be."""

GIVE_BACK_EVERY_S = 60.0
"""How often free memory is given back to the system."""

SETTLE_S = 300.0
"""After a start the camera and the owner come first."""


class Maintenance:
    """One per daemon."""

    def __init__(
        self,
        store: Store,
        recalibrator: Recalibrator,
        settings: Settings,
        clock: Callable[[], float] = time.time,
        give_back: Callable[[], object] = lambda: None,
    ) -> None:
        """`give_back` returns free memory to the system."""
        self._store, self._recalibrator, self._settings, self._clock = store, recalibrator, settings, clock
        self._give_back = give_back
        self.damage: DatabaseDamaged | None = None
        """What a backup found wrong with the database itself."""

    def jobs(self) -> Sequence[Job]:
        """What is switched on."""
        schedule = self._settings.schedule
        tidy_s, calibrate_s = schedule.tidy_every_h * HOUR_S, schedule.calibrate_every_h * HOUR_S
        jobs = [
            Job("give back memory", quietly(self._give_back), GIVE_BACK_EVERY_S),
            Job("backup", quietly(self.back_up), LOOK_EVERY_S if schedule.backup_every_h else 0.0, SETTLE_S),
            Job("tidy", quietly(self.tidy), tidy_s, 2 * SETTLE_S),
            Job("calibrate", quietly(self.calibrate), calibrate_s, 3 * SETTLE_S),
        ]
        return [job for job in jobs if job.every_s > 0]

    def back_up(self) -> None:
        """Copy the database when the newest copy is old, or comes from the future. Raises `DataFolderError`."""
        schedule, now = self._settings.schedule, self._clock()
        newest = self._store.backups.newest_at(now)
        if newest is not None and 0 <= now - newest < schedule.backup_every_h * HOUR_S:
            return
        try:
            path = self._store.back_up(now, schedule.backups)
        except DatabaseDamaged as error:
            if not is_good(self._store.database.path):  # else only the copy is
                self.damage = error
            raise
        log.info("the database was backed up to %s", path)

    def tidy(self) -> None:
        """Delete what nobody needs any more. Raises `DataFolderError`."""
        done = self._store.retention.tidy(self._clock(), self._settings.keep)
        log.info("tidied: %s", done)
        for folder in (self._store.folder / CHECKPOINTS).glob("*"):
            if self._clock() - folder.stat().st_mtime > CHECKPOINT_KEPT_S:
                shutil.rmtree(folder, ignore_errors=True)

    def calibrate(self) -> None:
        """Refit the champion's temperature. Raises `PostureError`."""
        self._recalibrator.check()
