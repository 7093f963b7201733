"""The parts of a daemon in one process, on a virtual clock: everything that learns and decides is the product's own.

What stands in: the camera (one picture at a time), the clock, the device's sensors (cool, and with room), the backbone (its
real answers, remembered), and the child process of a training, whose job runs here.
"""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np

from posture_daemon.adapters.backbone import on_demand
from posture_daemon.adapters.backbone.onnx import OnnxBackbone
from posture_daemon.adapters.checkpoints import import_checkpoint
from posture_daemon.adapters.trainer import child
from posture_daemon.bootstrap.models import champion, load_model, open_backbone
from posture_daemon.domain import Features, Floats, Frame, Image, ModelVersion
from posture_daemon.integrity.model_recovery import install
from posture_daemon.labelling.session import Labelling
from posture_daemon.learning.recalibrate import Recalibrator
from posture_daemon.learning.version_diff import predict
from posture_daemon.live.capture import CaptureLoop
from posture_daemon.live.classifier import LiveClassifier
from posture_daemon.live.hot_swap import ChampionFollower
from posture_daemon.live.online_learner import OnlineLearner
from posture_daemon.live.sampling import FrameSampler
from posture_daemon.ports import Supervise, TrainingSeen
from posture_daemon.settings import Settings, TrainingSettings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.training.retrain import Retrainer
from posture_daemon.training.rollback_watch import RollbackWatch
from tests.fakes.clock import Clock
from tests.fakes.probe import StandInProbe

IMAGE_SIZE = 224


class RememberingBackbone:
    """Implements `ports.Backbone` around a real one: what it has seen of the pictures of the days is never computed twice.

    Other pictures (views, which the product's own cache keeps) go straight through. `averaged` maps are of one place each: a
    head that began from a base reads nothing but their average, and the live path is twice as fast.
    """

    region = None

    def __init__(self, real: OnnxBackbone, *, averaged: bool = True) -> None:
        self._real, self._averaged = real, averaged
        self.sha256, self.image_size, self.channels = real.sha256, real.image_size, real.channels
        self._known: dict[bytes, Features] = {}
        self._digests: dict[int, tuple[Image, bytes]] = {}

    def remember(self, images: Sequence[Image]) -> None:
        """These are going to be asked for again and again; they must not be changed."""
        for image in images:
            self._digests[id(image)] = (image, _digest(image))

    def extract(self, image: Image) -> Features:
        """As the real one, or as it was."""
        known = self._digests.get(id(image))
        digest = known[1] if known is not None and known[0] is image else _digest(image)
        if digest not in self._known:
            features = self._real.extract(image)
            self._known[digest] = Features(features.pooled[:, None, None]) if self._averaged else features
        return self._known[digest]

    def extract_batch(self, images: Sequence[Image]) -> Floats:
        """As the real one."""
        return self._real.extract_batch(images)

    def release(self) -> None:
        """There is nothing to give back: this one is everybody's."""


def _digest(image: Image) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest() + bytes(str(image.shape), "ascii")


class TrainerInProcess:
    """Implements `ports.Trainer`: the job of the real child (`adapters/trainer/child.py`), but in this process.

    So no fork, no niceness and no limit of memory; the backbone is the one that remembers.
    """

    def __init__(self, backbone: RememberingBackbone) -> None:
        self._backbone = backbone

    def train(self, request: Path, supervise: Supervise) -> Path:
        """Carry out the request as the child does; its errors are raised as they are."""
        supervise(TrainingSeen(None))
        with patch.object(on_demand, "backbone_of", lambda _store, version: self._of(version)):
            child._train(request)  # the child's own work, without what it does to its process
        return request.parent / child.RESULT

    def cancel(self) -> None:
        """Nobody does."""

    def _of(self, version: ModelVersion) -> RememberingBackbone:
        assert version.backbone_sha256 == self._backbone.sha256, "another backbone than the one of this bench"
        return self._backbone


class OnePicture:
    """A frame source that holds what it is given until it is taken."""

    is_running = False

    def __init__(self) -> None:
        self._frame: Frame | None = None
        self._number = 0

    def give(self, image: Image, at: float) -> None:
        """The next frame, captured at `at`, seconds since the epoch."""
        self._number += 1
        self._frame = Frame(image, at, self._number)

    def wait(self, after_sequence: int, timeout_s: float) -> Frame | None:
        """Implements `FrameSource`, without waiting."""
        frame, self._frame = self._frame, None
        return frame


@dataclass(frozen=True, eq=False)
class Base:
    """What all lives begin with: the backbone in memory, a folder with a base installed, and where views are cached."""

    backbone: RememberingBackbone
    folder: Path
    cache: Path


def make_base(weights: Path, scratch: Path) -> Path:
    """Import a checkpoint as a base into a data folder of its own, by the product's own import; returns the folder."""
    folder, model = scratch / "base", scratch / "model"
    model.mkdir(parents=True, exist_ok=True)
    import_checkpoint(weights, model, IMAGE_SIZE)
    store = Store(folder)
    install(store, model, "the base of the bench", as_base=True)
    store.close()
    return folder


def open_base(folder: Path, cache: Path, *, averaged: bool = True) -> Base:
    """The same, for a process that lives; not `averaged` where heads are tried that have a convolution of their own."""
    store = Store(folder)
    version = champion(store)
    path = store.models.backbone_folder(version.backbone_sha256) / "backbone.onnx"
    store.close()
    return Base(RememberingBackbone(OnnxBackbone(path, threads=1), averaged=averaged), folder, cache)


def copy_folder(source: Path, to: Path, cache: Path | None = None) -> Path:
    """A data folder of its own for a life; vectors are cached for all lives in one place, where the product finds them."""
    shutil.copytree(source, to, symlinks=True)
    if cache is not None and not (to / "cache").exists():
        cache.mkdir(parents=True, exist_ok=True)
        (to / "cache").symlink_to(cache)
    return to


class Desk:
    """A daemon's parts on one data folder. Whoever lives here moves the clock, shows pictures, answers and lets jobs run."""

    def __init__(self, base: Base, folder: Path, clock: Clock, seed: int, *, at_once: bool = True) -> None:
        """The product's default settings; `seed` draws views and the router's chances. Not `at_once`: no fast learner."""
        self.settings = Settings(data_dir=folder, training=TrainingSettings(seed=seed, threads=1))
        self.clock, self.store, self.source = clock, Store(folder), OnePicture()
        self.backbone = base.backbone
        self._load = partial(load_model, self.store, loaded=base.backbone)
        self.live = LiveClassifier(self._load(champion(self.store)))
        recipe = Recipe.of(self.settings.training)
        self.online = OnlineLearner(self.store, lambda _version: base.backbone, recipe, clock) if at_once else None
        router = FrameSampler(self.settings.queue, Random(seed))
        self.loop = CaptureLoop(
            self.source, self.live, router, self.store, self.settings, clock=clock, wall=clock, online=self.online
        )
        self.labelling = Labelling(self.store, self.settings.labels, clock, recipe, self.online)
        open_: Callable[[ModelVersion], Any] = lambda version: open_backbone(self.store, version, base.backbone)  # noqa: E731
        self.retrainer = Retrainer(
            self.store,
            TrainerInProcess(base.backbone),
            StandInProbe(),
            self.settings,
            clock=clock,
            monotonic=clock,
            away=lambda: self.loop.away_s,
        )
        self.follower = ChampionFollower(self.live, self.store.models, self._load)
        self.watcher = RollbackWatch(
            self.store,
            lambda version, images: predict(self.store, version, images, open_, recipe),
            self.settings,
            clock,
        )
        self.recalibrator = Recalibrator(self.store, open_, self.settings, clock)

    def called(self, version: ModelVersion, images: Sequence[Image]) -> list[str]:
        """What a version, asked directly, calls each picture."""
        model = self._load(version)
        return [model.predict(image).label for image in images]

    def close(self) -> None:
        """Give the database back."""
        self.store.close()
