"""Bad input of which only a part is bad, and faults that need more than one command; the others are in `tests/faults`."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from posture_daemon.store import Store
from posture_daemon.vision.jpeg import decode
from tests.e2e.command import posture_daemon, running, status
from tests.waiting import wait_until

EXAMPLE = Path(__file__).parents[2] / "data" / "example"


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


def test_a_damaged_head_is_refused_by_name(tmp_path: Path) -> None:
    """A model whose file was changed must not answer; only a start of the daemon mends it, and says so."""
    assert posture_daemon(tmp_path, "models", "list").returncode == 0
    head = next((tmp_path / "models" / "heads").iterdir())
    head.write_bytes(head.read_bytes()[:-1] + b"\x00\x01")
    assert_refused(posture_daemon(tmp_path, "models", "evaluate", EXAMPLE), head.name, "damaged")


def test_a_second_daemon_is_refused_and_the_first_goes_on(data_dir: Path) -> None:
    """One daemon per data folder; the sentence names the other one's process."""
    with running(data_dir, "--camera", "fake:desk?seed=1") as first:
        wait_until(lambda: (status(data_dir)["daemon"] or {}).get("frames", {}).get("frames"), "the first frame")
        done = posture_daemon(data_dir, "run", "--camera", "fake:desk?seed=1")
        assert done.returncode == 1
        assert f"process {first.pid}" in done.stderr.splitlines()[-1]
        assert first.poll() is None


def test_pictures_of_every_kind_are_used_or_named_and_the_rest_is_imported(tmp_path: Path) -> None:
    """Corrupt, empty and 1×1 files get a line each; 16 bits, CMYK and 50 megapixels are converted and shrunk."""
    folder = tmp_path / "pictures" / "good_posture"
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    (folder / "corrupt.jpg").write_bytes(cv2.imencode(".jpg", noise)[1].tobytes()[:-500])
    (folder / "empty.png").write_bytes(b"")
    cv2.imwrite(str(folder / "dot.png"), noise[:1, :1])
    cv2.imwrite(str(folder / "deep.png"), noise.astype(np.uint16) << 8)
    PillowImage.fromarray(noise).convert("CMYK").save(folder / "print.jpg")
    PillowImage.new("RGB", (8660, 5774), (10, 120, 250)).save(folder / "huge.png", compress_level=1)
    done = posture_daemon(tmp_path / "data", "label", "--import", folder.parent)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "3 added with a label, 3 unreadable" in lines[0]
    for name in ("corrupt.jpg", "empty.png", "dot.png"):
        assert len([line for line in lines if name in line]) == 1, lines
    store = Store(tmp_path / "data")
    stored = [decode(store.queue.jpeg(image.frame_id)) for image in store.labels.labelled()]
    assert sorted(image.shape for image in stored) == [(60, 80, 3), (60, 80, 3), (427, 640, 3)]


def test_training_without_any_label_waits_for_some(tmp_path: Path) -> None:
    """The gate says how many, and that is no failure."""
    waits = posture_daemon(tmp_path, "train")
    assert waits.returncode == 0
    assert waits.stdout.startswith("DEFERRED: 0 new labels (at least 20)")


def test_a_class_with_one_image_and_a_holdout_of_one_class_are_told(tmp_path: Path) -> None:
    """Both are learned from as far as they go, and the command says what is weak about them."""
    for split, name, count in (("train", "good_posture", 3), ("train", "standing", 1), ("val", "good_posture", 2)):
        folder = tmp_path / "pictures" / split / name
        folder.mkdir(parents=True)
        for i in range(count):
            noise = np.random.default_rng([i, len(split), len(name)]).integers(0, 255, (60, 80, 3), np.uint8)
            cv2.imwrite(str(folder / f"{i}.png"), noise)
    data = tmp_path / "data"
    assert posture_daemon(data, "label", "--import", tmp_path / "pictures").returncode == 0
    done = posture_daemon(data, "train", "--force", POSTURE_TRAINING__VIEWS="0")
    assert done.returncode == 0, done.stderr
    assert "'standing' has few training images (1, below 2)" in done.stdout
    assert "'standing' has no held-out images" in done.stdout
    assert Store(data).labels.total() == 6


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB; skips where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("left_kb", [20, 200])
def test_a_disk_that_fills_up_while_training_costs_only_this_training(small_disk: Path, left_kb: int) -> None:
    """Before the run is recorded or in the middle of it: one sentence, exit 1, the champion and every label untouched."""
    data = small_disk / "data"
    assert posture_daemon(data, "label", "--import", EXAMPLE).returncode == 0
    rest = small_disk / "the rest"
    with rest.open("wb") as file:
        file.write(b"\0" * (shutil.disk_usage(small_disk).free - 1000 * left_kb))
    done = posture_daemon(data, "train", "--force", POSTURE_LIMITS__DISK_RESERVE_MB="0")
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert said.count("\n") == 1
    assert "the disk is full; free some space" in said
    rest.unlink()
    store = Store(data)
    assert (store.models.champion_id(), len(store.models.all()), store.labels.total()) == (1, 1, 64)
    assert list(data.glob(".training-*")) == []


def test_a_disk_that_is_nearly_full_begins_no_training(small_disk: Path) -> None:
    """Not even by force: the rest of the disk is for labels and frames. One sentence, the champion untouched."""
    data = small_disk / "data"
    assert posture_daemon(data, "label", "--import", EXAMPLE).returncode == 0
    done = posture_daemon(data, "train", "--force")
    assert (done.returncode, done.stderr) == (0, "")
    assert "DEFERRED" in done.stdout
    assert "MB of disk free (at least 500 MB)" in done.stdout
    assert Store(data).models.champion_id() == 1
