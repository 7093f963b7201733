"""Training in a process of its own, so that a crash, a leak or an out-of-memory kill never touches the capture loop.

This is the parent; the child is `child.py`. Once a second the parent asks whether the training may go on, and hands the
answer down (`learning/interruption.py`). A child that is told to end has some seconds for it; then it is killed, and
loses only what it was computing.
"""

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from posture_daemon.adapters.child_process import command, thread_caps
from posture_daemon.adapters.strategies.progress import ProgressLog, to_log
from posture_daemon.adapters.trainer.child import DISK_FULL, ERROR, MODULE, OUT_OF_MEMORY, RESULT, TOLD_TO_END
from posture_daemon.adapters.trainer.out_of_memory import ran_out_of_memory
from posture_daemon.domain import Failure, Order
from posture_daemon.errors import TrainingCancelled, TrainingError, TrainingOutOfMemory
from posture_daemon.learning.interruption import give
from posture_daemon.ports import GO_ON, Instruction, Supervise, TrainingSeen

LOG = "child.log"

SUPERVISE_EVERY_S = 1.0
POLL_S = 0.1
"""Between two looks at whether the child still lives: how late a cancel is noticed."""

GRACE_S = 10.0
"""For a child that was told to end: the rest of a batch of the largest model, and a checkpoint."""

GRACE_STOPPING_S = 1.5
"""The same while the daemon stops, which may take five seconds in all."""

TAIL_BYTES = 4096

UNFLUSHED = 120
"""Python's exit code when its last words found no room (`sys.exit`), whatever the code was before."""

STOPPING = Instruction(Order.END, "The training was stopped because the daemon is stopping.")


class SubprocessTrainer:
    """Implements `ports.Trainer`. `say` is given each line of progress; by default the log."""

    def __init__(self, say: Callable[[str], None] = to_log) -> None:
        self._say = say
        self._cancelled = threading.Event()

    def train(self, request: Path, supervise: Supervise = lambda _seen: GO_ON) -> Path:
        """Run one training to its end; see `ports.Trainer`."""
        if self._cancelled.is_set():
            raise TrainingCancelled("The daemon is stopping, so no training was begun.")
        folder = request.parent
        with (folder / LOG).open("wb") as output:
            child = subprocess.Popen(
                command(MODULE, str(request)), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env={**os.environ, **_threads(request), "TMPDIR": str(folder)},
            )  # fmt: skip
            try:
                last = self._accompany(child, folder, supervise)
            finally:
                _end(child)
        return _result(child.returncode, last, folder)

    def cancel(self) -> None:
        """Have a running training end at its next batch, or kill it soon after; refuse new ones. Safe from any thread."""
        self._cancelled.set()

    def _accompany(self, child: subprocess.Popen[bytes], folder: Path, supervise: Supervise) -> Instruction:
        """Until the child has ended, or has had its time to end. Returns what it was told last."""
        progress, told, due, deadline = ProgressLog(folder / LOG, self._say), GO_ON, 0.0, float("inf")
        while child.poll() is None and (now := time.monotonic()) < deadline:
            before = told.order
            if self._cancelled.is_set():
                told = told if before is Order.END else STOPPING
                deadline = min(deadline, now + GRACE_STOPPING_S)
            elif before is not Order.END and now >= due:
                told, due = supervise(TrainingSeen(_memory_bytes(child.pid))), now + SUPERVISE_EVERY_S
                deadline = now + GRACE_S if told.order is Order.END else deadline
                progress.relay()
            if told.order is not before:
                give(folder, told.order)
            _wait(child)
        progress.relay()
        return told


def _wait(child: subprocess.Popen[bytes]) -> None:
    with suppress(subprocess.TimeoutExpired):  # it goes on, which is what most looks find
        child.wait(POLL_S)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Whatever happened here, nothing of the training is left; its own children die with it (PR_SET_PDEATHSIG)."""
    if child.poll() is None:
        child.kill()
    child.wait()


def _memory_bytes(pid: int) -> int | None:
    """Resident memory of the process and all below it; pages that they share count twice, which errs on the safe side.

    On a Jetson what CUDA has allocated is not in it, but it is missing in the available memory, which is watched as well.
    """
    try:
        process = psutil.Process(pid)
        known = sum(_resident(one) for one in (process, *process.children(recursive=True)))
        return known or None  # 0 is of one that has just ended: unknown, and no measurement
    except psutil.Error:
        return None


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # it has just ended
        return 0


def _result(code: int, told: Instruction, folder: Path) -> Path:
    if code == 0 and (folder / RESULT).exists():  # also of one that was ready before it heard that it should end
        return folder / RESULT
    if told.failure is Failure.OUT_OF_MEMORY:
        raise TrainingOutOfMemory(told.reason)
    if told.failure is not None:
        raise TrainingError(told.reason)
    if told.order is Order.END:
        raise TrainingCancelled(told.reason)
    said = _last_words(folder)
    if code == OUT_OF_MEMORY or ran_out_of_memory(code, f"{said}\n{_tail(folder)}"):
        raise TrainingOutOfMemory(f"The training ran out of memory ({said.rstrip('.') or f'killed, code {code}'}).")
    if code == TOLD_TO_END:
        raise TrainingCancelled("The training ended before its time.")
    if code in (DISK_FULL, UNFLUSHED):
        raise TrainingError("The training stopped because the disk is full; free some space.")
    if (folder / ERROR).exists():
        raise TrainingError(said)
    raise TrainingError(f"The training process ended with code {code}: {said or 'it said nothing'}.")


def _last_words(folder: Path) -> str:
    """The sentence that the child left, else the last line of its output."""
    if (folder / ERROR).exists():
        return (folder / ERROR).read_text(errors="replace").strip()
    lines = _tail(folder).strip().splitlines()
    return lines[-1].strip() if lines else ""


def _tail(folder: Path) -> str:
    """The end of the child's output: a C++ library says more than one line when it dies, and not the best one last."""
    return (folder / LOG).read_bytes()[-TAIL_BYTES:].decode(errors="replace")


def _threads(request: Path) -> dict[str, str]:
    """OpenBLAS gets one: its threads wait for each other by spinning; beside a busy daemon that costs more than it gains."""
    return thread_caps(json.loads(request.read_text())["threads"], openblas=1)
