"""Can the camera see? A black, blank or frozen picture says nothing of how somebody sits, and must not be taken for it.

The limits and what they were measured on: docs/cameras.md. Pure; about 0.3 ms a picture of 1280×720 px.
"""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Image

DARK_BELOW, LIGHT_FROM = 40, 48
"""A picture is black when its brightest hundredth is below `DARK_BELOW` (0 to 255), and then until it reaches `LIGHT_FROM`."""

MIN_SPREAD = 12
"""A picture is blank when, in each channel, its brightest and darkest hundredth lie closer than this (0 to 255)."""

SAMPLED_ROWS = 60
"""About as many rows, and at most twice as many columns, are looked at."""

MAX_REOPENING_S = 600.0


class FrameQuality(str, Enum):
    """What one picture is good for."""

    CLEAR = "clear"
    BLACK = "black"
    BLANK = "blank"
    """All of one colour: a covered lens, or the green of an empty buffer."""
    FROZEN = "frozen"
    """Bit for bit the picture before, which the noise of a sensor never gives."""


class FrameQualityMonitor:
    """Looks at the pictures of one camera in their order. Owned by one thread; `now` is in seconds of any steady clock."""

    def __init__(self, blind_after_s: float = 3.0, *, repeats: bool = False) -> None:
        """`blind_after_s`: so long nothing but unusable pictures is blindness. `repeats`: a recording may show one twice."""
        self._blind_after_s, self._repeats = blind_after_s, repeats
        self._before: Image | None = None
        self._sight = FrameQuality.CLEAR
        self._unusable_since: float | None = None
        self._reopen_after_s = blind_after_s

    def look(self, image: Image, now: float) -> FrameQuality:
        """Judge the next picture, BGR."""
        self._sight = self._judge(image)
        self._before = image
        if self._sight is FrameQuality.CLEAR:
            self._unusable_since, self._reopen_after_s = None, self._blind_after_s
        elif self._unusable_since is None:
            self._unusable_since = now
        return self._sight

    def is_blind(self, now: float) -> bool:
        """Whether there was nothing to see for long enough to say so."""
        return self._unusable_since is not None and now - self._unusable_since >= self._blind_after_s

    def wants_reopening(self, now: float) -> bool:
        """Whether to open the camera anew, which helps one that hangs; while it stays blind, ever more rarely."""
        if self._unusable_since is None or now - self._unusable_since < self._reopen_after_s:
            return False
        self._reopen_after_s += min(self._reopen_after_s, MAX_REOPENING_S)
        return True

    def _judge(self, image: Image) -> FrameQuality:
        if image.ndim != 3 or image.size == 0:
            return FrameQuality.CLEAR  # no picture as a camera gives it; whoever wants to use it will say so
        darkest, brightest = _hundredths(image)
        if brightest.max() < (LIGHT_FROM if self._sight is FrameQuality.BLACK else DARK_BELOW):
            return FrameQuality.BLACK
        if (brightest - darkest).max() < MIN_SPREAD:
            return FrameQuality.BLANK
        return FrameQuality.FROZEN if not self._repeats and self._is_the_one_before(image) else FrameQuality.CLEAR

    def _is_the_one_before(self, image: Image) -> bool:
        """The few sampled pixels differ almost always, so all are rarely compared."""
        before = self._before
        if before is None or before.shape != image.shape:
            return False
        return np.array_equal(_sample(before), _sample(image)) and np.array_equal(before, image)


def _hundredths(image: Image) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """By channel, the values below and above which a hundredth of the pixels lies, each `int (channels,)`."""
    channels = np.ascontiguousarray(_sample(image).reshape(-1, image.shape[2]).T)
    last = channels.shape[1] - 1
    channels.partition((last // 100, last - last // 100), axis=1)
    return channels[:, last // 100].astype(int), channels[:, last - last // 100].astype(int)


def _sample(image: Image) -> Image:
    """Every n-th row and column."""
    return image[:: max(1, image.shape[0] // SAMPLED_ROWS), :: max(1, image.shape[1] // (2 * SAMPLED_ROWS))]
