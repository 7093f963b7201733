"""A thread that owns one camera: open, read, reopen after each loss, until it is stopped or abandoned."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

from posture_daemon.adapters.cameras.camera_health import CameraHealthLog
from posture_daemon.domain import Frame
from posture_daemon.errors import CameraError, CameraRefused
from posture_daemon.ports import Camera
from posture_daemon.vision.frame_quality import FrameQuality, FrameQualityMonitor


@dataclass(frozen=True)
class Patience:
    """Timeouts of a camera, seconds. The delay between two attempts to reopen it doubles from the first to the longest."""

    min_delay_s: float = 0.5
    max_delay_s: float = 1.0
    stale_s: float = 4.0
    """Without a frame for this long a camera counts as lost, and a call that takes this long counts as hung."""
    open_s: float | None = None
    """How long an attempt to open may take where that is longer: a network camera's own time-out, with words of its own."""
    read_s: float | None = None
    """Longest pause between two frames of a camera that is slow by nature: see `ReaderThread.limit_s`."""


DEFAULT_PATIENCE = Patience()
REFUSED_DELAY_S = 30.0
"""Pause after a refused password: many cameras lock an account for half an hour after five or ten attempts."""
USUAL_PAUSES = 4
"""A camera is silent when it has given nothing for so many of its usual pauses."""
OWN_WORDS_S = 1.0
"""A camera that knows its time-outs is given this much longer, to say itself what was wrong."""


@runtime_checkable
class Interruptible(Protocol):
    """A camera whose `open` and `read` another thread can end."""

    def interrupt(self) -> None:
        """End a call that waits; the camera is of no use afterwards."""


Entry = Callable[[CameraHealthLog], None]
"""What to enter in the health log of the camera."""


class ReaderThread:
    """Reads `camera`, which belongs to the thread from `start` on. Delays end early when `stopping` is set.

    `report(thread, entry, frame)` is called from the thread: `entry` is to be made in the health log, `frame` is usable.
    """

    def __init__(
        self,
        camera: Camera,
        quality: FrameQualityMonitor | None,
        patience: Patience,
        report: Callable[[ReaderThread, Entry, Frame | None], None],
        stopping: threading.Event,
        monotonic: Callable[[], float],
    ) -> None:
        self._camera, self._quality, self._patience = camera, quality, patience
        self._report, self._stopping, self._monotonic = report, stopping, monotonic
        self.alive_at = monotonic()
        """When the last frame came or the last attempt to open began, monotonic seconds."""
        self.is_waiting = False
        """True between two attempts to open, when no frame can come."""
        self.is_abandoned = False
        """Set when a call hangs and another thread reads instead: whatever this one still reports is ignored."""
        self.pause_s: float | None = None
        """The usual pause between two frames, seconds: the longest of late. `None` before there were two."""
        self._is_opening = True
        self._frame_at: float | None = None
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)

    @property
    def has_begun(self) -> bool:
        """Whether it was started."""
        return self._thread.ident is not None

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs or hangs."""
        return self._thread.is_alive()

    @property
    def limit_s(self) -> float:
        """How long it may be silent now. Who gives ten frames a second is lost soon, who gives one in three seconds later."""
        patience = self._patience
        if self._is_opening:
            return patience.stale_s if patience.open_s is None else max(patience.stale_s, patience.open_s + OWN_WORDS_S)
        longest_s = patience.stale_s if patience.read_s is None else max(patience.stale_s, patience.read_s)
        usual_s = longest_s if self.pause_s is None else USUAL_PAUSES * self.pause_s
        return min(longest_s, max(patience.stale_s, usual_s))

    def abandon(self) -> None:
        """Let it end by itself, now or whenever its call returns; what it still gives is not wanted."""
        self.is_abandoned = True
        self.interrupt()

    def interrupt(self) -> None:
        """End a call that waits, where the camera can do that."""
        if isinstance(self._camera, Interruptible):
            self._camera.interrupt()

    def start(self) -> None:
        """Begin to read. Returns at once."""
        self.alive_at = self._monotonic()
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait for the end of the thread."""
        if self.has_begun:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        """Read until the recording ends or until stopped, with exponential back-off after each loss."""
        delay_s = self._patience.min_delay_s
        while self._goes_on():
            began = self._monotonic()
            error = self._read_until_lost()
            if error is None or not self._goes_on():
                return
            # Only a camera that gave frames for a while has recovered: one frame per opening is typical of a bad cable.
            if self.alive_at - began >= self._patience.stale_s:
                delay_s = self._patience.min_delay_s
            self.is_waiting = True
            bug = None if isinstance(error, CameraError) else error
            words = f"camera {self._camera.name} failed unexpectedly with {type(error).__name__}: see the log."
            self._tell(partial(CameraHealthLog.lost, error=words if bug else str(error), bug=bug))
            self._stopping.wait(max(delay_s, REFUSED_DELAY_S) if isinstance(error, CameraRefused) else delay_s)
            delay_s = min(2 * delay_s, self._patience.max_delay_s)

    def _goes_on(self) -> bool:
        return not self._stopping.is_set() and not self.is_abandoned

    def _read_until_lost(self) -> Exception | None:
        """Open, read and close. Return why the camera was lost, or `None` when it ended or was stopped."""
        try:
            with closing(self._camera):
                self._read_until_end()
        except Exception as error:  # a bug in one adapter must not end the daemon
            return error
        return None

    def _read_until_end(self) -> None:
        """Whatever is raised is a loss."""
        self._open()
        while self._goes_on():
            frame = self._camera.read()
            if frame is None:
                self._tell(CameraHealthLog.ended)
                return
            self._note_life()
            self._check_quality(frame)

    def _open(self) -> None:
        self.alive_at, self.is_waiting, self._is_opening, self._frame_at = self._monotonic(), False, True, None
        self._camera.open()
        self.alive_at, self._is_opening = self._monotonic(), False

    def _note_life(self) -> None:
        """A frame has come. A longer pause than usual counts at once, and fades while frames flow, in ten times its length."""
        before, now = self._frame_at, self._monotonic()
        self.alive_at = self._frame_at = now
        if before is not None:
            pause_s = now - before
            self.pause_s = max(pause_s, (self.pause_s or 0.0) - pause_s / 10)

    def _check_quality(self, frame: Frame) -> None:
        """Pass on a usable frame. A camera that gives only unusable ones is reopened now and then, since it may hang."""
        monitor = self._quality
        if monitor is None or (quality := monitor.look(frame.image, self.alive_at)) is FrameQuality.CLEAR:
            self._tell(partial(CameraHealthLog.usable, frame=frame), frame)
            return
        is_blind = monitor.is_blind(self.alive_at)
        self._tell(partial(CameraHealthLog.unusable, quality=quality, is_blind=is_blind))
        if monitor.wants_reopening(self.alive_at):
            self._open()

    def _tell(self, entry: Entry, frame: Frame | None = None) -> None:
        self._report(self, entry, frame)
