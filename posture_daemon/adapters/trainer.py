"""Training in a process of its own, so that a crash, a leak or an out-of-memory kill never touches the capture loop.

Parent: `SubprocessTrainer`. Child: `python -m posture_daemon.adapters.trainer REQUEST.json`, which lowers its own priority,
dies with its parent and writes `result.json` and the head beside the request. Neither imports torch. The same child prepares
views ahead (`learning/prepare.py`) when the request says so.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from posture_daemon.adapters.strategies.progress import ProgressLog, to_log
from posture_daemon.domain import ModelVersion, Strategy
from posture_daemon.errors import PostureError, TrainingCancelled, TrainingError

if TYPE_CHECKING:
    from posture_daemon.learning.candidate import Challenger
    from posture_daemon.retrain import TrainingJob
    from posture_daemon.store import Store

RESULT, HEAD, ERROR = "result.json", "head.safetensors", "error.txt"

DISK_FULL = errno.ENOSPC
"""Exit code of a child that had no room left."""

OOM_SCORE = 900
"""Out of 1000: when memory runs out, the kernel takes the training, never the daemon."""

LOOK_EVERY_S = 1.0
"""Between two looks at what the child says of its progress, seconds."""

PR_SET_PDEATHSIG = 1  # prctl(2)


class SubprocessTrainer:
    """Implements `ports.Trainer`. `say` is given each line of progress; by default the log."""

    def __init__(self, say: Callable[[str], None] = to_log) -> None:
        self._say = say
        self._child: subprocess.Popen[bytes] | None = None
        self._cancelled = threading.Event()

    def train(self, request: Path, timeout_s: float) -> Path:
        """Run one training to its end. Raises `TrainingError` with one sentence when it gives no result."""
        if self._cancelled.is_set():
            raise TrainingCancelled("The daemon is stopping, so no training was begun.")
        with (request.parent / "child.log").open("wb") as output:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "posture_daemon.adapters.trainer", str(request), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **_threads(request), "TMPDIR": str(request.parent)},
            )
            code = self._wait(self._child, timeout_s, ProgressLog(request.parent / "child.log", self._say))
        if code == 0:
            return request.parent / RESULT
        if self._cancelled.is_set():
            raise TrainingCancelled("The training was stopped because the daemon is stopping.")
        raise TrainingError(_explain(code, request.parent))

    def cancel(self) -> None:
        """End a running training at once, and refuse new ones; safe to call from any thread."""
        self._cancelled.set()
        if self._child is not None and self._child.poll() is None:
            self._child.kill()

    def _wait(self, child: subprocess.Popen[bytes], timeout_s: float, progress: ProgressLog) -> int:
        if self._cancelled.is_set():  # cancelled between its start and here
            child.kill()
        end = time.monotonic() + timeout_s
        while (left_s := end - time.monotonic()) > 0:
            try:
                return child.wait(min(left_s, LOOK_EVERY_S))
            except subprocess.TimeoutExpired:
                pass
            finally:
                progress.relay()
        child.kill()
        child.wait()
        raise TrainingError(f"The training was stopped after {timeout_s:.0f} s, the longest that is allowed.")


def _explain(code: int, folder: Path) -> str:
    """Why a child ended without a result, in one sentence."""
    if code == DISK_FULL:
        return "The training stopped because the disk is full; free some space."
    if (folder / ERROR).exists():
        return (folder / ERROR).read_text().strip()
    if code == -signal.SIGKILL:
        return "The training process was killed (SIGKILL), most likely because memory ran out."
    lines = (folder / "child.log").read_text(errors="replace").strip().splitlines()
    return f"The training process ended with code {code}: {lines[-1] if lines else 'it said nothing'}."


def _threads(request: Path) -> dict[str, str]:
    """Libraries read their thread counts when they are loaded, so they must be in the environment of the child.

    OpenBLAS gets one: its threads wait for each other by spinning, and beside a busy daemon that costs more than it gains.
    """
    return {"OMP_NUM_THREADS": str(json.loads(request.read_text())["threads"]), "OPENBLAS_NUM_THREADS": "1"}


def main(request: Path, parent: int) -> int:
    """Entry of the child of the process `parent`."""
    try:
        _be_modest(parent)
        data = json.loads(request.read_text())
        os.nice(data["nice"])
        (_prepare if data.get("task") == "prepare" else _train)(request)
    except (PostureError, MemoryError, OSError, sqlite3.Error) as error:
        return _report(error, request.parent)
    return 0


def _report(error: BaseException, folder: Path) -> int:
    """Leave the reason for the parent; a full disk has no room for it, so then the exit code says it."""
    if getattr(error, "errno", None) == errno.ENOSPC or "disk is full" in str(error):
        return DISK_FULL
    (folder / ERROR).write_text(str(error) or "The training process ran out of memory.")
    return 1


def _be_modest(parent: int) -> None:
    """Die with the parent, and be the first that the kernel takes when memory runs out."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel was told, and nobody will send the signal
        sys.exit("the process that asked for this training is gone")
    try:
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
    except OSError as error:  # a container may forbid it; the training still is right, only less polite
        sys.stderr.write(f"oom_score_adj stays as it is: {error}\n")


def _train(request: Path) -> None:
    from posture_daemon.retrain import TrainingJob
    from posture_daemon.store import Store
    from posture_daemon.store.files import write_durably

    job = TrainingJob.from_json(request.read_text())
    store = Store(Path(job.data_dir))
    incumbent = store.models.get(job.incumbent_id)
    done, backbone = _challenger(store, incumbent, job)
    out = Path(job.out_dir)
    write_durably(out / HEAD, done.head.to_bytes())
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = {
        "head": HEAD,
        "classes": [{"name": c.name, "role": c.role.value} for c in done.classes],
        "temperature": done.temperature,
        "challenger": done.evaluation.as_json(),
        "incumbent": done.incumbent_evaluation.as_json() if done.incumbent_evaluation else None,
        "answers": done.answers.as_json(),
        "test": done.test,
        "report": {"peak_memory_bytes": peak_kb * 1024, **done.report},
        **({"backbone": backbone} if backbone else {}),
    }
    write_durably(out / RESULT, json.dumps(result).encode())


def _challenger(store: Store, incumbent: ModelVersion, job: TrainingJob) -> tuple[Challenger, Mapping[str, str] | None]:
    """The challenger, and where its backbone is when the strategy made a new one."""
    from posture_daemon.adapters.backbone_on_demand import backbone_of
    from posture_daemon.learning.cache import FeatureCache
    from posture_daemon.learning.training import train

    if job.strategy is not Strategy.REPLAY:
        from posture_daemon.adapters.strategies.challenger import train_by_ultralytics

        trained = train_by_ultralytics(store, incumbent, job)
        return trained.challenger, trained.backbone
    cache = FeatureCache(store.folder, job.recipe.cache_mb, job.recipe.cache_bits)
    return train(store, incumbent, backbone_of(store, incumbent), cache, job.recipe), None


def _prepare(request: Path) -> None:
    from posture_daemon.adapters.backbone_on_demand import backbone_of
    from posture_daemon.learning.prepare import PreparationJob, prepare
    from posture_daemon.store import Store

    job = PreparationJob.from_json(request.read_text())
    store = Store(Path(job.data_dir))
    computed = prepare(job, store, backbone_of(store, store.models.get(job.incumbent_id)))
    (request.parent / RESULT).write_text(json.dumps({"computed_views": computed}))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else os.getppid()))
