"""Restoring: a checked backup takes the place of the database, which is kept; at no moment is there none."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

from posture_daemon.cli import app
from posture_daemon.errors import DataFolderError, PostureError
from posture_daemon.store import Store
from posture_daemon.store import restore as restoring
from posture_daemon.store import sqlite_copy as copying
from posture_daemon.store.lock import DAEMON_LOCK, TRAINING_LOCK, exclusive
from posture_daemon.store.restore import asides, contents, restore
from tests.builders import add_version, label_block, make_store, random_head
from tests.checks import labels_in, raising
from tests.old_databases import DUMPS, damage

NOON = 1_760_000_400.0  # 2025-10-09 09:00:00 UTC
DAY = 86_400.0


def folder_with_backup(tmp_path: Path) -> tuple[Path, Path]:
    """The data folder, three labels in its backup and two more after it; and the backup."""
    store = make_store(tmp_path)
    label_block(store, "good", 0.0, 3)
    backup = store.back_up(NOON, keep=3)
    label_block(store, "bad", 9000.0, 2)
    store.close()
    return store.folder, backup


def run(folder: Path, *arguments: str) -> Result:
    """A command as a user types it."""
    return CliRunner().invoke(app, ["--data-dir", str(folder), *arguments])


def test_the_backup_is_the_database_and_the_one_before_is_kept(tmp_path: Path) -> None:
    """It tells what is missing; and the one that was kept can be restored in turn."""
    folder, backup = folder_with_backup(tmp_path)
    done = restore(folder, backup, NOON + DAY)
    assert done.sentence() == (
        "The backup posture-20251009-090000.db was restored: 3 labels, 3 frames and 0 models. 2 labels and 2 frames that came "
        "after that backup are missing in it; what was there before is kept as posture.db.replaced-20251010-090000."
    )
    assert labels_in(folder) == 3
    [aside] = asides(folder)
    again = restore(folder, aside, NOON + 2 * DAY)
    assert "Nothing is missing in it that was there before" in again.sentence()
    assert labels_in(folder) == 5
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert list(folder.glob(".restore-*")) == []


@pytest.mark.parametrize("damaged", [False, True])
def test_what_was_still_in_the_wal_is_kept_and_does_not_get_into_the_backup(tmp_path: Path, damaged: bool) -> None:
    """After a power cut the newest labels are in the WAL alone; SQLite would play it into whatever file lies beside it."""
    folder, backup = folder_with_backup(tmp_path)
    store = Store(folder)
    label_block(store, "bad", 20_000.0, 4)
    cut_off = {end: (folder / f"posture.db{end}").read_bytes() for end in ("", "-wal")}
    store.close()
    for end, content in cut_off.items():
        (folder / f"posture.db{end}").write_bytes(content)
    if damaged:
        damage(folder / "posture.db")
    assert "6 labels and 6 frames" in restore(folder, backup, NOON + DAY).sentence()
    assert labels_in(folder) == 3
    [aside] = asides(folder)
    assert len(contents(aside).labelled) == 9
    assert aside.name.startswith("posture.db.damaged-" if damaged else "posture.db.replaced-")
    assert list(folder.glob("*-wal")) == []


def test_a_wal_that_sqlite_could_not_fold_in_goes_aside_with_its_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an error of the disk: both have the new name, the old name keeps the database until the copy takes it."""
    for end in ("", "-wal", "-shm"):
        (tmp_path / f"posture.db{end}").write_text(f"content{end}")
    monkeypatch.setattr(restoring, "_fold_wal", lambda _: True)
    aside = restoring._set_aside(tmp_path / "posture.db", NOON)
    assert aside == tmp_path / "posture.db.damaged-20251009-090000"
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    kept = {f"{aside.name}{end}": f"content{end}" for end in ("", "-wal", "-shm")}
    assert found == {"posture.db": "content", **kept}
    assert asides(tmp_path) == [aside]


def test_the_wal_of_a_database_that_is_gone_does_not_get_into_the_backup(tmp_path: Path) -> None:
    """After a power cut somebody moved the file alone away: SQLite would play its WAL over the backup."""
    folder, backup = folder_with_backup(tmp_path)
    store = Store(folder)
    label_block(store, "bad", 20_000.0, 4)
    wal = (folder / "posture.db-wal").read_bytes()
    store.close()
    (folder / "posture.db").unlink()
    (folder / "posture.db-wal").write_bytes(wal)
    done = restore(folder, backup, NOON + DAY)
    assert labels_in(folder) == 3
    assert done.aside == folder / "posture.db.damaged-20251010-090000"
    assert (folder / "posture.db.damaged-20251010-090000-wal").read_bytes() == wal


def test_a_clock_that_says_the_same_twice_costs_nothing_that_was_kept(tmp_path: Path) -> None:
    """A board without a battery begins at the same second after each power cut."""
    folder, backup = folder_with_backup(tmp_path)
    for _ in range(2):
        with closing(Store(folder)) as store:
            label_block(store, "bad", 20_000.0, 4)
        restore(folder, backup, NOON)
    kept = [contents(aside) for aside in asides(folder)]
    assert [len(one.labelled) for one in kept if one is not None] == [9, 7]


def test_who_opens_the_database_while_the_copy_is_made_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would go on writing to the file that was set aside, and its answers would be missing."""
    folder, backup = folder_with_backup(tmp_path)
    users: list[int] = []
    monkeypatch.setattr(restoring, "_users_of", lambda _: iter(users))
    fresh = restoring._fresh

    def made_beside_somebody(backup: Path, scratch: Path) -> Path:
        users.append(4711)
        return fresh(backup, scratch)

    monkeypatch.setattr(restoring, "_fresh", made_beside_somebody)
    with pytest.raises(DataFolderError, match="while process 4711 has it open"):
        restore(folder, backup, NOON + DAY, patience_s=0)
    assert (labels_in(folder), asides(folder)) == (5, [])


def test_a_command_that_passes_by_does_not_keep_a_restore_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`status` opens the database for a moment; a service that restores by itself must not end for that."""
    folder, backup = folder_with_backup(tmp_path)
    looks = iter([[4711], [4711, 4712], []])
    monkeypatch.setattr(restoring, "_users_of", lambda _: iter(next(looks)))
    restore(folder, backup, NOON + DAY)
    assert (labels_in(folder), len(asides(folder))) == (3, 1)


@pytest.mark.parametrize("failing", ["sync_folder", "_fresh", "replace"])
def test_a_restore_that_is_cut_off_leaves_a_database_that_opens(
    tmp_path: Path, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that was there; and the next try does it."""
    folder, backup = folder_with_backup(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(restoring.os if failing == "replace" else restoring, failing, raising(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            restore(folder, backup, NOON + DAY)
    assert labels_in(folder) == 5
    restore(folder, backup, NOON + 2 * DAY)
    assert labels_in(folder) == 3


@pytest.mark.parametrize("schema", ["0001", "0003", "0004-first"])
def test_an_older_backup_is_brought_up_to_date(tmp_path: Path, schema: str) -> None:
    """In a copy: the backup itself stays of its schema."""
    folder, _ = folder_with_backup(tmp_path)
    old = tmp_path / "old.db"
    with closing(sqlite3.connect(old)) as connection:
        connection.executescript((DUMPS / f"{schema}.sql").read_text())
    before = old.read_bytes()
    restore(folder, old, NOON + DAY)
    assert old.read_bytes() == before
    assert labels_in(folder) == 7


def spoil(backup: Path, how: str) -> None:
    """Make a backup useless."""
    if how == "gone":
        backup.unlink()
    elif how == "no database":
        backup.write_text("a shopping list")
    elif how == "empty":
        backup.write_bytes(b"")
    elif how == "damaged":
        data = bytearray(backup.read_bytes())
        data[4096:8192] = b"\xff" * 4096
        backup.write_bytes(data)
    else:
        with closing(sqlite3.connect(backup, isolation_level=None)) as connection:
            connection.execute(
                "DROP TABLE alembic_version" if how == "foreign" else "UPDATE alembic_version SET version_num = 9999"
            )


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("gone", "There is no backup"),
        ("no database", "is no sound backup (file is not a database)"),
        ("empty", "is no sound backup"),
        ("damaged", "is no sound backup"),
        ("foreign", "is no sound backup (not of posture-daemon)"),
        ("newer", "was made by a newer posture-daemon (schema 9999"),
    ],
)
def test_a_bad_backup_is_refused_and_nothing_has_changed(tmp_path: Path, how: str, said: str) -> None:
    """In one sentence; the database is the same to the byte."""
    folder, backup = folder_with_backup(tmp_path)
    spoil(backup, how)
    before = (folder / "posture.db").read_bytes()
    with pytest.raises(DataFolderError) as error:
        restore(folder, backup, NOON + DAY)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert (folder / "posture.db").read_bytes() == before
    assert asides(folder) == []


def test_a_full_disk_is_said_before_anything_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There must be room for both."""
    folder, backup = folder_with_backup(tmp_path)
    monkeypatch.setattr(copying.shutil, "disk_usage", lambda _: SimpleNamespace(free=1))
    with pytest.raises(DataFolderError, match="no room"):
        restore(folder, backup, NOON + DAY)
    assert labels_in(folder) == 5


@pytest.mark.parametrize(("lock", "what"), [(DAEMON_LOCK, "a posture-daemon"), (TRAINING_LOCK, "a training")])
def test_it_is_refused_while_a_daemon_or_a_training_runs(tmp_path: Path, lock: str, what: str) -> None:
    """Their next write would go to the file that was set aside."""
    folder, backup = folder_with_backup(tmp_path)
    with exclusive(folder / lock), pytest.raises(DataFolderError, match=f"while {what} .*stop it first"):
        restore(folder, backup, NOON + DAY)
    assert labels_in(folder) == 5


def test_it_is_refused_while_another_process_has_the_database_open(tmp_path: Path) -> None:
    """Such as a label page of its own; the sentence names the process."""
    folder, backup = folder_with_backup(tmp_path)
    code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM frames'); print(1); input()"
    command = [sys.executable, "-c", code, str(folder / "posture.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(DataFolderError, match=f"process {other.pid} has it open"):
            restore(folder, backup, NOON + DAY, patience_s=0)
        other.stdin.close()
    restore(folder, backup, NOON + DAY)


# ── the commands ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_backup_and_restore_as_commands(tmp_path: Path) -> None:
    """Make, list, lose, restore: the sentences tell what each holds, and the model files come back too."""
    store = make_store(tmp_path)
    folder = store.folder
    label_block(store, "good", 0.0, 3)
    version = add_version(store, random_head(2), "b" * 64, "good", "bad")
    store.models.promote(version.id, NOON)
    store.close()
    made = run(folder, "backup")
    assert (made.exit_code, "holds 3 labels, 3 frames and 1 model;" in made.output) == (0, True)
    assert run(folder, "backup", "--list").output.count("good") == 1
    store.models.head_path(version.head_sha256).unlink()
    (folder / "posture.db").unlink()
    done = run(folder, "restore", "--yes")
    assert done.exit_code == 0, done.output
    assert "was restored: 3 labels, 3 frames and 1 model." in done.output
    again = Store(folder)
    assert again.models.read_head(version.head_sha256)
    assert len(again.incidents.unseen()) == 1
    again.close()


def test_a_backup_is_chosen_by_its_name_or_its_path(tmp_path: Path) -> None:
    """Without one it is the newest good."""
    folder, backup = folder_with_backup(tmp_path)
    elsewhere = tmp_path / "copy.db"
    elsewhere.write_bytes(backup.read_bytes())
    for chosen in ((backup.name,), (str(elsewhere),), ()):
        assert run(folder, "restore", *chosen, "--yes").exit_code == 0
        for aside in asides(folder):
            aside.unlink()
    assert labels_in(folder) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("restore",), "add --yes"), (("restore", "none.db", "--yes"), "none.db; `posture-daemon backup --list`")],
)
def test_without_a_yes_or_a_backup_nothing_is_restored(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    """A service has nobody to ask."""
    folder, _ = folder_with_backup(tmp_path)
    result = run(folder, *arguments)
    assert result.exit_code == 1
    assert isinstance(result.exception, PostureError)
    assert said in str(result.exception)
    assert labels_in(folder) == 5


def test_without_any_backup_or_database_the_commands_say_so(tmp_path: Path) -> None:
    """And create nothing."""
    assert "no good backup" in str(run(tmp_path / "x", "restore", "--yes").exception)
    assert "nothing to back up" in str(run(tmp_path / "x", "backup").exception)
    assert "no backups in" in run(tmp_path / "x", "backup", "--list").output
    assert not (tmp_path / "x").exists()


def test_a_backup_to_a_stick_deletes_nothing_there(tmp_path: Path) -> None:
    """However many there are; the files are for their owner alone where the file system knows that."""
    folder, _ = folder_with_backup(tmp_path)
    stick = tmp_path / "stick"
    stick.mkdir()
    for day in range(5):
        (stick / f"posture-2025010{day}-000000.db").write_bytes(b"")
    before = os.umask(0)
    try:
        assert run(folder, "backup", "--to", str(stick)).exit_code == 0
    finally:
        os.umask(before)
    made = [path for path in stick.glob("posture-*.db") if path.stat().st_size]
    assert len(list(stick.glob("posture-*.db"))) == 6
    assert made[0].stat().st_mode & 0o777 == 0o600
