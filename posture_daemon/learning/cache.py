"""Cached hidden features: derived data that may be deleted at any time, and is never trusted over the database.

One SQLite file of its own: many small blobs, safe when two processes meet, whole after a crash. A damaged file is thrown
away and built anew.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posture_daemon.store.lock import in_turn

log = logging.getLogger(__name__)

Half = NDArray[np.float16]

SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (
    space TEXT NOT NULL, picture TEXT NOT NULL, view INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (space, picture, view)
) WITHOUT ROWID
"""


class FeatureCache:
    """Vectors under (space, picture, view). A *space* names all that shaped the numbers: backbone, head convolution, seed."""

    def __init__(self, path: Path) -> None:
        """Open or create the file; a damaged one is replaced."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with in_turn(path.parent):  # two that create one file together: SQLite turns one away at once
            self._connection = _open_or_replace(path)

    def get(self, space: str, picture: str) -> dict[int, Half]:
        """All cached views of a picture, `float16 (width,)` each; 0 is the identity."""
        query = "SELECT view, data FROM vectors WHERE space = ? AND picture = ?"
        return {
            view: np.frombuffer(data, np.float16) for view, data in self._connection.execute(query, (space, picture))
        }

    def put(self, space: str, picture: str, views: Mapping[int, Half]) -> None:
        """Store views of a picture; existing ones are replaced."""
        rows = [(space, picture, view, data.astype(np.float16).tobytes()) for view, data in views.items()]
        with self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)", rows)

    def keep_only(self, spaces: Iterable[str]) -> None:
        """Forget every space but these."""
        kept = tuple(spaces)
        with self._connection:
            self._connection.execute(f"DELETE FROM vectors WHERE space NOT IN ({','.join('?' * len(kept))})", kept)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


@contextlib.contextmanager
def feature_cache(folder: Path) -> Iterator[FeatureCache]:
    """The cache of a data folder, open for the block."""
    cache = FeatureCache(folder / "cache" / "features.db")
    try:
        yield cache
    finally:
        cache.close()


def _open_or_replace(path: Path) -> sqlite3.Connection:
    try:
        return _open(path)
    except sqlite3.OperationalError:  # busy, or no access: nothing that building it anew could mend
        raise
    except sqlite3.DatabaseError as error:
        log.warning("feature cache %s is damaged (%s): building it anew", path, error)
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        return _open(path)


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=10)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")  # derived data: a power cut may cost it, never correctness
        if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("quick_check failed")
        connection.execute(SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection
