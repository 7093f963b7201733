"""Where somebody sits: the square in which pictures of one session differ from the empty chair, or from each other.

Pictures are made small and grey, and their brightness evened out, so that a cloud or the camera's own exposure is no change. A
pixel counts by how far it is from the reference, up to a limit: a bright screen far off must not weigh more than a person. The
square is the one with the most change beyond the average of the picture, so a spot elsewhere stays out of it, unlike out of a
box about all that changed. A square, since that is what the network takes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from posture_daemon.domain import Floats, Image, Region

SIZE = 64, 48
"""Columns and rows of the small pictures."""

MIN_PICTURES = 5
"""Pictures of somebody below which nothing is proposed."""

MIN_EMPTY = 3
"""Pictures of the empty chair below which they are no reference: one alone may show somebody who is still leaving."""

MOST_CHANGED = 85.0
"""Percentile, over the pictures, of a pixel's change where there is no empty chair: one pose may be among few."""

FAINT = 0.12
CAP = 1.0
"""Change that is noise, and from which more counts no more; 1 is the mean distance of a picture's pixels from their median."""

CLEAR = 0.3
"""Change that the clearest pixel must show: else nobody moved."""

QUIET = 30.0
"""Percentile of the pixels that is taken for what does not change."""

MIN_SIDE = 0.35
MIN_SHORT_SIDE = 0.5
"""The smallest square, as a share of the picture's longer and of its shorter side; the larger of the two counts."""

MARGIN = 0.15
"""What is added on each side, as a share of the picture's shorter side: whoever sits there sits elsewhere tomorrow, and hands
and screen tell something too. From the side, a wider square was better than a tight one for another person."""

MAX_OVERLAP = 0.8
"""Overlap (intersection over union) with the middle of the picture, which is seen in any case, from which it is no gain."""

MIN_GAIN = 1.6
"""How many times as much must change within the square as in the same area of the whole picture: else the camera moved."""

SIZES = 27
"""Sizes of squares that are tried."""


def propose(poses: Sequence[Image], empty: Sequence[Image] = ()) -> Region | None:
    """The square about whoever sits in `poses`, BGR pictures of one camera and session; `empty` ones are of the empty chair.

    `None` where nothing changed, or everything did (a camera that was moved), or where the person fills the picture.
    """
    if len(poses) < MIN_PICTURES:
        return None
    height, width = poses[0].shape[:2]
    change = _change(poses, empty)
    mass = np.clip(change - max(FAINT, 1.5 * float(np.percentile(change, QUIET))), 0, CAP)
    if float(change.max()) < CLEAR or not mass.any():
        return None
    found, gain = _densest(mass, width, height)
    square = found.with_margin(width, height)
    if gain < MIN_GAIN or square.overlap(Square.middle(width, height)) > MAX_OVERLAP:
        return None
    return square.region(width, height)


@dataclass(frozen=True)
class Square:
    """Left, top and side, in pixels of a picture."""

    left: float
    top: float
    side: float

    @classmethod
    def middle(cls, width: int, height: int) -> Square:
        """What the network sees of a whole picture."""
        side = min(width, height)
        return cls((width - side) / 2, (height - side) / 2, side)

    def with_margin(self, width: int, height: int) -> Square:
        """Larger by the margin, within the picture."""
        side = min(width, height, self.side + 2 * MARGIN * min(width, height))
        grown = (side - self.side) / 2
        left, top = (max(0.0, start - grown) for start in (self.left, self.top))
        return Square(min(left, width - side), min(top, height - side), side)

    def overlap(self, other: Square) -> float:
        """Intersection over union, 0-1."""
        across, down = (
            max(0.0, min(a + self.side, b + other.side) - max(a, b))
            for a, b in ((self.left, other.left), (self.top, other.top))
        )
        shared = across * down
        return shared / (self.side**2 + other.side**2 - shared)

    def region(self, width: int, height: int) -> Region:
        """The same as shares of the picture, rounded so that it stays within."""
        left, top = (math.floor(1000 * at) / 1000 for at in (self.left / width, self.top / height))
        return Region(left, top, min(self.side / width, 1 - left), min(self.side / height, 1 - top))


def _change(poses: Sequence[Image], empty: Sequence[Image]) -> Floats:
    """How far each pixel is from the reference, `float32 (rows, columns)`."""
    small = np.array([_small(picture) for picture in poses])
    if len(empty) >= MIN_EMPTY:
        reference = np.median([_small(picture) for picture in empty], axis=0)
        return cast(Floats, np.abs(small - reference).mean(axis=0))
    return cast(Floats, np.percentile(np.abs(small - np.median(small, axis=0)), MOST_CHANGED, axis=0))


def _small(picture: Image) -> Floats:
    """`float32 (rows, columns)`, about 0, its pixels at a distance of 1 on average."""
    grey = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), SIZE, interpolation=cv2.INTER_AREA)
    about = cv2.GaussianBlur(grey.astype(np.float32), (3, 3), 0)
    about = about - np.median(about)
    return np.asarray(about / (np.abs(about).mean() + 1), dtype=np.float32)


def _densest(mass: Floats, width: int, height: int) -> tuple[Square, float]:
    """The square with the most change above the average, and how many times the average is within it."""
    columns, rows = SIZE
    sums = np.zeros((rows + 1, columns + 1))
    sums[1:, 1:] = (mass - mass.mean()).cumsum(axis=0).cumsum(axis=1)
    smallest = min(width, height, max(MIN_SIDE * max(width, height), MIN_SHORT_SIDE * min(width, height)))
    most, found = -np.inf, (Square.middle(width, height), 1.0)
    for side in np.linspace(smallest, min(width, height), SIZES).tolist():
        across, down = round(side / width * columns), round(side / height * rows)
        inside = sums[down:, across:] - sums[:-down, across:] - sums[down:, :-across] + sums[:-down, :-across]
        top, left = (int(at) for at in np.unravel_index(int(inside.argmax()), inside.shape))
        if inside[top, left] > most:
            most, gain = inside[top, left], float(mass[top : top + down, left : left + across].mean() / mass.mean())
            found = Square(left / columns * width, top / rows * height, side), gain
    return found
