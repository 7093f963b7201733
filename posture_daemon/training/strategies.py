"""The article's four strategies: where each one starts, what it learns from, and what it leaves alone.

ultralytics itself trains them (`adapters/strategies`); here is only what tells them apart, and the judgement, which is the
same as for the default.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from posture_daemon.domain import Floats, LabelledImage, ModelVersion, PostureClass, Split, Strategy
from posture_daemon.errors import DatasetError, LabelError, TrainingError
from posture_daemon.learning.features import Vectors
from posture_daemon.learning.interruption import UNINTERRUPTED, Uninterrupted
from posture_daemon.learning.linear_layer import Linear
from posture_daemon.learning.scoring import Candidate, Challenger, judge
from posture_daemon.learning.training_report import TrainingReport
from posture_daemon.ports import Backbone
from posture_daemon.store import Store
from posture_daemon.vision.head import HIDDEN, Head
from posture_daemon.vision.jpeg import decode

log = logging.getLogger(__name__)

CHECKPOINTS = "checkpoints"
"""Folder of what unfinished trainings by ultralytics left, one per strategy, within the data folder."""

BACKBONE_LAYERS = 10
"""`freeze=10` leaves exactly the head to train."""


SOFTWARE = ("torch", "ultralytics")
"""What the four are computed with. Ours needs neither, so a device may be without."""


@dataclass(frozen=True)
class FitPlan:
    """How long and how fast ultralytics trains; learning rates are AdamW's, before their decay.

    With `watch_holdout` it also looks at the holdout after every epoch, which costs time and shows how it came along. It
    never chooses the weights by that: those of the last epoch count.
    """

    epochs: int = 10
    batch: int = 16
    learning_rate: float = 0.001
    finetune_learning_rate: float = 0.0002
    watch_holdout: bool = False


@dataclass(frozen=True)
class Course:
    """One strategy made definite: the version it starts from, its training images, and how it moves the weights."""

    start: ModelVersion
    images: Sequence[LabelledImage]
    freeze: int
    learning_rate: float


def course_of(strategy: Strategy, store: Store, incumbent: ModelVersion, plan: FitPlan) -> Course:
    """Say what this strategy means now. Raises `TrainingError` when it has nothing to learn from."""
    only_new = strategy in (Strategy.NEW, Strategy.FINETUNE)
    since = learned_at(store, incumbent) if only_new else float("-inf")
    images = [image for image in store.labels.labelled(since) if image.split is Split.TRAIN]
    if not images:
        which = f" given since the training that model {incumbent.id} came from" if since > 0 else ""
        raise TrainingError(f"There are no labels for training{which}, so the strategy {strategy.value} cannot learn.")
    frozen = strategy is Strategy.FINETUNE
    return Course(
        start=root_of(store, incumbent) if strategy is Strategy.SCRATCH else incumbent,
        images=images,
        freeze=BACKBONE_LAYERS if frozen else 0,
        learning_rate=plan.finetune_learning_rate if frozen else plan.learning_rate,
    )


def unable(strategy: Strategy, store: Store, incumbent: ModelVersion, plan: FitPlan) -> str | None:
    """Why this strategy cannot be carried out now, in words; `None` when it can, as ours always can."""
    if strategy is Strategy.REPLAY:
        return None
    if missing := not_installed(strategy):
        return missing
    try:
        course_of(strategy, store, incumbent, plan)
    except TrainingError as error:
        return f"{str(error)[0].lower()}{str(error)[1:].rstrip('.')}"
    return None


def not_installed(strategy: Strategy) -> str | None:
    """What this strategy needs and is not installed, in words, found without importing any of it; `None` when all is there."""
    missing = [name for name in SOFTWARE if find_spec(name) is None] if strategy is not Strategy.REPLAY else []
    if not missing:
        return None
    are = "is" if len(missing) == 1 else "are"
    return (
        f"the strategy {strategy.value} is run by ultralytics, and {' and '.join(missing)} {are} not installed: install "
        f"{'it' if len(missing) == 1 else 'them'}, or set training.strategy to replay, which needs neither"
    )


def root_of(store: Store, version: ModelVersion) -> ModelVersion:
    """The oldest ancestor: the base or the posture model that was imported."""
    while version.parent_id is not None:
        version = store.models.get(version.parent_id)
    return version


def learned_at(store: Store, version: ModelVersion) -> float:
    """When the run that made this version began: labels given later are new to it. To an imported one all of them are."""
    made = store.runs.of_challenger(version.id)
    return float("-inf") if made is None else made.started_at


def judge_fitted(
    store: Store,
    fitted: tuple[Head, tuple[PostureClass, ...], Backbone],
    incumbent: tuple[ModelVersion, Backbone],
    report: TrainingReport,
    orders: Uninterrupted = UNINTERRUPTED,
) -> Challenger:
    """Calibrate a head that ultralytics fitted, and judge it and the incumbent on the same holdout, each on its backbone."""
    head, classes, backbone = fitted
    version, old_backbone = incumbent
    old_head = Head.from_bytes(store.models.read_head(version.head_sha256))
    models = [(head, backbone), (old_head, old_backbone)]
    holdout, test = (vectors_of(store, split, models, orders) for split in (Split.HOLDOUT, Split.TEST))
    after = candidate(head, [c.name for c in classes], 1.0).calibrated(holdout[0])
    before = None if version.is_base else candidate(old_head, [c.name for c in version.classes], version.temperature)
    return judge(head, classes, after, before, holdout, test, report)


def candidate(head: Head, names: Sequence[str], temperature: float) -> Candidate:
    """A whole head, to be examined on the hidden features of its own convolution."""
    return Candidate(Linear(head.linear_weight, head.linear_bias), names, temperature)


def vectors_of(
    store: Store, split: Split, models: Sequence[tuple[Head, Backbone]], orders: Uninterrupted = UNINTERRUPTED
) -> list[Vectors]:
    """Hidden features of the readable images of a split, for each model; the same images for all.

    Uncached: a backbone that has just been trained has no features yet, and the next training may never need them.
    """
    readable: list[LabelledImage] = []
    rows: list[list[Floats]] = [[] for _ in models]
    for image in (image for image in store.labels.labelled() if image.split is split):
        try:
            picture = decode(store.queue.jpeg(image.frame_id))
        except (DatasetError, LabelError) as error:
            log.warning("frame %d is left out: %s", image.frame_id, error)
            continue
        readable.append(image)
        with orders.batch():
            for of_model, (head, backbone) in zip(rows, models, strict=True):
                of_model.append(head.hidden(backbone.extract(picture).map))
    return [Vectors(readable, np.array(r, np.float32).reshape(len(r), 1, HIDDEN)) for r in rows]
