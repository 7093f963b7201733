"""Views prepared ahead: by a real child, in slices, when the device has room, and never twice in vain."""

import logging
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from posture_daemon.adapters.backbone.on_demand import backbone_of
from posture_daemon.adapters.trainer.process import SubprocessTrainer
from posture_daemon.bootstrap.models import champion
from posture_daemon.domain import Failure, Order
from posture_daemon.errors import TrainingCancelled, TrainingError
from posture_daemon.learning.feature_cache import FeatureCache
from posture_daemon.learning.features import PORTION_VIEWS
from posture_daemon.learning.fit_challenger import train
from posture_daemon.ports import GO_ON, Supervise, TrainingSeen
from posture_daemon.settings import Settings, TrainingSettings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.store.lock import TRAINING_LOCK, exclusive, taken_at
from posture_daemon.training.precompute import Precomputer, PreparationJob, prepare
from tests.builders import (
    add_champion,
    add_frame,
    add_version,
    colour_backbone,
    label,
    label_block,
    label_days,
    make_store,
    random_head,
    resources,
    zones,
)
from tests.fakes.backbone import StandInBackbone
from tests.fakes.probe import StandInProbe

pytest.importorskip("onnx")

ALL_VIEWS = 3 * 12 * 3 + 3 * 6
"""Three classes with 12 training images of an identity and two views each, and 6 of the holdout."""


class CountingTrainer(SubprocessTrainer):
    """The real one; counts its children."""

    def __init__(self) -> None:
        super().__init__()
        self.children = 0

    def train(self, request: Path, supervise: Supervise = lambda _seen: GO_ON) -> Path:
        """Start one more."""
        self.children += 1
        return super().train(request, supervise)


@pytest.fixture
def store(store: Store, tmp_path: Path) -> Store:
    """A store with labels and a champion whose backbone is a real ONNX file."""
    base = add_version(store, random_head(2), colour_backbone(store, tmp_path))
    store.models.promote(base.id, 0.0)
    label_days(store, "good", "bad", "away")
    return store


def settings_of(store: Store, **training: Any) -> Settings:
    """Two views of each image."""
    return Settings(data_dir=store.folder, training=TrainingSettings(views=2, **training))


def preparer_of(
    store: Store, probe: StandInProbe | None = None, **training: Any
) -> tuple[Precomputer, CountingTrainer]:
    """A preparer with a real child."""
    trainer, settings = CountingTrainer(), settings_of(store, **training)
    return Precomputer(store, trainer, probe or StandInProbe(), settings, partial(backbone_of, store)), trainer


def job_of(store: Store, max_s: float = 60.0, **changed: Any) -> PreparationJob:
    """A slice of this store's views, as the child is told."""
    values: dict[str, Any] = {
        "data_dir": str(store.folder),
        "incumbent_id": champion(store).id,
        "recipe": Recipe.of(settings_of(store, threads=1).training),
        "threads": 1,
        "nice": 0,
        "max_s": max_s,
        "training_taken_at": taken_at(store.folder / TRAINING_LOCK),
    }
    return PreparationJob(**{**values, **changed})


def test_the_next_training_finds_everything_computed(store: Store) -> None:
    """A real child computes all views; a look after that starts none; a training computes nothing, with the same head."""
    recipe = Recipe.of(settings_of(store).training)
    backbone, cache = backbone_of(store, champion(store)), FeatureCache(store.folder)
    cold = train(store, champion(store), backbone, recipe)
    assert cold.report.computed_views == ALL_VIEWS
    shutil.rmtree(cache.folder)
    preparer, trainer = preparer_of(store)
    assert [preparer.run(), preparer.run()] == [True, False]
    assert trainer.children == 1
    shutil.rmtree(store.models.backbone_folder(backbone.sha256))  # nobody needs it any more
    warm = train(store, champion(store), backbone_of(store, champion(store)), recipe)
    assert warm.report.computed_views == 0
    assert warm.head.to_bytes() == cold.head.to_bytes()
    assert not list(store.folder.glob(".preparing-*"))


def test_new_labels_are_prepared_and_nothing_else(store: Store) -> None:
    """Four new pictures: a child is started again, and computes their views only."""
    preparer, trainer = preparer_of(store)
    preparer.run()
    size = sum(path.stat().st_size for path in FeatureCache(store.folder).folder.iterdir())
    label_block(store, "good", 1_000_000.0, count=4)
    assert [preparer.run(), preparer.run()] == [True, False]
    assert trainer.children == 2
    grown = sum(path.stat().st_size for path in FeatureCache(store.folder).folder.iterdir())
    assert grown - size == size * 4 * 3 // ALL_VIEWS


def test_a_slice_ends_in_time_and_the_next_goes_on(store: Store) -> None:
    """With no time at all, one portion is computed all the same, so that slices always come to an end."""
    done = [prepare(job_of(store, max_s=0.0), store, StandInBackbone("x")) for _ in range(3)]
    assert all(PORTION_VIEWS <= views < PORTION_VIEWS + 3 for views in done)
    rest = prepare(job_of(store), store, StandInBackbone("x"))
    assert sum(done) + rest == ALL_VIEWS
    assert prepare(job_of(store), store, StandInBackbone("x")) == 0


def test_a_training_that_begins_ends_the_slice(store: Store) -> None:
    """The child sees at its next portion that the lock was taken since it was told to begin, and leaves the device to it."""
    job = job_of(store)
    with exclusive(store.folder / TRAINING_LOCK) as alone:
        assert alone
        assert prepare(job, store, StandInBackbone("x")) < PORTION_VIEWS + 3


def test_no_child_is_started_while_a_training_runs(store: Store) -> None:
    """Nor does looking keep a training from beginning afterwards."""
    preparer, trainer = preparer_of(store)
    with exclusive(store.folder / TRAINING_LOCK):
        assert not preparer.run()
    with exclusive(store.folder / TRAINING_LOCK) as alone:
        assert alone
    assert trainer.children == 0
    assert preparer.run()


WITHOUT_ROOM: dict[str, dict[str, Any]] = {
    "little memory": {"memory_available_bytes": 100},
    "unknown memory": {"memory_available_bytes": None},
    "hot": {"zones": zones(cpu=99.0)},
    "busy": {"cpu_percent": 61.0},
    "unknown load": {"cpu_percent": None},
}


@pytest.mark.parametrize("changed", WITHOUT_ROOM.values(), ids=WITHOUT_ROOM)
def test_a_device_without_room_is_left_alone(store: Store, changed: dict[str, Any]) -> None:
    """The same limits as for a training, and a processor that is idle."""
    preparer, trainer = preparer_of(store, StandInProbe(resources(**changed)))
    assert not preparer.run()
    assert trainer.children == 0


def test_without_a_champion_there_is_nothing_to_prepare_for(tmp_path: Path) -> None:
    """A new data folder."""
    empty = make_store(tmp_path)
    preparer, trainer = preparer_of(empty)
    assert not preparer.run()
    assert trainer.children == 0
    empty.close()


def test_a_picture_that_cannot_be_read_is_tried_once(store: Store) -> None:
    """It stays missing; that alone starts no further child until another label comes."""
    label(store, add_frame(store, 9.0, b"not a picture"), "good")
    preparer, trainer = preparer_of(store)
    assert [preparer.run(), preparer.run(), preparer.run()] == [True, True, False]
    label_block(store, "good", 1_000_000.0, count=1)
    assert [preparer.run(), preparer.run(), preparer.run()] == [True, False, False]
    assert trainer.children == 3


def test_a_full_cache_is_tried_once(store: Store) -> None:
    """What cannot be stored is not computed minute after minute."""
    preparer, trainer = preparer_of(store, max_cache_mb=0)
    assert [preparer.run(), preparer.run()] == [True, False]
    assert trainer.children == 1


def test_a_child_that_fails_says_why_once(store: Store) -> None:
    """Here the backbone is gone; the daemon logs the sentence, and does not start a child each minute."""
    shutil.rmtree(store.models.backbone_folder(champion(store).backbone_sha256))
    preparer, trainer = preparer_of(store)
    with pytest.raises(TrainingError, match=r"backbone\.onnx cannot be read"):
        preparer.run()
    assert not preparer.run()
    assert trainer.children == 1


def test_a_daemon_that_stops_ends_the_child_and_starts_no_other(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """No error: the rest is prepared when it runs again. What a killed daemon left behind goes too."""
    preparer, _ = preparer_of(store)
    (store.folder / ".preparing-old").mkdir()
    preparer.cancel()
    with caplog.at_level(logging.INFO):
        assert preparer.run()
    assert "prepared later" in caplog.text
    assert not list(store.folder.glob(".preparing-*"))


def test_features_that_the_live_path_kept_are_not_missing(tmp_path: Path) -> None:
    """An identity view beside its frame needs no child."""
    backbone, store = StandInBackbone(), make_store(tmp_path)
    add_champion(store, backbone=backbone)
    label_block(store, "good", 0.0, backbone=backbone)
    settings = Settings(data_dir=store.folder, training=TrainingSettings(views=0))
    assert not Precomputer(store, CountingTrainer(), StandInProbe(), settings, lambda _: backbone).run()
    store.close()


@pytest.mark.parametrize("taken_at", [None, 1_790_000_000_123_456_789])
def test_a_job_survives_json(store: Store, taken_at: int | None) -> None:
    """To the nanosecond, for another time of the lock would end the slice at once."""
    job = job_of(store, training_taken_at=taken_at)
    assert PreparationJob.from_json(job.to_json()) == job


def test_a_slice_gives_way_when_the_device_gets_hot(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked like a training; what it has computed is kept, and the next slice goes on from there."""
    device = StandInProbe()
    preparer, trainer = preparer_of(store, device)

    def train(request: Path, supervise: Supervise) -> Path:
        assert supervise(TrainingSeen(None)) == GO_ON
        device.now = resources(zones=zones(cpu=75.0))
        said = supervise(TrainingSeen(None))
        assert (said.order, said.failure) == (Order.END, None)
        assert "hottest zone cpu 75.0" in said.reason
        raise TrainingCancelled(said.reason)

    monkeypatch.setattr(trainer, "train", train)
    assert preparer.run()


def test_a_slice_that_hangs_is_ended(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its seconds and two minutes of grace."""
    now, trainer = [0.0], CountingTrainer()
    find = partial(backbone_of, store)
    preparer = Precomputer(store, trainer, StandInProbe(), settings_of(store), find, monotonic=lambda: now[0])

    def train(_request: Path, supervise: Supervise) -> Path:
        now[0] = 139.9
        assert supervise(TrainingSeen(None)) == GO_ON
        now[0] = 140.0
        assert supervise(TrainingSeen(None)).failure is Failure.OUT_OF_TIME
        raise TrainingError("Preparing views took too long.")

    monkeypatch.setattr(trainer, "train", train)
    with pytest.raises(TrainingError, match="took too long"):
        preparer.run()
