"""The database file: made once, for its owner alone, durable, and what is wrong with it said in one sentence."""

import errno
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from posture_daemon.domain import Status
from posture_daemon.errors import DataFolderError, LabelError
from posture_daemon.store import Store, database
from tests.builders import add_frame, label, make_store, undo
from tests.checks import query, raising, sentence


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
        assert opener.stdout.readline() == "ready\n"
    start = time.monotonic() + 0.1
    for opener in openers:
        opener.stdin.write(f"{start}\n")
        opener.stdin.close()
    assert [opener.wait(600) for opener in openers] == [0, 0]
    for opener in openers:
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
    assert undo(store) is None
    assert store.queue.get(frame_id).status is Status.QUEUED


def test_a_file_where_the_folder_should_be_is_said_in_one_sentence(tmp_path: Path) -> None:
    """Neither the file itself nor a folder below it can be the data folder."""
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DataFolderError, match="cannot be created") as error:
            Store(folder)
        assert "--data-dir" in sentence(error.value)


@pytest.mark.parametrize(
    ("put", "said"),
    [
        pytest.param(Path.mkdir, "cannot be opened", id="a folder"),
        pytest.param(lambda path: path.write_bytes(b"not a database" * 100), r"is damaged.*backup", id="a text"),
    ],
)
def test_what_is_no_database_is_said_in_one_sentence(tmp_path: Path, put: Callable[[Path], object], said: str) -> None:
    """SQLite's `unable to open database file` becomes advice, and what is damaged asks for the backup."""
    put(tmp_path / "posture.db")
    with pytest.raises(DataFolderError, match=said) as error:
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
    monkeypatch.setattr(Path, "touch", raising(OSError(errno.EROFS, os.strerror(errno.EROFS))))
    with pytest.raises(DataFolderError, match=r"cannot be written \(Read-only file system\)"):
        Store(tmp_path)


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
