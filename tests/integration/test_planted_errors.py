"""How many planted label errors the list of doubts finds, and how many right labels it doubts, on real frames.

Printed with `-s`; docs/labels.md has the table. The frames are in ../shared/data, and nothing of them is copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posture_daemon.bootstrap import import_model, lesson
from posture_daemon.datasets import import_folder
from posture_daemon.learning.doubts import doubtful_labels
from posture_daemon.learning.features import Vectors
from posture_daemon.learning.lesson import Lesson
from posture_daemon.learning.outside import outside
from posture_daemon.settings import Settings
from posture_daemon.store import Store

pytestmark = [pytest.mark.shared, pytest.mark.slow]

SEEDS = range(5)
NOW = 1_700_000_000.0


@pytest.fixture(scope="module", params=["front_webcam/first_sessions", "side_webcam"])
def learned(
    request: pytest.FixtureRequest, shared_data: Path, shared_weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lesson]:
    """A webcam's frames with the default blocks, no views: their share of the time is all that they would change."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), training={"views": 1})
    store = Store(settings.data_dir)
    import_model(store, shared_weights)
    import_folder(store, settings, shared_data / request.param, NOW)
    yield lesson(store, settings)
    store.close()


def planted(vectors: Vectors, share: float, rng: np.random.Generator) -> tuple[Vectors, set[int]]:
    """The same images with this share of them called by the other class, and which these are."""
    names = sorted(set(vectors.truth))
    wrong = set(rng.choice(len(vectors.images), round(share * len(vectors.images)), replace=False).tolist())
    images = [
        replace(image, class_name=names[1 - names.index(image.class_name)]) if row in wrong else image
        for row, image in enumerate(vectors.images)
    ]
    return Vectors(images, vectors.vectors), {vectors.images[row].frame_id for row in wrong}


def found(learned: Lesson, share: float, seed: int) -> tuple[set[int], set[int]]:
    """Frames that are doubted, and those that are wrong, in training and holdout."""
    rng = np.random.default_rng(seed)
    training, in_training = planted(learned.training, share, rng)
    holdout, in_holdout = planted(learned.holdout, share, rng)
    asked = outside(replace(learned, training=training, holdout=holdout), holdout)
    return {doubt.frame_id for doubt in doubtful_labels(asked)}, in_training | in_holdout


def test_most_of_five_per_cent_are_found_and_few_right_labels_are_doubted(learned: Lesson) -> None:
    """Over five seeds: recall at least 0.65, precision at least 0.85."""
    results = [found(learned, 0.05, seed) for seed in SEEDS]
    recalls = [len(doubted & wrong) / len(wrong) for doubted, wrong in results]
    precisions = [len(doubted & wrong) / len(doubted) for doubted, wrong in results]
    print(f"recall {np.mean(recalls):.2f} ({min(recalls):.2f}-{max(recalls):.2f})", end=", ")  # noqa: T201
    print(f"precision {np.mean(precisions):.2f} ({min(precisions):.2f}-{max(precisions):.2f})")  # noqa: T201
    assert np.mean(recalls) >= 0.65
    assert np.mean(precisions) >= 0.85


def test_right_labels_are_left_in_peace(learned: Lesson) -> None:
    """Of those as they are, fewer than one in a hundred is doubted."""
    doubted, _ = found(learned, 0.0, 0)
    images = len(learned.training.images) + len(learned.holdout.images)
    print(f"{len(doubted)} of {images} right labels are doubted")  # noqa: T201
    assert len(doubted) < images / 100
