"""The verdict of a soak: what grows is found, what only goes up and down is not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.soak_report import Growth, Sample, draw, read_csv, report, write_csv

QUIET = Sample(0.0, 300, 250, 200, 150, 0, 16, 10, 0, 0, 0.2, 1, 0, 0, 10, 4, 1.0)


def hour(**changed: Callable[[float], float]) -> list[Sample]:
    """A sample each ten seconds at 10 frames a second, with some columns as a function of the seconds."""
    return [
        replace(QUIET, seconds=10.0 * i, frames=100 * i, **{name: f(10.0 * i) for name, f in changed.items()})
        for i in range(361)
    ]


def test_a_level_that_goes_up_and_down_has_not_grown() -> None:
    """Medians of the first and the last ten minutes, and a line through all."""
    found = Growth.of(hour(anonymous=lambda s: 150 + s % 20), "anonymous", 600)
    assert (found.first, found.last) == (found.last, found.first)
    assert abs(found.per_hour) < 1


@pytest.mark.parametrize(
    ("column", "grows"),
    [
        ("anonymous", lambda s: 150 + s / 200),
        ("handles", lambda s: 16 + s // 600),
        ("threads", lambda s: 10 + s // 1200),
    ],
)
def test_what_grows_fails(column: str, grows: Callable[[float], float], capsys: pytest.CaptureFixture[str]) -> None:
    """Memory by more than 2 %, a handle or a thread that is not given back; too few frames as well."""
    assert report(hour(), 600) == 0
    assert report(hour(**{column: grows}), 600) == 1
    assert report([replace(s, frames=round(s.seconds * 9)) for s in hour()], 600) == 1
    assert "A BAR IS MISSED" in capsys.readouterr().out


def test_the_file_keeps_what_was_seen(tmp_path: Path) -> None:
    """Read back as it was, and drawn."""
    samples = hour()
    write_csv(tmp_path / "soak.csv", samples)
    assert read_csv(tmp_path / "soak.csv") == samples
    draw(samples, 600, tmp_path / "soak.png")
    assert (tmp_path / "soak.png").stat().st_size > 10_000
