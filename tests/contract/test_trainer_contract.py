"""What every trainer promises, real or stand-in: the `Trainer` Protocol of `ports.py`."""

import json
import shutil
from pathlib import Path

import pytest

from posture_daemon.adapters.trainer import process
from posture_daemon.adapters.trainer.process import SubprocessTrainer
from posture_daemon.domain import Failure, Order
from posture_daemon.errors import TrainingCancelled, TrainingError, TrainingOutOfMemory
from posture_daemon.ports import GO_ON, Instruction, Trainer, TrainingSeen
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.training.job import TrainingJob
from tests.builders import add_version, colour_backbone, label_days, random_head
from tests.fakes.trainer import StandInTrainer


@pytest.fixture(autouse=True)
def watched_closely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty looks a second instead of one, so that the tests need not wait."""
    monkeypatch.setattr(process, "SUPERVISE_EVERY_S", 0.05)
    monkeypatch.setattr(process, "POLL_S", 0.02)


@pytest.fixture(params=[SubprocessTrainer, StandInTrainer])
def trainer(request: pytest.FixtureRequest) -> Trainer:
    """A real child process, and what most tests use."""
    made: Trainer = request.param()
    if isinstance(made, StandInTrainer):
        made.seconds = 4
    return made


@pytest.fixture
def job(tmp_path: Path, store: Store) -> Path:
    """A request as the retrainer writes it: three classes, two views, and a tiny network as a real ONNX file."""
    base = add_version(store, random_head(2), colour_backbone(store, tmp_path))
    store.models.promote(base.id, 0.0)
    label_days(store, "good", "bad", "away")
    return request_in(store, "first")


def request_in(store: Store, name: str) -> Path:
    """The request of a run in a new folder."""
    folder = store.folder / name
    folder.mkdir()
    job = TrainingJob(str(store.folder), 1, Recipe(0, 2, True, 2), threads=1, nice=5, out_dir=str(folder))
    (folder / "request.json").write_text(job.to_json())
    return folder / "request.json"


def test_a_result_is_json_beside_the_request_with_a_head(trainer: Trainer, job: Path) -> None:
    """Whoever reads it finds the challenger's head, its classes, temperature, evaluation and report."""
    result = trainer.train(job, lambda _seen: GO_ON)
    assert result.parent == job.parent
    found = json.loads(result.read_text())
    assert {"head", "classes", "temperature", "challenger", "report"} <= found.keys()
    assert (job.parent / found["head"]).stat().st_size > 0


def test_it_asks_while_it_trains_and_says_what_it_takes(trainer: Trainer, job: Path) -> None:
    """At least once; the memory is a number of bytes or unknown, and never nothing."""
    seen: list[TrainingSeen] = []
    trainer.train(job, lambda one: (seen.append(one), GO_ON)[1])
    assert seen
    assert all(one.memory_bytes is None or one.memory_bytes > 0 for one in seen)


def test_a_pause_changes_nothing_in_the_result(trainer: Trainer, job: Path, store: Store) -> None:
    """Told to pause at its first looks and then to go on, it gives the head that it gives when it is left alone."""
    looks = iter([Instruction(Order.PAUSE, "too warm")] * 3)
    paused = trainer.train(job, lambda _seen: next(looks, GO_ON))
    shutil.rmtree(store.folder / "cache", ignore_errors=True)
    alone = type(trainer)().train(request_in(store, "second"), lambda _seen: GO_ON)
    assert next(looks, None) is None
    heads = [result.parent / json.loads(result.read_text())["head"] for result in (paused, alone)]
    assert heads[0].read_bytes() == heads[1].read_bytes()


@pytest.mark.parametrize(
    ("failure", "error"),
    [(None, TrainingCancelled), (Failure.OUT_OF_MEMORY, TrainingOutOfMemory), (Failure.OUT_OF_TIME, TrainingError)],
)
def test_told_to_end_it_raises_with_the_reason(
    trainer: Trainer, job: Path, failure: Failure | None, error: type[TrainingError]
) -> None:
    """The kind of error tells the kind of end, its text is the sentence that was given, and there is no result."""
    told = Instruction(Order.END, "The training was stopped for a reason.", failure)
    with pytest.raises(TrainingError) as caught:
        trainer.train(job, lambda _seen: told)
    assert type(caught.value) is error
    assert str(caught.value) == told.reason
    assert not (job.parent / "result.json").exists()


def test_after_cancel_it_refuses(trainer: Trainer, job: Path) -> None:
    """Safe to say twice; no new job is begun."""
    trainer.cancel()
    trainer.cancel()
    with pytest.raises(TrainingCancelled, match=r"\.$"):
        trainer.train(job, lambda _seen: GO_ON)
    assert [path.name for path in job.parent.iterdir()] == ["request.json"]
