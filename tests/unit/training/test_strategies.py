"""What tells the article's strategies apart: the start, the labels, what is frozen. Nothing is trained here."""

import logging
from pathlib import Path

import pytest

from posture_daemon.adapters.strategies.dataset import folder_names, write_dataset
from posture_daemon.adapters.strategies.progress import MARK, ProgressLog
from posture_daemon.domain import Decision, ModelVersion, Outcome, Region, Split, Strategy
from posture_daemon.errors import TrainingError
from posture_daemon.store import Store
from posture_daemon.training.strategies import FitPlan, course_of
from posture_daemon.vision.jpeg import decode
from tests.builders import add_champion, add_frame, add_version, label, label_block, label_days, random_head

PLAN = FitPlan(learning_rate=0.5, finetune_learning_rate=0.25)
LEARNED_AT = 100_000.0


@pytest.fixture
def store(store: Store) -> Store:
    """A store with an imported champion."""
    add_champion(store, "good", "bad")
    return store


def trained_child(store: Store, parent_id: int, at: float) -> ModelVersion:
    """A version that a run made of another one."""
    run_id = store.runs.begin("test", Decision(()), parent_id, at)
    version = add_version(store, random_head(2, seed=parent_id), "backbone", "good", "bad", parent_id=parent_id)
    store.runs.finish(run_id, Outcome.PROMOTED, "better", at + 1, {}, version.id)
    return version


@pytest.mark.parametrize(
    ("strategy", "start", "frames", "freeze", "rate"),
    [
        (Strategy.SCRATCH, 1, "all", 0, 0.5),
        (Strategy.ALL, 3, "all", 0, 0.5),
        (Strategy.NEW, 3, "new", 0, 0.5),
        (Strategy.FINETUNE, 3, "new", 10, 0.25),
    ],
)
def test_each_strategy_is_what_the_article_says(
    store: Store, strategy: Strategy, start: int, frames: str, freeze: int, rate: float
) -> None:
    """The oldest ancestor or the incumbent, all labels or the new ones, everything or the head alone."""
    label_days(store, "good", "bad")
    old = {image.frame_id for image in store.labels.labelled() if image.split is Split.TRAIN}
    trained_child(store, 1, LEARNED_AT / 2)
    incumbent = trained_child(store, 2, LEARNED_AT)
    new = set(label_block(store, "good", LEARNED_AT + 3600))
    course = course_of(strategy, store, incumbent, PLAN)
    assert {image.frame_id for image in course.images} == (old | new if frames == "all" else new)
    assert (course.start.id, course.freeze, course.learning_rate) == (start, freeze, rate)


def test_every_label_is_new_to_an_imported_model(store: Store) -> None:
    """It has learned from none of them, whatever other models have."""
    label_days(store, "good", "bad")
    trained_child(store, 1, LEARNED_AT)
    course = course_of(Strategy.NEW, store, store.models.get(1), PLAN)
    assert len(course.images) == sum(split is Split.TRAIN for split in (i.split for i in store.labels.labelled())) > 0


def test_without_labels_to_learn_from_a_strategy_says_so(store: Store) -> None:
    """One sentence that names the strategy and, where it needs new ones, the model."""
    with pytest.raises(TrainingError, match="There are no labels for training, so the strategy scratch cannot learn"):
        course_of(Strategy.SCRATCH, store, store.models.get(1), PLAN)
    label_days(store, "good", "bad")
    incumbent = trained_child(store, 1, LEARNED_AT)
    with pytest.raises(TrainingError, match=r"^There are no labels .* model 2 came from, so .* new cannot learn\.$"):
        course_of(Strategy.NEW, store, incumbent, PLAN)


def test_a_dataset_has_a_numbered_folder_for_every_class(store: Store, tmp_path: Path) -> None:
    """Rows of the head, not names: ultralytics sorts folders. A class without pictures keeps its place."""
    label_block(store, "good", 0.0, count=2)
    images = store.labels.labelled()
    written = write_dataset(store, tmp_path / "dataset", ["zebra", "good", "bad"], images, [])
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("dataset/*/*"))
    assert found == [f"dataset/{split}/{row}" for split in ("train", "val") for row in folder_names(3)]
    jpegs = sorted(tmp_path.glob("dataset/train/001/*.jpg"))
    assert [path.read_bytes() for path in jpegs] == [store.queue.jpeg(image.frame_id) for image in images]
    assert len(written) == 2
    assert len(list(tmp_path.glob("dataset/val/001/*.jpg"))) == 1


def test_pictures_of_a_dataset_are_cut_to_the_region(store: Store, tmp_path: Path) -> None:
    """Since ultralytics knows of none."""
    label_block(store, "good", 0.0, count=2)
    write_dataset(store, tmp_path / "dataset", ["good", "bad"], store.labels.labelled(), [], Region(0, 0, 0.5, 0.5))
    for path in tmp_path.glob("dataset/*/000/*.jpg"):
        assert decode(path.read_bytes()).shape == (24, 24, 3)


def test_a_picture_that_cannot_be_read_is_left_out(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are written; ultralytics never sees it."""
    label_block(store, "good", 0.0, count=2)
    label(store, add_frame(store, 5.0, b"no picture"), "good", 5.0)
    written = write_dataset(store, tmp_path / "dataset", ["good", "bad"], store.labels.labelled(), [])
    assert len(written) == len(list(tmp_path.glob("dataset/train/*/*"))) == 2
    assert "frame 3 is left out" in caplog.text


def test_a_dataset_without_a_readable_picture_is_refused(store: Store, tmp_path: Path) -> None:
    """In words, before ultralytics starts."""
    label_block(store, "good", 0.0, count=1)
    label(store, add_frame(store, 5.0, b"no picture"), "good", 5.0)
    with pytest.raises(TrainingError, match="None of the labelled images for training can be read"):
        write_dataset(store, tmp_path / "dataset", ["good", "bad"], store.labels.labelled()[1:], [])


def test_progress_is_logged_line_by_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Once each, whole lines only, and nothing else of what a child says."""
    caplog.set_level(logging.INFO)
    output = tmp_path / "child.log"
    output.write_text(f"chatter\n{MARK}epoch 1\n{MARK}epo")
    progress = ProgressLog(output)
    progress.relay()
    progress.relay()
    assert caplog.messages == ["epoch 1"]
    output.write_text(f"chatter\n{MARK}epoch 1\n{MARK}epoch 2\n")
    progress.relay()
    assert caplog.messages == ["epoch 1", "epoch 2"]
