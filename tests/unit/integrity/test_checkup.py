"""`doctor` on data folders: a healthy one and broken ones, and what `doctor --fix` mends without touching label or frame."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from posture_daemon.cli import app
from posture_daemon.device.report import Health, Line, nearest
from posture_daemon.device.resources import Resources
from posture_daemon.errors import DeviceError
from posture_daemon.integrity.checkup import look
from posture_daemon.integrity.model_recovery import install
from posture_daemon.learning.feature_space import FeatureSpace
from posture_daemon.learning.features import cached_space
from posture_daemon.settings import Settings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.store.database import SCHEMA_HEAD
from posture_daemon.store.lock import DAEMON_LOCK, exclusive
from posture_daemon.store.model_copies import STARTER, STARTER_SOURCE
from posture_daemon.vision.head import Head
from tests.builders import add_version, label_block, make_store, random_head, resources
from tests.old_databases import DUMPS, damage, page_of

OK, NOTE, PROBLEM = Health.OK, Health.NOTE, Health.PROBLEM
NOW = 1_760_000_400.0
DAY = 86_400.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A healthy data folder: the starter and a model trained from it, labels, a backup, cached vectors."""
    tmp_path.chmod(0o700)
    before = os.umask(0o077)
    try:
        store = make_store(tmp_path)
        install(store, STARTER, STARTER_SOURCE, as_base=False)
        starter = store.models.get(1)
        version = add_version(
            store, random_head(3, 128), starter.backbone_sha256, "good", "bad", "na", source="fine-tune"
        )
        store.models.promote(version.id, NOW)
        label_block(store, "good", 0.0, 3)
        cached(store, 4)
        store.back_up(NOW, keep=3)
        store.close()
    finally:
        os.umask(before)
    store.folder.chmod(0o700)
    return store.folder


@pytest.mark.parametrize(
    ("region", "camera", "said"),
    [
        ("", "", None),
        ("0.2,0.1,0.6,0.8", "7", "0.2,0.1,0.6,0.8 was drawn for the camera 7, so the whole picture is looked at"),
        ("0.2,0.1,0.6,0.8", "", "model 2 looks at the whole picture; the next training looks at 0.2,0.1,0.6,0.8 of"),
    ],
)
def test_a_region_that_does_not_count_yet_is_told(folder: Path, region: str, camera: str, said: str | None) -> None:
    """Drawn for another camera, or not learned by the champion; nothing is broken."""
    values = Settings(data_dir=folder, camera={"region": region, "region_camera": camera})
    found = [one.line for one in look(values, NOW) if one.line.name == "region"]
    assert [line.health for line in found] == ([] if said is None else [NOTE])
    assert all(line.text.startswith(str(said)) for line in found)


@pytest.fixture(autouse=True)
def device(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cool and idle one, with the disk that is really there: to look at this one takes a second."""

    def seen(data_dir: Path) -> Resources:
        return resources(disk_free_bytes=shutil.disk_usage(nearest(data_dir)).free)

    monkeypatch.setattr("posture_daemon.cli.doctor._look", seen)


def settings(folder: Path) -> Settings:
    """The defaults."""
    return Settings(data_dir=folder)


def cached(store: Store, count: int) -> Path:
    """Put vectors into the space that the next training reads; returns its file."""
    champion, recipe = store.models.champion(), Recipe.of(settings(store.folder).training)
    inputs = FeatureSpace.of(Head.from_bytes(store.models.read_head(champion.head_sha256)), is_base=False)
    space = cached_space(store, champion.backbone_sha256, inputs.key, inputs.width, recipe)
    space.put([(f"{n:064x}", 0) for n in range(count)], np.ones((count, inputs.width), np.float32))
    return space.path


def lines(folder: Path, now: float = NOW) -> dict[str, Line]:
    """The findings by name; of several with one name the worst."""
    order = [OK, NOTE, PROBLEM]
    found = sorted((finding.line for finding in look(settings(folder), now)), key=lambda line: order.index(line.health))
    return {line.name: line for line in found}


def doctor(folder: Path, *arguments: str) -> Result:
    """The command as a user types it."""
    return CliRunner().invoke(app, ["--data-dir", str(folder), "doctor", *arguments])


def content(folder: Path) -> tuple[list, list]:
    """What the owner said and what they said it of."""
    with closing(sqlite3.connect(folder / "posture.db")) as connection:
        frames = connection.execute("SELECT id, sha256, status, jpeg FROM frames").fetchall()
        return frames, connection.execute("SELECT frame_id, class_id, labelled_at FROM labels").fetchall()


def head_of(folder: Path, number: int) -> Path:
    """The head file of a model."""
    with closing(Store(folder)) as store:
        return store.models.head_path(store.models.get(number).head_sha256)


def champion(folder: Path) -> int | None:
    """Its number."""
    with closing(Store(folder)) as store:
        return store.models.champion_id()


# ── healthy, not there, older ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_healthy_folder_has_a_good_word_for_everything_and_a_look_changes_nothing(folder: Path) -> None:
    """All lines are fine, and every file is the same to the byte."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    found = lines(folder)
    assert {name: line.health for name, line in found.items()} == dict.fromkeys(
        ("data folder", "access", "models", "backups"), OK
    )
    assert f"its database is sound (schema {SCHEMA_HEAD}" in found["data folder"].text
    assert found["models"].text == "the files of 2 models are sound; model 2 is champion"
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert not any(finding.mend for finding in look(settings(folder), NOW))


def test_a_folder_that_is_not_there_is_left_so(tmp_path: Path) -> None:
    """Neither it nor a database is created by looking."""
    assert lines(tmp_path / "a/b")["data folder"].health is NOTE
    assert lines(tmp_path)["data folder"].text == f"{tmp_path} is writable, and holds no database yet"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    assert lines(tmp_path / "file")["data folder"].health is PROBLEM


def test_an_older_database_is_not_brought_up_to_date_by_a_look(tmp_path: Path) -> None:
    """Its schema is told; also `--fix` leaves that to the next start."""
    with closing(sqlite3.connect(tmp_path / "posture.db")) as connection:
        connection.executescript((DUMPS / "0003.sql").read_text())
    found = lines(tmp_path)["data folder"]
    assert (found.health, "(schema 0003" in found.text, f"up to schema {SCHEMA_HEAD}" in found.text) == (OK, True, True)
    doctor(tmp_path, "--fix")
    assert "(schema 0003" in lines(tmp_path)["data folder"].text


# ── broken, and mended ────────────────────────────────────────────────────────────────────────────────────────────────


def open_to_others(folder: Path) -> None:
    """Bad access rights, on a file and two folders."""
    (folder / "posture.db").chmod(0o644)
    (folder / "backups").chmod(0o755)
    folder.chmod(0o755)


def damage_champion(folder: Path) -> None:
    """A head of which the backup has a copy."""
    head_of(folder, 2).write_bytes(b"x")


def damage_champion_and_its_copies(folder: Path) -> None:
    """So that it cannot be mended."""
    for path in (head_of(folder, 2), *(folder / "backups/models/heads").iterdir()):
        path.write_bytes(b"x")


def lose_backbone(folder: Path) -> None:
    """That of both models."""
    shutil.rmtree(folder / "models/backbones")


def damage_starter(folder: Path) -> None:
    """The model before the champion."""
    head_of(folder, 1).unlink()


def damage_cache(folder: Path) -> None:
    """One byte of one record."""
    [path] = (folder / "cache/features").iterdir()
    with path.open("r+b") as file:
        file.seek(50)
        file.write(b"\xff")


def leave_files(folder: Path) -> None:
    """What processes that were killed days ago have left, and a model that nobody needs."""
    for name in (".training-abc/x", ".preparing-abc/x", ".import-abc/x", ".restore-abc/x", ".status.json.partial",
                 "backups/.posture-x.db.partial", "models/heads/.abc.safetensors.x", "models/heads/0123.safetensors",
                 "downloads/yolo11n-cls.pt.part"):  # fmt: skip
        path = folder / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_bytes(b"x")
        path.chmod(0o600)
        for one in (path, path.parent):
            os.utime(one, (NOW - 3 * DAY, NOW - 3 * DAY))


def damage_status(folder: Path) -> None:
    """Half a file."""
    (folder / "status.json").write_text('{"pid": 1, "mod')
    (folder / "status.json").chmod(0o600)


def damage_backup(folder: Path) -> None:
    """The only one."""
    [path] = (folder / "backups").glob("*.db")
    damage(path)


MENDED: dict[str, tuple[Callable[[Path], None], str, Health, str]] = {
    "bad access rights": (open_to_others, "access", PROBLEM, "made private: "),
    "a damaged champion": (damage_champion, "models", PROBLEM, "replaced the damaged files of model 2"),
    "a lost champion": (damage_champion_and_its_copies, "models", PROBLEM, "made model 1 (starter model) champion"),
    "a missing backbone": (lose_backbone, "models", PROBLEM, "replaced the damaged files of model"),
    "a damaged starter": (damage_starter, "models", PROBLEM, "replaced the damaged files of model 1"),
    "a damaged cache": (damage_cache, "cache", NOTE, "dropped 1 damaged records"),
    "leftovers": (leave_files, "leftovers", NOTE, "deleted what killed processes left"),
    "surplus model files": (leave_files, "surplus", NOTE, "of model files that no model needs"),
    "a damaged status file": (damage_status, "status", NOTE, "deleted the damaged status.json"),
    "a damaged backup": (damage_backup, "backups", PROBLEM, "made the backup"),
}


@pytest.mark.parametrize("case", MENDED)
def test_what_is_broken_is_told_and_mended(folder: Path, case: str) -> None:
    """A look says what is wrong and what mends it; `--fix` says what it did; then all is well, and nothing else is touched."""
    spoil, name, health, done = MENDED[case]
    labelled = content(folder)
    spoil(folder)
    assert lines(folder)[name].health is health
    told = doctor(folder)
    assert told.exit_code == (1 if health is PROBLEM else 0), told.output
    assert "posture-daemon doctor --fix mends this" in told.output
    fixed = doctor(folder, "--fix")
    assert fixed.exit_code == (0 if case != "a lost champion" else 1), fixed.output
    assert done in fixed.output
    if case not in ("a lost champion", "a damaged backup"):
        assert lines(folder).get(name, Line(name, "")).health is OK
    assert content(folder) == labelled


def test_a_champion_that_cannot_be_mended_gives_way(folder: Path) -> None:
    """The database says so too, and the owner is told until they say that they have seen it."""
    damage_champion_and_its_copies(folder)
    doctor(folder, "--fix")
    assert champion(folder) == 1
    assert lines(folder)["models"].text.startswith("model 2, the one before it, is damaged")


def test_incidents_are_told_until_they_are_seen(folder: Path) -> None:
    """By the doctor and by `status`."""
    store = Store(folder)
    store.incidents.add("Something was damaged.", NOW)
    store.incidents.add("Something was damaged.", NOW + 1)
    store.close()
    shown = CliRunner().invoke(app, ["--data-dir", str(folder), "status"]).output
    assert shown.count("Something was damaged.") == 1
    told = doctor(folder).output
    assert told.count("Something was damaged.") == 1
    assert "doctor --fix notes that it was seen" in told
    assert "noted that 1 incident" in doctor(folder, "--fix").output
    assert "Something was damaged." not in doctor(folder).output


def test_what_may_be_in_use_is_no_leftover(folder: Path) -> None:
    """Within a day of its last change."""
    leave_files(folder)
    assert "leftovers" not in lines(folder, NOW - 2.5 * DAY)


def test_a_status_file_of_a_running_daemon_is_left_to_it(folder: Path) -> None:
    """It is replaced within a second."""
    damage_status(folder)
    with exclusive(folder / DAEMON_LOCK):
        findings = {finding.line.name: finding for finding in look(settings(folder), NOW)}
    assert findings["status"].mend is None


def test_old_backups_are_told(folder: Path) -> None:
    """After three times the pause between two."""
    assert lines(folder, NOW + 2.9 * DAY)["backups"].health is OK
    assert "the newest is of 2025-10-09" in lines(folder, NOW + 3.1 * DAY)["backups"].text


# ── broken, and for the owner to decide ───────────────────────────────────────────────────────────────────────────────


def test_a_damaged_page_is_told_with_the_backup_that_would_help(folder: Path) -> None:
    """`--fix` restores nothing, for a restore may lose labels, and opens no damaged database."""
    damage(folder / "posture.db")
    before = (folder / "posture.db").read_bytes()
    found = doctor(folder, "--fix")
    assert found.exit_code == 1
    assert "bring back posture-20251009-090000.db" in found.output
    assert "posture-daemon restore" in found.output
    assert (folder / "posture.db").read_bytes() == before
    assert set(lines(folder)) == {"data folder", "access"}


def test_a_newer_schema_is_told_and_left_alone(folder: Path) -> None:
    """To the byte."""
    with closing(sqlite3.connect(folder / "posture.db", isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = (folder / "posture.db").read_bytes()
    found = doctor(folder, "--fix")
    assert (found.exit_code, "written by a newer posture-daemon" in found.output) == (1, True)
    assert (folder / "posture.db").read_bytes() == before


def test_no_database_at_all_is_told_with_its_backup(folder: Path) -> None:
    """As after a mistaken `rm`."""
    (folder / "posture.db").unlink()
    assert "bring back posture-20251009-090000.db" in lines(folder)["data folder"].text


@pytest.fixture
def mounted(folder: Path, tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Gives the folder on a small file system of its own, mounted with these options; skips where none can be mounted."""
    place = tmp_path / "disk"
    place.mkdir(mode=0o700)

    def mount(options: str) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", "size=24m,mode=700", "tmpfs", str(place)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode != 0:
            pytest.skip("only root may mount a small file system")
        shutil.copytree(folder, place, dirs_exist_ok=True)
        if options:
            subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)
        return place

    yield mount
    subprocess.run(["umount", "-l", str(place)], check=False, capture_output=True)


def test_a_read_only_folder_is_told(mounted: Callable[[str], Path]) -> None:
    """Nothing can be mended there, and nothing is tried that fails with a traceback."""
    place = mounted("ro")
    found = doctor(place, "--fix")
    assert isinstance(found.exception, SystemExit)
    assert found.exit_code == 1
    assert "is read-only for this user" in found.output


def test_a_full_disk_is_told_and_what_cannot_be_mended_is_said(mounted: Callable[[str], Path], folder: Path) -> None:
    """Looking needs no room."""
    place = mounted("")
    damage_champion(place)
    with (place / "filler").open("wb") as file:
        file.write(b"\0" * shutil.disk_usage(place).free)
    (place / "filler").chmod(0o600)
    found = doctor(place, "--fix")
    assert isinstance(found.exception, SystemExit)
    assert found.exit_code == 1
    assert "MB of disk free (at least 500 MB)" in found.output
    (place / "filler").unlink()
    assert content(place) == content(folder)


def test_fix_is_for_this_devices_folder(folder: Path) -> None:
    """Not for a copy of another device."""
    assert isinstance(doctor(folder, "--fix", "--root", "/").exception, DeviceError)


def test_the_page_that_is_damaged_is_one_that_a_start_would_not_have_read(folder: Path) -> None:
    """Of the test itself: the file still opens as if nothing were wrong."""
    assert page_of(folder / "posture.db", "posture_periods") > 0
    damage(folder / "posture.db")
    assert champion(folder) == 2
