"""Ten owners of the fake desk, five days each, drawn as FOLDER/DAY/CLASS/*.jpg: other clothes and light every day, and more.

Clothes, clouds, and a camera that was knocked a little are the fake desk's own, day by day. On top of that some owners move
their seat within the picture, some have their camera bumped for good, and on one day of some somebody else sits there.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from posture_daemon.datasets.manifest import file_name
from posture_daemon.domain import Image
from posture_daemon.fake_desk import AWAY, BAD, GOOD, FakeDesk
from posture_daemon.fake_desk.day import DAY_S

DAYS, MOMENTS = 5, 60
FROM_H, TO_H = 8.5, 18.0
WIDTH_PX = 640
CLASSES = (GOOD, BAD, AWAY)
TRIES = 200
"""Moments looked at for one that is no movement between two postures."""


@dataclass(frozen=True)
class FakeOwner:
    """`seed` is of the room, `person` sits there, `guest` on the third day; from day `bumped` on (from 0) the camera is."""

    number: int
    seed: int
    person: int
    guest: int | None = None
    bumped: int | None = None

    @property
    def name(self) -> str:
        """For folders and rows."""
        return f"owner {self.number}"


OWNERS = tuple(
    FakeOwner(
        n, 200 + n, 7 * n % 64, guest=(7 * n + 31) % 64 if n % 3 == 2 else None, bumped=2 + n % 3 if n % 2 else None
    )
    for n in range(10)
)


def draw_owner(owner: FakeOwner, folder: Path) -> Path:
    """Draw the days of one owner below `folder`, unless they are there; returns the owner's folder."""
    own = folder / owner.name.replace(" ", "-")
    if own.exists():
        return own
    partial = own.with_name(f".{own.name}.{os.getpid()}")
    for day in range(DAYS):
        draw_day(owner, day, partial / f"day-{day + 1}")
    return partial.rename(own)


def draw_day(owner: FakeOwner, day: int, folder: Path, moments: int = MOMENTS) -> None:
    """`moments` pictures at an even pace through the day, in class folders, with their times as names."""
    person = owner.guest if day == 2 and owner.guest is not None else owner.person
    desk = FakeDesk(owner.seed, person, classes=CLASSES)
    begin = desk.start - desk.start % DAY_S + DAY_S * day
    for number, hour in enumerate(np.linspace(FROM_H, TO_H, moments)):
        at = _still(desk, begin + 3600 * float(hour))
        picture = _seen(desk.render(at), owner, day)
        path = folder / desk.truth_at(at) / file_name(at, number + 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 88])


def _still(desk: FakeDesk, at: float) -> float:
    """The next moment that is no movement between two classes."""
    tries = (at + 2.0 * number for number in range(TRIES))
    return next((t for t in tries if not desk.transition_at(t)), at)


def _seen(drawn: Image, owner: FakeOwner, day: int) -> Image:
    """As the camera of this owner has it on this day: smaller, and bumped from some day on."""
    size = (WIDTH_PX, round(WIDTH_PX * drawn.shape[0] / drawn.shape[1]))
    picture = np.asarray(cv2.resize(drawn, size, interpolation=cv2.INTER_AREA), np.uint8)
    if owner.bumped is None or day < owner.bumped:
        return picture
    rng = np.random.default_rng(owner.seed)
    centre = (size[0] / 2, size[1] / 2)
    turn = cv2.getRotationMatrix2D(centre, float(rng.uniform(-3, 3)), 1.06)
    turn[:, 2] += rng.uniform(-0.03, 0.03, 2) * size
    return np.asarray(cv2.warpAffine(picture, turn, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def small_owner(number: int = 0) -> FakeOwner:
    """One without a guest, for quick tries."""
    return replace(OWNERS[number], guest=None)
