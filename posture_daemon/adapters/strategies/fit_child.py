"""The process in which ultralytics trains: `python -m posture_daemon.adapters.strategies.fit_child REQUEST.json`.

See `fit` for the request and the answer. This module, `resumable` and `checkpoint` are the only ones here that import
torch and ultralytics; between two batches it looks at the orders (`learning/interruption.py`), so a pause or an end comes
within a batch.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from posture_daemon.adapters.child_process import die_with_parent
from posture_daemon.adapters.strategies.fit import FitRequest, Fitted
from posture_daemon.adapters.trainer.out_of_memory import ran_out_of_memory
from posture_daemon.errors import TrainingCancelled
from posture_daemon.learning.interruption import Interruption, peak_memory_bytes
from posture_daemon.store.json_values import as_json

if TYPE_CHECKING:
    from posture_daemon.adapters.strategies.checkpoint import CheckpointKeeper


def main(request_file: Path) -> int:
    """Train, and say one JSON object per line on what was standard output.

    Ends with 75 (try again later) when it was told to end, and with 1 and the reason as the last line when memory ran out.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # ultralytics talks on standard output
    request = FitRequest.from_json(request_file.read_text())
    with answers:
        try:
            answers.write(json.dumps({"result": as_json(_train(request, answers))}) + "\n")
        except TrainingCancelled:
            return os.EX_TEMPFAIL
        except (MemoryError, RuntimeError) as error:
            words = " ".join(f"{type(error).__name__}: {error}".split())
            if not ran_out_of_memory(None, words):
                raise
            sys.stderr.write(f"\n{words}\n")
            return 1
    return 0


def _train(request: FitRequest, answers: TextIO) -> Fitted:
    orders = Interruption(Path(request.orders or request.out), _release)
    orders.look()  # to load torch takes seconds, in which nobody listens
    import torch
    import ultralytics

    from posture_daemon.adapters.strategies.resumable import ResumableTrainer

    _take_paths_as_they_are()
    ultralytics.settings.update({"sync": False})
    torch.set_num_threads(request.threads)
    epochs = _Epochs(answers, request.epochs, request.validate)
    model = ultralytics.YOLO(request.weights)
    arguments = _arguments(request, "0" if torch.cuda.is_available() else "cpu")
    keeper = _keeper(request, model, arguments, epochs.note)
    found = keeper.found()
    if found:
        epochs.go_on(found.pop("epochs"))
    for event in ("on_train_batch_start", "on_train_batch_end", "on_val_batch_start"):
        model.add_callback(event, lambda _: orders.look())
    model.add_callback("on_fit_epoch_end", lambda trainer: _keep(trainer, epochs, keeper))
    model.train(trainer=partial(ResumableTrainer, found), **arguments)
    return _result(request, model, epochs)


def _take_paths_as_they_are() -> None:
    """For folders of any name: ultralytics cuts the path of weights at a `?`, as if it were a URL, and removes each `'`.

    All that it loads here are files of ours, so there is nothing to download and no URL.
    """
    from ultralytics.utils import checks, downloads

    checks.clean_url = str
    downloads.attempt_download_asset = lambda file, *_args, **_more: str(file)


def _result(request: FitRequest, model: Any, epochs: _Epochs) -> Fitted:
    weights, curve = Path(request.out) / "run" / "weights", epochs.curve
    return Fitted(
        top1=float(model.trainer.metrics["metrics/accuracy_top1"]),
        top5=float(model.trainer.metrics["metrics/accuracy_top5"]),
        curve=tuple(curve.values()),
        best_epoch=max(curve, key=lambda number: (curve[number], -number), default=None),
        seconds_per_epoch=round(sum(epochs.seconds.values()) / len(epochs.seconds), 4),
        seconds=0.0,  # only the parent saw the process begin
        peak_memory_bytes=peak_memory_bytes(),
        best=str(weights / "best.pt"),
        last=str(weights / "last.pt"),
        versions=_versions("ultralytics", "torch"),
    )


def _keeper(
    request: FitRequest, model: Any, arguments: Mapping[str, Any], say: Callable[[str], None]
) -> CheckpointKeeper:
    """Of the checkpoint, which belongs to this training alone: paths are another's, all else must be the same."""
    from posture_daemon.adapters.strategies.checkpoint import CheckpointKeeper, fingerprint

    if request.checkpoint is None:
        return CheckpointKeeper(None, "", say)
    settings = {name: value for name, value in arguments.items() if name not in ("data", "project")}
    settings |= {"names": list(model.names.values()), **_versions("ultralytics", "torch", "torchvision")}
    belongs_to = fingerprint(model.model.state_dict(), Path(request.data), settings)
    return CheckpointKeeper(Path(request.checkpoint), belongs_to, say)


def _versions(*modules: str) -> dict[str, str]:
    return {name: str(import_module(name).__version__) for name in modules}


def _keep(trainer: Any, epochs: _Epochs, keeper: CheckpointKeeper) -> None:
    """Called by ultralytics after each epoch and its validation; and once more at the end, which is no epoch."""
    if trainer.epoch < trainer.epochs:
        epochs.end(trainer)
        if keeper.keeps:
            keeper.save({**trainer.state(), "epochs": epochs.state()})


def _release() -> None:
    """While paused the batch at hand stays where it is; what the allocator of CUDA hoards can go."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _arguments(request: FitRequest, device: str) -> dict[str, Any]:
    """Ultralytics' defaults, except where they would surprise."""
    return {
        "data": request.data,
        "epochs": request.epochs,
        "batch": request.batch,
        "imgsz": request.image_size,
        "freeze": request.freeze or None,
        "optimizer": "AdamW",  # `auto` would ignore the learning rate
        "lr0": request.learning_rate,
        "warmup_epochs": min(1.0, request.epochs / 3),  # three by default, which may be all there are
        "warmup_bias_lr": 0.0,  # 0.1 by default, made for SGD: Adam would throw the biases about
        "fliplr": 0.5 if request.flip else 0.0,
        "seed": request.seed,
        "deterministic": True,
        "val": request.validate,
        "patience": 0,  # no early stop: all strategies get the same epochs
        "amp": False,  # the check of it would download a model
        "workers": 0,
        "close_mosaic": 0,  # there is none; but to close it would begin the order of the pictures anew, in a resumed epoch too
        "cache": False,
        "plots": False,  # would look for a font on the network
        "device": device,
        "project": request.out,
        "name": "run",
        "exist_ok": True,
        "verbose": False,
    }


class _Epochs:
    """What is worth keeping of each epoch, by its number, from 1: top-1 on `val`, and its seconds."""

    def __init__(self, answers: TextIO, planned: int, validate: bool) -> None:
        self._answers, self._planned, self._validate = answers, planned, validate
        self.curve: dict[int, float] = {}
        self.seconds: dict[int, float] = {}

    def end(self, trainer: Any) -> None:
        """Remember an epoch, and tell of it."""
        number = trainer.epoch + 1
        self.seconds[number] = float(trainer.epoch_time)
        top1 = float(trainer.metrics["metrics/accuracy_top1"]) if self._validate else None
        if top1 is not None:
            self.curve[number] = top1
        loss = sum(float(value) for value in trainer.tloss.values())
        line = {"epoch": number, "epochs": self._planned, "loss": round(loss, 4), "top1": top1}
        self._answers.write(json.dumps({**line, "seconds": round(self.seconds[number], 3)}) + "\n")

    def note(self, sentence: str) -> None:
        """Tell something that is not an epoch."""
        self._answers.write(json.dumps({"note": sentence}) + "\n")

    def state(self) -> dict[str, dict[int, float]]:
        """For the checkpoint."""
        return {"curve": self.curve, "seconds": self.seconds}

    def go_on(self, state: dict[str, dict[int, float]]) -> None:
        """Continue from a checkpoint."""
        self.curve, self.seconds = state["curve"], state["seconds"]
        self.note(f"going on after epoch {max(self.seconds)} of {self._planned}, from the checkpoint")


if __name__ == "__main__":
    die_with_parent(sys.argv[2:])
    sys.exit(main(Path(sys.argv[1])))
