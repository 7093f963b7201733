"""A tiny life through the bench of lives, on drawn days and the starter's backbone: all of its columns are there."""

import json
from pathlib import Path

import pytest

from posture_daemon.integrity.model_recovery import install
from posture_daemon.store import Store
from posture_daemon.store.model_copies import STARTER
from tests.bench import life_columns as names
from tests.bench.fake_lives import draw_day, small_owner
from tests.bench.life_columns import OWNERS, try_day, try_from_nothing
from tests.bench.life_days import DWELL_FRAMES, MIN_PICTURES, Day, read_days
from tests.bench.life_parts import Base, open_base
from tests.bench.life_report import report, rows

pytestmark = [
    pytest.mark.slow(seconds=60),
    pytest.mark.skipif(not (STARTER / "head.json").exists(), reason="there is no starter model"),
]


@pytest.fixture
def days(tmp_path: Path) -> list[Day]:
    """Three short days of one owner of the fake desk."""
    for number in range(3):
        draw_day(small_owner(), number, tmp_path / "days" / f"day-{number + 1}", MIN_PICTURES)
    return read_days(tmp_path / "days")


@pytest.fixture
def base(tmp_path: Path, days: list[Day]) -> Base:
    """The starter's backbone as a base without classes."""
    store = Store(tmp_path / "base")
    install(store, STARTER, "a base for this test", as_base=True)
    store.close()
    opened = open_base(tmp_path / "base", tmp_path / "cache")
    opened.backbone.remember([moment.image for day in days for moment in day.moments])
    return opened


def test_a_tiny_life_is_led_scored_and_reported(base: Base, days: list[Day], tmp_path: Path) -> None:
    """Every frame of the tried day is written down before its answer, for all owners, and the report can be read back."""
    tried = [
        try_day(base, days, days[-1], 0, tmp_path),
        try_from_nothing(base, days, 0, tmp_path),
    ]
    lives = tried[0].lives
    assert {owner.name for owner in OWNERS} <= lives.keys()
    assert {names.ALWAYS, names.ORACLE, names.MEANS} <= tried[0].columns.keys()
    assert {len(frames) for frames in tried[0].columns.values()} == {DWELL_FRAMES * len(days[-1].moments)}
    assert not lives[names.NOTHING.name].answers
    assert lives[names.OURS.name].answers
    assert any(one.at_once for one in lives[names.OURS.name].shown)
    before_each = [one.answers for one in lives[names.OURS.name].shown]
    assert before_each == sorted(before_each)
    assert before_each[0] == 0
    report(rows(tried, "fake desk"), "a tiny life", ["test"], 0.0, tmp_path / "rows.json")
    said = json.loads((tmp_path / "rows.json").read_text())
    assert {"row", "value", "sd_over_seeds", "range_over_days", "bar", "verdict"} <= said["rows"][0].keys()
    assert all(row["verdict"] in ("pass", "FAIL") for row in said["rows"] if row["bar"] is not None)
