"""Builds the daemon of `posture-daemon run`: every part a real one, as the settings say."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from random import Random

from posture_daemon.adapters.cameras.address import is_live
from posture_daemon.adapters.cameras.latest_frame import LatestFrame
from posture_daemon.adapters.probes import DeviceProbe
from posture_daemon.adapters.trainer.process import SubprocessTrainer
from posture_daemon.bootstrap.guided_capture import attach_guided_capture, obedient, obey, try_poses
from posture_daemon.bootstrap.models import champion, load_model, open_backbone, open_store
from posture_daemon.bootstrap.parts import (
    away_by_loop,
    build_preparer,
    build_retrainer,
    build_watcher,
    camera_of,
    newest_frame,
)
from posture_daemon.bootstrap.region import RegionChoice
from posture_daemon.bootstrap.region_of_lesson import Means
from posture_daemon.daemon.lifecycle import Daemon, Parts
from posture_daemon.daemon.maintenance import Maintenance
from posture_daemon.device.allocator import collect_and_give_back, keep_little
from posture_daemon.domain import Image
from posture_daemon.integrity.database_check import check_database
from posture_daemon.integrity.model_recovery import answering
from posture_daemon.labelling.classes import ClassChanges
from posture_daemon.labelling.guided_capture import GuidedCapture
from posture_daemon.labelling.guided_capture_plan import choose, plan, would_choose
from posture_daemon.labelling.session import Labelling
from posture_daemon.learning.recalibrate import Recalibrator
from posture_daemon.live.capture import CaptureLoop
from posture_daemon.live.classifier import LiveClassifier
from posture_daemon.live.hot_swap import ChampionFollower
from posture_daemon.live.online_learner import OnlineLearner
from posture_daemon.live.sampling import FrameSampler
from posture_daemon.ports import Camera, ResourceProbe
from posture_daemon.service.sd_notify import SystemdNotifier
from posture_daemon.settings import Settings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.training.starter_root import drawn_people_warning
from posture_daemon.ui.web.region_desk import RegionDesk
from posture_daemon.ui.web.server import LabelPage

log = logging.getLogger(__name__)


def _page(
    store: Store,
    settings: Settings,
    source: LatestFrame,
    camera: Camera,
    loop: CaptureLoop,
    live: LiveClassifier,
    probe: ResourceProbe,
    region: RegionChoice,
) -> LabelPage:
    """The label page, which also teaches with the daemon's own camera while its frames go on; the daemon does the swap."""

    @contextmanager
    def open_guided_capture(names: Sequence[str] | None) -> Iterator[GuidedCapture]:
        changes, announce = ClassChanges(store, settings.labels, time.time), obey(camera)
        try_poses(camera, would_choose(changes, names))
        asks, means = plan(choose(changes, names)), Means(region, probe=probe)
        with (
            loop.not_keeping(),
            attach_guided_capture(store, settings, source, live, asks, means, announce=announce) as capture,
        ):
            yield capture

    return LabelPage(
        store,
        settings,
        new_labelling=partial(Labelling, today=loop.online),
        open_guided_capture=open_guided_capture,
        look=lambda: source.wait(0, 0.0),
        desk=RegionDesk(lambda: region.camera, region.choose, lambda: _newest_image(source)),
    )


def _newest_image(source: LatestFrame) -> Image | None:
    frame = source.wait(0, 0.0)
    return None if frame is None else frame.image


def build_daemon(
    settings: Settings,
    supervisor: SystemdNotifier | None = None,
    is_stopped: Callable[[], bool] = lambda: False,
    needs_camera: bool = False,
    region: RegionChoice | None = None,
) -> Daemon:
    """Everything for `posture-daemon run`. Raises one of our errors when the champion or a recording cannot be used.

    A live camera that is not there yet is waited for, since it may be switched on later, unless `needs_camera`. `region` is
    what part of the picture the owner has chosen, by default as the settings say. Raises `Stopped` when that was ordered while
    the camera was waited for.
    """
    region = region or RegionChoice(settings)
    supervisor = supervisor or SystemdNotifier()
    keep_little()
    camera = obedient(camera_of(settings))
    source = newest_frame(settings, camera)
    if needs_camera or not is_live(settings.camera.address):
        source.check(is_stopped)
    supervisor.status("opening the database and the model")
    check_database(settings, time.time())
    store = open_store(settings)
    live = answering(store, champion(store), lambda version: LiveClassifier(load_model(store, version)), time.time())
    if warning := drawn_people_warning(store, live.version, settings.camera.address):
        log.warning("%s", warning)
    trainer, probe = SubprocessTrainer(), DeviceProbe(settings.data_dir)
    router = FrameSampler(settings.queue, Random(settings.training.seed))  # noqa: S311 - which frames are asked about
    online = OnlineLearner(
        store, lambda version: open_backbone(store, version, live.backbone), Recipe.of(settings.training)
    )
    loop = CaptureLoop(source, live, router, store, settings, online=online)
    away = away_by_loop(source, loop)
    return Daemon(
        Parts(
            settings=settings,
            store=store,
            source=source,
            live=live,
            loop=loop,
            retrainer=build_retrainer(store, settings, trainer, away, probe, region),
            watcher=build_watcher(store, settings, live),
            upkeep=Maintenance(
                store,
                Recalibrator(store, partial(open_backbone, store), settings),
                settings,
                give_back=collect_and_give_back,
            ),
            away=away,
            trainer=trainer,
            preparer=build_preparer(store, settings, probe, region),
            probe=probe,
            online=online,
            follower=ChampionFollower(live, store.models, lambda version: load_model(store, version, live.backbone)),
            page=_page(store, settings, source, camera, loop, live, probe, region) if settings.ui.enabled else None,
            supervisor=supervisor,
        )
    )
