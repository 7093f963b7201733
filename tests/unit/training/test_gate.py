"""The gate: each condition on both sides of its limit, and no unknown that lets a training through."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posture_daemon.device.resources import Resources, ThermalZone
from posture_daemon.domain import MB, Decision, Verdict
from posture_daemon.settings import LimitsSettings, ScheduleSettings, Settings, TrainingSettings
from posture_daemon.training.gate import TrainingFacts, decide, in_window
from tests.builders import resources, zones

NEED = 300 * MB
ROOM = 1324 * MB
"""What is needed and the reserve."""

NAMES = [
    "owner", "strategy", "labels", "classes", "cool-down", "time", "away", "memory", "temperature", "power mode", "disk",
]  # fmt: skip


def settings_with(**changed: Any) -> Settings:
    """The settings of these tests, except for what is changed in their three sections."""
    schedule = {"cooldown_s": 3600, "away_s": 120, "away_patience_s": 7200}
    limits = {
        "memory_reserve_mb": 1024,
        "start_celsius": 72,
        "pause_celsius": 80,
        "stop_celsius": 88,
        "disk_reserve_mb": 500,
    }
    return Settings(
        data_dir=Path("/nowhere"),
        training=TrainingSettings(min_new_labels=20, min_images_per_class=5),
        schedule=ScheduleSettings(
            **{**schedule, **{k: v for k, v in changed.items() if k in ScheduleSettings.model_fields}}
        ),
        limits=LimitsSettings(**{**limits, **{k: v for k, v in changed.items() if k in LimitsSettings.model_fields}}),
    )


SETTINGS = settings_with()


def facts(**changed: Any) -> TrainingFacts:
    """Enough of everything, an owner who is away, 300 MB that the training is expected to take; except for what is changed."""
    values: dict[str, Any] = {
        "new_labels": {"good": 60, "bad": 40},
        "images_per_class": (50, 50),
        "away_s": 300.0,
        "waiting_s": 60.0,
        "need_bytes": NEED,
    }
    return TrainingFacts(**{**values, **changed})


def verdict(name: str, decision: Decision) -> Verdict:
    """One condition by its name."""
    return next(v for v in decision.verdicts if v.name == name)


@pytest.mark.parametrize(
    ("changed", "passes"),
    [
        ({"new_labels": {"good": 19}}, False),
        ({"new_labels": {"good": 10, "bad": 10}}, True),
        ({"new_labels": {}, "region_changed": True}, True),
        ({"images_per_class": ()}, False),
        ({"images_per_class": (4, 4)}, False),
        ({"images_per_class": (5, 0)}, True),
        ({"images_per_class": (5, 4), "knows_classes": False}, False),
        ({"images_per_class": (5, 5), "knows_classes": False}, True),
        ({"seconds_since_training": 3599.9}, False),
        ({"seconds_since_training": 3600.0}, True),
        ({"seconds_since_training": -5.0}, True),
        ({"seconds_since_training": 3600.0, "hopeless": 1}, False),
        ({"seconds_since_training": 7200.0, "hopeless": 1}, True),
        ({"seconds_since_training": 3600.0 * 64, "hopeless": 99}, True),
        ({"paused": "the owner has paused training"}, False),
        ({"strategy": "all"}, True),
        ({"strategy": "all", "unable": "torch is not installed"}, False),
        ({"away_s": None}, False),
        ({"away_s": 119.0}, False),
        ({"away_s": 120.0}, True),
        ({"away_s": None, "waiting_s": 7199.0}, False),
        ({"away_s": None, "waiting_s": 7200.0}, True),
        ({"away_s": None, "waiting_s": -1.0}, True),
        ({"away_s": None, "waiting_s": None}, False),
        ({"away_s": None, "waiting_s": 0.0, "sees_away": False}, True),
    ],
)
def test_what_the_owner_decides_is_held_against_its_limit(changed: dict[str, Any], passes: bool) -> None:
    """Labels, classes, cool-down, pause and absence pass from their limit on; a clock that was set back locks nothing.

    No label need be new to look at another part of the picture.

    A model that knows no class for an absent owner is not waited for.

    After trainings that ran out of memory and cannot be smaller the cool-down doubles each time, up to 64 times.
    """
    assert decide(resources(), facts(**changed), SETTINGS).passed is passes


@pytest.mark.parametrize(
    ("changed", "passes"),
    [
        ({"memory_available_bytes": None}, False),
        ({"memory_available_bytes": 0}, False),
        ({"memory_available_bytes": ROOM - 1}, False),
        ({"memory_available_bytes": ROOM}, True),
        ({"memory_total_bytes": None}, True),
        ({"swap_total_bytes": 8_000 * MB, "memory_available_bytes": ROOM - 1}, False),
        ({"zones": zones(cpu=71.9)}, True),
        ({"zones": zones(cpu=72.0)}, True),
        ({"zones": zones(cpu=72.1)}, False),
        ({"zones": zones(cpu=40.0, gpu=72.1, soc0=41.0)}, False),
        ({"zones": zones(cpu=40.0, cv0=None, cv1=None)}, True),
        ({"zones": zones(cpu=None, tj=None, soc0=40.0)}, False),
        ({"zones": zones(cpu=None, tj=44.0)}, True),
        ({"zones": zones(cpu=None, gpu=None)}, False),
        ({"zones": ()}, True),
        ({"zones": (), "is_jetson": True}, False),
        ({"disk_free_bytes": None}, False),
        ({"disk_free_bytes": 500 * MB - 1}, False),
        ({"disk_free_bytes": 500 * MB}, True),
        ({"cpu_percent": None, "gpu_percent": None, "power_watts": None, "power_mode": None, "uptime_s": None}, True),
    ],
)
def test_what_the_device_reports_is_held_against_its_limit(changed: dict[str, Any], passes: bool) -> None:
    """Unknown memory, disk or processor temperature closes the gate; offline side zones and a machine without any do not.

    Swap is never counted.
    """
    assert decide(resources(**changed), facts(), SETTINGS).passed is passes


@pytest.mark.parametrize(
    ("trips", "celsius", "passes"),
    [
        ({"passive": 99.0, "critical": 104.5}, 72.0, True),
        ({"critical": 90.0}, 72.0, False),
        ({"critical": 90.0}, 69.0, True),
        ({"active": 50.0}, 72.0, True),
        ({"passive": 45.0}, 72.0, True),
    ],
)
def test_a_zone_with_low_trip_points_has_low_limits(trips: dict[str, float], celsius: float, passes: bool) -> None:
    """All our limits move down so far that a training ends 5 °C before the kernel would throttle or shut down.

    Trip points of fans do not count, nor those under 60 °C, which are of batteries and skins.
    """
    zone = ThermalZone("cpu-thermal", celsius, trips)
    assert decide(resources(zones=(zone,)), facts(), SETTINGS).passed is passes


@pytest.mark.parametrize(
    ("allowed", "mode", "passes"),
    [("", None, True), ("", "7W", True), ("15W, 25W", "25w", True), ("15W", "MAXN_SUPER", False), ("15W", None, False)],
)
def test_only_power_modes_that_the_owner_allows(allowed: str, mode: str | None, passes: bool) -> None:
    """Without a wish any, also an unknown one; with one, the unknown mode closes the gate."""
    device = resources(power_mode=mode)
    assert decide(device, facts(), settings_with(power_modes=allowed)).passed is passes


@pytest.mark.parametrize(
    ("windows", "minute", "inside"),
    [
        ("", 0, True),
        ("12:00-13:00", 719, False),
        ("12:00-13:00", 720, True),
        ("12:00-13:00", 779, True),
        ("12:00-13:00", 780, False),
        ("12:00-13:00, 22:00-06:00", 1439, True),
        ("12:00-13:00, 22:00-06:00", 0, True),
        ("12:00-13:00, 22:00-06:00", 359, True),
        ("12:00-13:00, 22:00-06:00", 360, False),
        ("22:00-24:00", 1439, True),
        ("22:00-24:00", 0, False),
        ("8:00-8:00", 5, True),
    ],
)
def test_a_time_window(windows: str, minute: int, inside: bool) -> None:
    """From its first minute to before its last, over midnight too."""
    assert in_window(windows, minute) is inside
    assert decide(resources(), facts(minute=minute), settings_with(windows=windows)).passed is inside


def test_an_owner_who_need_not_be_away() -> None:
    """`away_s = 0` trains beside them."""
    assert decide(resources(), facts(away_s=None, waiting_s=0.0), settings_with(away_s=0)).passed


def test_a_closed_gate_names_only_what_closed_it_with_number_and_limit() -> None:
    """The reason is for people: what is missing, how much there is, how much it takes; megabytes are of 1,000,000 bytes."""
    hot = resources(zones=zones(cpu=50.0, **{"tj-thermal": 80.25}), memory_available_bytes=512_900_000)
    assert decide(hot, facts(), SETTINGS).reason == (
        "512 MB of memory available (at least 1324 MB: 300 expected + 1024 in reserve); "
        "hottest zone tj-thermal 80.2 °C (at most 72.0 °C)"
    )


def test_an_owner_is_told_what_waits_for_them_to_be_away() -> None:
    """Labels, or the part of the picture that they have chosen."""
    waiting = {"away_s": None, "waiting_s": 60.0}
    assert "enough labels wait for 60 s" in decide(resources(), facts(**waiting), SETTINGS).reason
    changed = decide(resources(), facts(**waiting, new_labels={}, region_changed=True), SETTINGS)
    assert "another part of the picture waits for 60 s" in changed.reason


def test_an_open_gate_tells_all_it_looked_at() -> None:
    """The record of a run holds every condition with its number and its limit, not only the failed ones."""
    decision = decide(resources(), facts(seconds_since_training=7200.0), SETTINGS)
    assert [v.name for v in decision.verdicts] == NAMES
    assert (verdict("labels", decision).value, verdict("labels", decision).limit) == (100, 20)
    assert (verdict("memory", decision).value, verdict("memory", decision).limit) == (8000 * MB, ROOM)
    assert (verdict("temperature", decision).value, verdict("temperature", decision).limit) == (45.0, 72.0)
    for words in (
        "100 new labels: good 60, bad 40",
        "2 classes",
        "7200 s ago",
        "8000 MB",
        "cpu 45.0",
        "away for 300 s",
    ):
        assert words in decision.reason


def test_what_protects_the_device_is_marked() -> None:
    """`--force` skips the rest, and never these."""
    protecting = [v.name for v in decide(resources(), facts(), SETTINGS).verdicts if v.protects]
    assert protecting == ["strategy", "memory", "temperature", "disk"]


@settings(deadline=None, derandomize=True, database=None)
@given(
    device=st.builds(
        Resources,
        memory_available_bytes=st.none() | st.integers(0, 2**33),
        zones=st.lists(
            st.builds(
                ThermalZone,
                st.sampled_from(["cpu", "gpu", "cv0", "soc0", "tj"]),
                st.none() | st.floats(-40, 150),
                st.dictionaries(st.sampled_from(["active", "passive", "critical"]), st.floats(-50, 150)),
            ),
            max_size=5,
        ).map(tuple),
        disk_free_bytes=st.none() | st.integers(0, 2**33),
        is_jetson=st.booleans(),
    ),
    known=st.builds(
        TrainingFacts,
        new_labels=st.dictionaries(st.sampled_from(["good", "bad"]), st.integers(0, 100)),
        images_per_class=st.lists(st.integers(0, 100), max_size=4).map(tuple),
        seconds_since_training=st.none() | st.floats(-1e6, 1e6),
        waiting_s=st.none() | st.floats(-1e6, 1e6),
        away_s=st.none() | st.floats(0, 1e5),
        minute=st.integers(0, 1439),
        need_bytes=st.integers(0, 2**32),
        hopeless=st.integers(0, 20),
    ),
)
def test_no_mixture_of_facts_trains_on_a_hot_short_or_unknown_device(device: Resources, known: TrainingFacts) -> None:
    """Never go while a known temperature is above the limit, or memory, disk or the processor's heat is short or unknown."""
    decision = decide(device, known, SETTINGS)
    hot = any((zone.celsius or 0) > 72 for zone in device.zones)
    die = [zone.celsius for zone in device.zones if zone.on_die]
    blind = bool(die) and all(celsius is None for celsius in die)
    silent = bool(device.zones) and not device.known_zones
    short = device.memory_available_bytes is None or device.memory_available_bytes < known.need_bytes + 1024 * MB
    full = device.disk_free_bytes is None or device.disk_free_bytes < 500 * MB
    if hot or blind or silent or short or full or (device.is_jetson and not device.zones):
        assert not decision.passed
    assert decision.passed is all(v.passed for v in decision.verdicts)
