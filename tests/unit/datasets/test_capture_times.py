"""Times of pictures that are none: of a clock that stood still, or of a program that stamped all alike."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from posture_daemon.datasets import blocks
from posture_daemon.datasets.blocks import cut_blocks
from posture_daemon.datasets.layout import FolderImage
from posture_daemon.settings import LabelSettings

NOW, TAKEN = 1_700_000_000.0, 1_650_000_000.0


def cut(monkeypatch: pytest.MonkeyPatch, times: Mapping[str, float | None]) -> list[list[tuple[str, float]]]:
    """Blocks of pictures with these times, by their path."""
    monkeypatch.setattr(blocks, "capture_time", lambda path: times[str(path)])
    images = [FolderImage(Path(name), name, name.partition("/")[0], None) for name in times]
    return [[(one.image.name, one.captured_at) for one in block] for block in cut_blocks(images, LabelSettings(), NOW)]


@pytest.mark.parametrize("files", [3, 45, 300])
def test_one_time_for_all_is_no_time(monkeypatch: pytest.MonkeyPatch, files: int) -> None:
    """They are taken by name, in blocks of 20, as if nothing said when they were taken."""
    times = {f"good/{number}.jpg": TAKEN for number in range(files)}
    found = cut(monkeypatch, times)
    assert [name for block in found for name, _ in block] == list(times)
    assert [len(block) for block in found] == [len(range(at, min(at + 20, files))) for at in range(0, files, 20)]
    said = [time for block in found for _, time in block]
    assert all(after > before for before, after in pairwise(said))
    assert found == cut(monkeypatch, dict.fromkeys(times))


def test_a_clock_that_stood_still_for_most_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others keep their times."""
    times = {f"good/{number}.jpg": TAKEN for number in range(30)} | {"good/a.jpg": TAKEN + 9, "bad/b.jpg": TAKEN + 8}
    found = cut(monkeypatch, times)
    assert [("bad/b.jpg", TAKEN + 8), ("good/a.jpg", TAKEN + 9)] in found
    assert sum(len(block) for block in found) == 32
    assert TAKEN not in [time for block in found for _, time in block]


def test_more_pictures_than_a_camera_takes_in_a_second_were_stamped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though they lie in many folders, two in each."""
    times = {f"good/{number // 2}/{number}.jpg": TAKEN for number in range(200)}
    assert TAKEN not in [time for block in cut(monkeypatch, times) for _, time in block]


def test_a_camera_that_tells_whole_seconds_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """30 pictures a second for ten seconds are one block, not fifteen: they are near-duplicates."""
    times = {f"good/{number}.jpg": TAKEN + number // 30 for number in range(300)}
    (block,) = cut(monkeypatch, times)
    assert block == list(times.items())


@pytest.mark.parametrize("time", [0.0, -6e8, 315_532_800.0, 2.5e11], ids=["1970", "1950", "1980", "9999"])
def test_the_first_day_of_a_clock_is_no_time(monkeypatch: pytest.MonkeyPatch, time: float) -> None:
    """Clocks that were never set count from 1970 or 1980."""
    (block,) = cut(monkeypatch, {"good/1.jpg": time, "good/2.jpg": time + 5000})
    assert [round(NOW - captured_at) for _, captured_at in block] == [302, 301]
