"""A training that takes no time, with the result that the test says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from posture_daemon.domain import MB, Failure, Order
from posture_daemon.errors import TrainingCancelled, TrainingError, TrainingOutOfMemory
from posture_daemon.learning.evaluation import Evaluation
from posture_daemon.learning.feature_space import pooled_head
from posture_daemon.ports import Instruction, Supervise, TrainingSeen
from posture_daemon.store.json_values import as_json
from posture_daemon.training.job import TrainingJob
from tests.fakes.backbone import CHANNELS

CLASSES = [{"name": "good", "role": "good"}, {"name": "bad", "role": "bad"}]


def score(right: int) -> dict[str, Any]:
    """An evaluation of twenty images, so many of them right, as it is read from JSON."""
    wrong_good, wrong_bad = 10 - min(right, 10), 10 - max(right - 10, 0)
    confusion = ((10 - wrong_good, wrong_good), (wrong_bad, 10 - wrong_bad))
    return json.loads(json.dumps(as_json(Evaluation(("good", "bad"), confusion, 0.1))))


def answers(challenger: int, incumbent: int | None) -> dict[str, Any]:
    """Answers to ten images of `good`, then ten of `bad`: the first so many are right."""
    truth = ["good"] * 10 + ["bad"] * 10
    wrong = ["bad"] * 10 + ["good"] * 10
    called = [None if n is None else truth[:n] + wrong[n:] for n in (challenger, incumbent)]
    return {"frame_ids": list(range(20)), "truth": truth, "challenger": called[0], "incumbent": called[1]}


def moments(given: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The evidence that says the same as these answers: each image a moment, who is right gives its class 0.9."""
    if given is None:
        return []
    before = given["incumbent"] or [None] * len(given["truth"])
    rows = zip(given["truth"], given["challenger"], before, strict=True)
    return [
        {
            "session": 1,
            "truth": truth,
            "images": 1,
            **{"right": float(now == truth), "chance": 0.9 if now == truth else 0.1},
            "incumbent_right": None if given["incumbent"] is None else float(was == truth),
            "incumbent_chance": None if given["incumbent"] is None else (0.9 if was == truth else 0.1),
        }
        for truth, now, was in rows
    ]


class StandInTrainer:
    """Implements `ports.Trainer`: writes a challenger with these right answers of twenty. Keeps the requests.

    `during` is called in the middle of the training, `seconds` are then watched over; what was said is in `told`.
    """

    def __init__(self, challenger: int = 15, incumbent: int | None = 10) -> None:
        self.jobs: list[TrainingJob] = []
        self.seconds = 1
        self.told: list[Instruction] = []
        self.memory_bytes: int | None = 200 * MB
        self.result: dict[str, Any] = {
            "head": "head.safetensors",
            "classes": CLASSES,
            "temperature": 1.25,
            "challenger": score(challenger),
            "incumbent": None if incumbent is None else score(incumbent),
            "answers": answers(challenger, incumbent),
            "report": {"views": 8, "label_ids": [1, 2, 7], "labels_sha256": "abc", "seconds": {"fit": 0.5}},
        }
        self.during: Callable[[Path], object] = lambda _folder: None
        self.cancelled = False

    def train(self, request: Path, supervise: Supervise) -> Path:
        """Write the result beside the request, unless it is told to end."""
        if self.cancelled:
            raise TrainingCancelled("The daemon is stopping, so no training was begun.")
        self.jobs.append(TrainingJob.from_json(request.read_text()))
        bias = np.full(2, len(self.jobs), np.float32)
        head = pooled_head(CHANNELS, np.zeros((2, CHANNELS), np.float32), bias)
        (request.parent / "head.safetensors").write_bytes(head.to_bytes())
        self.during(request.parent)
        for _ in range(self.seconds):
            said = supervise(TrainingSeen(self.memory_bytes))
            self.told.append(said)
            if said.failure is Failure.OUT_OF_MEMORY:
                raise TrainingOutOfMemory(said.reason)
            if said.failure is not None:
                raise TrainingError(said.reason)
            if said.order is Order.END:
                raise TrainingCancelled(said.reason)
        result = request.parent / "result.json"
        result.write_text(json.dumps({"moments": moments(self.result.get("answers")), **self.result}))
        return result

    def cancel(self) -> None:
        """Refuse new jobs."""
        self.cancelled = True
