"""The whole way on real webcam frames with a real backbone, as the README tells it."""

import re
from pathlib import Path

import numpy as np
import pytest

from posture_daemon.bootstrap.models import champion, load_model
from posture_daemon.store import Store
from posture_daemon.vision.jpeg import decode
from tests.e2e.command import told

pytestmark = [pytest.mark.shared, pytest.mark.slow]

FAST = {"POSTURE_TRAINING__VIEWS": "4", "POSTURE_TRAINING__NICE": "0"}


@pytest.fixture(scope="module")
def taught(shared_data: Path, shared_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose champion learned the first sessions, with four views a picture instead of eight."""
    folder = tmp_path_factory.mktemp("real")
    for arguments in (
        ("models", "import", shared_weights),
        ("label", "--import", shared_data / "front_webcam/first_sessions"),
        ("train", "--force"),
    ):
        said = told(folder, *arguments, timeout_s=2800, **FAST)
    assert "PROMOTED" in said
    return folder


def test_another_day_is_recognised(taught: Path, shared_data: Path) -> None:
    """Top-1 on a later session with another light and other clothes is at least 0.8."""
    said = told(taught, "models", "evaluate", shared_data / "front_webcam/later_session")
    found = re.search(r"top-1 (0\.\d+) \(\d+ of 197 images\)", said)
    assert found is not None, said
    assert float(found[1]) >= 0.8


def test_unsure_frames_of_a_replay_are_queued_with_their_features(taught: Path, shared_data: Path) -> None:
    """Each queued frame keeps the pooled features of the backbone that saw it."""
    camera = f"replay:{shared_data / 'front_webcam/later_session'}?fps=15"
    told(taught, "run", "--camera", camera, POSTURE_QUEUE__MAX_PER_MINUTE="600")
    store = Store(taught)
    waiting = store.queue.waiting()
    features = store.queue.pooled([frame.id for frame in waiting], champion(store).backbone_sha256)
    assert len(waiting) >= 3
    assert set(features) == {frame.id for frame in waiting}
    assert all(vector.shape == (256,) and np.isfinite(vector).all() for vector in features.values())


@pytest.mark.torch
def test_the_exported_champion_loads_in_ultralytics(
    taught: Path, tmp_path: Path, run_ultralytics, shared_data: Path
) -> None:
    """`YOLO(path)` of an export gives our calibrated probabilities on real frames."""
    exported = tmp_path / "mine.pt"
    told(taught, "models", "export", exported)
    files = sorted((shared_data / "front_webcam/later_session/good_posture").glob("*.jpg"))[:20]
    pictures = [decode(file.read_bytes()) for file in files]
    np.savez(tmp_path / "pictures.npz", frames=np.array(pictures))
    run_ultralytics("predict", exported, 224, tmp_path / "pictures.npz", tmp_path / "answers.npz")
    store = Store(taught)
    model = load_model(store, champion(store))
    ours = np.array([model.predict(picture).probabilities for picture in pictures])
    assert np.abs(np.load(tmp_path / "answers.npz")["frames"] - ours).max() < 2e-3
