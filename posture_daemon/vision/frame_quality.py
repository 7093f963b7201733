"""Frame quality: detects black, blank and frozen frames, which must not be classified.

Thresholds and the measurements behind them: docs/cameras.md. Pure; about 0.3 ms per frame of 1280×720 px.
"""

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Image

DARK_BELOW, LIGHT_FROM = 40, 48
"""Hysteresis: a frame is black if its 99th percentile is below `DARK_BELOW` (0-255), and from then on below `LIGHT_FROM`."""

MIN_SPREAD = 12
"""A frame is blank if in each channel its 1st and 99th percentile lie closer than this (0-255)."""

SAMPLED_ROWS = 60
"""About this many rows, and at most twice as many columns, are sampled."""

MAX_REOPENING_S = 600.0


class FrameQuality(str, Enum):
    """Whether a frame is usable, else why not."""

    CLEAR = "clear"
    BLACK = "black"
    BLANK = "blank"
    """One colour: a covered lens, or the green of an empty buffer."""
    FROZEN = "frozen"
    """Identical to the frame before, which sensor noise makes impossible for a working camera."""


class FrameQualityMonitor:
    """Judges the frames of one camera in order. Owned by one thread; `now` is in monotonic seconds."""

    def __init__(self, blind_after_s: float = 3.0, *, repeats: bool = False) -> None:
        """Blind after `blind_after_s` of only unusable frames. `repeats`: identical frames are allowed, as in a recording."""
        self._blind_after_s, self._repeats = blind_after_s, repeats
        self._before: Image | None = None
        self._quality = FrameQuality.CLEAR
        self._unusable_since: float | None = None
        self._reopen_after_s = blind_after_s

    def look(self, image: Image, now: float) -> FrameQuality:
        """Judge the next frame, BGR `uint8 (height, width, 3)`."""
        self._quality = self._judge(image)
        self._before = image
        if self._quality is FrameQuality.CLEAR:
            self._unusable_since, self._reopen_after_s = None, self._blind_after_s
        elif self._unusable_since is None:
            self._unusable_since = now
        return self._quality

    def is_blind(self, now: float) -> bool:
        """Whether only unusable frames have come for `blind_after_s`."""
        return self._unusable_since is not None and now - self._unusable_since >= self._blind_after_s

    def wants_reopening(self, now: float) -> bool:
        """Whether to reopen the camera, in case it hangs; with exponential back-off while it stays blind."""
        if self._unusable_since is None or now - self._unusable_since < self._reopen_after_s:
            return False
        self._reopen_after_s += min(self._reopen_after_s, MAX_REOPENING_S)
        return True

    def _judge(self, image: Image) -> FrameQuality:
        if image.ndim != 3 or image.size == 0:
            return FrameQuality.CLEAR  # malformed; the code that uses the frame reports it
        darkest, brightest = _percentiles(image)
        if brightest.max() < (LIGHT_FROM if self._quality is FrameQuality.BLACK else DARK_BELOW):
            return FrameQuality.BLACK
        if (brightest - darkest).max() < MIN_SPREAD:
            return FrameQuality.BLANK
        return FrameQuality.FROZEN if not self._repeats and self._is_the_one_before(image) else FrameQuality.CLEAR

    def _is_the_one_before(self, image: Image) -> bool:
        """Compare sampled pixels first, which almost always differ."""
        before = self._before
        if before is None or before.shape != image.shape:
            return False
        return np.array_equal(_sample(before), _sample(image)) and np.array_equal(before, image)


def _percentiles(image: Image) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """1st and 99th percentile of each channel, each `int (channels,)`."""
    channels = np.ascontiguousarray(_sample(image).reshape(-1, image.shape[2]).T)
    last = channels.shape[1] - 1
    channels.partition((last // 100, last - last // 100), axis=1)
    return channels[:, last // 100].astype(int), channels[:, last - last // 100].astype(int)


def _sample(image: Image) -> Image:
    """Every n-th row and column."""
    return image[:: max(1, image.shape[0] // SAMPLED_ROWS), :: max(1, image.shape[1] // (2 * SAMPLED_ROWS))]
