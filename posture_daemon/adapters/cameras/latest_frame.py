"""The reader between a camera and the capture loop: a thread that keeps the newest frame and brings a lost camera back.

Network cameras buffer, so whoever reads slowly sees the past: `reader_thread.py` reads as fast as frames come, and all
but the last are forgotten. Black, blank and frozen pictures are counted and not passed on (`frame_quality.py`), so nobody
behind this takes them for a posture. Nothing that a camera does ends the reader, except the end of a recording: a call
that hangs is left behind in its thread, and another thread opens the camera anew.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

from posture_daemon.adapters.cameras.camera_health import CameraState, Diary
from posture_daemon.adapters.cameras.reader_thread import DEFAULT_PATIENCE, Patience, Reading
from posture_daemon.domain import Frame
from posture_daemon.ports import Camera
from posture_daemon.vision.frame_quality import FrameQuality, FrameQualityMonitor

__all__ = ["CameraState", "LatestFrame", "Patience"]

log = logging.getLogger(__name__)

MAX_HUNG_THREADS = 4
"""So many threads may hang in a call at a time: each keeps its buffers, and perhaps the device, until the call returns."""


class LatestFrame:
    """Reads a camera in a thread of its own. `check`, then `start`, then `wait` for frames, at last `stop`."""

    def __init__(
        self,
        camera: Camera,
        patience: Patience = DEFAULT_PATIENCE,
        *,
        eye: Callable[[], FrameQualityMonitor] | None = None,
        another: Callable[[], Camera] | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        stopping: threading.Event | None = None,
    ) -> None:
        """Take over `camera`, which belongs to the thread from `start` on. The delays wait on `stopping`.

        `eye` makes the judge of the pictures; without it all are passed on. `another` makes the same camera again, for use
        while the first hangs in a call; without it such a call is waited for.
        """
        self._camera, self._another = camera, another
        self._eye, self._patience, self._monotonic = eye, patience, monotonic
        self._stopping = stopping or threading.Event()
        self._news = threading.Condition()  # guards the four below
        self._newest: Frame | None = None
        self._diary = Diary(camera.name, camera.wanted_size, clock)
        self._left: list[Reading] = []
        self._reading = self._read(camera)

    @property
    def state(self) -> CameraState:
        """How the camera is doing now."""
        with self._news:
            self._look_after()
            return self._diary.state

    def check(self) -> None:
        """Open and close the camera once, before `start`: its `CameraError` tells a user at once that it is wrong."""
        with closing(self._camera):
            self._camera.open()

    def start(self) -> None:
        """Begin to read. Returns at once; a camera that is not there yet is waited for."""
        self._reading.start()

    def wait(self, after_sequence: int, timeout_s: float) -> Frame | None:
        """Return the newest frame if its sequence is above `after_sequence` (begin with 0), else wait for one.

        `None` after `timeout_s`, or at once when the reader is being stopped. An ended camera also waits the time out,
        so that a loop around it never spins; `state.status` tells whether there is more to come.
        """
        with self._news:
            self._news.wait_for(lambda: self._stopping.is_set() or self._has_after(after_sequence), timeout_s)
            self._look_after()
            return self._newest if self._has_after(after_sequence) else None

    def stop(self, timeout_s: float) -> bool:
        """End the thread and close the camera; False when a read still blocks after `timeout_s` and was left behind."""
        self._stopping.set()
        with self._news:
            self._news.notify_all()
        self._reading.join(timeout_s)
        if self._reading.is_alive:
            log.warning("camera %s did not answer within %g s and is left behind", self._camera.name, timeout_s)
        return not self._reading.is_alive

    def _has_after(self, sequence: int) -> bool:
        return self._newest is not None and self._newest.sequence > sequence

    def _read(self, camera: Camera) -> Reading:
        eye = None if self._eye is None else self._eye()
        return Reading(camera, eye, self._patience, self, self._stopping, self._monotonic)

    # ── told by the thread ────────────────────────────────────────────────────────────────────────────────────────────

    def saw(self, reading: Reading, frame: Frame) -> None:
        """Renumber the frame, so that numbers keep rising when the camera starts again at 0, and wake who waits."""
        with self._news:
            if not reading.is_left:
                self._diary.saw(frame)
                self._newest = replace(frame, sequence=self._diary.state.frames)
                self._news.notify_all()

    def saw_nothing(self, reading: Reading, frame: Frame, sight: FrameQuality, is_blind: bool) -> None:
        """Count a picture that cannot be used."""
        with self._news:
            if not reading.is_left:
                self._diary.saw_nothing(frame, sight, is_blind)

    def lost(self, reading: Reading, error: str) -> None:
        """Note that the camera is lost, and why."""
        with self._news:
            if not reading.is_left:
                self._diary.lost(error)

    def ended(self, reading: Reading) -> None:
        """Note the end of a recording."""
        with self._news:
            if not reading.is_left:
                self._diary.ended()

    # ── under the lock ────────────────────────────────────────────────────────────────────────────────────────────────

    def _look_after(self) -> None:
        """Declare a silent camera lost, which its own thread cannot when it hangs in a call, and read in another thread."""
        reading, status = self._reading, self._diary.state.status
        silent_s = self._monotonic() - reading.alive_at
        idle = not reading.has_begun or reading.is_waiting or self._stopping.is_set() or status == "ended"
        if idle or silent_s <= self._patience.stale_s:
            return
        self._left = [left for left in self._left if left.is_alive]
        hang = f" {len(self._left)} attempts before hang, too." if self._left else ""
        self._diary.lost(f"camera {self._camera.name} gave no frame for {silent_s:.0f} s.{hang}")
        # Each time twice as patient, for a device that hangs is not helped by haste.
        if self._another is not None and silent_s > self._patience.stale_s * 2 ** len(self._left):
            self._leave(reading, self._another)

    def _leave(self, reading: Reading, another: Callable[[], Camera]) -> None:
        if len(self._left) < MAX_HUNG_THREADS:
            reading.is_left = True
            self._left.append(reading)
            self._reading = self._read(another())
            self._reading.start()
