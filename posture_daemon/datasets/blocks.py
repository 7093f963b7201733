"""Time blocks of imported pictures: neighbours in time are near-duplicates and must share one split.

Pictures with a capture time are cut like camera frames, all classes together: after a pause, and when a block is full. The
others are cut every `block_files` files of a class folder, in natural order, and get artificial times that preserve this
order and these blocks: one second apart, blocks separated by more than the pause, the last one ending now.

Pictures of an export with provenance keep their block and time. A time that most pictures of a folder share, or more than a
camera takes in a second, is the clock's that stood still or a program's that stamped them all, and no capture time; nor is one
from before there were digital cameras, or from another century.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from posture_daemon.datasets.images import capture_time
from posture_daemon.datasets.layout import FolderImage
from posture_daemon.datasets.provenance import PictureOrigin
from posture_daemon.domain import Split
from posture_daemon.settings import LabelSettings

FEW_FILES = 2
"""So many pictures of a folder may share one time, even if they are all."""

MAX_SHARED = 120
"""So many pictures may share one time wherever they lie: more than a camera takes in a second, the least that EXIF tells."""

EARLIEST_S, LATEST_S = 631_152_000.0, 4_102_444_800.0
"""No capture time is before 1990 or after 2099. It may be after now, for a board without a battery begins in 1970."""


@dataclass(frozen=True)
class TimedImage:
    """A picture file and its capture time, seconds since the epoch, real or artificial."""

    image: FolderImage
    captured_at: float


Block = Sequence[TimedImage]
"""Never empty; all of one split."""


def cut_blocks(
    images: Iterable[FolderImage], settings: LabelSettings, now: float, known: Mapping[str, PictureOrigin] | None = None
) -> list[Block]:
    """Time blocks, in which and among which the order given is kept; `known` is the provenance of an export, by file name."""
    others: list[tuple[FolderImage, float | None]] = []
    as_exported: dict[tuple[int, Split | None], list[TimedImage]] = {}
    for image in images:
        said = None if known is None else known.get(image.path.name)
        if said is not None:
            as_exported.setdefault((said.block, image.split), []).append(TimedImage(image, said.captured_at))
            continue
        others.append((image, capture_time(image.path)))
    true = _true_times(others)
    timed = [TimedImage(image, time) for image, time in true if time is not None]
    untimed = [image for image, time in true if time is None]
    return [*as_exported.values(), *_cut_by_time(timed, settings), *_cut_by_count(untimed, settings, now)]


def _true_times(
    images: Sequence[tuple[FolderImage, float | None]],
) -> list[tuple[FolderImage, float | None]]:
    """The same without the times that are none."""
    possible = [(i, t if t is not None and EARLIEST_S <= t < LATEST_S else None) for i, t in images]
    everywhere = Counter(time for _, time in possible)
    by_folder: dict[Path, Counter[float]] = {}
    for image, time in possible:
        if time is not None:
            by_folder.setdefault(image.path.parent, Counter())[time] += 1

    def is_true(image: FolderImage, time: float) -> bool:
        times = by_folder[image.path.parent]
        stamped = times[time] > FEW_FILES and 2 * times[time] > times.total()
        return not stamped and everywhere[time] <= MAX_SHARED

    return [(i, t if t is not None and is_true(i, t) else None) for i, t in possible]


def _cut_by_time(timed: Iterable[TimedImage], settings: LabelSettings) -> list[Block]:
    by_split: dict[Split | None, list[TimedImage]] = {}
    for one in timed:
        by_split.setdefault(one.image.split, []).append(one)
    blocks: list[list[TimedImage]] = []
    for members in by_split.values():
        members.sort(key=lambda one: one.captured_at)
        blocks.append(members[:1])
        for one in members[1:]:
            first, last = blocks[-1][0].captured_at, blocks[-1][-1].captured_at
            if one.captured_at - last >= settings.block_gap_s or one.captured_at - first >= settings.block_length_s:
                blocks.append([])
            blocks[-1].append(one)
    return list(blocks)


def _cut_by_count(images: Iterable[FolderImage], settings: LabelSettings, now: float) -> list[Block]:
    chunks: list[list[FolderImage]] = []
    for _, group in groupby(images, key=lambda image: (image.split, image.folder)):
        members = list(group)
        chunks += [members[at : at + settings.block_files] for at in range(0, len(members), settings.block_files)]
    pause_s = settings.block_gap_s + 1
    start = now - sum(len(chunk) - 1 + pause_s for chunk in chunks)
    blocks: list[Block] = []
    for chunk in chunks:
        blocks.append([TimedImage(image, start + second) for second, image in enumerate(chunk)])
        start += len(chunk) - 1 + pause_s
    return blocks
