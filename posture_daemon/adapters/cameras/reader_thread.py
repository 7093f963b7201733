"""One thread and one camera: open, read, and open again after each loss, until it is stopped or left behind."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from posture_daemon.domain import Frame
from posture_daemon.errors import CameraError
from posture_daemon.ports import Camera
from posture_daemon.vision.frame_quality import FrameQuality, FrameQualityMonitor

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """How long to wait for a camera, seconds: the delays between attempts to reopen it double from least to most."""

    min_delay_s: float = 0.5
    max_delay_s: float = 1.0
    stale_s: float = 4.0
    """Without a frame for this long a camera counts as lost, and a call that takes this long hangs."""


DEFAULT_PATIENCE = Patience()


class Listener(Protocol):
    """Whoever wants to know what the camera does. Called from the thread of the reading."""

    def saw(self, reading: Reading, frame: Frame) -> None:
        """A picture that can be used."""

    def saw_nothing(self, reading: Reading, frame: Frame, sight: FrameQuality, is_blind: bool) -> None:
        """A picture that cannot be used; `is_blind` once this has lasted."""

    def lost(self, reading: Reading, error: str) -> None:
        """The camera is lost, or could not be reopened."""

    def ended(self, reading: Reading) -> None:
        """There is nothing more to read."""


class Reading:
    """Reads `camera`, which belongs to the thread from `start` on. The delays wait on `stopping`."""

    def __init__(
        self,
        camera: Camera,
        eye: FrameQualityMonitor | None,
        patience: Patience,
        listener: Listener,
        stopping: threading.Event,
        monotonic: Callable[[], float],
    ) -> None:
        self._camera, self._eye, self._patience = camera, eye, patience
        self._listener, self._stopping, self._monotonic = listener, stopping, monotonic
        self.alive_at = monotonic()
        """Last sign of life: a frame, or the start of an attempt to open."""
        self.is_waiting = False
        """Between two attempts, when silence is nobody's fault."""
        self.is_left = False
        """Set when a call hangs and somebody else reads now: whatever still comes is forgotten."""
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)

    @property
    def has_begun(self) -> bool:
        """Whether it was started."""
        return self._thread.ident is not None

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs, or hangs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to read. Returns at once."""
        self.alive_at = self._monotonic()
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait for the end of the thread."""
        if self.has_begun:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        """Read until the end or until stopped; after each loss wait longer than after the one before."""
        delay_s = self._patience.min_delay_s
        while self._goes_on():
            began = self._monotonic()
            error = self._read_until_lost()
            if error is None:
                return
            # Only a camera that held out for a while has recovered: one frame per opening is typical of a bad cable.
            if self.alive_at - began >= self._patience.stale_s:
                delay_s = self._patience.min_delay_s
            self.is_waiting = True
            self._listener.lost(self, error)
            self._stopping.wait(delay_s)
            delay_s = min(2 * delay_s, self._patience.max_delay_s)

    def _goes_on(self) -> bool:
        return not self._stopping.is_set() and not self.is_left

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
        self._open()
        while self._goes_on():
            frame = self._camera.read()
            if frame is None:
                self._listener.ended(self)
                return
            self.alive_at = self._monotonic()
            self._look_at(frame)

    def _open(self) -> None:
        self.alive_at, self.is_waiting = self._monotonic(), False
        self._camera.open()

    def _look_at(self, frame: Frame) -> None:
        """Pass on what can be used. A camera that stays blind is opened anew now and then, for it may hang."""
        sight = FrameQuality.CLEAR if self._eye is None else self._eye.look(frame.image, self.alive_at)
        if self._eye is None or sight is FrameQuality.CLEAR:
            self._listener.saw(self, frame)
            return
        self._listener.saw_nothing(self, frame, sight, self._eye.is_blind(self.alive_at))
        if self._eye.wants_reopening(self.alive_at):
            self._open()
