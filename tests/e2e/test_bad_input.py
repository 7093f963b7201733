"""Bad input of which only a part is bad, and faults that need more than one command; the others are in `tests/faults`."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from posture_daemon.store import Store
from tests.e2e.command import posture_daemon, told

EXAMPLE = Path(__file__).parents[2] / "data" / "example"


def test_training_without_any_label_waits_for_some(tmp_path: Path) -> None:
    """The gate says how many, and that is no failure."""
    assert told(tmp_path, "train").startswith("DEFERRED: 0 new labels (at least 20)")


def test_a_class_with_one_image_and_a_holdout_of_one_class_are_told(tmp_path: Path) -> None:
    """Both are learned from as far as they go, and the command says what is weak about them."""
    for split, name, count in (("train", "good_posture", 3), ("train", "standing", 1), ("val", "good_posture", 2)):
        folder = tmp_path / "pictures" / split / name
        folder.mkdir(parents=True)
        for i in range(count):
            noise = np.random.default_rng([i, len(split), len(name)]).integers(0, 255, (60, 80, 3), np.uint8)
            cv2.imwrite(str(folder / f"{i}.png"), noise)
    data = tmp_path / "data"
    told(data, "label", "--import", tmp_path / "pictures")
    said = told(data, "train", "--force", POSTURE_TRAINING__VIEWS="0")
    assert "'standing' has few training images (1, below 2)" in said
    assert "'standing' has no held-out images" in said
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


@pytest.mark.slow
@pytest.mark.parametrize("left_kb", [20, 200])
def test_a_disk_that_fills_up_while_training_costs_only_this_training(small_disk: Path, left_kb: int) -> None:
    """Before the run is recorded or in the middle of it: one sentence, exit 1, the champion and every label untouched."""
    data = small_disk / "data"
    told(data, "label", "--import", EXAMPLE)
    rest = small_disk / "the rest"
    with rest.open("wb") as file:
        file.write(b"\0" * (shutil.disk_usage(small_disk).free - 1000 * left_kb))
    done = posture_daemon(data, "train", "--force", POSTURE_LIMITS__DISK_RESERVE_MB="0")
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert said.count("\n") == 1
    assert "free some space" in said
    rest.unlink()
    store = Store(data)
    assert (store.models.champion_id(), len(store.models.all()), store.labels.total()) == (1, 1, 64)
    assert list(data.glob(".training-*")) == []


def test_a_disk_that_is_nearly_full_begins_no_training(small_disk: Path) -> None:
    """Not even by force: the rest of the disk is for labels and frames. One sentence, the champion untouched."""
    data = small_disk / "data"
    told(data, "label", "--import", EXAMPLE)
    done = posture_daemon(data, "train", "--force")
    assert (done.returncode, done.stderr) == (0, "")
    assert "DEFERRED" in done.stdout
    assert "MB of disk free (at least 500 MB)" in done.stdout
    assert Store(data).models.champion_id() == 1
