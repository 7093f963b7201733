"""A training by ultralytics that is paused, ended or killed, and what becomes of it."""

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest

from posture_daemon.adapters.checkpoints.archive import Archive, opened_archive
from posture_daemon.adapters.checkpoints.pickled import Shell, StoredTensor
from posture_daemon.adapters.checkpoints.yolo11 import read_checkpoint
from posture_daemon.adapters.strategies import fit as fitting
from posture_daemon.adapters.strategies.fit import FitRequest, Fitted, fit
from posture_daemon.domain import Order
from posture_daemon.errors import TrainingCancelled, TrainingError, TrainingOutOfMemory
from posture_daemon.learning.interruption import give
from tests.children import answered, let_children_be_changed
from tests.waiting import computed_s, wait_until

EPOCHS, SIZE = 3, 32
CHECKPOINT = "checkpoint.pt"

UNEVEN = {"freeze": 10, "validate": False}  # 38 pictures: 3 batches of at most 16
EVEN = {"freeze": 0, "validate": True}  # 32 pictures: 2 batches, so that each epoch ends with a full one


def pictures(folder: Path, train: int, val: int = 4) -> Path:
    """Two classes of coloured noise."""
    random = np.random.default_rng(train)
    for split, count in (("train", train), ("val", val)):
        for i in range(count):
            path = folder / split / f"{i % 2:03d}" / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), random.integers(0, 128 + 127 * (i % 2), (48, 64, 3), dtype=np.uint8))
    return folder


@dataclass(frozen=True)
class Told:
    """What a training said of itself."""

    epochs: list[int]
    notes: list[str]


def train(request: FitRequest, after: Mapping[int, Callable[[], None]] | None = None) -> tuple[Fitted, Told]:
    """Run it, and call what is to be done once an epoch was told."""
    told = Told([], [])

    def on_epoch(epoch: Mapping[str, Any]) -> None:
        told.epochs.append(epoch["epoch"])
        (after or {}).get(epoch["epoch"], lambda: None)()

    return fit(request, on_epoch, told.notes.append), told


def interrupted(request: FitRequest, error: type[TrainingError], after: int, how: Callable[[], None]) -> None:
    """Run it until it is interrupted after that epoch."""
    with pytest.raises(TrainingError) as caught:
        train(request, {after: how})
    assert type(caught.value) is error, caught.value


def requested(zoo: Path, folder: Path, count: int, **settings: Any) -> FitRequest:
    """A training in a folder of its own, with pictures of its own, as each run of the daemon has."""
    data = pictures(folder / "data", count)
    fixed = (str(zoo / "yolo11n-cls.pt"), str(data), str(folder / "out"), EPOCHS, 16, SIZE, 0.001)
    return FitRequest(*fixed, threads=1, seed=3, checkpoint=str(folder / "kept"), **settings)


def again(request: FitRequest, folder: Path) -> FitRequest:
    """The same training in another run: all paths are new but that of the checkpoint."""
    shutil.copytree(request.data, folder / "data")
    return replace(request, data=str(folder / "data"), out=str(folder / "out"))


def assert_same(a: Any, b: Any, where: str = "") -> None:
    """Bit for bit, through all that a checkpoint holds."""
    if isinstance(a, Mapping):
        assert list(a) == list(b), where
        for name in a:
            assert_same(a[name], b[name], f"{where}/{name}")
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype, where
        np.testing.assert_array_equal(a, b, where)
    else:
        assert a == b, where


def in_numbers(content: Any, archive: Archive) -> Any:
    """All of a checkpoint, its tensors as arrays."""
    if isinstance(content, StoredTensor):
        return archive.read(content)
    if isinstance(content, Shell):
        return in_numbers(vars(content), archive)
    if isinstance(content, dict):
        return {name: in_numbers(value, archive) for name, value in content.items()}
    if type(content) in (list, tuple):
        return [in_numbers(value, archive) for value in content]
    return content


def everything(fitted: Fitted, request: FitRequest) -> dict[str, Any]:
    """What a training ended with: both sets of weights, and in full precision all that a further epoch would start from."""
    with opened_archive(Path(request.checkpoint or "") / CHECKPOINT) as archive:
        state = in_numbers(archive.content, archive)
    curve = state["epochs"]["curve"]
    plain = {name: value for name, value in state.items() if name not in ("epochs", "results")}  # seconds and dates
    files = {name: read_checkpoint(Path(path)).weights for name, path in (("last", fitted.last), ("best", fitted.best))}
    return {**plain, **files, "curve": curve, "top1": fitted.top1}


@pytest.fixture(scope="module")
def uneven(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the uninterrupted training gives, the head alone, without a look at `val`."""
    request = requested(zoo, tmp_path_factory.mktemp("uneven"), 38, **UNEVEN)
    return everything(train(request)[0], request)


@pytest.fixture(scope="module")
def even(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The same for all layers, with a look at `val` after each epoch."""
    request = requested(zoo, tmp_path_factory.mktemp("even"), 32, **EVEN)
    return everything(train(request)[0], request)


def child() -> psutil.Process:
    """The one process that trains now."""
    return next(p for p in psutil.Process().children() if fitting.MODULE in p.cmdline())


def pause(folder: Path) -> None:
    """Return once it has paused, which must be within two seconds of its computing."""
    process = child()
    before = computed_s(process)
    give(folder, Order.PAUSE)
    wait_until(lambda: answered(folder) is Order.PAUSE, "the pause")
    assert computed_s(process) - before < 2.0


@pytest.mark.torch
@pytest.mark.slow
def test_a_paused_training_stands_still_and_then_gives_the_same(
    zoo: Path, tmp_path: Path, uneven: dict[str, Any]
) -> None:
    """Within two seconds it uses no processor time; told to run, it ends as if nothing had been."""
    request = requested(zoo, tmp_path, 38, **UNEVEN)
    orders, used = tmp_path / "out", []

    def rest() -> None:
        pause(orders)
        process = child()
        before = computed_s(process)
        time.sleep(1.0)
        used.append(computed_s(process) - before)
        give(orders, Order.RUN)
        wait_until(lambda: answered(orders) is Order.RUN, "the answer")

    fitted, told = train(request, {1: rest})
    assert max(used) < 0.1
    assert told.epochs == [1, 2, 3]
    assert_same(uneven, everything(fitted, request))


@pytest.mark.torch
@pytest.mark.slow
def test_a_training_that_was_ended_twice_goes_on_and_gives_the_same(
    zoo: Path, tmp_path: Path, even: dict[str, Any]
) -> None:
    """After each end it is trained on from the last finished epoch, in another folder, and no epoch is trained twice."""
    first = replace(requested(zoo, tmp_path / "1", 32, **EVEN), orders=str(tmp_path))
    interrupted(first, TrainingCancelled, 1, lambda: give(tmp_path, Order.END))
    assert answered(tmp_path) is Order.END
    assert "Traceback" not in (tmp_path / "1" / "out" / fitting.LOG).read_text()
    give(tmp_path, Order.RUN)
    interrupted(again(first, tmp_path / "2"), TrainingCancelled, 2, lambda: give(tmp_path, Order.END))
    give(tmp_path, Order.RUN)
    last = again(first, tmp_path / "3")
    fitted, told = train(last)
    assert told == Told([3], ["going on after epoch 2 of 3, from the checkpoint"])
    assert len(fitted.curve) == EPOCHS
    assert_same(even, everything(fitted, last))


@pytest.mark.torch
@pytest.mark.slow
def test_a_training_that_was_killed_goes_on_and_gives_the_same(
    zoo: Path, tmp_path: Path, uneven: dict[str, Any]
) -> None:
    """Killed in a batch, and ended in the last look at `val`, when all epochs are done already."""
    first = replace(requested(zoo, tmp_path / "1", 38, **UNEVEN), orders=str(tmp_path))

    def kill() -> None:
        pause(tmp_path)  # so that it is in a batch
        child().kill()

    interrupted(first, TrainingOutOfMemory, 1, kill)
    give(tmp_path, Order.RUN)
    interrupted(again(first, tmp_path / "2"), TrainingCancelled, 3, lambda: give(tmp_path, Order.END))
    give(tmp_path, Order.RUN)
    last = again(first, tmp_path / "3")
    fitted, told = train(last)
    assert told == Told([], ["going on after epoch 3 of 3, from the checkpoint"])
    assert_same(uneven, everything(fitted, last))


@pytest.fixture(scope="module")
def finished(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> FitRequest:
    """A short training that left a checkpoint."""
    request = replace(requested(zoo, tmp_path_factory.mktemp("finished"), 4, **UNEVEN), epochs=1)
    train(request)
    return request


def turn_a_bit(request: FitRequest) -> FitRequest:
    """In the middle of the checkpoint, as a worn card does."""
    path = Path(request.checkpoint or "") / CHECKPOINT
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return request


def change_a_picture(request: FitRequest) -> FitRequest:
    """Under the same name."""
    shutil.copy(Path(request.data) / "train" / "000" / "0.png", Path(request.data) / "train" / "001" / "1.png")
    return request


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (turn_a_bit, "is damaged and not used (BadZipFile)"),
        (change_a_picture, "belongs to another training and is not used"),
        (lambda request: replace(request, seed=4), "belongs to another training and is not used"),
    ],
    ids=["damaged", "other picture", "other seed"],
)
def test_a_checkpoint_that_does_not_fit_is_not_used(
    finished: FitRequest, tmp_path: Path, change: Callable[[FitRequest], FitRequest], why: str
) -> None:
    """One line says so, the training begins with the first epoch, and leaves a checkpoint of its own."""
    shutil.copytree(finished.checkpoint or "", tmp_path / "kept")
    changed = change(replace(again(finished, tmp_path), checkpoint=str(tmp_path / "kept")))
    before = (tmp_path / "kept" / CHECKPOINT).read_bytes()
    assert train(changed)[1] == Told([1], [f"the checkpoint {why}; the training begins anew"])
    assert (tmp_path / "kept" / CHECKPOINT).read_bytes() != before


WORDS = {
    "MemoryError": ("raise MemoryError", TrainingOutOfMemory),
    "numpy": ("import numpy; numpy.ones(10**15)", TrainingOutOfMemory),
    "Tegra": (
        "raise RuntimeError('NVML_SUCCESS == r INTERNAL ASSERT FAILED at \"c10/cuda/CUDACachingAllocator.cpp\":838')",
        TrainingOutOfMemory,
    ),
    "killed": ("import os; os.kill(os.getpid(), 9)", TrainingOutOfMemory),
    "told to end": ("sys.exit(75)", TrainingCancelled),
    "another error": ("raise RuntimeError('mat1 and mat2 shapes cannot be multiplied')", TrainingError),
    "no result": ("pass", TrainingError),
}


def failure_of(program: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingError:
    """What a training ends with whose process runs this instead of ultralytics."""
    (folder / "stand_in.py").write_text(program)
    let_children_be_changed(monkeypatch, folder)
    monkeypatch.setattr(fitting, "MODULE", "stand_in")
    with pytest.raises(TrainingError) as caught:
        fit(FitRequest("w.pt", "data", str(folder / "out"), 1, 1, 32, 0.1))
    return caught.value


@pytest.mark.parametrize(("code", "error"), WORDS.values(), ids=WORDS)
def test_how_the_process_ended_says_what_is_to_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, error: type[TrainingError]
) -> None:
    """Put off, make smaller next time, or failed: told from a process that stands in for ultralytics."""
    caught = failure_of(f"import sys\n{code}\n", tmp_path, monkeypatch)
    assert type(caught) is error
    assert str(caught).endswith(".")


CHILD = """
import sys
from pathlib import Path
from posture_daemon.adapters.strategies import fit_child
def fail(*_):
    raise ERROR
fit_child._train = fail
sys.exit(fit_child.main(Path(sys.argv[1])))
"""


@pytest.mark.parametrize(
    ("raised", "error", "says"),
    [
        ("MemoryError", TrainingOutOfMemory, "MemoryError:"),
        ("RuntimeError('CUDA out of memory.\\nTried')", TrainingOutOfMemory, "RuntimeError: CUDA out of memory. Tried"),
        ("fit_child.TrainingCancelled", TrainingCancelled, ""),
        ("RuntimeError('no')", TrainingError, "RuntimeError: no"),
    ],
)
def test_the_process_says_in_one_line_that_memory_ran_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: str, error: type[TrainingError], says: str
) -> None:
    """Without a traceback, and so for an end on demand; any other error keeps its traceback."""
    caught = failure_of(CHILD.replace("ERROR", raised), tmp_path, monkeypatch)
    said = (tmp_path / "out" / fitting.LOG).read_text()
    assert type(caught) is error
    assert said.strip().splitlines()[-1:] == [says] * bool(says)
    assert ("Traceback" in said) is (error is TrainingError)
