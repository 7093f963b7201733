"""Start, supervise, stop: the capture thread, the scheduler, and what other processes are told."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol

from apscheduler.schedulers.background import BackgroundScheduler

from posture_daemon.capture import CaptureLoop
from posture_daemon.domain import ModelVersion, Resources
from posture_daemon.errors import DataFolderError, PostureError
from posture_daemon.learning.prepare import Preparer
from posture_daemon.live import LiveClassifier, LiveModel
from posture_daemon.ports import ResourceProbe
from posture_daemon.retrain import Retrainer
from posture_daemon.settings import Settings
from posture_daemon.status import LOCK_NAME, write_status
from posture_daemon.store import Store
from posture_daemon.store.lock import exclusive, owner_of
from posture_daemon.watch import Watcher

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
        """A frozen dataclass with `status` and `name`."""

    def start(self) -> None:
        """Begin to read."""

    def stop(self, timeout_s: float) -> bool:
        """End."""


class Cancellable(Protocol):
    """A trainer that can be told to give up."""

    def cancel(self) -> None:
        """End a running training, refuse new ones."""


@dataclass(frozen=True, eq=False)
class Parts:
    """Everything a daemon is made of; `bootstrap` builds them."""

    settings: Settings
    store: Store
    source: Source
    live: LiveClassifier
    loop: CaptureLoop
    retrainer: Retrainer
    watcher: Watcher
    trainer: Cancellable
    preparer: Preparer
    probe: ResourceProbe
    load_model: Callable[[ModelVersion], LiveModel]


class Daemon:
    """One per data folder. `run` blocks until `stop` is set, the camera ends for good, or the capture loop fails."""

    def __init__(self, parts: Parts, clock: Callable[[], float] = time.time) -> None:
        self._parts = parts
        self._clock = clock
        self._started_at = clock()
        self._failure: BaseException | None = None
        self._refused_version: int | None = None
        self._scheduler = BackgroundScheduler(
            # A late job runs late and once: clocks jump and laptops sleep, and neither is a reason to skip or to pile up.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
            timezone="UTC",
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
        self._parts.source.start()
        capture.start()
        self._schedule(stop)
        log.info("running: camera %s, model %d", self._parts.source.state.name, self._parts.live.version.id)
        try:
            stop.wait()
        finally:
            stop.set()
            self._stop(capture)

    def _schedule(self, stop: threading.Event) -> None:
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._scheduler.add_job(self._tick, "interval", (stop,), seconds=TICK_S, id="tick")
        training = self._parts.settings.training
        every = training.check_every_s
        self._scheduler.add_job(self._learn, "interval", seconds=every, id="learn")
        self._scheduler.add_job(self._watch, "interval", seconds=WATCH_S, id="watch")
        if training.prepare_s > 0:  # between two looks of the other, so that a look at its lock never meets it
            first = datetime.now(timezone.utc) + timedelta(seconds=every / 2)
            self._scheduler.add_job(self._prepare, "interval", seconds=every, id="prepare", next_run_time=first)
        self._scheduler.start()

    def _stop(self, capture: threading.Thread) -> None:
        """Nothing needs saving here, every answer and frame is on disk already; so stop in the order of haste."""
        self._parts.trainer.cancel()
        self._parts.preparer.cancel()
        capture.join(STOP_S)
        self._parts.source.stop(STOP_S)
        self._scheduler.shutdown(wait=True)
        write_status(self._parts.store.folder, self.status())
        self._parts.store.close()
        log.info("stopped after %d frames", self._parts.loop.counts.frames)

    def _capture(self, stop: threading.Event) -> None:
        try:
            self._parts.loop.run(stop)
        except BaseException as error:
            self._failure = error
        finally:
            stop.set()

    def _learn(self) -> None:
        try:
            self._parts.retrainer.run("schedule")
        except PostureError as error:
            log.error("no training: %s", error)

    def _watch(self) -> None:
        try:
            self._parts.store.confidences.add(self._parts.loop.confidences.take())
            self._parts.watcher.check()
        except (PostureError, OSError) as error:
            log.error("the new champion could not be looked after: %s", error)

    def _prepare(self) -> None:
        try:
            self._parts.preparer.run()
        except (PostureError, OSError) as error:
            log.error("no views were prepared ahead: %s", error)

    def _tick(self, stop: threading.Event) -> None:
        if self._parts.source.state.status == "ended":
            log.info("the camera %s has come to its end", self._parts.source.state.name)
            stop.set()
        try:
            self._follow_champion()
            write_status(self._parts.store.folder, self.status())
        except (PostureError, OSError) as error:
            log.error("%s", error)

    def _follow_champion(self) -> None:
        """The database says who is champion: load, warm up and swap when it is another one than the one that answers.

        This is how a training here, `train --force` or `models rollback` in another process all reach the frames. A
        version that cannot be loaded is reported once, and the old one goes on answering.
        """
        champion_id = self._parts.store.models.champion_id()
        if champion_id in (None, self._parts.live.version.id, self._refused_version):
            return
        version = self._parts.store.models.get(int(champion_id or 0))
        try:
            self._parts.live.swap(self._parts.load_model(version))
        except PostureError as error:
            self._refused_version = version.id
            log.error("model %d stays out, model %d goes on: %s", version.id, self._parts.live.version.id, error)
            return
        self._refused_version = None
        log.info("model %d answers from now on", version.id)

    def status(self) -> dict[str, Any]:
        """What `posture-daemon status` shows of a running daemon; times in seconds since the epoch."""
        loop, last = self._parts.loop, self._parts.loop.last
        return {
            "pid": os.getpid(),
            "started_at": self._started_at,
            "written_at": self._clock(),
            "camera": asdict(self._parts.source.state),
            "posture": None if loop.state is None else asdict(loop.state),
            "frame_at": loop.last_captured_at,
            "sees": None if last is None else {"label": last.label, "confidence": last.confidence},
            "latency_ms": None if last is None else round(last.latency_s * 1000, 2),
            "frames": asdict(loop.counts),
            "routed": loop.routed,
            "model": self._parts.live.version.id,
            "resources": _as_json(self._parts.probe.read()),
            "next_check_at": self._next_check(),
        }

    def _next_check(self) -> float | None:
        job = self._scheduler.get_job("learn") if self._scheduler.running else None
        return None if job is None or job.next_run_time is None else job.next_run_time.timestamp()


def _as_json(resources: Resources) -> dict[str, Any]:
    return {**asdict(resources), "temperatures_celsius": dict(resources.temperatures_celsius)}
