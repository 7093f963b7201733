"""The strategies side by side: what one of them scored, and the key under which its result is kept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from posture_daemon.domain import Floats, LabelledImage, Split
from posture_daemon.learning.evaluation import Evaluation
from posture_daemon.ports import Backbone
from posture_daemon.store import Store
from posture_daemon.store.files import sha256_of
from posture_daemon.training.strategies import candidate, vectors_of
from posture_daemon.vision.head import Head

INCUMBENT = "incumbent"
"""The row of the model that the strategies start from."""


@dataclass(frozen=True)
class Scores(Evaluation):
    """One model on one split, which has images. `top1` and `top5` are shares of the images, 0–1."""

    top5: float

    @property
    def top1(self) -> float:
        """Share of images called by their class."""
        return super().top1 or 0.0

    @property
    def recalls(self) -> dict[str, float]:
        """Recall of each class that has images, 0–1."""
        return {name: right / images for name, (right, images) in self.per_class().items()}

    def shape_json(self, found: Any) -> Any:
        """With the shares, for readers of the file."""
        return {**super().shape_json(found), "recalls": self.recalls}


@dataclass(frozen=True)
class Result:
    """What a strategy gave, or in `failure` why it gave nothing.

    `seconds` run from the start of its process to the judged model. `seconds_per_epoch`, `curve` (top-1 on validation after
    each epoch) and `best_epoch` are ultralytics'; a strategy without epochs has none. `scores` are by split (`val`, `test`).
    """

    name: str
    key: str
    seconds: float | None = None
    seconds_per_epoch: float | None = None
    best_epoch: int | None = None
    curve: tuple[float, ...] = ()
    peak_memory_bytes: int | None = None
    train_images: Mapping[str, int] = field(default_factory=dict)
    scores: Mapping[str, Scores] = field(default_factory=dict)
    failure: str | None = None


def score(
    store: Store, split: Split, head: Head, backbone: Backbone, names: Sequence[str], temperature: float
) -> Scores | None:
    """Judge a model on one split of the store; `None` when it has no readable images."""
    (vectors,) = vectors_of(store, split, [(head, backbone)])
    if not vectors.images:
        return None
    model = candidate(head, names, temperature)
    return Scores(**vars(model.evaluate(vectors)), top5=_top5(model.logits(vectors), names, vectors.truth))


def _top5(logits: Floats, names: Sequence[str], truth: Sequence[str]) -> float:
    best = np.argsort(-logits, axis=1)[:, :5]
    return float(np.mean([name in {names[row] for row in rows} for name, rows in zip(truth, best, strict=True)]))


def key_of(*facts: Any) -> str:
    """A digest of everything that shapes a result: the same facts give the same key."""
    return sha256_of(json.dumps(facts, sort_keys=True, default=str).encode())[:16]


def dataset_digest(images: Sequence[LabelledImage], new: Sequence[LabelledImage]) -> str:
    """Pictures, classes and splits, and which of them count as new; file names and times do not matter."""
    fresh = {image.frame_id for image in new}
    return key_of(sorted((i.sha256, i.class_name, i.split.value, i.frame_id in fresh) for i in images))
