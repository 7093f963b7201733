"""Databases that are damaged, or of an older schema, as files."""

import sqlite3
from contextlib import closing
from pathlib import Path

DUMPS = Path(__file__).parent / "fixtures" / "schemas"
SCHEMAS = ["0001", "0002", "0003", "0004-first", "0004", "0005", "0006"]
"""Each written by the code of its time; see `make.py` there."""


def folder_with(tmp_path: Path, schema: str) -> Path:
    """A data folder with a database of that schema."""
    folder = tmp_path / "data"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "posture.db")) as connection:
        connection.executescript((DUMPS / f"{schema}.sql").read_text(encoding="utf-8"))
        connection.execute("PRAGMA journal_mode = WAL")
    return folder


def page_of(path: Path, table: str) -> int:
    """Where the root of a table begins in the file, bytes."""
    with closing(sqlite3.connect(path)) as connection:
        [page] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        [size] = connection.execute("PRAGMA page_size").fetchone()
    return int((page - 1) * size)


def damage(path: Path, table: str = "posture_periods") -> None:
    """Overwrite the root page of a table that nothing reads at a start."""
    at = page_of(path, table)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xff" * 512)
