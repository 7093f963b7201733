"""Views prepared ahead: while the device has room, what the next training will need is computed in small slices.

So a scheduled training starts warm. The daemon looks (`Precomputer.run`), and starts a child only when something is missing;
the child (`prepare`, in `adapters/trainer/process.py`) ends after some seconds, and at once when a training begins. It holds
no lock, so that no training ever waits for it or is turned away: the cache is safe for two.
"""

import logging
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from posture_daemon.device.limits import has_room, idle_verdict
from posture_daemon.domain import Decision, Failure, LabelledImage, ModelVersion, Order, Region, Split
from posture_daemon.errors import TrainingCancelled
from posture_daemon.learning.feature_space import FeatureSpace
from posture_daemon.learning.features import FeatureSource
from posture_daemon.learning.interruption import UNINTERRUPTED, Uninterrupted
from posture_daemon.ports import GO_ON, Backbone, Instruction, ResourceProbe, Supervise, Trainer, TrainingSeen
from posture_daemon.settings import Settings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.store.json_values import JsonText
from posture_daemon.store.lock import TRAINING_LOCK, is_held, taken_at
from posture_daemon.vision.head import Head

log = logging.getLogger(__name__)

FOLDER_PREFIX = ".preparing-"
GRACE_S = 120.0
"""What a child may take beyond its slice before it is ended: to start, and to finish the portion that it is at."""

NEED_BYTES = 300_000_000
"""What a child takes at its peak: measured 0.3 GB with yolo11n at 224 px."""


@dataclass(frozen=True)
class PreparationJob(JsonText):
    """What the child is told, as JSON."""

    data_dir: str
    incumbent_id: int
    recipe: Recipe
    threads: int
    nice: int
    max_s: float
    training_taken_at: int | None
    task: str = "prepare"
    region: Region | None = None


class Precomputer:
    """Looks whether views are missing, and has a child compute some of them. One per daemon."""

    def __init__(
        self,
        store: Store,
        trainer: Trainer,
        probe: ResourceProbe,
        settings: Settings,
        backbone_of: Callable[[ModelVersion], Backbone],
        monotonic: Callable[[], float] = time.monotonic,
        region: Callable[[], Region | None] | None = None,
        waits_for_idle: bool = True,
    ) -> None:
        """`region` is what the next challenger will look at, by default as the settings say.

        Unless it `waits_for_idle` it also computes beside other work, for who waits for the training.
        """
        self._region, self._waits_for_idle = region or (lambda: settings.camera.seen), waits_for_idle
        self._monotonic = monotonic
        self._store, self._trainer, self._probe = store, trainer, probe
        self._settings, self._backbone_of = settings, backbone_of
        self._recipe = Recipe.of(settings.training)
        self._in_vain: frozenset[str] = frozenset()

    def run(self) -> bool:
        """Prepare one slice if something is missing, no training runs and the device has room. True when a child ran.

        Raises one of our errors when the child fails. What could not be prepared is not tried again before the labels change.
        """
        lock = self._store.folder / TRAINING_LOCK
        taken = taken_at(lock)
        champion = self._store.models.champion()
        if champion is None or is_held(lock):
            return False
        missing = self._missing(champion)
        if missing <= self._in_vain or not self._room().passed:
            return False
        log.info("views of %d labelled pictures are missing: preparing them", len(missing))
        try:
            self._in_child(champion, taken)
        finally:
            if self._missing(champion) == missing:
                self._in_vain = missing
        return True

    def cancel(self) -> None:
        """End a running child at once, and start no other; safe to call from any thread."""
        self._trainer.cancel()

    def _missing(self, champion: ModelVersion) -> frozenset[str]:
        """Labelled pictures of which the cache lacks a view: from the database and the keys of the cache, without a child."""
        backbone = self._backbone_of(replace(champion, region=self._region()))
        source = _source(self._store, champion, backbone, self._recipe)
        lacking: set[str] = set()
        for images, views in _wanted(self._store, self._recipe):
            incomplete = ~source.found(images, views).all(axis=1)
            lacking |= {images[row].sha256 for row in np.flatnonzero(incomplete).tolist()}
        return frozenset(lacking)

    def _in_child(self, champion: ModelVersion, taken: int | None) -> None:
        for left_behind in self._store.folder.glob(f"{FOLDER_PREFIX}*"):  # by a daemon that was killed
            shutil.rmtree(left_behind, ignore_errors=True)
        training = self._settings.training
        with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX, dir=self._store.folder) as folder:
            job = PreparationJob(
                data_dir=str(self._store.folder),
                incumbent_id=champion.id,
                recipe=self._recipe,
                threads=training.threads,
                nice=training.nice,
                max_s=training.prepare_s,
                training_taken_at=taken,
                region=self._region(),
            )
            request = Path(folder) / "request.json"
            request.write_text(job.to_json())
            try:
                self._trainer.train(request, self._supervisor(training.prepare_s + GRACE_S))
            except TrainingCancelled as error:
                log.info("%s The rest is prepared later.", error)

    def _room(self) -> Decision:
        """What a training asks of the device, and a processor that has nothing better to do."""
        now, limits = self._probe.read(), self._settings.limits
        idle = (idle_verdict(now, limits),) if self._waits_for_idle else ()
        return Decision((*has_room(now, limits, NEED_BYTES).verdicts, *idle))

    def _supervisor(self, max_s: float) -> Supervise:
        """A slice is short, and whatever it has computed is kept: so it never pauses, but ends when the device has no room."""
        end = self._monotonic() + max_s

        def supervise(_seen: TrainingSeen) -> Instruction:
            if self._monotonic() >= end:
                return Instruction(Order.END, "Preparing views took too long.", Failure.OUT_OF_TIME)
            blocked = has_room(self._probe.read(), self._settings.limits, 0)
            return GO_ON if blocked.passed else Instruction(Order.END, f"The device has no room: {blocked.reason}.")

        return supervise


def prepare(
    job: PreparationJob,
    store: Store,
    backbone: Backbone,
    clock: Callable[[], float] = time.monotonic,
    orders: Uninterrupted = UNINTERRUPTED,
) -> int:
    """Compute missing views, for `job.max_s` at most; returns how many. Runs in the child.

    Ends early when a training takes its lock, and when the cache stores nothing more. Raises `ModelError`.
    """
    source = _source(store, store.models.get(job.incumbent_id), backbone, job.recipe, orders)
    lock, end = store.folder / TRAINING_LOCK, clock() + job.max_s
    for images, views in _wanted(store, job.recipe):
        for _ in source.compute(images, source.found(images, views)):
            if clock() >= end or not source.storing or taken_at(lock) != job.training_taken_at:
                return source.computed
    return source.computed


def _source(
    store: Store, incumbent: ModelVersion, backbone: Backbone, recipe: Recipe, orders: Uninterrupted = UNINTERRUPTED
) -> FeatureSource:
    """The vectors that a training from this incumbent reads."""
    inputs = FeatureSpace.of(Head.from_bytes(store.models.read_head(incumbent.head_sha256)), is_base=incumbent.is_base)
    return FeatureSource(store, backbone, inputs, recipe, orders)


def _wanted(store: Store, recipe: Recipe) -> list[tuple[list[LabelledImage], int]]:
    """Images, and how many augmented views of them a training asks for: the holdout is judged as it is."""
    images = store.labels.labelled()
    return [
        ([image for image in images if image.split is Split.TRAIN], recipe.views),
        ([image for image in images if image.split is Split.HOLDOUT], 0),
    ]
