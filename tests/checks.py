"""What several test files look at: rows past the store, blocks, splits, and whether an error is one sentence."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from posture_daemon.domain import Split
from posture_daemon.store import Store


def sentence(error: BaseException) -> str:
    """The message, which must be one line that ends in a full stop."""
    text = str(error)
    assert text.endswith(".")
    assert "\n" not in text
    return text


def rows(path: Path, statement: str) -> list[tuple[Any, ...]]:
    """Rows as SQLite has them; what the statement changes stays."""
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement).fetchall()


def query(store: Store, statement: str) -> list[tuple[Any, ...]]:
    """The same of a store, past it."""
    return rows(store.database.path, statement)


def blocks_of(store: Store) -> dict[int, int]:
    """Block number by frame number."""
    return dict(query(store, "SELECT id, block_id FROM frames"))


def classes_of(store: Store) -> dict[int, str]:
    """Class by frame number."""
    return {image.frame_id: image.class_name for image in store.labels.labelled()}


def splits(store: Store) -> dict[int, Split]:
    """Split by frame number."""
    return {image.frame_id: image.split for image in store.labels.labelled()}


def labels_in(folder: Path) -> int:
    """How many labels a data folder holds."""
    with closing(Store(folder)) as store:
        return store.labels.total()


def raising(error: BaseException | type[BaseException]) -> Callable[..., Any]:
    """A function that takes anything, and raises this."""

    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail
