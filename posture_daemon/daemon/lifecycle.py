"""Start, supervise, stop: the capture thread, the scheduler, and what other processes are told."""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

from posture_daemon.daemon.maintenance import Maintenance
from posture_daemon.daemon.scheduler import ClockWatch, Job, Schedule, quietly
from posture_daemon.errors import DataFolderError, PostureError
from posture_daemon.live.capture import CaptureLoop
from posture_daemon.live.classifier import LiveClassifier
from posture_daemon.live.hot_swap import ChampionFollower
from posture_daemon.live.online_learner import OnlineLearner
from posture_daemon.ports import ResourceProbe, Trainer
from posture_daemon.service.daemon_status import CameraSaid, DaemonStatus, Sees, write_status
from posture_daemon.service.sd_notify import SystemdNotifier, WatchdogBeat
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.json_values import as_json
from posture_daemon.store.lock import exclusive, owner_of
from posture_daemon.store.status_file import LOCK_NAME
from posture_daemon.training.precompute import Precomputer
from posture_daemon.training.retrain import Retrainer
from posture_daemon.training.rollback_watch import RollbackWatch
from posture_daemon.training.run_record import FrameCost, RunRecord

log = logging.getLogger(__name__)

TICK_S = 1.0
"""How often the daemon looks for a new champion and tells its status."""

WATCH_S = 60.0
"""How often the new champion is looked after, and how sure it was is written down."""

STOP_S = 2.0
"""How long the capture thread and the camera may each take to stop; together below systemd's and our promise of 5 s."""


class Source(Protocol):
    """The camera's reader, as the daemon sees it."""

    @property
    def state(self) -> Any:
        """A frozen dataclass with `status`, `name`, and `error`: why it is known to give no frames; `None` otherwise."""

    def start(self) -> None:
        """Begin to read."""

    def stop(self, timeout_s: float) -> bool:
        """End."""


class Page(Protocol):
    """The label page, as the daemon sees it."""

    @property
    def address(self) -> str | None:
        """Where it is served; `None` while it is not."""

    def start(self) -> None:
        """Serve it. Raises `PageError` when that cannot be."""

    def stop(self) -> None:
        """End."""


@dataclass(frozen=True, eq=False)
class Parts:
    """Everything a daemon is made of; `bootstrap` builds them."""

    settings: Settings
    store: Store
    source: Source
    live: LiveClassifier
    loop: CaptureLoop
    retrainer: Retrainer
    watcher: RollbackWatch
    upkeep: Maintenance
    away: Callable[[], float | None]
    trainer: Trainer
    preparer: Precomputer
    probe: ResourceProbe
    follower: ChampionFollower
    online: OnlineLearner
    page: Page | None = None
    supervisor: SystemdNotifier = field(default_factory=SystemdNotifier)


class Daemon:
    """One per data folder. `run` blocks until `stop` is set, the camera ends for good, or the capture loop fails."""

    def __init__(
        self, parts: Parts, clock: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._parts = parts
        self._clock, self._monotonic = clock, monotonic
        self._started_at = clock()
        self._failure: BaseException | None = None
        self._fails = False  # its look at itself did
        self._clock_watch = ClockWatch(clock, monotonic)
        self._schedule = Schedule(self._jobs())
        self._progress = WatchdogBeat(
            parts.supervisor, lambda: parts.loop.counts.frames, lambda: parts.source.state.error is not None
        )

    def run(self, stop: threading.Event) -> None:
        """Run. Raises `DataFolderError` when another daemon has the folder, and whatever ended the capture loop."""
        lock = self._parts.store.folder / LOCK_NAME
        with exclusive(lock) as alone:
            if not alone:
                raise DataFolderError(
                    f"Another posture-daemon (process {owner_of(lock)}) is running on {self._parts.store.folder}; "
                    "stop it first or choose another --data-dir."
                )
            self._run_alone(stop)
        if self._failure is not None:
            raise self._failure

    def _run_alone(self, stop: threading.Event) -> None:
        capture = threading.Thread(target=self._capture, args=(stop,), name="capture")
        online = threading.Thread(target=self._parts.online.run, args=(stop,), name="online learner")
        self._parts.retrainer.recover()
        self._parts.source.start()
        capture.start()
        online.start()
        self._schedule.start()
        self._start_page()
        log.info("running: camera %s, model %d", self._parts.source.state.name, self._parts.live.version.id)
        try:
            while not stop.wait(TICK_S):  # not a job: this beat must not depend on the wall clock
                try:
                    self._tick(stop)
                except Exception:  # frames go on, whatever is wrong with telling how things are
                    log.exception("the daemon's look at itself failed")
        finally:
            stop.set()
            self._stop(capture, online)

    def _start_page(self) -> None:
        """The page is a guest here: without it, everything else goes on."""
        page = self._parts.page
        try:
            if page is not None:
                page.start()
                log.info("the label page is at %s", page.address)
        except PostureError as error:
            log.warning("%s Everything else goes on.", error)

    def _jobs(self) -> Sequence[Job]:
        """Preparing lies between two looks at the gate, so that a look at its lock never meets it."""
        parts, every_s = self._parts, self._parts.settings.schedule.check_every_s
        watch = quietly(self._watch, "the new champion could not be looked after: ")
        prepare = quietly(parts.preparer.run, "no views were prepared ahead: ")
        return [
            Job("learn", self._learn, every_s),
            Job("watch", watch, WATCH_S),
            *([Job("prepare", prepare, every_s, every_s / 2)] if parts.settings.training.prepare_s > 0 else []),
            *parts.upkeep.jobs(),
        ]

    def _stop(self, capture: threading.Thread, online: threading.Thread) -> None:
        """Nothing needs saving here, every answer and frame is on disk already; so stop in the order of haste."""
        self._parts.supervisor.stopping()
        self._parts.trainer.cancel()
        self._parts.preparer.cancel()
        if self._parts.page is not None:
            self._parts.page.stop()
        capture.join(STOP_S)
        online.join(STOP_S)
        self._parts.source.stop(STOP_S)
        self._schedule.stop()
        self._parts.probe.close()
        # Where the database is known to be damaged it was no clean stop, so that the next start looks at all of it.
        stopped_at = self._clock() if self._parts.upkeep.damage is None else None
        try:
            write_status(self._parts.store.folder, replace(self.status(), stopped_at=stopped_at))
        except PostureError as error:  # a full disk must not turn a clean stop into a crash
            log.warning("that it stopped cannot be written down: %s", error)
        finally:
            self._parts.store.close()
        log.info("stopped after %d frames", self._parts.loop.counts.frames)

    def _capture(self, stop: threading.Event) -> None:
        try:
            self._parts.loop.run(stop, self._progress.after_step)
        except BaseException as error:
            self._failure = error
        finally:
            stop.set()

    def _learn(self) -> None:
        """Try to learn, and write down what that cost the frames."""
        meter = self._parts.loop.meter
        before = meter.take(self._monotonic())
        try:
            run = self._parts.retrainer.run("schedule")
            if RunRecord.of(run.metrics).ran_s is not None:  # it was not only a look at the gate
                cost = FrameCost(before, meter.take(self._monotonic()))
                self._parts.store.runs.add_metrics(run.id, {"frames": as_json(cost)})
        except PostureError as error:
            log.error("no training: %s", error)

    def _watch(self) -> None:
        self._parts.store.confidences.add(self._parts.loop.confidences.take())
        self._parts.watcher.check()

    def _tick(self, stop: threading.Event) -> None:
        if self._parts.source.state.status == "ended":
            log.info("the camera %s has come to its end", self._parts.source.state.name)
            stop.set()
        if self._parts.upkeep.damage is not None and self._parts.settings.keep.restore_damaged:
            self._failure = self._parts.upkeep.damage  # who starts us again has it restored
            stop.set()
        jump_s = self._clock_watch.jump_s()
        if jump_s:
            log.warning("the clock jumped by %+.0f s (set, or a suspend): all jobs are planned anew", jump_s)
            self._schedule.plan_anew()
        try:
            self._parts.follower.follow()
            self._parts.supervisor.status(self._in_words())
            write_status(self._parts.store.folder, self.status())
        except (PostureError, OSError) as error:
            self._fails = True
            log.error("%s", error)
        else:
            if self._fails:
                log.info("how the daemon is can be written down again")
            self._fails = False

    def _in_words(self) -> str:
        """The line that `systemctl status` shows."""
        loop, camera = self._parts.loop, self._parts.source.state
        posture = "no posture yet" if loop.state is None else loop.state.posture
        kept = f"{loop.counts.queued} frames kept"
        return f"camera {camera.name} {camera.status}; {posture}; model {self._parts.live.version.id}; {kept}"

    def status(self) -> DaemonStatus:
        """What `posture-daemon status` shows of a running daemon."""
        loop, last = self._parts.loop, self._parts.loop.last
        return DaemonStatus(
            pid=os.getpid(),
            started_at=self._started_at,
            written_at=self._clock(),
            camera=CameraSaid(**asdict(self._parts.source.state)),
            posture=loop.state,
            frame_at=loop.last_captured_at,
            step_s=round(loop.step_s, 3),
            sees=None if last is None else Sees(last.label, last.confidence),
            latency_ms=None if last is None else round(last.latency_s * 1000, 2),
            frames=replace(loop.counts),
            routed=loop.routed,
            model=self._parts.live.version.id,
            online=self._parts.online.state,
            away_s=self._parts.away(),
            resources=self._parts.probe.read(),
            next_at=self._schedule.next_at(),
            page=None if self._parts.page is None else self._parts.page.address,
        )
