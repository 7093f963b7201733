"""A database of an older release with the same content: made by running the migrations backwards as far as the tables go.

Alembic makes the empty older schema; then every row whose columns it knows is copied over.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

import posture_daemon.store
from posture_daemon.store.database import FILE_NAME

OLD_SCHEMAS = ("0001", "0002", "0003", "0004", "0005", "0006")

ELSEWHERE = {
    ("answers", "undone"): "(SELECT undone_at IS NOT NULL FROM new.steps WHERE id = step_id)",
    ("answers", "batch"): "step_id",
}
"""What stands in another column or table by now."""


def make_old(folder: Path, revision: str) -> None:
    """Put a database of this schema in the place of the present one."""
    new, old = folder / FILE_NAME, folder / "old.db"
    _empty(old, revision)
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("ATTACH ? AS new", (str(new),))
        connection.execute("BEGIN")
        for table in _tables(connection, "main"):
            values = _values(connection, table)
            names = ", ".join(f'"{name}"' for name in values)
            connection.execute(
                f'INSERT INTO main."{table}" ({names}) SELECT {", ".join(values.values())} FROM new."{table}"'
            )
        connection.execute("COMMIT")
        connection.execute("DETACH new")
    for path in (new, *folder.glob(f"{FILE_NAME}-*")):
        path.unlink()
    old.rename(new)


def _empty(path: Path, revision: str) -> None:
    engine = create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(Path(posture_daemon.store.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def _values(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    """What to copy into each old column; those of which nothing is known by now keep their default."""
    there = {name: f'"{name}"' for name in _columns(connection, "new", table)}
    there |= {name: value for (of, name), value in ELSEWHERE.items() if of == table}
    return {name: there[name] for name in _columns(connection, "main", table) if name in there}


def _tables(connection: sqlite3.Connection, schema: str) -> list[str]:
    rows = connection.execute(f"SELECT name FROM {schema}.sqlite_master WHERE type = 'table'")
    return [name for (name,) in rows if name != "alembic_version" and not name.startswith("sqlite_")]


def _columns(connection: sqlite3.Connection, schema: str, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f'PRAGMA {schema}.table_info("{table}")')]
