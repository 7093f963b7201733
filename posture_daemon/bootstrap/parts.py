"""The parts of a daemon that other commands need too."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from posture_daemon.adapters.backbone.on_demand import backbone_of
from posture_daemon.adapters.cameras.address import is_live
from posture_daemon.adapters.cameras.factory import open_camera
from posture_daemon.adapters.cameras.latest_frame import LatestFrame, Patience
from posture_daemon.adapters.cameras.network_patience import MAX_POLLS_PER_S, NetworkPatience, is_network_camera
from posture_daemon.adapters.probes import DeviceProbe
from posture_daemon.adapters.trainer.process import SubprocessTrainer
from posture_daemon.bootstrap.models import open_backbone
from posture_daemon.bootstrap.region import RegionChoice
from posture_daemon.domain import ModelVersion
from posture_daemon.learning.version_diff import predict
from posture_daemon.live.capture import CaptureLoop
from posture_daemon.live.classifier import LiveClassifier
from posture_daemon.ports import Backbone, Camera, ResourceProbe
from posture_daemon.service.daemon_status import DaemonStatus, read_status
from posture_daemon.settings import Settings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.training.precompute import Precomputer
from posture_daemon.training.retrain import Retrainer
from posture_daemon.training.rollback_watch import RollbackWatch
from posture_daemon.vision.frame_quality import FrameQualityMonitor


def build_retrainer(
    store: Store,
    settings: Settings,
    trainer: SubprocessTrainer,
    away: Callable[[], float | None] = lambda: None,
    probe: ResourceProbe | None = None,
    region: RegionChoice | None = None,
) -> Retrainer:
    """A retrainer on the real device."""
    return Retrainer(store, trainer, probe or DeviceProbe(settings.data_dir), settings, away=away, region=region)


def away_by_status(settings: Settings) -> Callable[[], float | None]:
    """How long the owner has been away, as the running daemon says; unknown when none runs."""
    return lambda: (read_status(settings.data_dir) or DaemonStatus()).away_s


def away_by_loop(source: LatestFrame, loop: CaptureLoop) -> Callable[[], float | None]:
    """How long the owner has been away, as the capture loop sees it; unknown while the camera gives nothing."""
    return lambda: loop.away_s if source.is_running else None


def build_watcher(store: Store, settings: Settings, live: LiveClassifier) -> RollbackWatch:
    """A watcher that uses the live backbone where it fits."""

    def open_(version: ModelVersion) -> Backbone:
        return open_backbone(store, version, live.backbone)

    return RollbackWatch(
        store, lambda version, images: predict(store, version, images, open_, Recipe.of(settings.training)), settings
    )


def build_preparer(
    store: Store,
    settings: Settings,
    probe: ResourceProbe,
    region: RegionChoice | None = None,
    *,
    waits_for_idle: bool = True,
) -> Precomputer:
    """A preparer on the real device, with a child of its own."""
    backbone = partial(backbone_of, store)
    return Precomputer(
        store, SubprocessTrainer(), probe, settings, backbone, region=region, waits_for_idle=waits_for_idle
    )


def camera_of(settings: Settings) -> Camera:
    """The camera of the settings, not opened. Raises `SettingsError` for an address that is none."""
    return open_camera(settings.camera.address, network_of(settings))


def network_of(settings: Settings) -> NetworkPatience:
    """How patient a network camera is met; its stills are asked for as often as pictures are looked at."""
    camera = settings.camera
    polls_per_s = min(camera.fps, MAX_POLLS_PER_S)
    return NetworkPatience(camera.open_timeout_s, camera.read_timeout_s, polls_per_s, camera.check_certificate)


def newest_frame(settings: Settings, camera: Camera) -> LatestFrame:
    """The reader of the camera of the settings, as patient as they predict."""
    own = settings.camera
    patience = Patience(own.min_retry_s, own.max_retry_s, own.stale_s)
    if is_network_camera(own.address):
        patience = replace(patience, open_s=own.open_timeout_s, read_s=own.read_timeout_s)
    live = is_live(own.address)
    return LatestFrame(
        camera,
        patience,
        quality=lambda: FrameQualityMonitor(settings.camera.blind_s, repeats=not live),
        another=(lambda: camera_of(settings)) if live else None,
    )
