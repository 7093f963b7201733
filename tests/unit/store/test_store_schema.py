"""The schema: it migrates, or refuses and touches nothing."""

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from posture_daemon.domain import PostureClass, Role
from posture_daemon.errors import DataFolderError
from posture_daemon.store import Store, database
from posture_daemon.store.schema import Base
from tests.builders import add_version, make_store, random_head
from tests.checks import classes_of, query, raising, sentence


def old_database(path: Path, revision: str, *statements: str) -> None:
    """Write a database as an older program made it, with its own migrations, and these rows."""
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def test_the_schema_that_start_up_expects_is_alembics_head() -> None:
    """`SCHEMA_HEAD` saves the import of Alembic at start-up, so it must follow every new migration."""
    scripts = ScriptDirectory(str(Path(database.__file__).parent / "migrations"))
    assert scripts.get_heads() == [database.SCHEMA_HEAD]


def test_migrations_build_exactly_the_tables_of_the_models(store: Store) -> None:
    """Alembic finds no difference between the migrated file and `schema.py`."""
    with store.database.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_newer_schema_is_refused_and_nothing_is_touched(tmp_path: Path, mode: str) -> None:
    """After a downgrade the file stays as it is, to the byte, with its modes; the sentence says what to do."""
    store = make_store(tmp_path)
    query(store, "UPDATE alembic_version SET version_num = '9999'")
    store.close()
    query(store, f"PRAGMA journal_mode = {mode}")
    path = store.database.path
    path.chmod(0o640)
    before = path.read_bytes()
    with pytest.raises(DataFolderError, match=r"newer posture-daemon \(schema 9999.*update posture-daemon") as error:
        Store(store.folder)
    sentence(error.value)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (before, 0o640)
    assert [file.name for file in store.folder.iterdir()] == ["posture.db"]
    assert query(store, "PRAGMA journal_mode") == [(mode,)]


def test_a_migration_that_fails_leaves_the_file_without_a_schema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All tables come in one transaction; after a failure the next start can begin again."""
    with monkeypatch.context() as patched:
        patched.setattr("alembic.runtime.migration.HeadMaintainer.update_to_step", raising(RuntimeError("power cut")))
        with pytest.raises(RuntimeError, match="power cut"):
            Store(tmp_path / "data")
    connection = sqlite3.connect(tmp_path / "data" / "posture.db")
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()
    Store(tmp_path / "data").close()


def test_a_database_of_the_first_schema_is_upgraded_with_its_rows(tmp_path: Path) -> None:
    """What an older program wrote is all there, the new columns are empty; new rows can be added."""
    old_database(
        tmp_path / "posture.db", "0001",
        "INSERT INTO classes VALUES (1, 'good', 'good', 5.0)",
        "INSERT INTO model_versions VALUES (4, 1.5, NULL, 'backbone', 'head', "
        """'[{"name": "good", "role": "good"}]', 1.25, 'fine-tune', '{"challenger": {"top1": 0.5}}')""",
        "INSERT INTO model_roles VALUES ('champion', 4, 2.5)",
        "INSERT INTO training_runs VALUES (1, 'hand', 1, 2, 'KEPT', 'no better', '[]', '{}', 3, 4, NULL)",
    )  # fmt: skip
    store = Store(tmp_path)
    champion = store.models.champion()
    assert (champion.id, champion.temperature, champion.lineage) == (4, 1.25, {})
    assert champion.metrics == {"challenger": {"top1": 0.5}}
    assert store.labels.classes() == [PostureClass("good", Role.GOOD)]
    assert [(run.trigger, run.reason) for run in store.runs.recent()] == [("hand", "no better")]
    assert query(store, "SELECT retired_at FROM classes") == [(None,)]
    assert add_version(store, random_head(2), "sha", "good", "bad", lineage={"seed": 3}).lineage == {"seed": 3}
    assert query(store, "SELECT version_num FROM alembic_version") == [(database.SCHEMA_HEAD,)]
    store.close()


def test_a_database_of_the_third_schema_is_upgraded_with_its_rows(tmp_path: Path) -> None:
    """Labels are numbered by their times, runs have seen those given before they began, and no version has lost files."""
    old_database(
        tmp_path / "posture.db", "0003",
        "INSERT INTO classes VALUES (1, 'good', 'good', 5, NULL)",
        "INSERT INTO model_versions (id, created_at, backbone_sha256, head_sha256, classes, temperature, source, metrics) "
        "VALUES (4, 1.5, 'backbone', 'head', '[]', 1.25, 'base', '{}')",
        "INSERT INTO model_roles VALUES ('champion', 4, 2.5)",
        "INSERT INTO blocks VALUES (1, 'camera', 0, 9, 'train', 1)",
        *(
            "INSERT INTO frames (id, sha256, captured_at, added_at, block_id, status, reason, explanation, size_bytes, jpeg) "
            f"VALUES ({number}, 'sha {number}', 0, 0, 1, 'labelled', 'imported', '', 4, x'ffd8ffd9')"
            for number in (1, 2, 3)
        ),
        "INSERT INTO labels VALUES (1, 1, 30.0, 'owner'), (2, 1, 10.0, 'owner'), (3, 1, 20.0, 'owner')",
        *(
            f"INSERT INTO training_runs VALUES ({number}, 'x', {began}, {ended}, 'KEPT', 'no', '[]', '{{}}', 4, NULL)"
            for number, began, ended in ((1, 5.0, 6.0), (2, 20.0, 21.0), (3, 29.0, 40.0), (4, 99.0, 99.0))
        ),
    )  # fmt: skip
    store = Store(tmp_path)
    assert query(store, "SELECT id, labels_seen FROM training_runs") == [(1, 0), (2, 2), (3, 2), (4, 3)]
    assert query(store, "SELECT frame_id, number FROM labels ORDER BY frame_id") == [(1, 3), (2, 1), (3, 2)]
    champion = store.models.champion()
    assert (champion.id, champion.temperature, champion.files_removed_at) == (4, 1.25, None)
    assert classes_of(store) == {1: "good", 2: "good", 3: "good"}
    assert store.queue.jpeg(1) == b"\xff\xd8\xff\xd9"
    assert query(store, "SELECT count(*) FROM training_pauses") == [(0,)]
    assert store.calibrations.of(4) == []
    assert query(store, "SELECT version_num FROM alembic_version") == [(database.SCHEMA_HEAD,)]
    store.close()
