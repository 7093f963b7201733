"""Builds real parts from settings: the only importer of `adapters`, besides the adapters themselves."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from posture_daemon.adapters.allocator import give_back, keep_little
from posture_daemon.adapters.backbone.on_demand import backbone_of
from posture_daemon.adapters.backbone.onnx import OnnxBackbone
from posture_daemon.adapters.cameras.address import is_live, open_camera
from posture_daemon.adapters.cameras.latest_frame import NewestFrame, Patience
from posture_daemon.adapters.checkpoints import import_checkpoint, inspect_checkpoint
from posture_daemon.adapters.checkpoints.yolo11 import DEFAULT_IMAGE_SIZE
from posture_daemon.adapters.probes import DeviceProbe
from posture_daemon.adapters.trainer.process import SubprocessTrainer
from posture_daemon.daemon.lifecycle import Daemon, Parts
from posture_daemon.daemon.maintenance import Upkeep
from posture_daemon.datasets import read_layout
from posture_daemon.domain import ModelVersion, Split
from posture_daemon.errors import DatasetError, ModelError
from posture_daemon.integrity.database_check import check_database
from posture_daemon.integrity.model_recovery import STARTER_SOURCE, answering, install
from posture_daemon.labelling.class_roles import looks_like_postures
from posture_daemon.labelling.classes import ClassChanges
from posture_daemon.labelling.guided_capture import Teaching, TeachingParts
from posture_daemon.labelling.guided_capture_plan import Ask, choose, plan
from posture_daemon.learning.evaluation import Evaluation, evaluate
from posture_daemon.learning.feature_cache import FeatureCache
from posture_daemon.learning.features import Recipe
from posture_daemon.learning.recalibrate import Recalibrator
from posture_daemon.learning.training_set import Lesson, gather
from posture_daemon.learning.version_diff import Difference, differ, say
from posture_daemon.live.capture import CaptureLoop
from posture_daemon.live.classifier import LiveClassifier, LiveModel
from posture_daemon.live.sampling import Router
from posture_daemon.ports import Backbone, Camera, ResourceProbe
from posture_daemon.service.sd_notify import Supervisor
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.lock import in_turn
from posture_daemon.store.model_copies import STARTER
from posture_daemon.store.status_file import read_status
from posture_daemon.training.precompute import Preparer
from posture_daemon.training.retrain import Retrainer
from posture_daemon.training.rollback_watch import Watcher
from posture_daemon.ui.web.server import LabelPage
from posture_daemon.vision.frame_quality import Eye
from posture_daemon.vision.head import Head
from posture_daemon.vision.jpeg import decode

if TYPE_CHECKING:
    from posture_daemon.learning.label_errors import Doubt

log = logging.getLogger(__name__)


def open_store(settings: Settings) -> Store:
    """The data folder, with the starter model as its first champion when there is none."""
    store = Store(settings.data_dir)
    if store.models.champion_id() is None and (STARTER / "head.json").exists():
        with in_turn(store.folder):  # another command may open the new folder at this moment
            if store.models.champion_id() is None:
                version = install(store, STARTER, STARTER_SOURCE, as_base=False)
                log.info("model %d, the starter, is the first champion", version.id)
    return store


def import_model(store: Store, file: Path, image_size: int | None = None, as_base: bool | None = None) -> ModelVersion:
    """Import an ultralytics checkpoint as a version of its own and make it champion.

    `as_base` says whether its classes are postures; `None` guesses by their names. A posture model goes on with the image
    size (pixels) of its training; a base begins at 224, whatever it was trained for, unless `image_size` says otherwise.
    """
    if as_base is None:
        as_base = not looks_like_postures(inspect_checkpoint(file).classes)
    if as_base and image_size is None:
        image_size = DEFAULT_IMAGE_SIZE
    with tempfile.TemporaryDirectory(dir=store.folder, prefix=".import-") as folder:
        imported = import_checkpoint(file, Path(folder), image_size)
        return install(store, Path(folder), f"imported from {imported.source}", as_base=as_base)


def load_model(store: Store, version: ModelVersion, loaded: Backbone | None = None) -> LiveModel:
    """Read a version from disk, every file checked against its digest; a backbone that is loaded already is used again."""
    head = Head.from_bytes(store.models.read_head(version.head_sha256))  # says so where files were removed
    return LiveModel(version, open_backbone(store, version, loaded), head)


def open_backbone(store: Store, version: ModelVersion, loaded: Backbone | None = None) -> Backbone:
    """A version's backbone from disk, checked against its digest; one that is loaded already is used again."""
    if loaded is not None and loaded.sha256 == version.backbone_sha256:
        return loaded
    path = store.models.backbone_folder(version.backbone_sha256) / "backbone.onnx"
    return OnnxBackbone(path, threads=1, expected_sha256=version.backbone_sha256)


def difference(store: Store, settings: Settings, first: ModelVersion, second: ModelVersion) -> Difference:
    """Which images of the present holdout two versions call differently. Raises `ModelError`, `DatasetError`."""
    images = [image for image in store.labels.labelled() if image.split is Split.HOLDOUT]
    if not images:
        raise DatasetError("There are no holdout images yet, so the models cannot be compared; label more frames.")
    before = say(store, first, images, partial(backbone_of, store), Recipe.of(settings.training))
    after = say(store, second, images, partial(backbone_of, store), Recipe.of(settings.training))
    return differ(images, before, after)


def lesson(store: Store, settings: Settings) -> Lesson:
    """What a training would learn from now. Raises `ModelError`, `TrainingError`."""
    version, recipe = champion(store), Recipe.of(settings.training)
    cache = FeatureCache(store.folder, recipe.cache_mb, recipe.cache_bits)
    return gather(store, version, backbone_of(store, version), cache, recipe)


def doubts(store: Store, settings: Settings) -> tuple[list[Doubt], float]:
    """Labels of any split that the labels of other times speak against, without those that the owner has kept.

    Also the share, 0–1, of all labels that they agree with: how much a doubt is worth. Raises `ModelError`, `TrainingError`.
    """
    from posture_daemon.learning.label_errors import (
        doubtful_labels,  # these fit, with SciPy, which the daemon does without
    )
    from posture_daemon.learning.out_of_fold import outside

    learned = lesson(store, settings)
    test = learned.source.load([i for i in store.labels.labelled() if i.split is Split.TEST], views=0)
    asked = outside(learned, learned.holdout, test)
    agree = sum(called == image.class_name for called, image in zip(asked.called, asked.images, strict=True))
    kept = store.reviews.kept()
    found = [doubt for doubt in doubtful_labels(asked) if doubt.frame_id not in kept]
    return found, agree / max(1, len(asked.images))


def champion(store: Store) -> ModelVersion:
    """The champion. Raises `ModelError` when there is none."""
    version = store.models.champion()
    if version is None:
        raise ModelError("There is no model yet; import one first: posture-daemon models import FILE.pt.")
    return version


def build_retrainer(
    store: Store,
    settings: Settings,
    trainer: SubprocessTrainer,
    away: Callable[[], float | None] = lambda: None,
    probe: ResourceProbe | None = None,
) -> Retrainer:
    """A retrainer on the real device."""
    return Retrainer(store, trainer, probe or DeviceProbe(settings.data_dir), settings, away=away)


def away_by_status(settings: Settings) -> Callable[[], float | None]:
    """How long the owner has been away, as the running daemon says; unknown when none runs."""
    return lambda: (read_status(settings.data_dir) or {}).get("away_s")


def away_by_loop(source: NewestFrame, loop: CaptureLoop) -> Callable[[], float | None]:
    """How long the owner has been away, as the capture loop sees it; unknown while the camera gives nothing."""
    return lambda: loop.away_s if source.state.status == "running" else None


def build_watcher(store: Store, settings: Settings, live: LiveClassifier) -> Watcher:
    """A watcher that uses the live backbone where it fits."""

    def open_(version: ModelVersion) -> Backbone:
        return open_backbone(store, version, live.backbone)

    return Watcher(
        store, lambda version, images: say(store, version, images, open_, Recipe.of(settings.training)), settings
    )


def build_preparer(store: Store, settings: Settings, probe: ResourceProbe) -> Preparer:
    """A preparer on the real device, with a child of its own."""
    return Preparer(store, SubprocessTrainer(), probe, settings, partial(backbone_of, store))


def newest_frame(settings: Settings, camera: Camera) -> NewestFrame:
    """The reader of the camera of the settings, as patient as they say."""
    patience = Patience(settings.camera.retry_first_s, settings.camera.retry_most_s, settings.camera.stale_s)
    live = is_live(settings.camera.address)
    return NewestFrame(
        camera,
        patience,
        eye=lambda: Eye(settings.camera.blind_s, repeats=not live),
        another=(lambda: open_camera(settings.camera.address)) if live else None,
    )


@contextmanager
def open_lesson(
    store: Store,
    settings: Settings,
    source: NewestFrame,
    live: LiveClassifier,
    asks: tuple[Ask, ...],
    probe: ResourceProbe | None = None,
    follow: Callable[[], None] = lambda: None,
    announce: Callable[[Ask], None] = lambda _ask: None,
) -> Iterator[Teaching]:
    """A teaching of `asks` with this camera and model for the block; what still trains at its end is told to end."""
    trainer = SubprocessTrainer()  # of its own, since one that was cancelled trains no more
    retrainer = build_retrainer(store, settings, trainer, probe=probe)
    with ThreadPoolExecutor(1) as executor:
        parts = TeachingParts(
            source=source,
            live=live,
            store=store,
            settings=settings,
            train=lambda: retrainer.run("teach", force=True),
            cancel=trainer.cancel,
            executor=executor,
            follow=follow,
            announce=announce,
        )
        try:
            yield Teaching(asks, parts)
        finally:
            trainer.cancel()


def _page(
    store: Store,
    settings: Settings,
    source: NewestFrame,
    loop: CaptureLoop,
    live: LiveClassifier,
    probe: ResourceProbe,
) -> LabelPage:
    """The label page, which also teaches with the daemon's own camera while its frames go on; the daemon does the swap."""

    @contextmanager
    def open_teaching(names: Sequence[str] | None) -> Iterator[Teaching]:
        asks = plan(choose(ClassChanges(store, settings.labels, time.time), names))
        with loop.not_keeping(), open_lesson(store, settings, source, live, asks, probe) as teaching:
            yield teaching

    return LabelPage(store, settings, open_teaching=open_teaching)


def build_daemon(settings: Settings, supervisor: Supervisor | None = None, needs_camera: bool = False) -> Daemon:
    """Everything for `posture-daemon run`. Raises one of our errors when the champion or a recording cannot be used.

    A live camera that is not there yet is waited for, since it may be switched on later, unless `needs_camera`.
    """
    supervisor = supervisor or Supervisor()
    keep_little()
    source = newest_frame(settings, open_camera(settings.camera.address))
    if needs_camera or not is_live(settings.camera.address):
        source.check()
    supervisor.status("opening the database and the model")
    check_database(settings, time.time())
    store = open_store(settings)
    live = answering(store, champion(store), lambda version: LiveClassifier(load_model(store, version)), time.time())
    trainer, probe = SubprocessTrainer(), DeviceProbe(settings.data_dir)
    router = Router(settings.queue, Random(settings.training.seed))
    loop = CaptureLoop(source, live, router, store, settings)
    away = away_by_loop(source, loop)
    return Daemon(
        Parts(
            settings=settings,
            store=store,
            source=source,
            live=live,
            loop=loop,
            retrainer=build_retrainer(store, settings, trainer, away, probe),
            watcher=build_watcher(store, settings, live),
            upkeep=Upkeep(
                store, Recalibrator(store, partial(open_backbone, store), settings), settings, give_back=give_back
            ),
            away=away,
            trainer=trainer,
            preparer=build_preparer(store, settings, probe),
            probe=probe,
            load_model=lambda version: load_model(store, version, live.backbone),
            page=_page(store, settings, source, loop, live, probe) if settings.ui.enabled else None,
            supervisor=supervisor,
        )
    )


def evaluate_folder(store: Store, version: ModelVersion, folder: Path) -> tuple[Evaluation, int]:
    """A version on class folders of images: the evaluation, and how many files could not be read.

    Raises `DatasetError` when the folder has none that can, and `ModelError` for a base.
    """
    if version.is_base:
        raise ModelError(f"Model {version.id} is a base without classes, so there is nothing to evaluate; train first.")
    model = load_model(store, version)
    truth, answers, unreadable = [], [], 0
    layout = read_layout(folder)
    for image in (i for i in layout.images if i.folder in layout.class_folders):
        try:
            picture = decode(image.path.read_bytes())
        except (DatasetError, OSError):
            unreadable += 1
            continue
        truth.append(image.folder)
        answers.append(model.predict(picture).probabilities)
    if not answers:
        raise DatasetError(f"None of the {unreadable} images in {folder} can be read; are they pictures?")
    return evaluate(np.array(answers), [c.name for c in version.classes], truth), unreadable
