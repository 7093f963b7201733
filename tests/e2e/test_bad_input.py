"""Bad input: one sentence on stderr, a non-zero exit code, nothing lost, and never a traceback."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from posture_daemon.store import Store
from tests.e2e.command import posture_daemon, running, status, wait_until


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the starter as champion and a few labels."""
    folder = tmp_path_factory.mktemp("data")
    pictures = tmp_path_factory.mktemp("pictures")
    for name in ("good_posture", "bad_posture"):
        (pictures / name).mkdir()
        for i in range(3):
            noise = np.random.default_rng([i, len(name)]).integers(0, 255, (60, 80, 3), np.uint8)
            cv2.imwrite(str(pictures / name / f"{i}.png"), noise)
    assert posture_daemon(folder, "label", "--import", pictures).returncode == 0
    return folder


def assert_refused(done, *words: str) -> None:
    """One line on stderr that says these words (beside the log of `run`), and a non-zero exit code."""
    lines = [line for line in done.stderr.strip().splitlines() if " WARNING " not in line and " INFO " not in line]
    assert done.returncode != 0, done.stdout
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("posture-daemon: ")
    for word in words:
        assert word in lines[0]


def make_text_checkpoint(folder: Path) -> tuple[object, ...]:
    """A text file named .pt."""
    (folder / "model.pt").write_text("these are no weights")
    return "models", "import", folder / "model.pt"


def make_empty_folder(folder: Path) -> tuple[object, ...]:
    """A folder without anything."""
    (folder / "empty").mkdir()
    return "label", "--import", folder / "empty"


def make_corrupt_replay(folder: Path) -> tuple[object, ...]:
    """A folder with nothing but a broken picture."""
    (folder / "broken").mkdir()
    (folder / "broken" / "a.jpg").write_bytes(b"\xff\xd8 not a picture")
    return "run", "--camera", f"replay:{folder / 'broken'}"


def make_unknown_key(folder: Path) -> tuple[object, ...]:
    """A settings file with a misspelt key."""
    (folder / "bad.toml").write_text("[camera]\nadress = '0'\n")
    return "--config", folder / "bad.toml", "config", "show"


REFUSED: dict[str, tuple[Callable[[Path], tuple[object, ...]], tuple[str, ...]]] = {
    "no such device": (lambda _: ("run", "--camera", "/dev/video77"), ("/dev/video77",)),
    "no such kind of camera": (lambda _: ("run", "--camera", "telepathy:1"), ("telepathy",)),
    "no such replay folder": (lambda f: ("run", "--camera", f"replay:{f}/none"), ("none",)),
    "nothing readable to replay": (make_corrupt_replay, ("broken",)),
    "empty folder": (make_empty_folder, ("no pictures",)),
    "no such folder": (lambda f: ("label", "--import", f / "none"), ("no folder",)),
    "text as checkpoint": (make_text_checkpoint, ("model.pt",)),
    "no such checkpoint": (lambda f: ("models", "import", f / "none.pt"), ("none.pt",)),
    "unknown key": (make_unknown_key, ("bad.toml", "camera.adress", "camera.address")),
    "no previous model": (lambda _: ("models", "rollback"), ("previous",)),
    "no such model": (lambda f: ("models", "export", f / "x.pt", "--model", "99"), ("99",)),
    "nothing to evaluate": (lambda f: ("models", "evaluate", f), ("no pictures",)),
    "no keyboard": (lambda _: ("label",), ("terminal",)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_in_one_sentence_and_nothing_is_lost(case: str, data_dir: Path, tmp_path: Path) -> None:
    """Each mistake gets a sentence that names what is wrong; labels and champion stay as they were."""
    make, words = REFUSED[case]
    arguments = make(tmp_path)
    assert_refused(posture_daemon(data_dir, *arguments), *words)
    store = Store(data_dir)
    assert store.labels.total() == 6
    assert store.models.champion_id() == 1


@pytest.mark.torch
@pytest.mark.parametrize(("name", "word"), [("yolov8n-cls.pt", "11"), ("yolo11n.pt", "detect")])
def test_checkpoints_of_other_networks_are_refused(name: str, word: str, data_dir: Path, zoo: Path) -> None:
    """A YOLOv8 classifier and a detection model are told apart from a YOLO11 classifier in one sentence."""
    found = sorted(path.name for path in zoo.iterdir())
    assert name in found, found
    assert_refused(posture_daemon(data_dir, "models", "import", zoo / name), word)


def test_a_bad_value_in_the_environment_is_refused(data_dir: Path) -> None:
    """The sentence names the variable and what is allowed."""
    done = posture_daemon(data_dir, "status", POSTURE_CAMERA__FPS="fast")
    assert_refused(done, "POSTURE_CAMERA__FPS", "0.1 to 60")


def test_a_corrupt_picture_is_named_and_the_rest_is_imported(tmp_path: Path) -> None:
    """One broken file among good ones costs only itself."""
    folder = tmp_path / "pictures" / "good_posture"
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "fine.png"), np.full((40, 40, 3), 90, np.uint8))
    (folder / "broken.jpg").write_bytes(b"nothing")
    done = posture_daemon(tmp_path / "data", "label", "--import", folder.parent)
    assert done.returncode == 0
    assert "broken.jpg" in done.stdout
    assert Store(tmp_path / "data").labels.total() == 1


def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A file where the folder should be, as root may write everywhere else."""
    (tmp_path / "file").write_text("")
    assert_refused(posture_daemon(tmp_path / "file" / "data", "status"), str(tmp_path / "file"))


def test_a_newer_database_is_refused_untouched(tmp_path: Path) -> None:
    """Going back to an older program must not damage what a newer one wrote."""
    Store(tmp_path).close()
    with sqlite3.connect(tmp_path / "posture.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = (tmp_path / "posture.db").read_bytes()
    assert_refused(posture_daemon(tmp_path, "status"), "newer", "9999")
    assert (tmp_path / "posture.db").read_bytes() == before


def test_a_damaged_head_is_refused_by_name(tmp_path: Path) -> None:
    """A champion whose file was changed must not answer."""
    assert posture_daemon(tmp_path, "models", "list").returncode == 0
    head = next((tmp_path / "models" / "heads").iterdir())
    head.write_bytes(head.read_bytes()[:-1] + b"\x00\x01")
    assert_refused(posture_daemon(tmp_path, "run", "--camera", "fake:desk"), head.name, "damaged")


def test_a_second_daemon_is_refused_and_the_first_goes_on(data_dir: Path) -> None:
    """One daemon per data folder; the sentence names the other one's process."""
    with running(data_dir, "--camera", "fake:desk?seed=1") as first:
        wait_until(lambda: (status(data_dir)["daemon"] or {}).get("frames", {}).get("frames"), "the first frame")
        done = posture_daemon(data_dir, "run", "--camera", "fake:desk?seed=1")
        assert done.returncode == 1
        assert f"process {first.pid}" in done.stderr.splitlines()[-1]
        assert first.poll() is None
