"""Builds a guided capture from settings, with a camera of its own or with the daemon's."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from posture_daemon.adapters.cameras.factory import open_camera
from posture_daemon.adapters.cameras.latest_frame import LatestFrame
from posture_daemon.adapters.trainer.process import SubprocessTrainer
from posture_daemon.bootstrap.models import champion, load_model, open_store
from posture_daemon.bootstrap.parts import build_retrainer, newest_frame
from posture_daemon.domain import Strategy
from posture_daemon.errors import DataFolderError, SettingsError
from posture_daemon.fake_desk import FakeDeskCamera, ObedientDesk
from posture_daemon.integrity.model_recovery import STARTER_SOURCE
from posture_daemon.labelling.classes import ClassChanges
from posture_daemon.labelling.guided_capture import GuidedCapture, GuidedCaptureParts
from posture_daemon.labelling.guided_capture_plan import SECONDS, PoseRequest, choose, plan
from posture_daemon.live.classifier import LiveClassifier
from posture_daemon.ports import Camera, ResourceProbe
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.status_file import running_pid
from posture_daemon.training.strategies import root_of


@contextmanager
def open_guided_capture(
    settings: Settings,
    names: Sequence[str] | None,
    seconds: float = SECONDS,
    obedient_pace: float | None = None,
    tell: Callable[[str], object] = lambda _sentence: None,
) -> Iterator[GuidedCapture]:
    """A guided capture of these classes on a camera of its own, for the block; see `guided_capture_plan.choose` for `names`.

    `tell` is given advice. With `obedient_pace` the person at the fake desk does what is asked, so many times as fast.
    Raises one of our errors when a daemon holds the camera, and when the camera, a name or the champion cannot be used.
    """
    refuse_beside_daemon(settings)
    camera = _camera(settings, obedient_pace)
    source = newest_frame(settings, camera)
    source.check()
    _try_poses(camera, names or ())
    store = open_store(settings)
    asks = plan(choose(ClassChanges(store, settings.labels, time.time), names), seconds)
    _try_poses(camera, [ask.posture_class.name for ask in asks])
    live = LiveClassifier(load_model(store, champion(store)))
    if advice := base_advice(store, camera):
        tell(advice)

    def follow() -> None:
        live.swap(load_model(store, champion(store), live.backbone))

    source.start()
    try:
        with attach_guided_capture(
            store, settings, source, live, asks, follow=follow, announce=_obey(camera)
        ) as capture:
            yield capture
    finally:
        source.stop(2.0)
        store.close()


def refuse_beside_daemon(settings: Settings) -> None:
    """Raise `DataFolderError` while a daemon runs on this data folder: two cannot film with one camera."""
    pid = running_pid(settings.data_dir) if settings.data_dir.is_dir() else None
    if pid is not None:
        raise DataFolderError(
            f"A posture-daemon (process {pid}) is running on {settings.data_dir} and holds the camera; teach on its page "
            "(posture-daemon label opens it), or stop it first."
        )


def _camera(settings: Settings, obedient_pace: float | None) -> Camera:
    camera = open_camera(settings.camera.address)
    if obedient_pace is None:
        return camera
    if not isinstance(camera, FakeDeskCamera):
        raise SettingsError(
            f"--simulate-owner works with the fake desk only, since nobody else does what is asked; the camera is "
            f"{camera.name}: add --camera fake:desk."
        )
    return ObedientDesk(camera, obedient_pace)


def _try_poses(camera: Camera, names: Sequence[str]) -> None:
    """What an obedient desk cannot show is told before the first pose."""
    if isinstance(camera, ObedientDesk):
        for name in names:
            camera.show(name, 0)


def _obey(camera: Camera) -> Callable[[PoseRequest], None]:
    """What hears of each pose; each round is another day."""
    if not isinstance(camera, ObedientDesk):
        return lambda _ask: None
    return lambda ask: camera.show(ask.posture_class.name, ask.round - 1)


def knows_only_drawn_people(store: Store) -> bool:
    """True while the champion stems from the starter."""
    return root_of(store, champion(store)).source == STARTER_SOURCE


def base_advice(store: Store, camera: Camera) -> str | None:
    """One sentence where the model knows drawn people only, but the camera films real ones."""
    drawn = isinstance(camera, (FakeDeskCamera, ObedientDesk))
    if drawn or not knows_only_drawn_people(store):
        return None
    return (
        "The starter model has only ever seen drawn people; import a base first for far better answers: "
        "posture-daemon models fetch yolo11n-cls, then posture-daemon models import FILE.pt."
    )


@contextmanager
def attach_guided_capture(
    store: Store,
    settings: Settings,
    source: LatestFrame,
    live: LiveClassifier,
    asks: tuple[PoseRequest, ...],
    probe: ResourceProbe | None = None,
    follow: Callable[[], None] = lambda: None,
    announce: Callable[[PoseRequest], None] = lambda _ask: None,
) -> Iterator[GuidedCapture]:
    """A guided capture of `asks` with this camera and model, for the block; a training that runs at its end is cancelled."""
    trainer = SubprocessTrainer()  # of its own, since one that was cancelled trains no more
    retrainer = build_retrainer(store, settings, trainer, probe=probe)
    with ThreadPoolExecutor(1) as executor:
        parts = GuidedCaptureParts(
            source=source,
            live=live,
            store=store,
            settings=settings,
            train=lambda: retrainer.run("teach", force=True, strategy=Strategy.REPLAY),
            cancel=trainer.cancel,
            executor=executor,
            follow=follow,
            announce=announce,
        )
        try:
            yield GuidedCapture(asks, parts)
        finally:
            trainer.cancel()
