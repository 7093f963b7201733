"""The days of a bench of lives: FOLDER/DAY/CLASS/*.jpg as moments in order, on a virtual clock.

A folder is a day, or a session. The order within it is that of the capture times (the product's own `capture_time`: EXIF, or a
date and time in the name). Without times it is the natural order of the names, classes side by side, each at an even pace. Gaps
are what the times say, but a picture is before the camera for `DWELL_FRAMES` frames, and no pause within a day is longer than
`MAX_IDLE_S`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from posture_daemon.datasets.images import capture_time, read_as_jpeg
from posture_daemon.datasets.layout import read_layout
from posture_daemon.domain import Image
from posture_daemon.errors import DatasetError
from posture_daemon.settings import QueueSettings
from posture_daemon.vision.image_files import natural_key
from posture_daemon.vision.jpeg import decode

DWELL_FRAMES, FRAME_S = 2, 3.0
"""Each picture is before the camera for so many frames, so many seconds apart: long enough for a posture to be believed."""

SPACING_S = 10.0
"""Least time from one picture to the next, seconds: six a minute, which is what the product keeps at most."""

UNTIMED_S = 20.0
"""From one picture to the next where no times are known."""

MAX_IDLE_S = 900.0
"""The longest pause within a day; longer ones are compressed to it."""

MIN_PICTURES = 24
"""Pictures, of two classes or more, from which a day is tried as a new one; smaller ones are lived before it all the same."""


@dataclass(frozen=True)
class Picture:
    """A file, its class, and when it was taken (seconds since the epoch; `None`: unknown)."""

    path: Path
    class_name: str
    taken_at: float | None = None


@dataclass(frozen=True, eq=False)
class Moment:
    """A picture that is shown from `at` on, seconds since the day began; `number` is its place in the day as it was read."""

    number: int
    class_name: str
    image: Image
    at: float


@dataclass(frozen=True, eq=False)
class Day:
    """One day, its moments in order of time."""

    name: str
    folder: Path
    moments: tuple[Moment, ...]

    @property
    def classes(self) -> Counter[str]:
        """Pictures by class."""
        return Counter(moment.class_name for moment in self.moments)

    @property
    def tests(self) -> bool:
        """Whether it is worth trying as a new day."""
        return len(self.moments) >= MIN_PICTURES and len(self.classes) >= 2

    def only(self, class_name: str) -> "Day":
        """The same day of an owner who does nothing else."""
        return replace(self, moments=tuple(m for m in self.moments if m.class_name == class_name))


def read_days(folder: Path, most: int = 0) -> list[Day]:
    """All days of a folder, in natural order; of days with more than `most` pictures an even selection (0: all).

    Raises `DatasetError` when there are fewer than two days or two classes.
    """
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}; check the path.")
    paths = sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: natural_key(path.name))
    days = [read_day(path, most) for path in paths if not path.name.startswith(".")]
    if len(days) < 2 or len({name for day in days for name in day.classes}) < 2:
        raise DatasetError(f"{folder} needs two days of two classes or more, laid out as DAY/CLASS/*.jpg.")
    return days


def read_day(folder: Path, most: int = 0) -> Day:
    """One day. Pictures that cannot be read are left out."""
    found = [Picture(image.path, image.folder, capture_time(image.path)) for image in read_layout(folder).images]
    ordered = evenly(in_order(found), most)
    images = [(picture, _image(picture.path)) for picture in ordered]
    there = [(picture, image) for picture, image in images if image is not None]
    times = paced([picture.taken_at for picture, _ in there])
    moments = [Moment(n, p.class_name, image, at) for n, ((p, image), at) in enumerate(zip(there, times, strict=True))]
    return Day(folder.name, folder, tuple(moments))


def _image(path: Path) -> Image | None:
    try:
        return np.ascontiguousarray(decode(read_as_jpeg(path, QueueSettings())))
    except DatasetError:
        return None


def in_order(pictures: Sequence[Picture]) -> list[Picture]:
    """By time where every picture has one; else classes side by side, each in natural order and at an even pace."""
    named = sorted(pictures, key=lambda one: (natural_key(one.path.name), one.class_name))
    if all(picture.taken_at is not None for picture in named):
        return sorted(named, key=lambda one: one.taken_at or 0.0)
    sizes, seen = Counter(one.class_name for one in named), Counter[str]()
    places: list[tuple[float, str, int, Picture]] = []
    for one in named:
        places.append(((seen[one.class_name] + 0.5) / sizes[one.class_name], one.class_name, len(places), one))
        seen[one.class_name] += 1
    return [replace(one, taken_at=None) for *_, one in sorted(places, key=lambda place: place[:3])]


def evenly(pictures: Sequence[Any], most: int) -> list[Any]:
    """At most so many of them, evenly spread; all with 0."""
    if not most or len(pictures) <= most:
        return [*pictures]
    return [pictures[int(row)] for row in np.linspace(0, len(pictures) - 1, most)]


def paced(times: Sequence[float | None]) -> list[float]:
    """When each picture comes before the camera, seconds since the day began, from when it was taken; in order."""
    found = [0.0] if times else []
    for before, taken in pairwise(times):
        pause_s = UNTIMED_S
        if before is not None and taken is not None:
            pause_s = min(max(SPACING_S, taken - before), MAX_IDLE_S)
        found.append(found[-1] + pause_s)
    return found


def key_places(pictures: int, keys: int, until: float = 1.0) -> Counter[int]:
    """After how many pictures how many keys are pressed: one after each of `keys` parts of the first `until` (0-1) of a day."""
    return Counter(max(1, round(pictures * until * number / keys)) for number in range(1, keys + 1))


def day_starts(count: int) -> list[float]:
    """When each day begins, on the virtual clock: a day apart, at eight in the morning, long after the real time."""
    first = datetime(2040, 3, 5, 8, 0, tzinfo=timezone.utc).timestamp()
    return [first + 86_400.0 * number for number in range(count)]
