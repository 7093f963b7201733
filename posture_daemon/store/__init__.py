"""Durable storage: one SQLite database, and content-addressed model files.

`Store` gives access to its parts, one file each: `queue`, `labels`, `steps`, `imports`, `models`, `classes`, `runs`, `pauses`,
`watches`, `corrections`, `confidences`, `calibrations`, `origins`, `history`, `incidents`, and to their maintenance: `backups`,
`model_copies`, `retention`.
"""

from pathlib import Path

from posture_daemon.errors import DataFolderError
from posture_daemon.store.backup import BACKUPS, Backups
from posture_daemon.store.calibrations import Calibrations
from posture_daemon.store.classes import Classes
from posture_daemon.store.confidence_histograms import Confidences
from posture_daemon.store.corrections import Corrections
from posture_daemon.store.database import Database
from posture_daemon.store.frame_origins import Origins
from posture_daemon.store.history import History
from posture_daemon.store.imports import Imports
from posture_daemon.store.incidents import Incidents
from posture_daemon.store.labels import Labels
from posture_daemon.store.model_copies import ModelCopies, needed_by
from posture_daemon.store.models import Models
from posture_daemon.store.pauses import Pauses
from posture_daemon.store.queue import Queue
from posture_daemon.store.restore import asides
from posture_daemon.store.retention import Retention
from posture_daemon.store.runs import Runs
from posture_daemon.store.steps import Steps
from posture_daemon.store.watches import Watches


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
        self.steps = Steps(self.database, self.classes)
        self.runs = Runs(self.database)
        self.pauses = Pauses(self.database)
        self.watches = Watches(self.database)
        self.corrections = Corrections(self.database)
        self.confidences = Confidences(self.database)
        self.calibrations = Calibrations(self.database)
        self.origins = Origins(self.database)
        self.history = History(self.database)
        self.incidents = Incidents(self.database)
        self.backups = Backups(self.database.path, folder / BACKUPS)
        self.model_copies = ModelCopies(self.models, folder / BACKUPS)
        self.retention = Retention(self.database, self.models)

    def back_up(self, now: float, keep: int, folder: Path | None = None) -> Path:
        """Copy the database and the model files of its champion; keep the newest `keep` copies.

        In the data folder's own `backups/`, or in another folder. Returns the copy. Raises `DataFolderError`.
        """
        backups = self.backups if folder is None else Backups(self.database.path, folder)
        path = backups.make(now, keep)
        try:
            if folder is None:
                self._keep_models()
            else:  # a folder of the owner: nothing is deleted there
                ModelCopies(self.models, folder).add_for([path])
        except OSError as error:
            raise DataFolderError(
                f"The database was copied to {path}, but the models that it needs were not ({error.strerror}); free some space."
            ) from error
        return path

    def mend_from(self, folder: Path) -> None:
        """After a restore from a folder of backups: copy missing model files from there. Raises `OSError`."""
        for version in (self.models.champion(), self.models.previous()):
            if version is not None:
                ModelCopies(self.models, folder).mend(version)
        self._keep_models()

    def _keep_models(self) -> None:
        """Keep the models that backups and databases replaced by a restore need; unreadable ones are skipped."""
        readable = [aside for aside in asides(self.folder) if needed_by([aside])[1]]
        copies = [*(backup.path for backup in self.backups.list()), *readable]
        self.model_copies.add_for(copies)
        self.model_copies.remove_others(copies)

    def close(self) -> None:
        """Release the connections."""
        self.database.close()


__all__ = ["Store"]
