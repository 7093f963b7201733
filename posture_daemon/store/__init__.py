"""Everything that must survive a power cut: one SQLite file, and model files found by their content.

`Store` is the door; its parts are one file each: `queue`, `labels`, `imports`, `models`, `classes`, `runs`, `pauses`,
`watches`, `wrongs`, `confidences`, `calibrations`, `reviews`, `origins`, `history`, and what looks after all of it: `backups`,
`retention`.
"""

from __future__ import annotations

from pathlib import Path

from posture_daemon.store.backup import Backups
from posture_daemon.store.calibrations import Calibrations
from posture_daemon.store.classes import Classes
from posture_daemon.store.confidences import Confidences
from posture_daemon.store.database import Database
from posture_daemon.store.history import History
from posture_daemon.store.imports import Imports
from posture_daemon.store.labels import Labels
from posture_daemon.store.models import Models
from posture_daemon.store.origins import Origins
from posture_daemon.store.pauses import Pauses
from posture_daemon.store.queue import Queue
from posture_daemon.store.retention import Retention
from posture_daemon.store.reviews import Reviews
from posture_daemon.store.runs import Runs
from posture_daemon.store.watches import Watches
from posture_daemon.store.wrongs import Wrongs


class Store:
    """The data folder, opened. Cheap to build; safe to use from several threads and processes."""

    def __init__(self, folder: Path) -> None:
        """Open or create the folder and bring its schema up to date. Raises `DataFolderError`."""
        self.folder = folder
        self.database = Database(folder)
        self.queue = Queue(self.database)
        self.labels = Labels(self.database)
        self.imports = Imports(self.database)
        self.models = Models(self.database, folder / "models")
        self.classes = Classes(self.database, self.models)
        self.runs = Runs(self.database)
        self.pauses = Pauses(self.database)
        self.watches = Watches(self.database)
        self.wrongs = Wrongs(self.database)
        self.confidences = Confidences(self.database)
        self.calibrations = Calibrations(self.database)
        self.reviews = Reviews(self.database)
        self.origins = Origins(self.database)
        self.history = History(self.database)
        self.backups = Backups(self.database, folder / "backups")
        self.retention = Retention(self.database, self.models)

    def close(self) -> None:
        """Release the connections."""
        self.database.close()


__all__ = ["Store"]
