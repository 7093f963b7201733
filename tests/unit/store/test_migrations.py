"""Every schema that was ever on main is brought up to date with all that is in it, or the file stays as it was."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from posture_daemon.domain import Outcome, Status
from posture_daemon.errors import DatabaseDamaged, DataFolderError
from posture_daemon.store import Store, database
from posture_daemon.store import sqlite_copy as copying
from posture_daemon.store.database import SCHEMA_HEAD
from posture_daemon.store.files import sha256_of
from posture_daemon.store.schema import Base
from tests.builders import undo
from tests.checks import classes_of, rows
from tests.history import seconds_by_posture
from tests.old_databases import SCHEMAS, folder_with

DIGESTS = {
    "0001_first_schema.py": "e36d05402cf3",
    "0002_lineage_and_watch.py": "14a7f5b86c09",
    "0003_classes_and_imports.py": "158b6f7804d1",
    "0004_supervised_training.py": "00b931c2e1a2",
    "0005_incidents.py": "1b568d9bba98",
    "0006_region.py": "084a550933b2",
    "0007_steps.py": "8ec4f50dc170",
}
NOON = 1_760_000_400.0  # 2025-10-09 09:00:00 UTC


def content(path: Path, columns_of: Path) -> dict[str, set[str]]:
    """Every row of every table, of the columns that `columns_of` has, as text."""
    found = {}
    for (table,) in rows(
        columns_of, "SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'alembic_version'"
    ):
        # a number that nobody read (0003), and again with another meaning (0004); what `steps` say instead (0007)
        gone = {("training_runs", "labels_seen"), ("answers", "batch"), ("answers", "undone")}
        names = [name for _, name, *_ in rows(columns_of, f"PRAGMA table_info({table})") if (table, name) not in gone]
        found[table] = {repr(row) for row in rows(path, f"SELECT {', '.join(names)} FROM {table}")}
    return found


@pytest.mark.parametrize("schema", SCHEMAS)
def test_nothing_of_an_older_database_is_lost(tmp_path: Path, schema: str) -> None:
    """Every value of every row is there after it, as it was before."""
    folder = folder_with(tmp_path, schema)
    shutil.copy(folder / "posture.db", tmp_path / "old.db")
    Store(folder).close()
    before = content(tmp_path / "old.db", tmp_path / "old.db")
    assert {"frames", "labels", "answers", "model_versions", "training_runs", "posture_periods"} <= set(before)
    assert all(before[table] for table in ("frames", "labels", "answers", "model_versions", "training_runs"))
    assert content(folder / "posture.db", tmp_path / "old.db") == before


@pytest.mark.parametrize("schema", SCHEMAS)
def test_an_older_database_works_as_a_new_one(tmp_path: Path, schema: str) -> None:
    """Labels, splits, pictures, features, models and runs are read; answers are given and taken back; no table differs."""
    store = Store(folder_with(tmp_path, schema))
    assert store.queue.counts() == {Status.QUEUED: 2, Status.LABELLED: 7, Status.DISCARDED: 1}
    assert classes_of(store) == {1: "good", 2: "good", 3: "good", 4: "bad", 5: "good", 6: "bad", 7: "good"}
    assert len({image.split for image in store.labels.labelled()}) == 2
    assert all(sha256_of(store.queue.jpeg(image.frame_id)) == image.sha256 for image in store.labels.labelled())
    assert store.queue.pooled([3], "b" * 64)[3].tolist() == np.full(3, 0.2, np.float16).tolist()
    champion, previous = store.models.champion(), store.models.previous()
    assert (champion.id, champion.parent_id, champion.temperature, previous.id) == (2, 1, 1.5, 1)
    assert [(run.outcome, run.metrics["peak"]) for run in store.runs.recent()] == [(Outcome.PROMOTED, 7)]
    assert seconds_by_posture(store) == {"good": 86_400.0}
    store.labels.answer(9, "bad", "owner", NOON, 5)
    assert undo(store) == 9
    assert store.corrections.frame(store.corrections.ask(NOON)) is None
    assert store.labels.kept() == set()
    with store.database.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
    store.close()
    assert rows(store.database.path, "PRAGMA foreign_key_check") == []
    assert rows(store.database.path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_migration_that_is_interrupted_leaves_the_file_as_it_was(
    tmp_path: Path, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its last step and before the commit: not a row nor a column is changed, and the next start does all of it."""
    folder = folder_with(tmp_path, schema)
    before = (
        rows(folder / "posture.db", "SELECT * FROM sqlite_master"),
        content(folder / "posture.db", folder / "posture.db"),
    )
    upgrade = database._upgrade

    def power_cut(connection: Any) -> None:
        upgrade(connection)
        raise RuntimeError("power cut")

    with monkeypatch.context() as patched:
        patched.setattr(database, "_upgrade", power_cut)
        with pytest.raises(RuntimeError, match="power cut"):
            Store(folder)
    path = folder / "posture.db"
    assert (rows(path, "SELECT * FROM sqlite_master"), content(path, path)) == before
    Store(folder).close()
    assert rows(path, "SELECT version_num FROM alembic_version") == [(SCHEMA_HEAD,)]


def test_before_a_migration_the_database_is_copied_as_it_is(tmp_path: Path) -> None:
    """Of the old schema and sound; of several only the last one stays, and the rotation of backups leaves it alone."""
    folder = folder_with(tmp_path, "0003")
    (folder / "backups").mkdir()
    (folder / "backups" / "posture-20250101-000000-before-0003.db").write_bytes(b"of an earlier change")
    store = Store(folder)
    [copy] = store.backups.list()
    assert copy.before == SCHEMA_HEAD
    assert rows(copy.path, "SELECT version_num FROM alembic_version") == [("0003",)]
    assert rows(copy.path, "SELECT count(*) FROM labels") == [(7,)]
    assert copy.path.stat().st_mode & 0o777 == 0o600
    for day in range(3):
        store.backups.make(NOON + 86_400 * day, keep=1)
    assert copy.path in [backup.path for backup in store.backups.list()]
    store.close()
    Store(folder).close()
    assert len(list((folder / "backups").glob("*-before-*"))) == 1


def test_a_disk_without_room_for_a_copy_does_not_keep_the_program_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The migration is one transaction and needs no copy; that there is none is said."""
    folder = folder_with(tmp_path, "0002")
    monkeypatch.setattr(copying.shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    store = Store(folder)
    assert (store.labels.total(), store.backups.list()) == (7, [])
    assert "without a copy of the database: There is no room" in caplog.text
    store.close()


def test_a_damaged_database_is_not_migrated(tmp_path: Path) -> None:
    """Its schema stays, so that whatever can still be read of it can be."""
    folder = folder_with(tmp_path, "0002")
    page = rows(folder / "posture.db", "SELECT rootpage FROM sqlite_master WHERE name = 'frames'")[0][0]
    with (folder / "posture.db").open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    with pytest.raises(DatabaseDamaged, match="damaged"):
        Store(folder)
    assert rows(folder / "posture.db", "SELECT version_num FROM alembic_version") == [("0002",)]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_an_older_file_that_says_to_be_newer_is_refused_to_the_byte(tmp_path: Path, schema: str) -> None:
    """Not even its WAL mode or its access rights change, and nothing is put beside it."""
    folder = folder_with(tmp_path, schema)
    with closing(sqlite3.connect(folder / "posture.db", isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    (folder / "posture.db").chmod(0o644)
    before = (folder / "posture.db").read_bytes()
    with pytest.raises(DataFolderError, match="newer posture-daemon"):
        Store(folder)
    assert (folder / "posture.db").read_bytes() == before
    assert [(path.name, path.stat().st_mode & 0o777) for path in folder.iterdir()] == [("posture.db", 0o644)]


def test_migrations_that_were_on_main_are_never_changed() -> None:
    """0004 was, once, and left files behind that said to be what they were not; 0005 mends them."""
    versions = Path(database.__file__).parent / "migrations" / "versions"
    found = {path.name: sha256_of(path.read_bytes())[:12] for path in versions.glob("*.py")}
    assert {name: found[name] for name in DIGESTS} == DIGESTS
