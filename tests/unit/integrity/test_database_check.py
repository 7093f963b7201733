"""A damaged database at the start: said with the backup that would help, or restored where the owner wants that."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from posture_daemon.errors import DatabaseDamaged, DataFolderError
from posture_daemon.integrity import database_check as startup
from posture_daemon.integrity.database_check import check_database
from posture_daemon.settings import KeepSettings, Settings
from posture_daemon.store import Store
from posture_daemon.store.restore import asides
from posture_daemon.store.status_file import stopped_cleanly
from tests.builders import label_block, make_store
from tests.checks import labels_in, raising
from tests.old_databases import damage

NOON = 1_760_000_400.0  # 2025-10-09 09:00:00 UTC
DAY = 86_400.0


def settings(folder: Path, restore: bool = False) -> Settings:
    """Of this data folder."""
    return Settings(data_dir=folder, keep=KeepSettings(restore_damaged=restore))


def folder_with_backup(tmp_path: Path) -> Path:
    """Three labels in the backup, two more after it."""
    store = make_store(tmp_path)
    label_block(store, "good", 0.0, 3)
    store.back_up(NOON, keep=3)
    label_block(store, "bad", 9000.0, 2)
    store.close()
    return store.folder


def test_a_sound_database_and_a_new_folder_pass(tmp_path: Path) -> None:
    """Nothing is created by the look."""
    check_database(settings(folder_with_backup(tmp_path)), NOON)
    check_database(settings(tmp_path / "none"), NOON)
    assert not (tmp_path / "none").exists()


def test_a_damaged_page_is_found_before_anything_reads_it(tmp_path: Path) -> None:
    """One sentence names the backup, its time and the command; the file is left as it is."""
    folder = folder_with_backup(tmp_path)
    damage(folder / "posture.db")
    before = (folder / "posture.db").read_bytes()
    with pytest.raises(DatabaseDamaged) as error:
        check_database(settings(folder), NOON + DAY)
    assert "\n" not in str(error.value)
    for part in ("is damaged (", "posture-20251009-090000.db", "2025-10-09 09:00 UTC", "posture-daemon restore"):
        assert part in str(error.value)
    assert (folder / "posture.db").read_bytes() == before
    assert asides(folder) == []


def test_the_backup_that_is_offered_is_a_good_one(tmp_path: Path) -> None:
    """A newer one that is damaged is not; with none that is good the sentence says so."""
    folder = folder_with_backup(tmp_path)
    damage(folder / "posture.db")
    newer = folder / "backups" / "posture-20251010-090000.db"
    newer.write_bytes((folder / "backups" / "posture-20251009-090000.db").read_bytes())
    damage(newer)
    with pytest.raises(DatabaseDamaged, match=r"bring back posture-20251009-090000\.db"):
        check_database(settings(folder), NOON + 2 * DAY)
    (folder / "backups" / "posture-20251009-090000.db").unlink()
    with pytest.raises(DatabaseDamaged, match=r"there is no good backup of it; move it away to begin anew"):
        check_database(settings(folder, restore=True), NOON + 2 * DAY)


def test_where_the_owner_wants_it_the_backup_is_restored_and_that_is_told(tmp_path: Path) -> None:
    """The damaged file is kept; what is missing is counted if it can be, and waits for the owner to see it."""
    folder = folder_with_backup(tmp_path)
    damage(folder / "posture.db")
    damaged = (folder / "posture.db").read_bytes()
    check_database(settings(folder, restore=True), NOON + DAY)
    [aside] = asides(folder)
    assert (aside.name, aside.read_bytes()) == ("posture.db.damaged-20251010-090000", damaged)
    assert labels_in(folder) == 3
    store = Store(folder)
    [incident] = store.incidents.unseen()
    store.close()
    assert "The backup posture-20251009-090000.db was restored: 3 labels" in incident.text
    assert "2 labels and 2 frames that came after that backup are missing in it" in incident.text
    assert aside.name in incident.text


@pytest.mark.parametrize("spoil", [damage, lambda path: path.write_bytes(b"")], ids=["damaged", "emptied"])
def test_a_disk_that_spoils_it_again_is_left_to_the_owner(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    """Whatever is wrong, within a week nothing is restored a second time by itself; later it is."""
    folder = folder_with_backup(tmp_path)
    for now in (NOON + DAY, NOON + 20 * DAY):
        spoil(folder / "posture.db")
        check_database(settings(folder, restore=True), now)
    spoil(folder / "posture.db")
    with pytest.raises(DatabaseDamaged, match="posture-daemon restore"):
        check_database(settings(folder, restore=True), NOON + 22 * DAY)
    assert len(asides(folder)) == 2


def test_a_restore_that_was_cut_off_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The power went before the copy had its place: that was none yet."""
    folder = folder_with_backup(tmp_path)
    damage(folder / "posture.db")
    with monkeypatch.context() as power:
        power.setattr("posture_daemon.store.restore.os.replace", raising(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            check_database(settings(folder, restore=True), NOON + DAY)
    check_database(settings(folder, restore=True), NOON + DAY + 10)
    assert labels_in(folder) == 3


@pytest.mark.parametrize("state", ["gone", "empty"])
def test_a_database_that_is_gone_is_not_taken_for_a_first_start(tmp_path: Path, state: str) -> None:
    """While there are backups of it; no command makes a new one. Without backups it is a first start."""
    folder = folder_with_backup(tmp_path)
    (folder / "posture.db").unlink()
    if state == "empty":
        (folder / "posture.db").touch()
    with pytest.raises(DatabaseDamaged, match=r"bring back posture-20251009-090000\.db"):
        check_database(settings(folder), NOON + DAY)
    with pytest.raises(DatabaseDamaged, match=f"is {state}, but there are backups of it"):
        Store(folder)
    check_database(settings(folder, restore=True), NOON + DAY)
    assert labels_in(folder) == 3


def test_a_newer_schema_is_not_taken_for_damage(tmp_path: Path) -> None:
    """It is refused, not restored over."""
    folder = folder_with_backup(tmp_path)
    with closing(sqlite3.connect(folder / "posture.db", isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DataFolderError, match="newer posture-daemon"):
        check_database(settings(folder, restore=True), NOON + DAY)
    assert asides(folder) == []


@pytest.mark.parametrize(
    ("said", "clean"),
    [
        (json.dumps({"pid": 1, "stopped_at": 5.0}), True),
        (json.dumps({"pid": 1}), False),
        ("[]", False),
        ('{"pid": 1, "stopp', False),
        (None, False),
    ],
)
def test_a_large_database_is_read_after_every_stop_that_was_no_clean_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str | None, clean: bool
) -> None:
    """The last words of the daemon tell; a small one is read always."""
    folder = folder_with_backup(tmp_path)
    looked: list[Any] = []
    monkeypatch.setattr(startup, "damage_in", looked.append)
    if said is not None:
        (folder / "status.json").write_text(said)
    check_database(settings(folder), NOON)
    assert len(looked) == 1
    assert stopped_cleanly(folder) is clean
    monkeypatch.setattr(startup, "MAX_BYTES_AT_EVERY_START", 1)
    check_database(settings(folder), NOON)
    assert len(looked) == (1 if clean else 2)
