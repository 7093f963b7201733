"""One training by ultralytics, in a process of its own.

From a shell: `python -m posture_daemon.adapters.strategies.fit_child REQUEST.json` with the fields of `FitRequest`; each line
on standard output is a JSON object, one per epoch and the result at last. Nothing is written outside `out` and `checkpoint`,
nothing asks the network.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from posture_daemon.adapters.child_process import command, quiet_environment, thread_caps
from posture_daemon.adapters.trainer.out_of_memory import ran_out_of_memory
from posture_daemon.errors import TrainingCancelled, TrainingError, TrainingOutOfMemory
from posture_daemon.store.json_values import JsonText, from_json

MODULE = "posture_daemon.adapters.strategies.fit_child"
LOG = "ultralytics.log"

LAST_LINES = 50
"""Of the log, as its last words: a driver complains before the traceback, which is as long."""


@dataclass(frozen=True)
class FitRequest(JsonText):
    """What ultralytics is told.

    `weights` is a checkpoint, `data` a folder with `train/` and `val/` and the same class folders in both, sizes are in
    pixels. `freeze` is the number of layers that stay as they are (10: all but the head). With `validate` the pictures of
    `val` are looked at after each epoch, else only after the last. `out` is a folder of this training alone. `orders` is
    the folder where it is told to pause or end (`learning/interruption.py`), `out` if empty. In the folder `checkpoint`
    it leaves what it needs to go on after the last finished epoch; a later request that differs in nothing but paths and
    threads goes on from there.
    """

    weights: str
    data: str
    out: str
    epochs: int
    batch: int
    image_size: int
    learning_rate: float
    seed: int = 0
    freeze: int = 0
    flip: bool = True
    validate: bool = True
    threads: int = 2
    orders: str = ""
    checkpoint: str | None = None


@dataclass(frozen=True)
class Fitted:
    """What came of it. Accuracies are on `val`, 0–1; `curve` is top-1 after each epoch, empty without `validate`.

    `top1` and `top5` belong to ultralytics' own choice, `best` (weights of the best epoch on `val`); `last` are the weights
    after the last epoch. `best_epoch` is the first of the best in the curve, counted from 1. `seconds` include the start of
    the process; `peak_memory_bytes` is its largest resident size.
    """

    top1: float
    top5: float
    curve: tuple[float, ...]
    best_epoch: int | None
    seconds_per_epoch: float
    seconds: float
    peak_memory_bytes: int
    best: str
    last: str
    versions: Mapping[str, str]


def fit(
    request: FitRequest,
    on_epoch: Callable[[Mapping[str, Any]], None] = lambda _: None,
    on_note: Callable[[str], None] = lambda _: None,
) -> Fitted:
    """Run it; `on_epoch` is called with `{"epoch", "epochs", "loss", "top1", "seconds"}`, `on_note` with a sentence.

    Raises `TrainingCancelled` when it was told to end, `TrainingOutOfMemory`, or `TrainingError`. Peak and seconds of a
    training that was ended and went on are those of its last part.
    """
    out = Path(request.out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "fit.json").write_text(request.to_json())
    began, result = time.monotonic(), None
    with (out / LOG).open("wb") as log:
        child = subprocess.Popen(
            command(MODULE, str(out / "fit.json")),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, cwd=out, env=_environment(request),
        )  # fmt: skip
        with child:
            for line in child.stdout or ():
                said = json.loads(line)
                if "epoch" in said:
                    on_epoch(said)
                if "note" in said:
                    on_note(said["note"])
                result = said.get("result")
    if child.returncode or result is None:
        raise _failure(child.returncode, (out / LOG).read_text(errors="replace"))
    return replace(from_json(Fitted, result), seconds=round(time.monotonic() - began, 3))


def _environment(request: FitRequest) -> dict[str, str]:
    """What ultralytics leaves anywhere, it leaves in `out`."""
    caps = thread_caps(request.threads, openblas=request.threads)
    return quiet_environment(Path(request.out), **caps, HOME=request.out, TMPDIR=request.out)


def _failure(code: int, log: str) -> TrainingError:
    if code == os.EX_TEMPFAIL:
        return TrainingCancelled("ultralytics was told to end, and goes on next time after the last epoch it finished.")
    lines = log.strip().splitlines()
    if code == -signal.SIGKILL:
        return TrainingOutOfMemory("ultralytics was killed (SIGKILL), most likely because memory ran out.")
    last_words = lines[-1].strip().rstrip(".") if lines else "it said nothing"
    if ran_out_of_memory(code, "\n".join(lines[-LAST_LINES:])):
        return TrainingOutOfMemory(f"ultralytics ran out of memory: {LOG} says {last_words}.")
    return TrainingError(f"ultralytics ended with code {code} and without a result: {LOG} says {last_words}.")
