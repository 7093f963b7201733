"""The store: a schema that migrates or refuses, rows that survive, answers that can be undone, splits that never change."""

from __future__ import annotations

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from posture_daemon.domain import (
    Decision,
    LabelledImage,
    NewFrame,
    Outcome,
    PostureClass,
    Reason,
    Role,
    Split,
    Status,
    Verdict,
)
from posture_daemon.errors import DataFolderError, LabelError, ModelError
from posture_daemon.store import Store, database
from posture_daemon.store import files as store_files
from posture_daemon.store.answers import split_for_new_block
from posture_daemon.store.files import sha256_of, write_durably
from posture_daemon.store.imports import BlockImport
from posture_daemon.store.lock import exclusive, is_held, owner_of, taken_at
from posture_daemon.store.schema import Base
from tests.builders import (
    GAP_S,
    HOLDOUT_EVERY,
    LENGTH_S,
    add_champion,
    add_frame,
    add_version,
    ensure_classes,
    label,
    label_block,
    make_store,
    new_frame,
    random_head,
)

HOUR = 3600.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A new store."""
    opened = make_store(tmp_path)
    yield opened
    opened.close()


def blocks_of(store: Store) -> dict[int, int]:
    """Block number by frame number, read past the store."""
    return dict(query(store, "SELECT id, block_id FROM frames"))


def query(store: Store, statement: str) -> list[tuple]:
    """Rows as SQLite has them."""
    connection = sqlite3.connect(store.database.path)
    try:
        with connection:
            return connection.execute(statement).fetchall()
    finally:
        connection.close()


def splits(store: Store) -> dict[int, Split]:
    """Split by frame number."""
    return {image.frame_id: image.split for image in store.labels.labelled()}


# ── the file ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_new_folder_gets_the_newest_schema_and_keeps_it(tmp_path: Path) -> None:
    """Parents are created; opened again, the file is not migrated again and holds what was put into it."""
    folder = tmp_path / "deep" / "data"
    first = Store(folder)
    add_frame(first, 1.0)
    first.close()
    again = Store(folder)
    assert [frame.captured_at for frame in again.queue.waiting()] == [1.0]
    assert query(again, "SELECT version_num FROM alembic_version") == [(database.SCHEMA_HEAD,)]
    again.close()


def test_the_schema_that_start_up_expects_is_alembics_head() -> None:
    """`SCHEMA_HEAD` saves the import of Alembic at start-up, so it must follow every new migration."""
    scripts = ScriptDirectory(str(Path(database.__file__).parent / "migrations"))
    assert scripts.get_heads() == [database.SCHEMA_HEAD]


def test_migrations_build_exactly_the_tables_of_the_models(store: Store) -> None:
    """Alembic finds no difference between the migrated file and `schema.py`."""
    with store.database.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_an_older_file_is_brought_up_to_date_with_all_its_rows(tmp_path: Path) -> None:
    """From the first schema: classes, answers and runs are as they were, and the new columns are empty."""
    path = tmp_path / "posture.db"
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql("INSERT INTO classes VALUES (1, 'good', 'good', 5.0)")
        connection.exec_driver_sql(
            "INSERT INTO training_runs VALUES (1, 'hand', 1.0, 2.0, 'KEPT', 'no better', '[]', '{}', 7, NULL, NULL)"
        )
    engine.dispose()
    store = Store(tmp_path)
    assert store.labels.classes() == [PostureClass("good", Role.GOOD)]
    assert [(run.trigger, run.reason) for run in store.runs.recent()] == [("hand", "no better")]
    assert query(store, "SELECT retired_at FROM classes") == [(None,)]
    store.close()


def test_a_newer_schema_is_refused_and_nothing_is_touched(tmp_path: Path) -> None:
    """After a downgrade of the program the file is left as it is, to the byte, and the sentence says what to do."""
    store = make_store(tmp_path)
    query(store, "UPDATE alembic_version SET version_num = '9999'")
    store.close()
    before = store.database.path.read_bytes()
    with pytest.raises(DataFolderError, match=r"newer posture-daemon \(schema 9999.*update posture-daemon") as error:
        Store(store.folder)
    assert "\n" not in str(error.value)
    assert store.database.path.read_bytes() == before
    assert [path.name for path in store.folder.iterdir()] == ["posture.db"]


def test_a_newer_schema_is_refused_before_any_setting_touches_the_file(tmp_path: Path) -> None:
    """A file that is not in WAL mode stays so, with the mode that it has."""
    store = make_store(tmp_path)
    query(store, "UPDATE alembic_version SET version_num = '9999'")
    store.close()
    query(store, "PRAGMA journal_mode = DELETE")
    store.database.path.chmod(0o640)
    before = store.database.path.read_bytes()
    with pytest.raises(DataFolderError, match="newer"):
        Store(store.folder)
    assert store.database.path.read_bytes() == before
    assert query(store, "PRAGMA journal_mode") == [("delete",)]
    assert store.database.path.stat().st_mode & 0o777 == 0o640


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Whatever the umask, and also a file that was open to others before; its side files too."""
    before = os.umask(0)
    try:
        store = Store(tmp_path / "data")
        store.close()
        store.database.path.chmod(0o644)
        store = Store(tmp_path / "data")
        add_frame(store, 1.0)
        files = list(store.folder.glob("posture.db*"))
    finally:
        os.umask(before)
    assert len(files) == 3
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    store.close()


def test_a_migration_that_fails_leaves_the_file_without_a_schema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All tables come in one transaction; after a failure the next start can begin again."""

    def broken(self: object, *_args: object, **_kwargs: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patched:
        patched.setattr("alembic.runtime.migration.HeadMaintainer.update_to_step", broken)
        with pytest.raises(RuntimeError, match="power cut"):
            Store(tmp_path / "data")
    connection = sqlite3.connect(tmp_path / "data" / "posture.db")
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()
    Store(tmp_path / "data").close()


def test_a_database_of_the_first_schema_is_upgraded_with_its_rows(tmp_path: Path) -> None:
    """What an older program wrote is all there; its versions have an empty lineage; new rows can be added."""
    first_schema(tmp_path / "posture.db")
    query_file = sqlite3.connect(tmp_path / "posture.db")
    with query_file:
        query_file.execute(
            "INSERT INTO model_versions VALUES (4, 1.5, NULL, 'backbone', 'head', "
            """'[{"name": "good", "role": "good"}]', 1.25, 'fine-tune', '{"challenger": {"top1": 0.5}}')"""
        )
        query_file.execute("INSERT INTO model_roles VALUES ('champion', 4, 2.5)")
        query_file.execute("INSERT INTO training_runs VALUES (1, 'x', 1, 2, 'KEPT', 'no', '[]', '{}', 3, 4, NULL)")
    query_file.close()
    store = Store(tmp_path)
    champion = store.models.champion()
    assert champion is not None
    assert (champion.id, champion.temperature, champion.lineage) == (4, 1.25, {})
    assert champion.metrics == {"challenger": {"top1": 0.5}}
    assert [run.reason for run in store.runs.recent()] == ["no"]
    assert add_version(store, random_head(2), "sha", "good", "bad", lineage={"seed": 3}).lineage == {"seed": 3}
    assert query(store, "SELECT version_num FROM alembic_version") == [(database.SCHEMA_HEAD,)]
    store.close()


def test_a_database_of_the_third_schema_is_upgraded_with_its_rows(tmp_path: Path) -> None:
    """Labels are numbered by their times, runs have seen those given before they began, and no version has lost files."""
    first_schema(tmp_path / "posture.db", "0003")
    rows = sqlite3.connect(tmp_path / "posture.db")
    with rows:
        rows.execute("INSERT INTO classes VALUES (1, 'good', 'good', 5, NULL)")
        rows.execute(
            "INSERT INTO model_versions (id, created_at, backbone_sha256, head_sha256, classes, temperature, source, metrics) "
            "VALUES (4, 1.5, 'backbone', 'head', '[]', 1.25, 'base', '{}')"
        )
        rows.execute("INSERT INTO model_roles VALUES ('champion', 4, 2.5)")
        rows.execute("INSERT INTO blocks VALUES (1, 'camera', 0, 9, 'train', 1)")
        rows.execute(
            "INSERT INTO frames (id, sha256, captured_at, added_at, block_id, status, reason, explanation, size_bytes, jpeg) "
            "VALUES (1, 'sha', 0, 0, 1, 'labelled', 'imported', '', 4, x'ffd8ffd9')"
        )
        frame = (
            "INSERT INTO frames SELECT ?, ?, captured_at, added_at, block_id, status, reason, explanation, predicted, "
        )
        frame += "confidence, version_id, backbone_sha256, features, size_bytes, jpeg FROM frames WHERE id = 1"
        rows.executemany(frame, [(2, "two"), (3, "three")])
        rows.executemany("INSERT INTO labels VALUES (?, 1, ?, 'owner')", [(1, 30.0), (2, 10.0), (3, 20.0)])
        run = "INSERT INTO training_runs VALUES (?, 'x', ?, ?, 'KEPT', 'no', '[]', '{}', 4, NULL)"
        rows.executemany(run, [(1, 5.0, 6.0), (2, 20.0, 21.0), (3, 29.0, 40.0), (4, 99.0, 99.0)])
    rows.close()
    store = Store(tmp_path)
    assert query(store, "SELECT id, labels_seen FROM training_runs") == [(1, 0), (2, 2), (3, 2), (4, 3)]
    assert query(store, "SELECT frame_id, number FROM labels ORDER BY frame_id") == [(1, 3), (2, 1), (3, 2)]
    champion = store.models.champion()
    assert champion is not None
    assert (champion.id, champion.temperature, champion.files_removed_at) == (4, 1.25, None)
    assert {i.frame_id: i.class_name for i in store.labels.labelled()} == {1: "good", 2: "good", 3: "good"}
    assert store.queue.jpeg(1) == b"\xff\xd8\xff\xd9"
    assert query(store, "SELECT count(*) FROM training_pauses") == [(0,)]
    assert store.calibrations.of(4) == []
    assert query(store, "SELECT version_num FROM alembic_version") == [(database.SCHEMA_HEAD,)]
    store.close()


def first_schema(path: Path, revision: str = "0001") -> None:
    """Write an empty database as the first release, or that of another schema, made it, with its own migrations."""
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


OPEN = """
import sys, time
from pathlib import Path
from posture_daemon.store.database import Database
import alembic.command
print("ready", flush=True)
start = float(sys.stdin.readline())
for number in range(20):
    while time.monotonic() < start + number / 10:  # spin: all at the same microsecond
        pass
    Database(Path(sys.argv[1], str(number))).close()
"""


def test_processes_that_create_the_file_at_the_same_moment_all_get_it(tmp_path: Path) -> None:
    """Two of them open twenty new folders together: SQLite alone turns some away while the other switches to WAL."""
    command = [sys.executable, "-c", OPEN, str(tmp_path)]
    openers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for opener in openers:
        assert opener.stdout is not None
        assert opener.stdout.readline() == "ready\n"
    start = time.monotonic() + 0.1
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write(f"{start}\n")
        opener.stdin.close()
    assert [opener.wait(60) for opener in openers] == [0, 0]
    for opener in openers:
        assert opener.stdout is not None
        opener.stdout.close()


@pytest.mark.parametrize("kind", ["read", "write"])
def test_every_connection_is_durable_checks_foreign_keys_and_stays_small(store: Store, kind: str) -> None:
    """WAL, FULL, foreign keys and half a megabyte of cache hold in the connections that the store really uses."""
    with getattr(store.database, kind)() as session:
        connection = session.connection()
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "cache_size")
        ]
    assert found == ["wal", 2, 1, 10_000, -512]


def test_a_transaction_that_fails_leaves_nothing_behind(store: Store) -> None:
    """An answer with an unknown class writes neither the label nor the line for undo."""
    frame_id = add_frame(store, 1.0)
    with pytest.raises(LabelError, match="no class 'nobody'"):
        label(store, frame_id, "nobody")
    assert store.labels.undo() is None
    assert store.queue.get(frame_id).status is Status.QUEUED


def sentence(error: BaseException) -> str:
    """The message, which must be one line that ends in a full stop."""
    text = str(error)
    assert text.endswith(".")
    assert "\n" not in text
    return text


def test_a_file_where_the_folder_should_be_is_said_in_one_sentence(tmp_path: Path) -> None:
    """Neither the file itself nor a folder below it can be the data folder."""
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DataFolderError, match="cannot be created") as error:
            Store(folder)
        assert "--data-dir" in sentence(error.value)


def test_a_folder_where_the_database_should_be_is_said_in_one_sentence(tmp_path: Path) -> None:
    """SQLite's `unable to open database file` becomes advice."""
    (tmp_path / "posture.db").mkdir()
    with pytest.raises(DataFolderError, match="cannot be opened") as error:
        Store(tmp_path)
    sentence(error.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_said_in_one_sentence(tmp_path: Path) -> None:
    """A read-only folder is refused before SQLite sees it."""
    tmp_path.chmod(0o500)
    with pytest.raises(DataFolderError, match="read-only for this user") as error:
        Store(tmp_path)
    sentence(error.value)
    tmp_path.chmod(0o700)


def test_a_file_system_that_became_read_only_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an error the kernel refuses to write although folder and mount look writable."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(DataFolderError, match=r"cannot be written \(Read-only file system\)"):
        Store(tmp_path)


def test_a_damaged_file_is_said_in_one_sentence(tmp_path: Path) -> None:
    """A file that is no database, and one whose pages were overwritten, both ask for the backup."""
    (tmp_path / "posture.db").write_bytes(b"not a database" * 100)
    with pytest.raises(DataFolderError, match=r"is damaged.*backup") as error:
        Store(tmp_path)
    sentence(error.value)


def test_damage_that_shows_only_later_is_said_in_one_sentence(tmp_path: Path) -> None:
    """The header may be whole while the pages behind it are not; then the first query tells."""
    store = make_store(tmp_path)
    for number in range(50):
        add_frame(store, float(number), jpeg=os.urandom(2000))
    store.close()
    data = bytearray(store.database.path.read_bytes())
    data[4096 * 2 :] = b"\xff" * (len(data) - 4096 * 2)
    store.database.path.write_bytes(data)
    with pytest.raises(DataFolderError, match="is damaged") as error:
        Store(store.folder).queue.waiting()
    sentence(error.value)


def test_a_full_disk_is_said_in_one_sentence_and_loses_nothing(store: Store) -> None:
    """When the file cannot grow the frame is refused; the ones before it are still there, and reading goes on."""
    add_frame(store, 1.0)
    with store.database.write() as session:
        connection = session.connection()
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DataFolderError, match="disk is full; free some space") as error:
        add_frame(store, 2.0, jpeg=os.urandom(100_000))
    sentence(error.value)
    assert [frame.captured_at for frame in store.queue.waiting()] == [1.0]


def test_a_file_that_another_program_keeps_locked_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writers wait for each other for ten seconds (here: none), then say so."""
    monkeypatch.setattr(database, "PRAGMAS", (*database.PRAGMAS, "busy_timeout = 0"))
    store = make_store(tmp_path)
    other = sqlite3.connect(store.database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DataFolderError, match="busy for more than 10 s") as error:
        add_frame(store, 1.0)
    sentence(error.value)
    other.execute("ROLLBACK")
    other.close()
    add_frame(store, 1.0)
    store.close()


# ── the queue ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_frame_comes_back_as_it_was_put_in(store: Store) -> None:
    """Picture, features and what was known of it; the features only to those who ask for the same backbone."""
    version = add_champion(store, "good", "bad")
    pooled = np.array([0.5, -0.25, 2.0], np.float16)
    known = {"predicted": "good", "confidence": 0.55, "version_id": version.id, "backbone_sha256": "abc"}
    frame_id = add_frame(store, 12.5, b"picture", pooled=pooled, **known)
    frame = store.queue.get(frame_id)
    assert (frame.captured_at, frame.status, frame.predicted, frame.confidence) == (12.5, Status.QUEUED, "good", 0.55)
    assert (frame.reason, frame.explanation) == (Reason.UNCERTAIN.value, "unsure")
    assert store.queue.jpeg(frame_id) == b"picture"
    assert store.queue.find(b"picture") == frame
    assert store.queue.find(b"another") is None
    np.testing.assert_array_equal(store.queue.pooled([frame_id], "abc")[frame_id], pooled)
    assert store.queue.pooled([frame_id], "other") == store.queue.pooled([frame_id + 1], "abc") == {}


def test_the_very_same_picture_is_kept_once(store: Store) -> None:
    """A camera that freezes does not fill the queue."""
    add_frame(store, 1.0, b"same")
    assert store.queue.add(new_frame(b"same", 2.0), 2.0, GAP_S, LENGTH_S) is None
    assert len(store.queue.waiting()) == 1


def test_waiting_frames_come_oldest_first(store: Store) -> None:
    """In the order of capture, not of arrival; labelled and discarded ones are not among them."""
    ensure_classes(store, "good")
    ids = [add_frame(store, at) for at in (30.0, 10.0, 20.0, 40.0, 50.0)]
    label(store, ids[3], "good")
    label(store, ids[4], None)
    assert [frame.captured_at for frame in store.queue.waiting()] == [10.0, 20.0, 30.0]
    assert [frame.captured_at for frame in store.queue.waiting(limit=2)] == [10.0, 20.0]
    assert store.queue.counts() == {Status.QUEUED: 3, Status.LABELLED: 1, Status.DISCARDED: 1}


def test_frames_that_are_not_there_are_said_in_one_sentence(store: Store) -> None:
    """Asked for, pictured or answered."""
    for ask in (store.queue.get, store.queue.jpeg, lambda number: label(store, number, None)):
        with pytest.raises(LabelError, match="no frame 77") as error:
            ask(77)
        sentence(error.value)


def test_recent_features_are_those_of_the_newest_frames(store: Store) -> None:
    """For the recognition of near-duplicates after a restart: the newest of this backbone, oldest first."""
    for at in (1.0, 3.0, 2.0):
        add_frame(store, at, pooled=np.array([at], np.float16), backbone_sha256="abc")
    add_frame(store, 9.0, pooled=np.array([9], np.float16), backbone_sha256="other")
    assert [float(one[0]) for one in store.queue.recent_pooled("abc", limit=2)] == [2.0, 3.0]


def test_eviction_takes_the_surest_frames_and_never_a_labelled_one(store: Store) -> None:
    """Least is lost with a sure frame, among equals with an old one; frames of a base count as unsure."""
    ensure_classes(store, "good")
    sure_but_labelled = add_frame(store, 0.0, confidence=1.0)
    label(store, sure_but_labelled, "good")
    discarded = add_frame(store, 0.5, confidence=1.0)
    label(store, discarded, None)
    for at, confidence in ((1.0, 0.7), (2.0, 0.9), (3.0, 0.9), (4.0, None), (5.0, 0.5)):
        add_frame(store, at, confidence=confidence)
    assert store.queue.evict(most_frames=3, most_bytes=10**9) == 2
    assert [frame.captured_at for frame in store.queue.waiting()] == [1.0, 4.0, 5.0]
    assert store.queue.evict(3, 10**9) == 0
    assert store.queue.evict(0, 10**9) == 3
    assert {store.queue.get(kept).status for kept in (sure_but_labelled, discarded)} == {
        Status.LABELLED,
        Status.DISCARDED,
    }


def test_eviction_goes_by_usefulness_where_it_is_known(store: Store) -> None:
    """A sure frame of which the models disagree is worth more than an unsure one; without a number confidence decides."""
    for at, usefulness, confidence in ((1.0, 0.6, 0.99), (2.0, 0.2, 0.5), (3.0, None, 0.7), (4.0, 0.25, 0.8)):
        add_frame(store, at, usefulness=usefulness, confidence=confidence)
    assert store.queue.evict(3, 10**9) == 1
    assert [frame.captured_at for frame in store.queue.waiting()] == [1.0, 3.0, 4.0]
    assert store.queue.evict(1, 10**9) == 2
    assert [frame.captured_at for frame in store.queue.waiting()] == [1.0]


def test_eviction_also_keeps_the_limit_in_bytes(store: Store) -> None:
    """Pictures and features both count; it stops as soon as the rest fits."""
    for at in (1.0, 2.0, 3.0):
        add_frame(store, at, os.urandom(1000), pooled=np.zeros(50, np.float16), backbone_sha256="abc")
    assert store.queue.waiting_bytes() == 3300
    assert store.queue.evict(100, 2200) == 1
    assert store.queue.waiting_bytes() == 2200


def test_a_frame_with_undone_answers_can_be_evicted(store: Store) -> None:
    """The lines for undo go with it, and undo then goes on with the answer before."""
    ensure_classes(store, "good")
    kept, gone = add_frame(store, 1.0), add_frame(store, 2.0, confidence=0.9)
    label(store, kept, "good")
    label(store, gone, "good")
    assert store.labels.undo() == gone
    assert store.queue.evict(0, 0) == 1
    assert store.labels.undo() == kept


# ── blocks and splits ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("times", "blocks"),
    [
        pytest.param([0, 299, 598], 1, id="short pauses"),
        pytest.param([0, 300], 2, id="a long pause"),
        pytest.param([0, 200, 400, 600, 800, 899.9], 1, id="as long as it may be"),
        pytest.param([0, 200, 400, 600, 800, 900], 2, id="too long"),
        pytest.param([0, 100, 50], 1, id="out of order"),
        pytest.param([1000, 500], 2, id="a clock set back"),
    ],
)
def test_camera_frames_fall_into_blocks_by_pause_and_length(store: Store, times: list[float], blocks: int) -> None:
    """A pause of 300 s or a length of 900 s begins a new block."""
    for at in times:
        add_frame(store, at)
    assert len(set(blocks_of(store).values())) == blocks


def test_sources_have_blocks_of_their_own(store: Store) -> None:
    """A camera frame does not join the block of an import that happened between."""
    first = add_frame(store, 0.0)
    store.imports.add_block([(new_frame(b"x", 1.0, source="folder"), None)], None, 1.0, HOLDOUT_EVERY)
    last = add_frame(store, 2.0)
    blocks = blocks_of(store)
    assert blocks[first] == blocks[last]
    assert len(set(blocks.values())) == 2


def test_the_second_block_of_a_class_and_then_every_fifth_is_held_out(store: Store) -> None:
    """A class is in training from its first block, and can be judged from its second."""
    for number in range(12):
        label_block(store, "good", number * HOUR, count=1)
    held_out = [n for n, split in enumerate(splits(store).values()) if split is Split.HOLDOUT]
    assert held_out == [1, 6, 11]
    before = [(0, 0), (1, 0), (0, 1), (1, 1), (5, 1)]  # blocks of the class in training, held out
    assert [split_for_new_block({Split.TRAIN: n, Split.HOLDOUT: m}, 5) for n, m in before] == [
        Split.TRAIN,
        Split.HOLDOUT,
        Split.TRAIN,
        Split.TRAIN,
        Split.HOLDOUT,
    ]


def test_each_class_counts_its_own_blocks(store: Store) -> None:
    """A second class is not pushed into the holdout with its first block because another class had one before."""
    label_block(store, "good", 0, count=1)
    label_block(store, "bad", HOUR, count=1)
    label_block(store, "good", 2 * HOUR, count=1)
    label_block(store, "bad", 3 * HOUR, count=1)
    assert list(splits(store).values()) == [Split.TRAIN, Split.TRAIN, Split.HOLDOUT, Split.HOLDOUT]


def test_the_first_label_decides_for_the_whole_block(store: Store) -> None:
    """Frames of another class in the same block share its split, which the block counts for its first class only."""
    ensure_classes(store, "good", "bad")
    label_block(store, "good", 0, count=1)
    mixed = [add_frame(store, HOUR + second) for second in range(2)]
    label(store, mixed[0], "good")
    label(store, mixed[1], "bad")
    [alone] = label_block(store, "bad", 2 * HOUR, count=1)
    found = splits(store)
    assert [found[frame] for frame in (*mixed, alone)] == [Split.HOLDOUT, Split.HOLDOUT, Split.TRAIN]


def test_every_nth_block_can_be_kept_for_tests(store: Store) -> None:
    """From the third block of a class on, where it is not held out; labels of the owner and imports follow the same rule."""
    train, holdout, test = Split.TRAIN, Split.HOLDOUT, Split.TEST
    ensure_classes(store, "good")
    for hour in range(5):
        store.labels.answer(add_frame(store, hour * HOUR), "good", "owner", 0.0, 5, test_every=3)
    assert list(splits(store).values()) == [train, holdout, test, train, train]
    for hour in range(24, 28):
        store.imports.add_block([(new_frame(b"%d" % hour, hour * HOUR), "good")], None, 0.0, 5, test_every=3)
    assert list(splits(store).values())[5:] == [train, test, train, holdout]


@pytest.mark.parametrize(("shared", "expected"), [(0, Split.HOLDOUT), (HOUR, Split.TRAIN)])
def test_a_class_gets_its_share_also_from_blocks_that_began_with_another(
    store: Store, shared: float, expected: Split
) -> None:
    """`bad` came late into a block of `good`: into training, so its next block is held out; into the holdout, so it trains."""
    ensure_classes(store, "good", "bad")
    for start in (0, HOUR):
        label_block(store, "good", start, count=1)
        if start == shared:
            label(store, add_frame(store, start + 10), "bad")
    [alone] = label_block(store, "bad", 2 * HOUR, count=1)
    assert splits(store)[alone] is expected


def test_the_split_of_a_block_never_changes(store: Store) -> None:
    """Not by relabelling, discarding or undoing its frames, nor by answering the first one anew."""
    ensure_classes(store, "good", "bad")
    label_block(store, "good", 0, count=1)
    [frame] = label_block(store, "good", HOUR, count=1)
    label(store, frame, "bad")
    assert splits(store)[frame] is Split.HOLDOUT
    label(store, frame, None)
    store.labels.undo(), store.labels.undo(), store.labels.undo()
    assert frame not in splits(store)
    label(store, frame, "bad")
    assert splits(store)[frame] is Split.HOLDOUT


# ── answers and undo ──────────────────────────────────────────────────────────────────────────────────────────────────


def state_of(store: Store, frame_id: int) -> tuple[Status, str | None]:
    """Status and class."""
    names = {image.frame_id: image.class_name for image in store.labels.labelled()}
    return store.queue.get(frame_id).status, names.get(frame_id)


def test_undo_goes_back_answer_by_answer(store: Store) -> None:
    """Label, relabel, discard, relabel: four undos pass through every state and end in the queue; a fifth does nothing."""
    ensure_classes(store, "good", "bad")
    frame = add_frame(store, 1.0)
    seen = []
    for answer in ("good", "bad", None, "good"):
        seen.append(state_of(store, frame))
        label(store, frame, answer)
    for expected in reversed(seen):
        assert store.labels.undo() == frame
        assert state_of(store, frame) == expected
    assert store.labels.undo() is None


def test_undo_takes_the_last_answer_of_any_frame(store: Store) -> None:
    """In the order of the answers; an answer after an undo becomes the next to be undone."""
    ensure_classes(store, "good")
    first, second = add_frame(store, 1.0), add_frame(store, 2.0)
    label(store, second, "good")
    label(store, first, "good")
    assert store.labels.undo() == first
    label(store, first, None)
    assert [store.labels.undo(), store.labels.undo(), store.labels.undo()] == [first, second, None]
    assert store.labels.total() == 0


def test_a_batch_is_undone_in_one_step(store: Store) -> None:
    """Labels, relabellings and discards of one import go back together; the answers before and after are steps of their own."""
    ensure_classes(store, "good", "bad")
    relabelled, discarded = add_frame(store, 1.0, b"a"), add_frame(store, 2.0, b"b")
    label(store, relabelled, "good")
    batch = store.labels.new_batch()
    frames = [(new_frame(picture, 3.0, source="folder"), "bad") for picture in (b"a", b"c", b"d")]
    store.imports.add_block([*frames], None, 3.0, HOLDOUT_EVERY, batch=batch)
    store.labels.answer(discarded, None, "import", 3.0, HOLDOUT_EVERY, batch=batch)
    label(store, discarded, "good")
    assert store.labels.new_batch() == batch + 1
    assert store.labels.undo() == discarded
    assert state_of(store, discarded) == (Status.DISCARDED, None)
    assert store.labels.undo() == relabelled
    assert state_of(store, relabelled) == (Status.LABELLED, "good")
    assert store.queue.counts() == {Status.QUEUED: 3, Status.LABELLED: 1, Status.DISCARDED: 0}
    assert store.labels.undo() == relabelled
    assert store.labels.undo() is None


def test_classes_keep_the_order_of_their_creation(store: Store) -> None:
    """And their first role: a class is created once."""
    ensure_classes(store, "good", "bad", "away")
    assert not store.labels.ensure_class(PostureClass("bad", Role.GOOD), 9.0)
    assert store.labels.classes() == [
        PostureClass("good", Role.GOOD),
        PostureClass("bad", Role.BAD),
        PostureClass("away", Role.AWAY),
    ]


def test_counts_per_class_and_split(store: Store) -> None:
    """Classes without any image are there with zeros."""
    ensure_classes(store, "away")
    label_block(store, "good", 0, count=3)
    label_block(store, "good", HOUR, count=2)
    zero = dict.fromkeys(Split, 0)
    assert store.labels.counts() == {"away": zero, "good": {**zero, Split.TRAIN: 3, Split.HOLDOUT: 2}}
    assert store.labels.total() == 5


def trained(store: Store, outcome: Outcome = Outcome.KEPT, now: float = 0.0) -> None:
    """A training that saw all labels there are."""
    store.runs.finish(store.runs.begin("test", decided(), None, now), outcome, "", now)


def test_new_labels_are_those_given_after_a_training_whatever_the_clock_says(store: Store) -> None:
    """In their order, with their times; here the clock was a year ahead when the training ran."""
    label_block(store, "good", 0, count=3)
    assert store.labels.new() == [("good", 0.0), ("good", 1.0), ("good", 2.0)]
    trained(store, now=365 * 24 * HOUR)
    assert store.labels.new(store.runs.labels_learned()) == []
    label_block(store, "bad", HOUR, count=2)
    assert store.labels.new(store.runs.labels_learned()) == [("bad", HOUR), ("bad", HOUR + 1)]


def test_a_label_that_is_changed_or_taken_back_to_another_is_new(store: Store) -> None:
    """The next training has something to learn from it; one that is gone has not, and its number is not given again."""
    first, second = label_block(store, "good", 0, count=2)
    label(store, first, "bad") if store.labels.ensure_class(PostureClass("bad", Role.BAD), 0.0) else None
    trained(store)
    seen = store.runs.labels_learned()
    store.labels.undo()
    assert [name for name, _ in store.labels.new(seen)] == ["good"]
    label(store, second, None)
    label(store, second, "bad")
    assert [name for name, _ in store.labels.new(seen)] == ["good", "bad"]


@pytest.mark.parametrize("outcome", [Outcome.DEFERRED, Outcome.FAILED])
def test_a_training_that_came_to_nothing_has_learned_nothing(store: Store, outcome: Outcome) -> None:
    """Its labels are still new."""
    label_block(store, "good", 0, count=3)
    trained(store, outcome)
    assert len(store.labels.new(store.runs.labels_learned())) == 3


# ── import ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def imported(*names: str, at: float = 0.0) -> list[NewFrame]:
    """Frames of a folder; the name is the picture."""
    return [new_frame(name.encode(), at + n, source="folder", reason=Reason.IMPORTED) for n, name in enumerate(names)]


def import_one(store: Store, frame: NewFrame, class_name: str | None, split: Split | None = None) -> BlockImport:
    """Import a block of one frame."""
    return store.imports.add_block([(frame, class_name)], split, 1.0, HOLDOUT_EVERY)


def test_importing_adds_labels_queues_and_counts(store: Store) -> None:
    """A block with a class is labelled, without one it waits; both have one block and come back in order."""
    ensure_classes(store, "good", "bad")
    a, b, c = imported("a", "b", "c")
    done = store.imports.add_block([(a, "good"), (b, None), (c, "bad")], None, 5.0, HOLDOUT_EVERY)
    assert done == BlockImport(added=2, queued=1)
    shas = [sha256_of(x) for x in (b"a", b"c")]
    assert store.labels.labelled() == [
        LabelledImage(1, shas[0], "good", Split.TRAIN),
        LabelledImage(3, shas[1], "bad", Split.TRAIN),
    ]
    assert [frame.id for frame in store.queue.waiting()] == [2]
    assert len(set(blocks_of(store).values())) == 1


def test_importing_again_changes_nothing_but_what_is_new(store: Store) -> None:
    """Known pictures are left alone, new ones join their block; another class relabels; a waiting one is answered."""
    ensure_classes(store, "good", "bad")
    a, b, c = imported("a", "b", "c")
    import_one(store, a, "good")
    import_one(store, b, None)
    again = store.imports.add_block([(a, "good"), (c, "good"), (b, "bad")], None, 9.0, HOLDOUT_EVERY)
    assert again == BlockImport(added=1, known=1, relabelled=1)
    blocks = blocks_of(store)
    assert blocks[1] == blocks[3] != blocks[2]
    assert import_one(store, a, "bad") == BlockImport(relabelled=1)
    assert import_one(store, a, None) == BlockImport(known=1)
    assert {image.frame_id: image.class_name for image in store.labels.labelled()} == {1: "bad", 2: "bad", 3: "good"}


def test_the_same_picture_twice_in_one_import_is_added_once(store: Store) -> None:
    """Copies under two names in one folder count once."""
    ensure_classes(store, "good")
    a, copy = imported("a"), imported("a")
    done = store.imports.add_block([(a[0], "good"), (copy[0], "good")], None, 1.0, HOLDOUT_EVERY)
    assert done == BlockImport(added=1)
    assert [image.frame_id for image in store.labels.labelled()] == [1]


@pytest.mark.parametrize("split", list(Split))
def test_a_split_that_is_given_wins_over_the_rule(store: Store, split: Split) -> None:
    """Also for a picture that waits in the queue already and has no split yet."""
    ensure_classes(store, "good")
    a, b = imported("a", "b")
    import_one(store, a, None)
    import_one(store, a, "good", split)
    import_one(store, b, "good", split)
    assert set(splits(store).values()) == {split}


def test_blocks_with_a_given_split_do_not_count_for_the_rule(store: Store) -> None:
    """After an import of test pictures the first block of the camera still goes into training."""
    ensure_classes(store, "good")
    import_one(store, imported("a")[0], "good", Split.TEST)
    [frame] = label_block(store, "good", HOUR, count=1)
    assert splits(store)[frame] is Split.TRAIN


def test_import_results_add_up() -> None:
    """Blocks are imported one by one and reported together."""
    assert BlockImport(1, 2, 3, 4) + BlockImport(10, 20, 30, 40) == BlockImport(11, 22, 33, 44)


# ── models ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_version_comes_back_as_it_was_recorded(store: Store) -> None:
    """Classes in the order of the rows, with their roles, lineage, metrics; newest first in the list."""
    parent = add_champion(store, "good", "bad")
    child = add_version(
        store,
        random_head(3),
        "sha",
        "bad",
        "good",
        "standing",
        parent_id=parent.id,
        temperature=1.5,
        metrics={"top1": 0.75},
    )
    assert store.models.get(child.id) == child
    assert child.id != parent.id == child.parent_id
    assert [c.name for c in child.classes] == ["bad", "good", "standing"]
    assert (child.temperature, child.metrics["top1"], child.is_base) == (1.5, 0.75, False)
    assert store.models.all() == [child, parent]
    with pytest.raises(ModelError, match="no model version 99"):
        store.models.get(99)


def test_promotion_and_two_rollbacks(store: Store) -> None:
    """The champion before is previous; rolling back swaps the two, and rolling back again swaps them back."""
    assert store.models.champion() is store.models.champion_id() is store.models.previous() is None
    old = add_champion(store, "good", "bad")
    assert store.models.previous() is None
    new = add_version(store, random_head(2, seed=1), "sha", "good", "bad")
    store.models.promote(new.id, 1.0)
    for _ in range(2):
        assert (store.models.champion(), store.models.previous()) == (new, old)
        assert store.models.champion_id() == new.id
        store.models.promote(old.id, 2.0)
        assert (store.models.champion(), store.models.previous()) == (old, new)
        store.models.promote(new.id, 3.0)


def test_promoting_the_champion_again_keeps_the_previous(store: Store) -> None:
    """Otherwise a repeated command would lose the way back."""
    old = add_champion(store, "good", "bad")
    new = add_version(store, random_head(2, seed=1), "sha", "good", "bad")
    store.models.promote(new.id, 1.0)
    store.models.promote(new.id, 2.0)
    assert store.models.previous() == old


def test_a_version_that_is_not_there_cannot_be_promoted(store: Store) -> None:
    """The champion stays."""
    champion = add_champion(store, "good", "bad")
    with pytest.raises(ModelError, match="no model version 99"):
        store.models.promote(99, 1.0)
    assert store.models.champion() == champion


def test_a_champion_that_changed_meanwhile_is_not_overrun(store: Store) -> None:
    """Promoting in place of one that is no longer champion changes nothing and says so."""
    first = add_champion(store, "good", "bad")
    second, third = (add_version(store, random_head(2, seed=n), "sha", "good", "bad") for n in (1, 2))
    assert store.models.promote(second.id, 1.0, expected=first.id)
    assert not store.models.promote(third.id, 2.0, expected=first.id)
    assert (store.models.champion(), store.models.previous()) == (second, first)


def test_a_damaged_or_missing_head_is_refused(store: Store) -> None:
    """A head is found by its content, so a changed byte shows."""
    data = random_head(2).to_bytes()
    digest = store.models.add_head(data)
    assert store.models.read_head(digest) == data
    path = store.models.head_path(digest)
    path.write_bytes(data[:-1] + b"x")
    with pytest.raises(ModelError, match="does not match its digest"):
        store.models.read_head(digest)
    path.unlink()
    with pytest.raises(ModelError, match=r"cannot be read \(No such file") as error:
        store.models.read_head(digest)
    sentence(error.value)


def test_a_backbone_is_copied_whole_and_once(store: Store, tmp_path: Path) -> None:
    """A copy that was cut off by a crash is replaced; one that is complete is left alone."""
    digest = sha256_of(b"graph")
    (tmp_path / "backbone.onnx").write_bytes(b"graph")
    (tmp_path / "backbone.json").write_text(json.dumps({"sha256": digest}))
    target = store.models.backbone_folder(digest)
    cut_off = target.with_name(f".{target.name}.partial")
    cut_off.mkdir(parents=True)
    (cut_off / "rubbish").write_text("")
    store.models.add_backbone(tmp_path, digest)
    assert sorted(path.name for path in target.iterdir()) == ["backbone.json", "backbone.onnx"]
    assert (target / "backbone.onnx").read_bytes() == b"graph"
    (tmp_path / "backbone.onnx").unlink()
    store.models.add_backbone(tmp_path, digest)


@pytest.mark.parametrize("name", ["backbone.onnx", "backbone.json"])
def test_a_damaged_backbone_is_replaced_when_it_is_added_again(store: Store, tmp_path: Path, name: str) -> None:
    """So `models import` mends what it is said to mend."""
    digest = sha256_of(b"graph")
    (tmp_path / "backbone.onnx").write_bytes(b"graph")
    (tmp_path / "backbone.json").write_text(json.dumps({"sha256": digest}))
    store.models.add_backbone(tmp_path, digest)
    target = store.models.backbone_folder(digest)
    (target / name).write_bytes(b"[]")
    assert not store.models.has_backbone(digest)
    store.models.add_backbone(tmp_path, digest)
    assert store.models.has_backbone(digest)
    assert [path.name for path in target.parent.iterdir()] == [target.name]


# ── runs and history ──────────────────────────────────────────────────────────────────────────────────────────────────


def decided(**passed: bool) -> Decision:
    """A decision of these conditions."""
    return Decision(tuple(Verdict(name, value, f"{name} text") for name, value in passed.items()))


def test_the_same_refusal_again_only_moves_its_time(store: Store) -> None:
    """A gate that stays closed is one line; another reason, or a run between, begins a new one."""
    first = store.runs.defer("schedule", decided(memory=False, labels=True), None, 1.0)
    again = store.runs.defer("schedule", decided(memory=False, labels=True), None, 2.0)
    assert (again.id, again.started_at, again.finished_at) == (first.id, 1.0, 2.0)
    other = store.runs.defer("schedule", decided(memory=False, labels=False), None, 3.0)
    assert other.id != first.id
    assert (other.outcome, other.reason) == (Outcome.DEFERRED, "memory text; labels text")
    run_id = store.runs.begin("hand", decided(memory=True), None, 4.0)
    store.runs.finish(run_id, Outcome.KEPT, "no better", 5.0)
    last = store.runs.defer("schedule", decided(memory=False, labels=False), None, 6.0)
    assert [run.id for run in store.runs.recent()] == [last.id, run_id, other.id, first.id]
    assert [run.id for run in store.runs.recent(limit=1)] == [last.id]


def test_a_run_records_how_it_went(store: Store) -> None:
    """Trigger, times, models, numbers; while it runs it has no outcome."""
    incumbent = add_champion(store, "good", "bad")
    run_id = store.runs.begin("hand", decided(memory=True), incumbent.id, 1.0)
    assert store.runs.recent()[0].outcome is None
    run = store.runs.finish(run_id, Outcome.PROMOTED, "better", 2.0, {"top1": 0.5}, incumbent.id)
    assert run == store.runs.recent()[0]
    assert (run.trigger, run.started_at, run.finished_at, run.outcome) == ("hand", 1.0, 2.0, Outcome.PROMOTED)
    assert (run.reason, run.metrics, run.incumbent_id, run.challenger_id) == ("better", {"top1": 0.5}, 1, 1)


def test_attempts_come_without_what_is_known_of_single_images(store: Store) -> None:
    """The gate reads fifty of them once a minute; one run by its number has everything."""
    run_id = store.runs.begin("hand", decided(), None, 1.0, {"load": {"images": 3}})
    whole = {"challenger": {"top1": 0.5}, "answers": {"frame_ids": [1, 2]}, "new_labels": {"truth": ["good"]}}
    store.runs.finish(run_id, Outcome.KEPT, "no better", 2.0, whole)
    [attempt] = store.runs.attempts()
    assert attempt.metrics == {"load": {"images": 3}, "challenger": {"top1": 0.5}}
    assert store.runs.get(run_id).metrics == {"load": {"images": 3}, **whole}
    assert replace(attempt, metrics={}) == replace(store.runs.get(run_id), metrics={})


def test_runs_that_a_crash_left_open_are_closed_as_failed(store: Store) -> None:
    """Only the open ones, with a reason in words."""
    done = store.runs.begin("hand", decided(), None, 1.0)
    store.runs.finish(done, Outcome.KEPT, "no better", 2.0)
    store.runs.begin("hand", decided(), None, 3.0)
    assert store.runs.close_interrupted(4.0) == 1
    newest, older = store.runs.recent()
    assert (newest.outcome, newest.finished_at) == (Outcome.FAILED, 4.0)
    assert "process ended" in newest.reason
    assert older.outcome is Outcome.KEPT
    assert store.runs.close_interrupted(5.0) == 0


def test_a_run_whose_challenger_became_champion_before_the_crash_is_no_failure(store: Store) -> None:
    """The decision was made, only not written down; one whose challenger is not champion has failed."""
    first = add_champion(store, "good", "bad")
    second = add_champion(store, "good", "bad")
    runs = [store.runs.begin("schedule", decided(), None, 1.0) for _ in range(2)]
    for run_id, challenger in zip(runs, (first, second), strict=True):
        store.runs.propose(run_id, challenger.id)
    assert store.runs.close_interrupted(2.0) == 2
    assert [store.runs.get(run_id).outcome for run_id in runs] == [Outcome.FAILED, Outcome.PROMOTED]
    assert store.runs.get(runs[1]).challenger_id == second.id
    assert "became champion" in store.runs.get(runs[1]).reason


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [(Outcome.KEPT, True), (Outcome.PROMOTED, True), (Outcome.FAILED, True), (Outcome.DEFERRED, False), (None, False)],
)
def test_attempts_are_runs_that_trained_to_an_end(store: Store, outcome: Outcome | None, counts: bool) -> None:
    """A refusal is none, nor is a run that was interrupted or is still open."""
    run_id = store.runs.begin("hand", decided(), None, 10.0)
    if outcome is not None:
        store.runs.finish(run_id, outcome, "", 20.0)
    store.runs.defer("schedule", decided(memory=False), None, 30.0)
    assert [run.started_at for run in store.runs.attempts()] == ([10.0] if counts else [])


def test_a_run_says_how_it_stands_while_it_goes_on(store: Store) -> None:
    """And no longer when it has ended; what was measured is added to what is there."""
    run_id = store.runs.begin("hand", decided(), None, 1.0, {"load": {"images": 3}})
    store.runs.note(run_id, "paused: too warm")
    assert store.runs.recent()[0].reason == "paused: too warm"
    store.runs.finish(run_id, Outcome.KEPT, "no better", 2.0, {"ran_s": 1.0})
    store.runs.note(run_id, "paused: too warm")
    store.runs.add_metrics(run_id, {"frames": {}})
    ended = store.runs.recent()[0]
    assert (ended.reason, ended.metrics) == ("no better", {"load": {"images": 3}, "ran_s": 1.0, "frames": {}})


def test_a_decision_is_kept_with_every_number(store: Store) -> None:
    """Each condition with its value and its limit; repeated refusals are counted."""
    verdicts = (
        Verdict("memory", False, "too little", 5, 10, True),
        Verdict("time", True, "it is 12:00", "12:00", None),
    )
    for now in (1.0, 2.0, 3.0):
        run = store.runs.defer("schedule", Decision(verdicts), None, now)
    assert store.runs.recent()[0].decision == verdicts
    assert run.metrics == {"refusals": 3}


def test_the_owners_pause_ends_by_itself_by_hand_or_when_the_clock_proves_wrong(store: Store) -> None:
    """In the database, so it outlives a restart; a second one takes the place of the first."""
    assert store.pauses.current(0.0) is None
    store.pauses.begin(100.0, until=200.0)
    assert [store.pauses.current(now) is not None for now in (99.0, 100.0, 199.9, 200.0)] == [False, True, True, False]
    endless = store.pauses.begin(100.0)
    assert store.pauses.current(1e12) == endless
    assert [store.pauses.end(), store.pauses.end()] == [True, False]
    assert store.pauses.current(150.0) is None


def test_history_adds_up_seconds_since_a_time(store: Store) -> None:
    """A period that began before is counted from that time on only; one that ended before not at all."""
    for posture, began, ended in (("good", 0, 100), ("bad", 100, 130), ("good", 130, 200)):
        store.history.add(posture, began, ended)
    assert store.history.seconds_by_posture(0) == {"good": 170, "bad": 30}
    assert store.history.seconds_by_posture(90) == {"good": 80, "bad": 30}
    assert store.history.seconds_by_posture(130) == {"good": 70}


def test_history_does_not_record_negative_time(store: Store) -> None:
    """After a clock is set back a period may end before it began; it must not eat up the others."""
    store.history.add("good", 0, 100)
    store.history.add("good", 1000, 50)
    assert store.history.seconds_by_posture(0) == {"good": 100}


# ── lock and files ────────────────────────────────────────────────────────────────────────────────────────────────────

TRY = "import sys\nfrom pathlib import Path\nfrom posture_daemon.store.lock import exclusive\n"
HOLD = TRY + "with exclusive(Path(sys.argv[1])) as held:\n    print(held, flush=True)\n    sys.stdin.read()\n"


def test_a_second_process_cannot_take_the_lock_and_gets_it_when_the_first_is_killed(tmp_path: Path) -> None:
    """The kernel keeps the lock, so not even SIGKILL leaves it behind; the file tells people who has it."""
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        with exclusive(path) as held:
            assert held is False
        assert owner_of(path) == holder.pid
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with exclusive(path) as held:
        assert held is True
        assert owner_of(path) == os.getpid()


def test_what_a_lock_file_says_holds_nobody_back(tmp_path: Path) -> None:
    """Neither the number of a process that runs, nor nonsense: the kernel knows who holds it."""
    path = tmp_path / "daemon.lock"
    for text in ("1\n", "nonsense", ""):
        path.write_text(text)
        assert not is_held(path)
        with exclusive(path) as alone:
            assert alone


def test_the_lock_also_holds_within_one_process(tmp_path: Path) -> None:
    """Two threads of the daemon do not train at once; the lock is free after the block."""
    with exclusive(tmp_path / "lock") as first, exclusive(tmp_path / "lock") as second:
        assert (first, second) == (True, False)
    with exclusive(tmp_path / "lock") as again:
        assert again
    assert owner_of(tmp_path / "nowhere") is None


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """The folder is created, the old content gone, and nothing else is left in the folder."""
    path = tmp_path / "new" / "file"
    write_durably(path, b"old and long")
    write_durably(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_no_rubbish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Whether the disk fails while writing or while renaming."""
    path = tmp_path / "file"
    write_durably(path, b"old")

    def fail(*_args: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(store_files.os, step, fail)
    with pytest.raises(OSError, match="no space left"):
        write_durably(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_content_is_on_disk_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order that survives a power cut: write, fsync the file, rename, fsync the folder."""
    steps = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        steps.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
        real_fsync(descriptor)

    def rename(source: str, target: Path) -> None:
        assert Path(source).read_bytes() == b"data"
        steps.append("rename")
        real_replace(source, target)

    monkeypatch.setattr(store_files.os, "fsync", fsync)
    monkeypatch.setattr(store_files.os, "replace", rename)
    write_durably(tmp_path / "file", b"data")
    assert steps == ["file", "rename", "folder"]


def test_a_lock_file_tells_when_it_was_last_taken(tmp_path: Path) -> None:
    """Never, then a time that every new owner moves on; to look takes no lock, and a try that fails is no taking."""
    lock = tmp_path / "lock"
    assert taken_at(lock) is None
    with exclusive(lock):
        os.utime(lock, ns=(5, 5))
        with exclusive(lock) as alone:
            assert not alone
        assert taken_at(lock) == 5
    with exclusive(lock) as alone:
        assert alone
        assert (taken_at(lock) or 0) > 5
