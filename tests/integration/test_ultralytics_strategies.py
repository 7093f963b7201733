"""The article's strategies, trained by ultralytics itself on pictures of the fake desk, from the gate to the answers."""

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from posture_daemon.adapters.probes import DeviceProbe
from posture_daemon.adapters.strategies import challenger as strategy_run
from posture_daemon.adapters.strategies.challenger import train_by_ultralytics
from posture_daemon.adapters.strategies.fit import FitRequest, fit
from posture_daemon.adapters.trainer.process import SubprocessTrainer
from posture_daemon.bootstrap.models import load_model, open_store
from posture_daemon.domain import (
    Decision,
    ModelVersion,
    NewFrame,
    Order,
    Outcome,
    PostureClass,
    Reason,
    Role,
    Strategy,
    TrainingRun,
)
from posture_daemon.errors import TrainingCancelled, TrainingError, TrainingOutOfMemory
from posture_daemon.fake_desk.sessions import Session
from posture_daemon.learning.interruption import give
from posture_daemon.live.classifier import LiveClassifier
from posture_daemon.settings import Settings, StrategySettings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.training.job import TrainingJob
from posture_daemon.training.retrain import Retrainer
from posture_daemon.training.strategies import FitPlan
from posture_daemon.vision.head import Head
from posture_daemon.vision.jpeg import decode, encode_jpeg
from tests.children import let_children_be_changed

pytestmark = [pytest.mark.torch, pytest.mark.slow]

OLD, NEW = ("good_posture", "bad_posture", "na"), ("standing", "good_posture")
LEARNED_AT = 150.0


def label_session(
    store: Store, hour: float, classes: tuple[str, ...], at: float, blocks: int = 3, count: int = 4
) -> None:
    """Blocks of each class from the fake desk, labelled at a time; the second block of each class is held out."""
    for block in range(blocks):
        pictures = Session("test", 2, 5, hour + block, int(at) + block).pictures(classes, count, 200)
        by_class: dict[str, list[NewFrame]] = {}
        for number, (name, picture) in enumerate(pictures):
            time = at * 1000 + block * 3600 + number
            frame = NewFrame(encode_jpeg(picture, 640, 88), time, "folder", Reason.IMPORTED, "")
            by_class.setdefault(name, []).append(frame)
        for name, frames in by_class.items():
            store.labels.ensure_class(PostureClass(name, Role.NEUTRAL), at)
            store.imports.add_block([(frame, name) for frame in frames], None, at, 5)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of somebody who labelled, trained, and labelled a new class.

    The training gave model 2: the starter with its classes in another order, which is not that of the alphabet.
    """
    folder = tmp_path_factory.mktemp("labelled")
    store = open_store(Settings(data_dir=folder))
    starter = store.models.get(1)
    label_session(store, 9.0, OLD, at=100.0)
    run_id = store.runs.begin("test", Decision(()), 1, LEARNED_AT)
    head = Head.from_bytes(store.models.read_head(starter.head_sha256)).grown([c.name for c in starter.classes], OLD)
    classes = tuple(next(c for c in starter.classes if c.name == name) for name in OLD)
    files = {"head_sha256": store.models.add_head(head.to_bytes()), "classes": classes}
    child = store.models.add_version(ModelVersion(**{**vars(starter), **files, "parent_id": 1, "source": "fine-tune"}))
    store.models.promote(child.id, LEARNED_AT)
    store.runs.finish(run_id, Outcome.PROMOTED, "better", LEARNED_AT + 1, {}, child.id)
    label_session(store, 14.0, NEW, at=200.0)
    store.close()
    return folder


@pytest.fixture
def store(labelled: Path, tmp_path: Path) -> Store:
    """A copy of that folder for one test."""
    shutil.copytree(labelled, tmp_path / "data")
    return Store(tmp_path / "data")


def run(store: Store, strategy: Strategy, **strategies: float) -> TrainingRun:
    """One training of one epoch through the whole of the retrainer."""
    values = {"epochs": 1, **strategies}
    settings = Settings(data_dir=store.folder, strategies=StrategySettings(**values))  # type: ignore[arg-type]
    retrainer = Retrainer(store, SubprocessTrainer(), DeviceProbe(store.folder), settings)
    done = retrainer.run("test", force=True, strategy=strategy)
    assert done.outcome in (Outcome.KEPT, Outcome.PROMOTED), done.reason
    return done


def challenger(store: Store, done: TrainingRun) -> ModelVersion:
    """The version that a run made; it must load and answer with its classes, on a picture of the store."""
    assert done.challenger_id is not None
    version = store.models.get(done.challenger_id)
    live = LiveClassifier(load_model(store, version))
    answer = live.predict(decode(store.queue.jpeg(store.labels.labelled()[0].frame_id)))
    assert answer.classes == (*OLD, "standing")
    assert answer.probabilities.sum() == pytest.approx(1, abs=1e-5)
    return version


WATCH = """
import json, os, sys
REPORT = os.open(%r, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        write([event, str(arguments[1:])])
    elif event == "open" and isinstance(arguments[0], (str, bytes)):
        mode, flags = arguments[1] or "", arguments[2] or 0
        if any(c in mode for c in "wax+") or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            write(["write", os.path.abspath(os.fsdecode(arguments[0]))])
def write(line):
    os.write(REPORT, (json.dumps(line) + "\\n").encode())
sys.addaudithook(hook)
"""


def watched(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Have every Python process from now on report what it writes and whom it calls; returns the report."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(WATCH % str(folder / "report"))
    let_children_be_changed(monkeypatch, folder)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return folder / "report"


def test_finetune_changes_the_head_alone_and_learns_the_new_labels_alone(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The backbone keeps its digest; rows keep their classes; nothing is written elsewhere, and nobody is called."""
    caplog.set_level(logging.INFO)
    report = watched(monkeypatch, tmp_path / "watch")
    before = set(store.folder.iterdir())
    done = run(store, Strategy.FINETUNE, finetune_learning_rate=1e-6)
    version, incumbent = challenger(store, done), store.models.get(2)
    assert done.metrics["report"]["train_images"] == {"standing": 8, "good_posture": 12}
    assert (version.parent_id, version.backbone_sha256) == (2, incumbent.backbone_sha256)
    old, new = (Head.from_bytes(store.models.read_head(v.head_sha256)) for v in (incumbent, version))
    assert np.abs(new.linear_weight[:3] - old.linear_weight).max() < 1e-3 < np.abs(old.linear_weight).max()
    assert not np.array_equal(new.bn_mean, old.bn_mean)  # it did train
    assert any("epoch 1 of 1: loss" in message for message in caplog.messages)
    new_files = {path.name for path in set(store.folder.iterdir()) - before}
    assert new_files <= {"posture.db-wal", "posture.db-shm", "training.lock"}
    events = [json.loads(line) for line in report.read_text().splitlines()]
    assert [event for event in events if event[0] != "write"] == []
    written = {path for _, path in events}
    assert any(path.endswith("last.pt") for path in written)
    allowed = (str(store.folder), "/proc/", "/dev/")
    assert [path for path in written if not path.startswith(allowed)] == []


def test_new_moves_the_backbone_and_no_class_is_lost(store: Store) -> None:
    """`bad_posture` and `na` have no new picture, and keep their rows; the next training follows on the new backbone."""
    done = run(store, Strategy.NEW)
    version, incumbent = challenger(store, done), store.models.get(2)
    assert done.metrics["report"]["train_images"] == {"standing": 8, "good_posture": 12}
    assert version.backbone_sha256 != incumbent.backbone_sha256
    judged = sum(done.metrics["report"]["holdout_images"].values())
    assert done.metrics["challenger"]["images"] == done.metrics["incumbent"]["images"] == judged == 16
    store.models.promote(version.id, 300.0)
    replay = run(store, Strategy.REPLAY)
    assert challenger(store, replay).backbone_sha256 == version.backbone_sha256
    images = sum(replay.metrics["report"]["train_images"].values())
    assert replay.metrics["report"]["computed_views"] == images * (1 + replay.metrics["report"]["views"]) + judged
    assert replay.metrics["incumbent"]["correct"] == done.metrics["challenger"]["correct"]


@pytest.mark.parametrize(("strategy", "start"), [(Strategy.ALL, 2), (Strategy.SCRATCH, 1)])
def test_all_and_scratch_learn_from_every_label(store: Store, strategy: Strategy, start: int) -> None:
    """From the incumbent, or from where everything began; both make a backbone of their own."""
    done = run(store, strategy)
    report = done.metrics["report"]
    assert report["train_images"] == {"good_posture": 20, "bad_posture": 8, "na": 8, "standing": 8}
    assert (report["strategy"], report["start_version"], report["freeze"]) == (strategy.value, start, 0)
    assert challenger(store, done).backbone_sha256 != store.models.get(start).backbone_sha256
    assert report["peak_memory_bytes"] > 200_000_000
    assert done.metrics["incumbent"]["correct"] > 0


def test_an_ended_training_goes_on_the_next_time_and_then_leaves_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The folder of the run is thrown away, the checkpoint is not until its training is judged."""
    kept = store.folder / "checkpoints"
    job = TrainingJob(
        str(store.folder), 2, Recipe(0, 1, True, 2), 1, 5, str(tmp_path / "1"), Strategy.FINETUNE, FitPlan(epochs=2)
    )
    again = replace(job, out_dir=str(tmp_path / "2"))
    (tmp_path / "1").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(strategy_run, "_say_epoch", lambda _: give(tmp_path / "1", Order.END))
        with pytest.raises(TrainingCancelled):
            train_by_ultralytics(store, store.models.get(2), job)
    assert [path.name for path in kept.iterdir()] == ["finetune"]
    shutil.rmtree(tmp_path / "1")
    challenger, _ = train_by_ultralytics(store, store.models.get(2), again)
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("progress: ")]
    assert said[0] == "progress: going on after epoch 1 of 2, from the checkpoint"
    assert [line.partition(":")[2][:15] for line in said[1:]] == [" epoch 2 of 2: "]
    assert (challenger.report.seconds_per_epoch or 0) > 0
    assert not kept.exists()


@pytest.mark.parametrize(
    ("error", "stays"), [(TrainingCancelled, True), (TrainingOutOfMemory, True), (TrainingError, False)]
)
def test_a_checkpoint_outlives_only_what_was_put_off(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[TrainingError], stays: bool
) -> None:
    """A training that failed for another reason would fail again if it went on from there."""

    def fail(request: FitRequest, *_: object) -> None:
        Path(request.checkpoint or "").mkdir(parents=True)
        raise error("No.")

    monkeypatch.setattr(strategy_run, "fit", fail)
    job = TrainingJob(str(store.folder), 2, Recipe(0, 1, True, 2), 1, 5, str(tmp_path), Strategy.ALL)
    with pytest.raises(error):
        train_by_ultralytics(store, store.models.get(2), job)
    assert (store.folder / "checkpoints" / "all").exists() is stays


def test_one_training_can_be_had_alone(zoo: Path, tmp_path: Path) -> None:
    """As the benchmark does, without a store: a checkpoint and a folder in, numbers per epoch and both sets of weights out."""
    for split, seed in (("train", 1), ("val", 2)):
        for i, (name, picture) in enumerate(Session("test", 2, 5, 9.0, seed).pictures(OLD[:2], 4, 96)):
            (tmp_path / "data" / split / name).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / "data" / split / name / f"{i}.jpg"), picture)
    paths = (str(path) for path in (zoo / "yolo11n-cls.pt", tmp_path / "data", tmp_path / "out"))
    request = FitRequest(*paths, 2, 4, 64, 0.001, freeze=10, threads=1)
    fitted = fit(request)
    assert len(fitted.curve) == 2
    assert fitted.best_epoch == 1 + int(np.argmax(fitted.curve))
    assert fitted.top1 == pytest.approx(max(fitted.curve))
    assert fitted.top5 == 1.0
    assert 0 < fitted.seconds_per_epoch < fitted.seconds
    assert Path(fitted.best).is_file()
    assert Path(fitted.last).is_file()
    with pytest.raises(TrainingError, match=r"^ultralytics ended with code 1 .*absent\.pt.*\.$"):
        fit(replace(request, weights="absent.pt"))
