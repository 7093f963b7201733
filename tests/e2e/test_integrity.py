"""The real commands on damaged data folders: the daemon answers again by itself, or says in one sentence what is needed."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from posture_daemon.store import Store
from tests.e2e.command import frames_answered, of_daemon, posture_daemon, refused, running, status, told
from tests.old_databases import damage
from tests.waiting import wait_until

EXAMPLE = Path(__file__).parents[2] / "data" / "example"
CAMERA = ("--camera", "fake:desk?seed=1")


def labels(folder: Path) -> int:
    """How many there are."""
    with closing(Store(folder)) as store:
        return store.labels.total()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with the labels of the example, in a folder that others may enter."""
    data = tmp_path / "data"
    told(data, "label", "--import", EXAMPLE, POSTURE_UI__PORT="0")
    (data / "posture-daemon.toml").write_text("[ui]\nport = 0\n")
    (data / "posture-daemon.toml").chmod(0o600)
    return data


@pytest.mark.slow
def test_a_damaged_starter_mends_itself_and_the_owner_is_told(folder: Path) -> None:
    """Head and backbone: the daemon runs, says it as an error, and `status` shows it until it was seen."""
    [head] = (folder / "models/heads").iterdir()
    [backbone] = (folder / "models/backbones").iterdir()
    head.write_bytes(head.read_bytes()[:-1] + b"\x01")
    (backbone / "backbone.onnx").unlink()
    with running(folder, *CAMERA) as process:
        wait_until(lambda: frames_answered(folder), "the first frame")
        process.terminate()
        stderr = process.communicate(timeout=300)[1]
    assert "ERROR posture_daemon.integrity.model_recovery: model 1, the champion, cannot answer" in stderr
    [incident] = status(folder)["incidents"]
    assert incident["text"] == "Damaged files of model 1 have been replaced by sound copies; it answers as before."
    assert "incident" in told(folder, "status")
    posture_daemon(folder, "doctor", "--fix")
    assert status(folder)["incidents"] == []


@pytest.mark.slow
def test_a_damaged_database_is_said_and_a_restore_brings_it_back(folder: Path) -> None:
    """`run` ends with one sentence that names backup and command; after `restore` it runs, with every label of the backup."""
    told(folder, "backup")
    damage(folder / "posture.db")
    said = refused(folder, "run", *CAMERA)
    [backup] = (folder / "backups").glob("*.db")
    assert f"bring back {backup.name}" in said
    assert "posture-daemon restore" in said
    assert "was restored: 64 labels" in told(folder, "restore", "--yes")
    with running(folder, *CAMERA):
        wait_until(lambda: frames_answered(folder), "the first frame")
        assert "stop it first" in posture_daemon(folder, "restore", "--yes").stderr
    assert labels(folder) == 64


@pytest.mark.slow
def test_a_damaged_database_is_restored_without_anybody_where_that_is_wanted(folder: Path) -> None:
    """As a service that nobody looks after may be set to; the damaged file is kept."""
    told(folder, "backup")
    damage(folder / "posture.db")
    with (folder / "posture-daemon.toml").open("a") as file:
        file.write("[keep]\nrestore_damaged = true\n")
    with running(folder, *CAMERA):
        wait_until(lambda: frames_answered(folder), "the first frame")
    assert labels(folder) == 64
    assert len(list(folder.glob("posture.db.damaged-*"))) == 1
    assert "was restored: 64 labels" in status(folder)["incidents"][0]["text"]


@pytest.mark.slow
def test_after_a_whole_life_everything_is_for_its_owner_alone(folder: Path) -> None:
    """Run, labelled, trained, backed up, exported a secret for the page: no file, no folder, under a generous umask."""
    before = os.umask(0)
    try:
        with (folder / "posture-daemon.toml").open("a") as file:
            file.write('host = "0.0.0.0"\n')
        with running(folder, *CAMERA):
            wait_until(lambda: frames_answered(folder), "the first frame")
            wait_until(lambda: of_daemon(folder).get("page"), "the page")
            told(folder, "train", "--force", POSTURE_TRAINING__VIEWS="1")
            told(folder, "backup")
            told(folder, "dataset", "stats")
            opened = [path for path in folder.rglob("*") if mode_of(path) & 0o077]
    finally:
        os.umask(before)
    names = {path.name for path in folder.rglob("*")}
    assert {"posture.db", "backups", "models", "cache", "heads", "status.json", "daemon.lock", "training.lock"} <= names
    assert opened == []
    assert mode_of(folder) & 0o077 == 0


def mode_of(path: Path) -> int:
    """Access rights; none for what has vanished meanwhile."""
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        return 0
