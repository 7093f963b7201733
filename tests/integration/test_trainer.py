"""Training in a real child process: its result, and each of the ways in which it can end without one."""

import errno
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from posture_daemon.adapters.backbone.onnx import OnnxBackbone
from posture_daemon.adapters.checkpoints import MODULE as CHECKPOINT_CHILD
from posture_daemon.adapters.child_process import OOM_SCORE
from posture_daemon.adapters.probes import DeviceProbe
from posture_daemon.adapters.strategies.fit import MODULE as FIT_CHILD
from posture_daemon.adapters.trainer import process as trainer_module
from posture_daemon.adapters.trainer.child import MODULE as TRAINER_CHILD
from posture_daemon.adapters.trainer.process import SubprocessTrainer
from posture_daemon.bootstrap.models import champion
from posture_daemon.domain import Failure, ModelVersion, Order, Outcome
from posture_daemon.errors import TrainingCancelled, TrainingError, TrainingOutOfMemory
from posture_daemon.ports import GO_ON, Instruction, Supervise
from posture_daemon.settings import Settings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.training.job import TrainingJob
from posture_daemon.training.retrain import Retrainer
from posture_daemon.vision.head import Head
from tests.builders import add_champion, add_version, colour_backbone, coloured_frame, label_days, random_head
from tests.children import training_child

LONG_S = 600
"""Longer than anything here takes, seconds: reaching it is a failure."""


@pytest.fixture
def store(store: Store) -> Store:
    """A store with labels, and a champion whose backbone is not there."""
    add_champion(store)
    label_days(store, "good", "bad", "away")
    return store


def request_for(store: Store, incumbent_id: int = 1) -> Path:
    """A request file in a folder of its own, as the retrainer writes it."""
    folder = store.folder / "training-test"
    folder.mkdir()
    job = TrainingJob(str(store.folder), incumbent_id, Recipe(0, 1, True, 2), threads=1, nice=5, out_dir=str(folder))
    path = folder / "request.json"
    path.write_text(job.to_json())
    return path


@dataclass
class Stuck:
    """A training whose child has come as far as reading the backbone, and waits there for the test."""

    trainer: SubprocessTrainer
    request: Path
    answer: Future[Path]
    writer: int

    @property
    def pid(self) -> int:
        """The child's process id."""
        child = training_child()
        assert child is not None
        return int(child.pid)


def wait_for_reader(fifo: Path) -> int:
    """Open a FIFO for writing as soon as somebody reads it."""
    pause = threading.Event()
    for _ in range(int(LONG_S / 0.02)):
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
        pause.wait(0.02)
    raise AssertionError("the child never came to its backbone")


def all_readers_gone(writer: int) -> bool:
    """Wait until the other end of the FIFO is closed, which the kernel does when the last reader dies."""
    poll = select.poll()
    poll.register(writer, 0)
    return bool(poll.poll(LONG_S * 1000))


def blocking_backbone(store: Store) -> Path:
    """Put a FIFO where the champion's backbone should be: whoever reads it waits for the test."""
    folder = store.models.backbone_folder(champion(store).backbone_sha256)
    folder.mkdir(parents=True)
    os.mkfifo(folder / "backbone.onnx")
    return folder / "backbone.onnx"


@contextmanager
def stuck_training(store: Store, supervise: Supervise = lambda _seen: GO_ON) -> Iterator[Stuck]:
    """Start a training and hold its child where it reads the backbone."""
    fifo, request, trainer = blocking_backbone(store), request_for(store), SubprocessTrainer()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(trainer.train, request, supervise)
        writer = wait_for_reader(fifo)
        try:
            yield Stuck(trainer, request, answer, writer)
        finally:
            os.close(writer)
            trainer.cancel()


def sentence(error: BaseException) -> str:
    """The message, which must be one line that ends in a full stop."""
    text = str(error)
    assert text.endswith(".")
    assert "\n" not in text
    return text


def test_a_model_that_is_not_there_is_said_in_one_sentence(store: Store) -> None:
    """The child's own words reach the parent: no traceback, no exit code."""
    with pytest.raises(TrainingError, match=r"The backbone .*backbone\.onnx cannot be read \(No such file") as error:
        SubprocessTrainer().train(request_for(store))
    sentence(error.value)


def test_a_child_that_breaks_down_is_said_in_one_sentence(store: Store) -> None:
    """A request that the child cannot understand: its last line is quoted, and its code told."""
    request = request_for(store)
    request.write_text(json.dumps({"threads": 1, "purple": True}))
    with pytest.raises(TrainingError, match="ended with code 1: KeyError: 'nice'") as error:
        SubprocessTrainer().train(request)
    sentence(error.value)


def test_a_training_that_does_not_hear_is_killed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child, which here would wait for its backbone for ever, is gone when the sentence comes."""
    monkeypatch.setattr(trainer_module, "GRACE_S", 0.5)
    monkeypatch.setattr(trainer_module, "SUPERVISE_EVERY_S", 0.1)
    said = [GO_ON]
    with stuck_training(store, lambda _seen: said[0]) as stuck:
        said[0] = Instruction(Order.END, "The training was stopped after 1 s.", Failure.OUT_OF_TIME)
        with pytest.raises(TrainingError, match="stopped after 1 s") as error:
            stuck.answer.result(LONG_S)
        sentence(error.value)
        assert all_readers_gone(stuck.writer)


def test_a_cancelled_training_ends_at_once_and_no_other_begins(store: Store) -> None:
    """The daemon that is stopping does not wait for a training, nor is that a failure of the training."""
    with stuck_training(store) as stuck:
        stuck.trainer.cancel()
        with pytest.raises(TrainingCancelled, match="because the daemon is stopping"):
            stuck.answer.result(LONG_S)
        assert all_readers_gone(stuck.writer)
        with pytest.raises(TrainingCancelled, match="no training was begun"):
            stuck.trainer.train(stuck.request, LONG_S)


def test_a_child_that_the_kernel_kills_is_said_in_one_sentence(store: Store) -> None:
    """SIGKILL from outside is most likely the out-of-memory killer, which was told to take the child first."""
    with stuck_training(store) as stuck:
        assert Path(f"/proc/{stuck.pid}/oom_score_adj").read_text() == f"{OOM_SCORE}\n"
        assert os.getpriority(os.PRIO_PROCESS, stuck.pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 5)
        os.kill(stuck.pid, signal.SIGKILL)
        with pytest.raises(TrainingOutOfMemory, match="ran out of memory") as error:
            stuck.answer.result(LONG_S)
        sentence(error.value)


PARENT = """
import sys
from pathlib import Path
from posture_daemon.adapters.trainer.child import MODULE as TRAINER_CHILD
from posture_daemon.adapters.trainer.process import SubprocessTrainer
SubprocessTrainer().train(Path(sys.argv[1]))
"""


def test_the_child_dies_with_its_parent(store: Store) -> None:
    """Not even SIGKILL to the daemon leaves a training behind that eats the memory of the next one."""
    fifo, request = blocking_backbone(store), request_for(store)
    with subprocess.Popen([sys.executable, "-c", PARENT, str(request)]) as parent:
        writer = wait_for_reader(fifo)
        try:
            parent.kill()
            parent.wait(LONG_S)
            assert all_readers_gone(writer)
        finally:
            os.close(writer)


@pytest.mark.parametrize("module", [TRAINER_CHILD, FIT_CHILD, CHECKPOINT_CHILD])
def test_a_child_whose_parent_is_already_gone_does_nothing(store: Store, module: str) -> None:
    """The parent may die before the child has asked the kernel to be told: then the child's parent is another process."""
    request = request_for(store)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(LONG_S)
    most_mb = ["490"] if module == CHECKPOINT_CHILD else []
    command = [sys.executable, "-m", module, str(request), *most_mb, str(gone.pid)]
    child = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=LONG_S, check=False)
    assert (child.returncode, child.stderr) == (1, "the process that asked for this is gone\n")
    assert [path.name for path in request.parent.iterdir()] == ["request.json"]


def answers(store: Store, version: ModelVersion, class_name: str) -> str:
    """What a version says of a fresh frame, from its files."""
    backbone = OnnxBackbone(store.models.backbone_folder(version.backbone_sha256) / "backbone.onnx")
    head = Head.from_bytes(store.models.read_head(version.head_sha256))
    chances = head.probabilities(backbone.extract(coloured_frame(class_name, 999)).map, version.temperature)
    return version.classes[int(chances.argmax())].name


def test_a_training_from_the_gate_to_the_new_champion(store: Store, tmp_path: Path) -> None:
    """Real store, real child, real ONNX Runtime: a base learns three colours, and the next training computes nothing anew."""
    base = add_version(store, random_head(2), colour_backbone(store, tmp_path))
    store.models.promote(base.id, 0.0)
    settings = Settings(data_dir=store.folder)
    retrainer = Retrainer(store, SubprocessTrainer(), DeviceProbe(store.folder), settings)
    run = retrainer.run("test", force=True)
    assert run.outcome is Outcome.PROMOTED, run.reason
    assert run.metrics["challenger"]["top1"] == 1.0
    assert run.metrics["report"]["peak_memory_bytes"] > 10_000_000
    assert [answers(store, champion(store), name) for name in ("good", "bad", "away")] == ["good", "bad", "away"]
    again = retrainer.run("test", force=True)
    assert (again.outcome, again.metrics["report"]["computed_views"]) == (Outcome.KEPT, 0)
