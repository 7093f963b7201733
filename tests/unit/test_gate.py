"""The gate: each condition on both sides of its limit, and no unknown that lets a training through."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posture_daemon.gate import TrainingFacts, decide
from posture_daemon.settings import TrainingSettings
from tests.standins import resources

SETTINGS = TrainingSettings(
    min_new_labels=20,
    min_images_per_class=5,
    cooldown_s=3600,
    memory_reserve_mb=1024,
    temperature_limit_celsius=72,
)
RESERVE = 1_024_000_000


def facts(**changed: Any) -> TrainingFacts:
    """Enough of everything, except for what is changed."""
    values: dict[str, Any] = {"new_labels": 100, "images_per_class": (50, 50), "seconds_since_training": None}
    return TrainingFacts(**{**values, **changed})


@pytest.mark.parametrize(
    ("changed", "passes"),
    [
        ({"new_labels": 19}, False),
        ({"new_labels": 20}, True),
        ({"new_labels": 21}, True),
        ({"images_per_class": ()}, False),
        ({"images_per_class": (4, 4)}, False),
        ({"images_per_class": (5, 0)}, True),
        ({"images_per_class": (6, 6)}, True),
        ({"images_per_class": (5, 4), "knows_classes": False}, False),
        ({"images_per_class": (5, 5), "knows_classes": False}, True),
        ({"seconds_since_training": 0.0}, False),
        ({"seconds_since_training": 3599.9}, False),
        ({"seconds_since_training": 3600.0}, True),
        ({"seconds_since_training": 3600.1}, True),
        ({"seconds_since_training": -5.0}, True),
    ],
)
def test_what_the_store_knows_is_held_against_its_limit(changed: dict[str, Any], passes: bool) -> None:
    """Labels, classes and the cool-down pass from their limit on; a base needs two classes; a clock set back passes."""
    assert decide(resources(), facts(**changed), SETTINGS).passed is passes


@pytest.mark.parametrize(
    ("changed", "passes"),
    [
        ({"memory_available_bytes": None}, False),
        ({"memory_available_bytes": 0}, False),
        ({"memory_available_bytes": RESERVE - 1}, False),
        ({"memory_available_bytes": RESERVE}, True),
        ({"memory_available_bytes": RESERVE + 1}, True),
        ({"memory_total_bytes": None}, True),
        ({"temperatures_celsius": {"cpu": 71.9}}, True),
        ({"temperatures_celsius": {"cpu": 72.0}}, True),
        ({"temperatures_celsius": {"cpu": 72.1}}, False),
        ({"temperatures_celsius": {"cpu": 40.0, "gpu": 72.1, "soc0": 41.0}, "thermal_zones_seen": 3}, False),
        ({"temperatures_celsius": {"cpu": 40.0}, "thermal_zones_seen": 9}, True),
        ({"temperatures_celsius": {}, "thermal_zones_seen": 9}, False),
        ({"temperatures_celsius": {}, "thermal_zones_seen": 0}, True),
        ({"disk_free_bytes": None, "cpu_percent": None}, True),
    ],
)
def test_what_the_device_reports_is_held_against_its_limit(changed: dict[str, Any], passes: bool) -> None:
    """Unknown memory and zones that are all silent close the gate; a machine without any zone is not punished for it."""
    assert decide(resources(**changed), facts(), SETTINGS).passed is passes


def test_a_closed_gate_names_only_what_closed_it_with_number_and_limit() -> None:
    """The reason is for people: what is missing, how much there is, how much it takes; megabytes are of 1,000,000 bytes."""
    hot = resources(temperatures_celsius={"cpu": 50.0, "tj-thermal": 80.25}, memory_available_bytes=512_900_000)
    decision = decide(hot, facts(), SETTINGS)
    assert decision.reason == (
        "512 MB of memory available (at least 1024 MB); hottest zone tj-thermal 80.2 °C (at most 72.0 °C)"
    )


def test_an_open_gate_tells_all_it_looked_at() -> None:
    """The record of a run holds every condition with its number, not only the failed ones."""
    decision = decide(resources(), facts(seconds_since_training=7200.0), SETTINGS)
    assert [verdict.name for verdict in decision.verdicts] == [
        "labels",
        "classes",
        "cool-down",
        "memory",
        "temperature",
    ]
    for number in ("100 new labels", "2 classes", "7200 s ago", "8000 MB", "cpu-thermal 45.0"):
        assert number in decision.reason


@settings(deadline=None, derandomize=True, database=None)
@given(
    available=st.none() | st.integers(0, 2**36),
    temperatures=st.dictionaries(st.sampled_from(["cpu", "gpu", "soc0", "tj"]), st.floats(-40, 150)),
    offline=st.integers(0, 3),
    labels=st.integers(0, 1000),
    images=st.lists(st.integers(0, 1000), max_size=5),
    since=st.none() | st.floats(-1e6, 1e6),
)
def test_no_mixture_of_facts_trains_on_a_hot_or_unknown_device(
    available: int | None,
    temperatures: dict[str, float],
    offline: int,
    labels: int,
    images: list[int],
    since: float | None,
) -> None:
    """Never go while a known temperature is above the limit, memory is unknown or short, or all zones are offline."""
    device = resources(
        memory_available_bytes=available,
        temperatures_celsius=temperatures,
        thermal_zones_seen=len(temperatures) + offline,
    )
    decision = decide(device, TrainingFacts(labels, tuple(images), since), SETTINGS)
    hot = any(celsius > SETTINGS.temperature_limit_celsius for celsius in temperatures.values())
    silent = offline > 0 and not temperatures
    if available is None or available < RESERVE or hot or silent:
        assert not decision.passed
    assert decision.passed is all(verdict.passed for verdict in decision.verdicts)
