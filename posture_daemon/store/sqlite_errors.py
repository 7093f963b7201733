"""Translates SQLite's errors into sentences for the user."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DatabaseError, OperationalError

from posture_daemon.errors import DatabaseDamaged, DataFolderError, DiskUnwritable

MIN_FREE_BYTES = 1_000_000
"""With less free space, an unexplained I/O error is taken for a full disk."""


@contextmanager
def user_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors in the block into `DataFolderError`, or `DatabaseDamaged` for damaged content."""
    try:
        yield
    except (OperationalError, sqlite3.OperationalError) as error:
        raise _explained(str(getattr(error, "orig", error)), path) from error
    except (DatabaseError, sqlite3.DatabaseError) as error:
        cause = getattr(error, "orig", error)
        if not isinstance(cause, sqlite3.DatabaseError) or isinstance(cause, sqlite3.IntegrityError):
            raise
        raise damaged(path, str(cause)) from error


def damaged(path: Path, cause: str) -> DatabaseDamaged:
    """The error for a damaged database."""
    return DatabaseDamaged(
        f"The database {path} is damaged ({cause}); restore it from a backup: posture-daemon restore."
    )


def _explained(cause: str, path: Path) -> DataFolderError:
    known = {
        "readonly": (DiskUnwritable, "is read-only; make it and its folder writable"),
        "unable to open": (DataFolderError, "cannot be opened; check that its folder is writable"),
        "disk is full": (DiskUnwritable, "cannot grow because the disk is full; free some space"),
        "locked": (
            DataFolderError,
            "has been busy for more than 10 s; see which other program writes to it, or try again",
        ),
    }
    if cause == "disk I/O error" and shutil.disk_usage(path.parent).free < MIN_FREE_BYTES:
        cause = "disk is full"  # no room for the shared memory of the WAL
    other = (DataFolderError, f"reports '{cause}'")
    kind, advice = next((found for word, found in known.items() if word in cause), other)
    return kind(f"The database {path} {advice}.")
