"""Restore a backup. The replaced database is kept beside it, whatever its state, and never deleted."""

import contextlib
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from posture_daemon.errors import DataFolderError
from posture_daemon.store.database import FILE_NAME, SCHEMA_HEAD, Database
from posture_daemon.store.files import file_errors, sync_file, sync_folder
from posture_daemon.store.lock import DAEMON_LOCK, TRAINING_LOCK, exclusive, in_turn, owner_of
from posture_daemon.store.sqlite_copy import copy, damage_in, reader, refuse_full_disk, revision_in
from posture_daemon.store.sqlite_errors import user_errors

ASIDE = f"{FILE_NAME}.*-????????-??????"
"""Pattern of the databases that restores have replaced."""

PATIENCE_S = 5.0
"""Seconds that a restore waits for short commands, such as `status`, to close the database."""

FOLDER_PREFIX = ".restore-"
DAMAGED, _TIME = "damaged", "%Y%m%d-%H%M%S"
_SIDE_FILES = ("-wal", "-shm")


@dataclass(frozen=True)
class Contents:
    """Contents of a database: digests of all pictures and of the labelled ones, and the number of model versions."""

    pictures: frozenset[str]
    labelled: frozenset[str]
    models: int

    def __str__(self) -> str:
        labels, frames = many(len(self.labelled), "label"), many(len(self.pictures), "frame")
        return f"{labels}, {frames} and {many(self.models, 'model')}"


@dataclass(frozen=True)
class Restored:
    """Result of a restore. `before` is `None` if the replaced database was unreadable, `aside` if there was none."""

    backup: Path
    contents: Contents
    before: Contents | None
    aside: Path | None

    def sentence(self) -> str:
        """What was restored and what was lost."""
        kept = "" if self.aside is None else f"; what was there before is kept as {self.aside.name}"
        lost = missing(self.before, self.contents)
        return f"The backup {self.backup.name} was restored: {self.contents}. {lost}{kept}."


def missing(before: Contents | None, after: Contents) -> str:
    """What `before` has and `after` lacks, in words."""
    if before is None:
        return "What was given after that backup is missing, and how much that is cannot be told"
    labels, frames = len(before.labelled - after.labelled), len(before.pictures - after.pictures)
    if not labels and not frames:
        return "Nothing is missing in it that was there before"
    return f"{many(labels, 'label')} and {many(frames, 'frame')} that came after that backup are missing in it"


def many(number: int, one: str) -> str:
    """A number with a noun in singular or plural."""
    return f"{number} {one}{'' if number == 1 else 's'}"


def contents(path: Path) -> Contents | None:
    """Contents of a database of any schema; `None` when it cannot be read."""
    labels = "SELECT sha256 FROM frames JOIN labels ON labels.frame_id = frames.id"
    try:
        with closing(reader(path)) as connection:
            pictures = frozenset(digest for (digest,) in connection.execute("SELECT sha256 FROM frames"))
            labelled = frozenset(digest for (digest,) in connection.execute(labels))
            [models] = connection.execute("SELECT count(*) FROM model_versions").fetchone()
    except sqlite3.Error:
        return None
    return Contents(pictures, labelled, int(models))


def asides(folder: Path) -> list[Path]:
    """The databases that restores have replaced in this data folder, by name."""
    return sorted(folder.glob(ASIDE))


def check_backup(path: Path) -> Contents:
    """Contents of a backup. Raises `DataFolderError` when it is missing, damaged, foreign or of a newer schema."""
    if not path.is_file():
        raise DataFolderError(f"There is no backup {path}; `posture-daemon backup --list` shows those there are.")
    found, revision, held = None, None, None
    try:
        found = damage_in(path)
        revision, held = revision_in(path), contents(path)
    except sqlite3.Error as error:
        found = found or str(error)
    if found is not None or revision is None or held is None:
        raise DataFolderError(
            f"The file {path} is no sound backup ({found or 'not of posture-daemon'}); choose another one "
            "(posture-daemon backup --list)."
        )
    if revision > SCHEMA_HEAD:
        raise DataFolderError(
            f"The backup {path} was made by a newer posture-daemon (schema {revision}, this one knows up to {SCHEMA_HEAD}); "
            "update posture-daemon."
        )
    return held


def restore(folder: Path, backup: Path, now: float, patience_s: float = PATIENCE_S) -> Restored:
    """Check the backup, migrate a copy of it, and replace the database by that.

    Raises `DataFolderError` before anything is changed: if `check_backup` refuses the backup, the disk is full, a daemon or a
    training runs, or another process still has the database open after `patience_s` seconds.
    """
    path = folder / FILE_NAME
    held = check_backup(backup)
    with _alone(folder), user_errors(backup), file_errors(f"The backup cannot be restored in {folder}", "."):
        refuse_full_disk(backup, folder)
        with tempfile.TemporaryDirectory(dir=folder, prefix=FOLDER_PREFIX) as scratch:
            fresh = _fresh(backup, Path(scratch))
            with in_turn(folder):  # new openers of the database wait for this lock
                _wait_for_users(path, patience_s)
                before, aside = contents(path) if path.exists() else None, _set_aside(path, now)
                os.replace(fresh, path)
                sync_folder(folder)
    return Restored(backup, held, before, aside)


def _fresh(backup: Path, scratch: Path) -> Path:
    """A copy of the backup, migrated, complete on disk and in one file."""
    fresh = scratch / FILE_NAME
    copy(backup, fresh)
    Database(scratch).close()
    sync_file(fresh)
    return fresh


def _set_aside(path: Path, now: float) -> Path | None:
    """Link the database and its WAL to a second name, then remove the WAL under the first.

    At no moment is there no database under its name, or a new database beside the WAL of the old one.
    """
    if not any(path.with_name(path.name + end).exists() for end in ("", *_SIDE_FILES)):
        return None
    damage = not path.exists() or _fold_wal(path)  # opening a missing file would create it
    aside = _free_name(path, DAMAGED if damage else "replaced", now)
    for end in ("", *_SIDE_FILES):
        _link(path.with_name(path.name + end), aside.with_name(aside.name + end))
    sync_folder(path.parent)
    for end in _SIDE_FILES:
        path.with_name(path.name + end).unlink(missing_ok=True)
    return aside


def _free_name(path: Path, word: str, now: float) -> Path:
    """A name that is not taken; the time in it is advanced by seconds until it is unique."""
    while True:
        aside = path.with_name(f"{path.name}.{word}-{datetime.fromtimestamp(now, timezone.utc):{_TIME}}")
        if not any(os.path.lexists(aside.with_name(aside.name + end)) for end in ("", *_SIDE_FILES)):
            return aside
        now += 1


def _fold_wal(path: Path) -> bool:
    """Checkpoint the WAL into the file if possible; returns whether the database is damaged."""
    try:
        with closing(sqlite3.connect(path, timeout=10)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return damage_in(path) is not None
    except sqlite3.Error:
        return True


def _link(path: Path, second: Path) -> None:
    if not path.exists():
        return
    try:
        os.link(path, second)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        shutil.copy2(path, second)
        sync_file(second)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the locks of daemon and training. Raises `DataFolderError` while one of them runs."""
    daemon, training = folder / DAEMON_LOCK, folder / TRAINING_LOCK
    with exclusive(daemon) as no_daemon, exclusive(training) as no_training:
        if not no_daemon or not no_training:
            what, lock = ("a training", training) if no_daemon else ("a posture-daemon", daemon)
            raise DataFolderError(
                f"The database in {folder} cannot be replaced while {what} (process {owner_of(lock)}) uses it; stop it first."
            )
        yield


def _wait_for_users(path: Path, patience_s: float) -> None:
    """Wait until no other process has the file open; new ones wait for the folder lock. Raises `DataFolderError`."""
    end = time.monotonic() + patience_s
    while (other := next(_users_of(path), None)) is not None:
        if time.monotonic() >= end:
            raise DataFolderError(
                f"The database in {path.parent} cannot be replaced while process {other} has it open; stop it first."
            )
        time.sleep(0.05)


def _users_of(path: Path) -> Iterator[int]:
    """Ids of other processes that have the file open, as far as this user can see."""
    mine, wanted = os.getpid(), str(path.resolve())
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            open_files = {os.readlink(link) for link in (process / "fd").iterdir() if link.is_symlink()}
            if int(process.name) != mine and wanted in open_files:
                yield int(process.name)
