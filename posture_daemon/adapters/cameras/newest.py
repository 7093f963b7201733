"""The reader between a camera and the capture loop: a thread that keeps the newest frame and brings a lost camera back.

Network cameras buffer, so whoever reads slowly sees the past: this thread reads as fast as frames come and forgets all
but the last. It lives as long as the daemon; nothing that a camera does ends it, except the end of a recording.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Literal

from posture_daemon.domain import Frame
from posture_daemon.errors import CameraError
from posture_daemon.ports import Camera

log = logging.getLogger(__name__)

Status = Literal["opening", "running", "lost", "ended"]


@dataclass(frozen=True)
class CameraState:
    """How the camera is doing.

    `since` is when `status` began, in seconds since the epoch; `error` is one sentence while lost, else `None`;
    `frames` counts those read, and `reopened` how often the camera gave frames again after it was opened anew.
    """

    name: str
    status: Status
    since: float
    error: str | None
    frames: int
    reopened: int


@dataclass(frozen=True)
class Patience:
    """How long to wait for a camera, seconds: the delays between attempts to reopen it double from first to longest."""

    first_delay_s: float = 0.5
    longest_delay_s: float = 30.0
    stale_s: float = 5.0
    """Without a frame for this long a camera counts as lost, even while a read still blocks."""


class NewestFrame:
    """Reads a camera in a thread of its own. `check`, then `start`, then `wait` for frames, at last `stop`."""

    def __init__(
        self,
        camera: Camera,
        patience: Patience = Patience(),
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        stopping: threading.Event | None = None,
    ) -> None:
        """Take over `camera`, which belongs to the thread from `start` on. The delays wait on `stopping`."""
        self._camera = camera
        self._patience = patience
        self._clock, self._monotonic = clock, monotonic
        self._stopping = stopping or threading.Event()
        self._news = threading.Condition()  # guards the three below
        self._newest: Frame | None = None
        self._alive_at = monotonic()  # last sign of life: a frame, or the start of an attempt to open
        self._state = CameraState(camera.name, "opening", clock(), None, frames=0, reopened=0)
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)

    @property
    def state(self) -> CameraState:
        """How the camera is doing now."""
        with self._news:
            self._notice_silence()
            return self._state

    def check(self) -> None:
        """Open and close the camera once, before `start`: its `CameraError` tells a user at once that it is wrong."""
        with closing(self._camera):
            self._camera.open()

    def start(self) -> None:
        """Begin to read. Returns at once; a camera that is not there yet is waited for."""
        self._alive_at = self._monotonic()
        self._thread.start()

    def wait(self, after_sequence: int, timeout_s: float) -> Frame | None:
        """Return the newest frame if its sequence is above `after_sequence` (begin with 0), else wait for one.

        `None` after `timeout_s`, or at once when the reader is being stopped. An ended camera also waits the time out,
        so that a loop around it never spins; `state.status` tells whether there is more to come.
        """
        with self._news:
            self._news.wait_for(lambda: self._stopping.is_set() or self._has_after(after_sequence), timeout_s)
            self._notice_silence()
            return self._newest if self._has_after(after_sequence) else None

    def stop(self, timeout_s: float) -> bool:
        """End the thread and close the camera; False when a read still blocks after `timeout_s` and was left behind."""
        self._stopping.set()
        with self._news:
            self._news.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            log.warning("camera %s did not answer within %g s and is left behind", self._camera.name, timeout_s)
        return not self._thread.is_alive()

    def _has_after(self, sequence: int) -> bool:
        return self._newest is not None and self._newest.sequence > sequence

    # ── the thread ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        """Read until the end or until stopped; after each loss wait longer than after the one before."""
        delay_s = self._patience.first_delay_s
        while not self._stopping.is_set():
            began = self._monotonic()
            error = self._read_until_lost()
            if error is None:
                return
            # Only a camera that held out for a while has recovered: one frame per opening is typical of a bad cable.
            if self._alive_at - began >= self._patience.stale_s:
                delay_s = self._patience.first_delay_s
            self._lose(error)
            self._stopping.wait(delay_s)
            delay_s = min(2 * delay_s, self._patience.longest_delay_s)

    def _read_until_lost(self) -> str | None:
        """Open, read and close. Return why the camera was lost, or `None` when it ended or was stopped."""
        try:
            with closing(self._camera):
                self._read_until_end()
        except CameraError as error:
            return str(error)
        except Exception as error:  # a bug in one adapter must not end the daemon; it is logged with its traceback
            log.exception("camera %s failed unexpectedly", self._camera.name)
            return f"camera {self._camera.name} failed unexpectedly with {type(error).__name__}: see the log."
        return None

    def _read_until_end(self) -> None:
        """Open and read until the camera's end or until stopped; whatever is raised is a loss."""
        with self._news:
            self._alive_at = self._monotonic()
        self._camera.open()
        reopened = self._state.reopened + (1 if self._state.frames else 0)
        while not self._stopping.is_set():
            frame = self._camera.read()
            if frame is None:
                self._end()
                return
            self._publish(frame, reopened)

    def _publish(self, frame: Frame, reopened: int) -> None:
        """Renumber the frame, so that numbers keep rising when the camera starts again at 0, and wake who waits."""
        with self._news:
            number = self._state.frames + 1
            self._newest = replace(frame, sequence=number)
            self._alive_at = self._monotonic()
            if self._state.status == "lost":
                log.info("camera %s is back after %.0f s", self._camera.name, self._clock() - self._state.since)
            self._change("running", None)
            self._state = replace(self._state, frames=number, reopened=reopened)
            self._news.notify_all()

    def _end(self) -> None:
        with self._news:
            log.info("camera %s has come to its end after %d frames", self._camera.name, self._state.frames)
            self._change("ended", None)

    def _lose(self, error: str) -> None:
        with self._news:
            self._report_loss(error)

    # ── under the lock ────────────────────────────────────────────────────────────────────────────────────────────────

    def _notice_silence(self) -> None:
        """Declare the camera lost when it is silent: its own thread cannot, it may hang in a read."""
        silent_s = self._monotonic() - self._alive_at
        started = self._thread.ident is not None and not self._stopping.is_set()
        if started and self._state.status in ("opening", "running") and silent_s > self._patience.stale_s:
            self._report_loss(f"camera {self._camera.name} gave no frame for {silent_s:.0f} s.")

    def _report_loss(self, error: str) -> None:
        """Log the first report of a loss only; later ones (reopening failed) just refresh the reason."""
        if self._state.status != "lost":
            log.warning("camera lost, will keep trying: %s", error)
        self._change("lost", error)

    def _change(self, status: Status, error: str | None) -> None:
        since = self._state.since if status == self._state.status else self._clock()
        self._state = replace(self._state, status=status, since=since, error=error)
