"""Sets of labelled pictures from the fake desk: for the starter model, and for the example dataset in `data/`.

`python -m posture_daemon.fake_desk.sessions OUT` writes the example dataset.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from posture_daemon.domain import Image
from posture_daemon.fake_desk.desk import DEFAULT_START, FakeDesk
from posture_daemon.fake_desk.pose import CLASSES

DAY_S = 86_400.0
FIRST_MIDNIGHT = DEFAULT_START - DEFAULT_START % DAY_S
DAYS = 60

EXAMPLE_WIDTH_PX = 400
EXAMPLE_PER_CLASS = 8
EXAMPLE_UNCATEGORIZED = 4


@dataclass(frozen=True)
class Session:
    """One person in one room on one day at one hour (0–24); `seed` picks the day and the poses."""

    name: str
    room: int
    person: int
    hour: float
    seed: int

    def pictures(self, classes: Sequence[str], count: int, width: int) -> Iterator[tuple[str, Image]]:
        """`count` pictures of each class, BGR, `width` pixels wide, all within one minute of light."""
        desk = FakeDesk(seed=self.room, person=self.person)
        rng = np.random.default_rng(self.seed)
        begin = FIRST_MIDNIGHT + DAY_S * int(rng.integers(DAYS)) + 3600 * self.hour
        for posture in classes:
            for _ in range(count):
                variation, depth = int(rng.integers(1 << 62)), float(rng.uniform(0.35, 1.0))
                drawn = desk.render_pose(posture, variation, begin + float(rng.uniform(0, 60)), depth)
                size = (width, round(width * drawn.shape[0] / drawn.shape[1]))
                yield posture, np.asarray(cv2.resize(drawn, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def write_pictures(sessions: Sequence[Session], folder: Path, classes: Sequence[str], count: int, width: int) -> None:
    """Write class folders of JPEG files, named by session and number."""
    for number, session in enumerate(sessions):
        for i, (posture, picture) in enumerate(session.pictures(classes, count, width)):
            _write(folder / posture / f"{number:03d}_{i:03d}.jpg", picture)


def write_example(folder: Path) -> None:
    """Write a small dataset in the article's layout: class folders, and `uncategorized/` beside them."""
    sessions = [Session("example", 2, 5, hour, 40 + i) for i, hour in enumerate((9.0, 13.0, 17.0, 21.0))]
    write_pictures(sessions, folder, CLASSES, EXAMPLE_PER_CLASS // 2, EXAMPLE_WIDTH_PX)
    unsorted = Session("uncategorized", 2, 5, 11.0, 50)
    for i, (_, picture) in enumerate(unsorted.pictures(CLASSES, EXAMPLE_UNCATEGORIZED, EXAMPLE_WIDTH_PX)):
        _write(folder / "uncategorized" / f"{i:03d}.jpg", picture)


def _write(path: Path, picture: Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    write_example(Path(sys.argv[1]))
