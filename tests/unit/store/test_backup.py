"""Backups: consistent while others write, checked, rotated, never half written, and no room is said before it begins."""

import os
import shutil
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from posture_daemon.errors import DataFolderError
from posture_daemon.store import Store
from posture_daemon.store import sqlite_copy as copying
from posture_daemon.store.schema import PeriodRow
from posture_daemon.store.sqlite_copy import RESERVE_BYTES
from tests.builders import add_frame, label_block
from tests.checks import raising, rows
from tests.waiting import allowed_s

NOON = 1_760_000_400.0  # 2025-10-09 09:00:00 UTC
DAY = 86_400.0


def names(store: Store) -> list[str]:
    """All that lies in the folder."""
    return sorted(path.name for path in store.backups.folder.iterdir())


def test_a_copy_is_a_whole_data_base_that_opens_as_one(store: Store, tmp_path: Path) -> None:
    """Labels and pictures are there, also those that SQLite still has in its WAL; the name tells the time in UTC."""
    ids = label_block(store, "good", 0.0, 3)
    path = store.backups.make(NOON, keep=3)
    assert path == store.folder / "backups" / "posture-20251009-090000.db"
    assert [(b.path, b.made_at, b.size_bytes) for b in store.backups.list()] == [(path, NOON, path.stat().st_size)]
    (tmp_path / "restored").mkdir()
    shutil.copy(path, tmp_path / "restored" / "posture.db")
    restored = Store(tmp_path / "restored")
    assert restored.labels.labelled() == store.labels.labelled()
    assert restored.queue.jpeg(ids[0]) == store.queue.jpeg(ids[0])
    restored.close()


def test_copies_are_for_their_owner_alone_and_one_file_each(store: Store) -> None:
    """Whatever the umask; and a copy needs no side files to be read."""
    before = os.umask(0)
    try:
        path = store.backups.make(NOON, keep=3)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert rows(path, "PRAGMA journal_mode") == [("delete",)]
    assert names(store) == [path.name]


class Writer:
    """Commits pairs of rows as fast as it can, and notes the longest commit in seconds."""

    def __init__(self, store: Store) -> None:
        self.store, self.commits, self.longest = store, 0, 0.0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        """Two rows of the same number in each commit."""
        while not self.stop.is_set():
            began = time.monotonic()
            with self.store.database.write() as session:
                session.add_all(PeriodRow(posture="good", started_at=self.commits, ended_at=0.0) for _ in range(2))
            self.commits += 1
            self.longest = max(self.longest, time.monotonic() - began)


def test_a_copy_that_is_made_while_others_write_is_of_one_moment(store: Store) -> None:
    """Every commit is in it whole or not at all, none is skipped; no writer waits, and its commits do not hold the copy up."""
    for number in range(40):
        add_frame(store, float(number), os.urandom(1_000_000))
    writer = Writer(store)
    writer.thread.start()
    try:
        while writer.commits < 5:
            time.sleep(0.001)
        before = writer.commits
        path = store.backups.make(NOON, keep=3)
        during = writer.commits - before
    finally:
        writer.stop.set()
        writer.thread.join()
    assert during >= 3
    assert writer.longest < allowed_s(1.0)
    pairs = rows(path, "SELECT started_at, count(*) FROM posture_periods GROUP BY started_at ORDER BY started_at")
    assert before <= len(pairs) <= before + max(3, during // 2)  # of when it began, not of when it ended
    assert pairs == [(float(number), 2) for number in range(len(pairs))]
    assert rows(path, "SELECT count(*), sum(length(jpeg)) FROM frames") == [(40, 40_000_000)]


def test_the_newest_stay(store: Store) -> None:
    """As many as wanted; files that are not ours are never touched."""
    made = [store.backups.make(NOON + day * DAY, keep=3) for day in range(5)]
    (store.backups.folder / "posture-mine.db").write_text("by hand")
    assert [b.path for b in store.backups.list()] == made[:1:-1]
    last = store.backups.make(NOON + 5 * DAY, keep=1)
    assert names(store) == [last.name, "posture-mine.db"]


def test_when_the_newest_was_made_is_told_by_its_name(store: Store) -> None:
    """Copying the folder changes the times of files, not names."""
    assert store.backups.newest_at() is None
    for at in (NOON + DAY, NOON):
        os.utime(store.backups.make(at, keep=3), (1.0, 1.0))
    assert store.backups.newest_at() == NOON + DAY


def test_copies_that_a_wrong_clock_dated_into_the_future_do_not_push_out_the_present(store: Store) -> None:
    """Back in the present they count as the oldest, and the next backup is not put off for years."""
    ahead = [store.backups.make(NOON + (3650 + day) * DAY, keep=3) for day in range(3)]
    made = [store.backups.make(NOON + day * DAY, keep=3) for day in range(3)]
    assert made[0].exists()
    assert not any(path.exists() for path in ahead)
    future = store.backups.make(NOON + 3650 * DAY, keep=9)
    assert store.backups.newest_at() == NOON + 3650 * DAY
    assert store.backups.newest_at(NOON + 3 * DAY) == NOON + 2 * DAY
    assert future.exists()


def test_a_full_disk_is_said_before_anything_is_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte too few is refused in one sentence; exactly enough is enough. Older copies stay."""
    old = store.backups.make(NOON, keep=1)
    wal = store.database.path.with_name("posture.db-wal")
    enough = store.database.path.stat().st_size + wal.stat().st_size + RESERVE_BYTES
    monkeypatch.setattr(copying.shutil, "disk_usage", lambda _: SimpleNamespace(free=enough - 1))
    with pytest.raises(DataFolderError, match=r"no room for a backup in .*MB are free; free some space\.$") as error:
        store.backups.make(NOON + DAY, keep=1)
    assert "\n" not in str(error.value)
    assert names(store) == [old.name]
    monkeypatch.setattr(copying.shutil, "disk_usage", lambda _: SimpleNamespace(free=enough))
    store.backups.make(NOON + DAY, keep=1)


def test_what_a_killed_process_left_is_removed_by_the_next(store: Store) -> None:
    """It never counts as a copy."""
    store.backups.folder.mkdir()
    for name in (".posture-20251008-090000.db.partial", ".posture-20251008-090000.db.partial-journal"):
        (store.backups.folder / name).write_bytes(b"half")
    assert store.backups.list() == []
    assert names(store) != []
    path = store.backups.make(NOON, keep=3)
    assert names(store) == [path.name]


@pytest.mark.parametrize("failing", ["copy", "sync_file"])
def test_a_copy_that_fails_leaves_nothing_half_written(
    store: Store, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """The disk fills up in the middle: one sentence, and the older copy is still there although only one is kept."""
    old = store.backups.make(NOON, keep=1)
    monkeypatch.setattr(copying, failing, raising(OSError(28, "No space left on device")))
    with pytest.raises(DataFolderError, match=r"No backup can be made in .* \(No space left on device\)"):
        store.backups.make(NOON + DAY, keep=1)
    assert names(store) == [old.name]


def test_a_damaged_copy_is_not_kept_and_pushes_no_good_one_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check reads what was written."""
    label_block(store, "good", 0.0, 3)
    old = store.backups.make(NOON, keep=1)
    copy = copying.copy

    def damaging(source: Path, target: Path) -> None:
        copy(source, target)
        with target.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 4 * 4096)

    monkeypatch.setattr(copying, "copy", damaging)
    with pytest.raises(DataFolderError, match=r"damaged") as error:
        store.backups.make(NOON + DAY, keep=1)
    assert "\n" not in str(error.value)
    assert names(store) == [old.name]


def test_a_copy_has_its_name_only_when_it_is_on_disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Durable before visible: content, then name, then folder."""
    order: list[str] = []
    sync, replace, sync_folder = copying.sync_file, os.replace, copying.sync_folder
    monkeypatch.setattr(copying, "sync_file", lambda path: (order.append("content"), sync(path)))
    monkeypatch.setattr(copying.os, "replace", lambda a, b: (order.append("name"), replace(a, b)))
    monkeypatch.setattr(copying, "sync_folder", lambda folder: (order.append("folder"), sync_folder(folder)))
    store.backups.make(NOON, keep=1)
    assert order == ["content", "name", "folder"]
