"""The training process: `python -m posture_daemon.adapters.trainer.child REQUEST.json`.

It lowers its own priority, dies with its parent, obeys orders between two batches, and writes `result.json` and the head beside
the request. It imports no torch. The same child prepares views ahead (`training/precompute.py`) when the request says so.
"""

from __future__ import annotations

import errno
import json
import resource
import sqlite3
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from posture_daemon.adapters.child_process import die_with_parent, give_way
from posture_daemon.domain import ModelVersion, Strategy
from posture_daemon.errors import PostureError, TrainingCancelled, TrainingOutOfMemory

if TYPE_CHECKING:
    from posture_daemon.learning.scoring import Challenger
    from posture_daemon.store import Store
    from posture_daemon.training.job import TrainingJob
    from posture_daemon.training.run_record import NewBackbone

MODULE = "posture_daemon.adapters.trainer.child"

RESULT, HEAD, ERROR = "result.json", "head.safetensors", "error.txt"

DISK_FULL = errno.ENOSPC
OUT_OF_MEMORY = errno.ENOMEM
TOLD_TO_END = 75
"""Exit codes; the last is EX_TEMPFAIL of sysexits(3): try again later."""


def main(request: Path) -> int:
    """Carry out the request; returns the exit code."""
    try:
        data = json.loads(request.read_text())
        give_way(int(str(data["nice"])))
        _limit_memory(data)
        (_prepare if data.get("task") == "prepare" else _train)(request)
    except TrainingCancelled:
        return TOLD_TO_END
    except (PostureError, MemoryError, OSError, sqlite3.Error) as error:
        return _report(error, request.parent)
    return 0


def _report(error: BaseException, folder: Path) -> int:
    """Leave the reason for the parent; a full disk has no room for it, so then the exit code says it."""
    if getattr(error, "errno", None) == errno.ENOSPC or "disk is full" in str(error):
        return DISK_FULL
    (folder / ERROR).write_text(str(error) or type(error).__name__)
    no_memory = isinstance(error, (MemoryError, TrainingOutOfMemory)) or getattr(error, "errno", None) == errno.ENOMEM
    return OUT_OF_MEMORY if no_memory else 1


def _limit_memory(data: Mapping[str, object]) -> None:
    """Not for torch: CUDA reserves far more than it takes. There only the parent watches what is taken."""
    most = data.get("max_memory_bytes")
    if most is not None and data.get("strategy") in (None, Strategy.REPLAY.value):
        resource.setrlimit(resource.RLIMIT_DATA, (int(str(most)), resource.RLIM_INFINITY))


def _train(request: Path) -> None:
    from posture_daemon.learning.interruption import peak_memory_bytes
    from posture_daemon.store import Store
    from posture_daemon.store.files import write_durably
    from posture_daemon.training.job import TrainingJob
    from posture_daemon.training.run_record import TrainingResult

    job = TrainingJob.from_json(request.read_text())
    store = Store(Path(job.data_dir))
    incumbent = store.models.get(job.incumbent_id)
    done, backbone = _challenger(store, incumbent, job)
    report = replace(done.report, peak_memory_bytes=done.report.peak_memory_bytes or peak_memory_bytes())
    out = Path(job.out_dir)
    write_durably(out / HEAD, done.head.to_bytes())
    result = TrainingResult(**{**vars(done), "head": HEAD, "report": report, "backbone": backbone})
    write_durably(out / RESULT, result.to_json().encode())


def _challenger(store: Store, incumbent: ModelVersion, job: TrainingJob) -> tuple[Challenger, NewBackbone | None]:
    """The challenger, and where its backbone is when the strategy made a new one."""
    from posture_daemon.adapters.backbone.on_demand import backbone_of
    from posture_daemon.learning.fit_challenger import train
    from posture_daemon.learning.interruption import Interruption

    if job.strategy is not Strategy.REPLAY:
        from posture_daemon.adapters.strategies.challenger import train_by_ultralytics

        return train_by_ultralytics(store, incumbent, job)
    backbone, before = backbone_of(store, replace(incumbent, region=job.region)), backbone_of(store, incumbent)

    def release() -> None:
        backbone.release()
        before.release()

    orders = Interruption(Path(job.out_dir), release)
    return train(store, incumbent, backbone, job.recipe, orders, before), None


def _prepare(request: Path) -> None:
    from posture_daemon.adapters.backbone.on_demand import backbone_of
    from posture_daemon.learning.interruption import Interruption
    from posture_daemon.store import Store
    from posture_daemon.training.precompute import PreparationJob, prepare

    job = PreparationJob.from_json(request.read_text())
    store = Store(Path(job.data_dir))
    backbone = backbone_of(store, replace(store.models.get(job.incumbent_id), region=job.region))
    computed = prepare(job, store, backbone, orders=Interruption(request.parent, backbone.release))
    (request.parent / RESULT).write_text(json.dumps({"computed_views": computed}))


if __name__ == "__main__":
    die_with_parent(sys.argv[2:])
    sys.exit(main(Path(sys.argv[1])))
