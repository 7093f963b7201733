"""The process in which ultralytics trains: `python -m posture_daemon.adapters.strategies.fit_child REQUEST.json`.

See `fit` for the request and the answer. The only module here that imports torch and ultralytics.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any, TextIO

PR_SET_PDEATHSIG = 1  # prctl(2)


def main(request_file: Path) -> int:
    """Train, and say one JSON object per line on what was standard output."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # ultralytics talks on standard output
    request = json.loads(request_file.read_text())
    with answers:
        answers.write(json.dumps({"result": _train(request, answers)}) + "\n")
    return 0


def _train(request: dict[str, Any], answers: TextIO) -> dict[str, Any]:
    import torch
    import ultralytics

    ultralytics.settings.update({"sync": False})
    torch.set_num_threads(request["threads"])
    epochs = _Epochs(answers, request["epochs"], request["validate"])
    model = ultralytics.YOLO(request["weights"])
    model.add_callback("on_fit_epoch_end", epochs.end)
    model.train(**_arguments(request, "0" if torch.cuda.is_available() else "cpu"))
    weights = Path(request["out"]) / "run" / "weights"
    return {
        "top1": float(model.trainer.metrics["metrics/accuracy_top1"]),
        "top5": float(model.trainer.metrics["metrics/accuracy_top5"]),
        **epochs.summary(),
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "best": str(weights / "best.pt"),
        "last": str(weights / "last.pt"),
        "versions": {"ultralytics": ultralytics.__version__, "torch": torch.__version__},
    }


def _arguments(request: dict[str, Any], device: str) -> dict[str, Any]:
    """Ultralytics' defaults, except where they would surprise."""
    return {
        "data": request["data"],
        "epochs": request["epochs"],
        "batch": request["batch"],
        "imgsz": request["image_size"],
        "freeze": request["freeze"] or None,
        "optimizer": "AdamW",  # `auto` would ignore the learning rate
        "lr0": request["learning_rate"],
        "warmup_epochs": min(1.0, request["epochs"] / 3),  # three by default, which may be all there are
        "warmup_bias_lr": 0.0,  # 0.1 by default, made for SGD: Adam would throw the biases about
        "fliplr": 0.5 if request["flip"] else 0.0,
        "seed": request["seed"],
        "deterministic": True,
        "val": request["validate"],
        "patience": 0,  # no early stop: all strategies get the same epochs
        "amp": False,  # the check of it would download a model
        "workers": 0,
        "cache": False,
        "plots": False,  # would look for a font on the network
        "device": device,
        "project": request["out"],
        "name": "run",
        "exist_ok": True,
        "verbose": False,
    }


class _Epochs:
    """What is worth keeping of each epoch."""

    def __init__(self, answers: TextIO, planned: int, validate: bool) -> None:
        self._answers, self._planned, self._validate = answers, planned, validate
        self._curve: dict[int, float] = {}
        self._seconds: dict[int, float] = {}

    def end(self, trainer: Any) -> None:
        """Called by ultralytics after each epoch and its validation; and once more at the end, which is no epoch."""
        number = trainer.epoch + 1
        if number > self._planned:
            return
        self._seconds[number] = float(trainer.epoch_time)
        top1 = float(trainer.metrics["metrics/accuracy_top1"]) if self._validate else None
        if top1 is not None:
            self._curve[number] = top1
        loss = sum(float(value) for value in trainer.tloss.values())
        line = {"epoch": number, "epochs": self._planned, "loss": round(loss, 4), "top1": top1}
        self._answers.write(json.dumps({**line, "seconds": round(self._seconds[number], 3)}) + "\n")

    def summary(self) -> dict[str, Any]:
        """The first of the best epochs, and the mean duration."""
        best = max(self._curve, key=lambda number: (self._curve[number], -number)) if self._curve else None
        seconds = sum(self._seconds.values()) / len(self._seconds)
        return {"curve": list(self._curve.values()), "best_epoch": best, "seconds_per_epoch": round(seconds, 4)}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
