"""How many planted label errors the list of doubts finds, and how many right labels it doubts, on real and drawn frames.

Printed with `-s`; docs/labels.md has the table. The real frames are in ../shared/data, and nothing of them is copied.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posture_daemon.bootstrap.models import import_model, open_store
from posture_daemon.bootstrap.reports import training_set
from posture_daemon.datasets import import_folder
from posture_daemon.learning.features import Vectors
from posture_daemon.learning.label_errors import LabelCheck, ask, check_labels
from posture_daemon.learning.training_set import TrainingSet
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow

SEEDS = range(5)
NOW = 1_700_000_000.0


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainingSet]:
    """The 64 labels of the fake desk as the starter learns them, a session a block."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), labels={"block_files": 4})
    store = open_store(settings)
    import_folder(store, settings, REPOSITORY / "data" / "example", NOW)
    yield training_set(store, settings)
    store.close()


@pytest.fixture(scope="module", params=["front_webcam/first_sessions", "side_webcam"])
def learned(
    request: pytest.FixtureRequest, shared_data: Path, shared_weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TrainingSet]:
    """A webcam's frames with the default blocks, no views: their share of the time is all that they would change."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), training={"views": 1})
    store = Store(settings.data_dir)
    import_model(store, shared_weights)
    import_folder(store, settings, shared_data / request.param, NOW)
    yield training_set(store, settings)
    store.close()


def planted(vectors: Vectors, share: float, rng: np.random.Generator) -> tuple[Vectors, set[int]]:
    """The same images with this share of them called by another class, and which these are."""
    names = sorted(set(vectors.truth))
    wrong = set(rng.choice(len(vectors.images), round(share * len(vectors.images)), replace=False).tolist())
    images = [
        replace(image, class_name=str(rng.choice([name for name in names if name != image.class_name])))
        if row in wrong
        else image
        for row, image in enumerate(vectors.images)
    ]
    return Vectors(images, vectors.vectors), {vectors.images[row].frame_id for row in wrong}


def check(learned: TrainingSet, share: float, seed: int) -> tuple[LabelCheck, set[int]]:
    """What is doubted, and the frames that are wrong, in training and holdout."""
    rng = np.random.default_rng(seed)
    training, in_training = planted(learned.training, share, rng)
    holdout, in_holdout = planted(learned.holdout, share, rng)
    asked = ask(replace(learned, training=training, holdout=holdout), holdout)
    return check_labels(asked, learned.sessions, learned.groups), in_training | in_holdout


def tally(learned: TrainingSet) -> tuple[float, float]:
    """Mean share of the wrong labels that is found, and of the doubts that is right, over the seeds with 5 % planted."""
    shares = []
    for found, wrong in (check(learned, 0.05, seed) for seed in SEEDS):
        hits = len({doubt.frame_id for doubt in found.doubts} & wrong)
        shares.append((hits / len(wrong), hits / max(1, len(found.doubts)), found.checked / found.labels))
    recall, hits, checked = np.mean(shares, axis=0).tolist()
    print(f"found {recall:.2f}, hits {hits:.2f}, checked {checked:.2f}; {np.round(shares, 2).tolist()}")  # noqa: T201
    return recall, hits


@pytest.mark.shared
def test_most_of_five_per_cent_are_found_and_few_right_labels_are_doubted(learned: TrainingSet) -> None:
    """Half of them are found at least, and six of seven doubts are right."""
    recall, hits = tally(learned)
    assert recall >= 0.5
    assert hits >= 0.85


@pytest.mark.shared
def test_right_labels_are_left_in_peace(learned: TrainingSet) -> None:
    """Of those as they are, fewer than one in a hundred is doubted."""
    found, _ = check(learned, 0.0, 0)
    print(f"{len(found.doubts)} of {found.labels} right labels are doubted")  # noqa: T201
    assert len(found.doubts) < found.labels / 100


def test_where_the_labels_cannot_vouch_for_each_other_none_is_doubted(example: TrainingSet) -> None:
    """Of the example, two thirds agree with the others: what is doubted is hardly ever a right label."""
    for share, seed in [(0.0, 0), *((0.05, seed) for seed in SEEDS)]:
        found, wrong = check(example, share, seed)
        assert len([doubt for doubt in found.doubts if doubt.frame_id not in wrong]) <= 1
        assert found.checked < found.labels / 4
