"""Copies the owner's data folder to that of the service: database, models and settings, without caches and backups."""

import os
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from posture_daemon.errors import ServiceError
from posture_daemon.settings import FILE_NAME
from posture_daemon.store.database import FILE_NAME as DATABASE
from posture_daemon.store.files import sync_file, sync_folder
from posture_daemon.store.status_file import running_pid

MOVED_TOO = ("models", "checkpoints", "label.token")


def has_data(folder: Path) -> bool:
    """Whether the folder has a database."""
    return (folder / DATABASE).is_file()


def take_over(source: Path, target: Path, owner: tuple[int, int] | None) -> None:
    """Copy database and models from `source` to `target`, which has no database yet, for `owner` (user and group id).

    The database is moved into place last, so that an interrupted copy is repeated. Raises `ServiceError`.
    """
    refuse_running(source)
    partial = target / ".takeover.partial"  # inside the target, which may be a mount point
    shutil.rmtree(partial, ignore_errors=True)
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial.mkdir(mode=0o700)
        for name in (name for name in MOVED_TOO if (source / name).exists()):
            copy = shutil.copytree if (source / name).is_dir() else shutil.copy2
            copy(source / name, partial / name)
        _copy_database(source / DATABASE, partial / DATABASE)
        give_to(partial, owner)
        for name in (*MOVED_TOO, DATABASE):
            if (partial / name).exists() and not (target / name).exists():
                os.rename(partial / name, target / name)
        shutil.rmtree(partial)
        give_to(target, owner)
        sync_folder(target)
    except (OSError, sqlite3.Error) as error:
        raise ServiceError(f"{source} cannot be copied to {target}: {error}; the old folder is as it was.") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def refuse_running(source: Path) -> None:
    """Raise `ServiceError` while a daemon runs on the folder and would still change it."""
    if (pid := running_pid(source)) is not None:
        raise ServiceError(f"A posture-daemon (process {pid}) is running on {source}; stop it first.")


def take_settings(source: Path, target: Path, owner: tuple[int, int] | None) -> None:
    """Copy a settings file, with its `data_dir` commented out, since the service has a folder of its own."""
    text = re.sub(r"(?m)^(?=\s*data_dir\s*=)", "# not for the service: ", source.read_text(encoding="utf-8"))
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = target / FILE_NAME
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as copy:
        copy.write(text)
    give_to(target, owner)


def give_to(folder: Path, owner: tuple[int, int] | None) -> None:
    """Recursive chown to (user, group); `None` changes nothing."""
    if owner is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, *owner, follow_symlinks=False)


def _copy_database(source: Path, target: Path) -> None:
    """Copy with SQLite's backup, which includes the write-ahead log."""
    there = f"{source.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(there, uri=True)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
    target.chmod(0o600)
    sync_file(target)
