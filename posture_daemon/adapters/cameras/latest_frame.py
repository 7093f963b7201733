"""The reader between a camera and the capture loop: a thread that keeps the newest frame and brings a lost camera back.

Network cameras buffer, so a slow reader gets old frames: `reader_thread.py` reads as fast as frames come, and only the last
one is kept. Black, blank and frozen frames are counted and not passed on (`frame_quality.py`), so that none is classified as
a posture. Only the end of a recording ends the reader: a thread whose call hangs is abandoned, and another one reopens the
camera.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from posture_daemon.adapters.cameras.camera_health import CameraHealthLog, CameraState
from posture_daemon.adapters.cameras.own_thread import open_and_close
from posture_daemon.adapters.cameras.reader_thread import DEFAULT_PATIENCE, Entry, Patience, ReaderThread
from posture_daemon.domain import Frame
from posture_daemon.ports import Camera
from posture_daemon.vision.frame_quality import FrameQualityMonitor

__all__ = ["CameraState", "LatestFrame", "Patience"]

log = logging.getLogger(__name__)

MAX_HUNG = 4
"""Threads that may hang in a call at a time: each keeps its buffers, and perhaps the device, until the call returns."""


class LatestFrame:
    """Reads a camera in a thread of its own. `check`, then `start`, then `wait` for frames, at last `stop`."""

    def __init__(
        self,
        camera: Camera,
        patience: Patience = DEFAULT_PATIENCE,
        *,
        quality: Callable[[], FrameQualityMonitor] | None = None,
        another: Callable[[], Camera] | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        stopping: threading.Event | None = None,
    ) -> None:
        """Take over `camera`, which belongs to the thread from `start` on. Delays end early when `stopping` is set.

        `quality` makes a monitor that filters out unusable frames; without it all are passed on. `another` opens the same
        camera a second time while a call to the first hangs; without it such a call is waited for.
        """
        self._camera, self._another = camera, another
        self._quality, self._patience, self._monotonic = quality, patience, monotonic
        self._stopping = stopping or threading.Event()
        self._changed = threading.Condition()  # guards the four below
        self._newest: Frame | None = None
        self._health = CameraHealthLog(camera.name, camera.wanted_size, clock)
        self._hung: list[ReaderThread] = []
        self._reader = self._new_reader(camera)

    @property
    def state(self) -> CameraState:
        """How the camera is doing now."""
        with self._changed:
            self._check_reader()
            return self._health.state

    @property
    def is_running(self) -> bool:
        """Whether usable frames come, at its own pace: false before the first, while it is lost or blind, after its end."""
        return self.state.status == "running"

    def check(self, is_stopped: Callable[[], bool] = lambda: False) -> None:
        """Open and close the camera once, before `start`: its `CameraError` tells a user at once that it is wrong.

        Raises `Stopped` when SIGTERM or Ctrl-C comes meanwhile, or has come before, as `is_stopped` tells.
        """
        open_and_close(self._camera, is_stopped)

    def start(self) -> None:
        """Begin to read. Returns at once; a camera that is not there yet is waited for."""
        self._reader.start()

    def wait(self, after_sequence: int, timeout_s: float) -> Frame | None:
        """Return the newest frame if its sequence is above `after_sequence` (begin with 0), else wait for one.

        `None` after `timeout_s`, or at once when the reader is being stopped. An ended camera also waits the time out,
        so that a loop around it never spins; `state.status` tells whether there is more to come.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._stopping.is_set() or self._has_after(after_sequence), timeout_s)
            self._check_reader()
            return self._newest if self._has_after(after_sequence) else None

    def stop(self, timeout_s: float) -> bool:
        """End the thread and close the camera; False when a read still blocks after `timeout_s` and was left behind."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        for reader in (self._reader, *self._hung):
            reader.interrupt()
        self._reader.join(timeout_s)
        if self._reader.is_alive:
            log.warning("camera %s did not answer within %g s and is left behind", self._camera.name, timeout_s)
        return not self._reader.is_alive

    def _has_after(self, sequence: int) -> bool:
        return self._newest is not None and self._newest.sequence > sequence

    def _new_reader(self, camera: Camera) -> ReaderThread:
        quality = None if self._quality is None else self._quality()
        return ReaderThread(camera, quality, self._patience, self._note, self._stopping, self._monotonic)

    def _note(self, thread: ReaderThread, entry: Entry, frame: Frame | None) -> None:
        """Called from the reader's thread. Frames are renumbered, since a reopened camera counts from 0 again."""
        with self._changed:
            if thread.is_abandoned:
                return
            entry(self._health)
            if frame is not None:
                self._newest = replace(frame, sequence=self._health.state.frames)
                self._changed.notify_all()

    # ── under the lock ────────────────────────────────────────────────────────────────────────────────────────────────

    def _check_reader(self) -> None:
        """Watchdog: declare a silent camera lost, which its own thread cannot do while a call hangs; start another thread."""
        reader, status = self._reader, self._health.state.status
        silent_s = self._monotonic() - reader.alive_at
        idle = not reader.has_begun or reader.is_waiting or self._stopping.is_set() or status == "ended"
        if idle or silent_s <= reader.limit_s:
            return
        self._hung = [hung for hung in self._hung if hung.is_alive]
        hang = f" {len(self._hung)} attempts before hang, too." if self._hung else ""
        self._health.lost(f"camera {self._camera.name} gave no frame for {silent_s:.0f} s.{hang}")
        # The timeout doubles with each hung thread: a device that hangs is not helped by opening it more often.
        if self._another is not None and silent_s > reader.limit_s * 2 ** len(self._hung):
            self._abandon(reader, self._another, silent_s)

    def _abandon(self, reader: ReaderThread, another: Callable[[], Camera], silent_s: float) -> None:
        """Another thread reads instead, and waits longer: perhaps the camera only makes long pauses."""
        if len(self._hung) < MAX_HUNG:
            reader.abandon()
            self._hung.append(reader)
            self._reader = self._new_reader(another())
            self._reader.pause_s = silent_s
            self._reader.start()
