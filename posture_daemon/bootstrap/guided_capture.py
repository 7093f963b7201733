"""Builds a guided capture from settings, with a camera of its own or with the daemon's."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from posture_daemon.adapters.cameras.latest_frame import LatestFrame
from posture_daemon.adapters.probes import DeviceProbe
from posture_daemon.adapters.trainer.process import SubprocessTrainer
from posture_daemon.bootstrap.models import champion, load_model, open_store
from posture_daemon.bootstrap.parts import build_preparer, build_retrainer, camera_of, newest_frame
from posture_daemon.bootstrap.region import RegionChoice
from posture_daemon.bootstrap.region_of_lesson import Means, advise_region
from posture_daemon.domain import PostureClass, Role, Strategy
from posture_daemon.errors import DataFolderError, PostureError, SettingsError
from posture_daemon.fake_desk import AWAY, BAD, GOOD, FakeDeskCamera, ObedientDesk
from posture_daemon.labelling.classes import ClassChanges
from posture_daemon.labelling.guided_capture import GuidedCapture
from posture_daemon.labelling.guided_capture_parts import GuidedCaptureParts
from posture_daemon.labelling.guided_capture_plan import SECONDS, PoseRequest, choose, plan, would_choose
from posture_daemon.live.classifier import LiveClassifier
from posture_daemon.ports import Camera
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.status_file import running_pid
from posture_daemon.training.precompute import Precomputer
from posture_daemon.training.starter_root import drawn_people_warning

log = logging.getLogger(__name__)


TRIGGER = "teach"
"""What the record of a run calls a lesson."""

MAX_RUNS = 10_000
DRAWN = {Role.GOOD: GOOD, Role.BAD: BAD, Role.AWAY: AWAY}
"""What the person at the fake desk does for a class that they do not know by its name."""


@contextmanager
def open_guided_capture(
    settings: Settings,
    names: Sequence[str] | None,
    seconds: float = SECONDS,
    pace: float = 1.0,
    tell: Callable[[str], object] = lambda _sentence: None,
    region: RegionChoice | None = None,
) -> Iterator[GuidedCapture]:
    """A guided capture of these classes on a camera of its own, for the block; see `guided_capture_plan.choose` for `names`.

    `tell` is given advice. `region` is what the owner has chosen to look at, by default as the settings say. The person at the
    fake desk does what is asked; with another `pace` than 1, so many times as fast, which no other camera can. Raises one of
    our errors when a daemon holds the camera, and when the camera, a name or the champion cannot be used.
    """
    refuse_beside_daemon(settings)
    camera = obedient(camera_of(settings))
    if pace != 1.0:
        _need_obedience(camera)
    source = newest_frame(settings, camera)
    source.check()
    store = open_store(settings)
    try:
        changes = ClassChanges(store, settings.labels, time.time)
        try_poses(camera, would_choose(changes, names))  # before a class is created
        if isinstance(camera, ObedientDesk):  # each lesson is another day, as it is in life
            camera.skip_days(sum(run.trigger == TRIGGER for run in store.runs.recent(MAX_RUNS)))
        live = LiveClassifier(load_model(store, champion(store)))
        if warning := drawn_people_warning(store, live.version, settings.camera.address):
            tell(warning)
        asks, announce = plan(choose(changes, names), seconds), obey(camera, pace)
        means = Means(region or RegionChoice(settings), tell)
        source.start()
        with attach_guided_capture(
            store, settings, source, live, asks, means, follow=_follower(store, live), announce=announce
        ) as capture:
            yield capture
    finally:
        source.stop(2.0)
        store.close()


def _follower(store: Store, live: LiveClassifier) -> Callable[[], None]:
    return lambda: live.swap(load_model(store, champion(store), live.backbone))


def refuse_beside_daemon(settings: Settings) -> None:
    """Raise `DataFolderError` while a daemon runs on this data folder: two cannot film with one camera."""
    pid = running_pid(settings.data_dir) if settings.data_dir.is_dir() else None
    if pid is not None:
        raise DataFolderError(
            f"A posture-daemon (process {pid}) is running on {settings.data_dir} and holds the camera; teach on its page "
            "(posture-daemon label opens it), or stop it first."
        )


def obedient(camera: Camera) -> Camera:
    """The camera; a fake desk as one whose person does what is asked."""
    return ObedientDesk(camera) if isinstance(camera, FakeDeskCamera) else camera


def _need_obedience(camera: Camera) -> None:
    if not isinstance(camera, ObedientDesk):
        raise SettingsError(
            f"--simulate-owner works with the fake desk only, since nobody else does what is asked; the camera is "
            f"{camera.name}: add --camera fake:desk."
        )


def try_poses(camera: Camera, classes: Iterable[PostureClass]) -> None:
    """Raise `CameraError` before the first pose when an obedient desk cannot show one of these."""
    if isinstance(camera, ObedientDesk):
        for one in classes:
            camera.show(_posture_at(camera, one))
        camera.show(None)


def obey(camera: Camera, pace: float = 1.0) -> Callable[[PoseRequest | None], None]:
    """What hears of each pose, and with `None` that it is over."""
    if not isinstance(camera, ObedientDesk):
        return lambda _ask: None
    return lambda ask: camera.show(None if ask is None else _posture_at(camera, ask.posture_class), pace)


def _posture_at(camera: ObedientDesk, one: PostureClass) -> str:
    """What the drawn person does for a class: what it is called, else what it means to the owner."""
    return one.name if one.name in camera.postures else DRAWN.get(one.role, one.name)


@contextmanager
def attach_guided_capture(
    store: Store,
    settings: Settings,
    source: LatestFrame,
    live: LiveClassifier,
    asks: tuple[PoseRequest, ...],
    means: Means,
    follow: Callable[[], None] = lambda: None,
    announce: Callable[[PoseRequest | None], None] = lambda _ask: None,
) -> Iterator[GuidedCapture]:
    """A guided capture of `asks` with this camera and model, for the block; a training that runs at its end is cancelled.

    Where its pictures tell where the owner sits, that is offered once it is over, unless something was chosen before.
    """
    began_at = time.time()
    trainer = SubprocessTrainer()  # of its own, since one that was cancelled trains no more
    probe = means.probe or DeviceProbe(settings.data_dir)
    retrainer = build_retrainer(store, settings, trainer, probe=probe, region=means.region)
    preparer = build_preparer(store, settings, probe, means.region, waits_for_idle=False)
    with ThreadPoolExecutor(1) as executor, preparing(preparer) as prepare:
        parts = GuidedCaptureParts(
            source=source,
            live=live,
            store=store,
            settings=settings,
            train=lambda: retrainer.run(TRIGGER, force=True, strategy=Strategy.REPLAY),
            cancel=trainer.cancel,
            executor=executor,
            follow=follow,
            announce=announce,
            prepare=prepare,
        )
        capture = GuidedCapture(asks, parts)
        try:
            yield capture
        finally:
            trainer.cancel()
            announce(None)
    if capture.state.run is not None:  # who stopped it before wants to be gone
        advise_region(store, means, began_at)


@contextmanager
def preparing(preparer: Precomputer) -> Iterator[Callable[[], None]]:
    """What has the views of the pictures so far computed beside the poses that follow, so that learning takes seconds."""
    running: Future[None] | None = None

    def run() -> None:
        try:
            preparer.run()
        except (PostureError, OSError) as error:  # the training computes them then
            log.warning("no views were prepared ahead: %s", error)

    def prepare() -> None:
        nonlocal running
        if running is None or running.done():
            running = executor.submit(run)

    with ThreadPoolExecutor(1, thread_name_prefix="prepare") as executor:
        try:
            yield prepare
        finally:
            preparer.cancel()
