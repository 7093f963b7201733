"""The probe on trees that look like a Jetson's /proc and /sys, with the traps of the real ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from posture_daemon.adapters.probe import LinuxProbe

MEMINFO = """MemTotal:        7802968 kB
MemFree:          205120 kB
MemAvailable:    3145728 kB
SwapTotal:       3901476 kB
SwapFree:        3901476 kB
NvMapMemUsed:     524288 kB
HugePages_Total:       0
"""

ORIN_NANO = {"cpu-thermal": "48218", "gpu-thermal": "47000", "soc0-thermal": "46906", "tj-thermal": "48218"}
OFFLINE = ("cv0-thermal", "cv1-thermal", "cv2-thermal")


def add_zone(root: Path, number: int, name: str | None, temperature: str | None) -> Path:
    """A thermal zone; with `None` the file is missing."""
    zone = root / f"sys/class/thermal/thermal_zone{number}"
    zone.mkdir(parents=True)
    if name is not None:
        (zone / "type").write_text(f"{name}\n")
    if temperature is not None:
        (zone / "temp").write_text(f"{temperature}\n" if temperature else "")
    return zone


@contextmanager
def offline_zone(root: Path, number: int, name: str) -> Iterator[None]:
    """A zone that answers EAGAIN, as the Orin Nano's cv zones do: a FIFO that is held open and stays empty."""
    fifo = add_zone(root, number, name, None) / "temp"
    os.mkfifo(fifo)
    descriptor = os.open(fifo, os.O_RDWR)
    try:
        yield
    finally:
        os.close(descriptor)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree with /proc/meminfo and no thermal zones."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(MEMINFO)
    return tmp_path


def probe(root: Path) -> LinuxProbe:
    """A probe on the tree."""
    return LinuxProbe(root, root)


def test_an_orin_nano_with_its_offline_zones(root: Path) -> None:
    """Zones that answer are read by type; the three that answer EAGAIN are seen, missing, and never waited for."""
    for number, (name, temperature) in enumerate(ORIN_NANO.items(), start=5):
        add_zone(root, number, name, temperature)
    with offline_zone(root, 2, OFFLINE[0]), offline_zone(root, 3, OFFLINE[1]), offline_zone(root, 4, OFFLINE[2]):
        found = probe(root).read()
    assert found.temperatures_celsius == {
        "cpu-thermal": 48.218,
        "gpu-thermal": 47.0,
        "soc0-thermal": 46.906,
        "tj-thermal": 48.218,
    }
    assert found.thermal_zones_seen == 7


@pytest.mark.parametrize("temperature", [None, "", "n/a", "-256000", "-40000", "150000", "2147483647"])
def test_a_temperature_that_cannot_be_is_missing_and_never_zero(root: Path, temperature: str | None) -> None:
    """No file, an empty one, words, and the -256 °C of a sensor that is off; the zone is counted all the same."""
    add_zone(root, 0, "cpu-thermal", "45000")
    add_zone(root, 8, "tj-thermal", temperature)
    found = probe(root).read()
    assert found.temperatures_celsius == {"cpu-thermal": 45.0}
    assert found.thermal_zones_seen == 2


@pytest.mark.parametrize(("text", "celsius"), [("-5000", -5.0), ("0", 0.0), ("104500", 104.5)])
def test_a_cold_morning_and_a_hot_chip_are_possible(root: Path, text: str, celsius: float) -> None:
    """Thousandths of a degree, also below zero."""
    add_zone(root, 0, "cpu-thermal", text)
    assert probe(root).read().temperatures_celsius == {"cpu-thermal": celsius}


@pytest.mark.parametrize("order", [("40000", "90000"), ("90000", "40000")])
def test_of_zones_with_one_name_the_hottest_counts(root: Path, order: tuple[str, str]) -> None:
    """Laptops have several `acpitz`; a cool one must not hide a hot one."""
    for number, temperature in enumerate(order):
        add_zone(root, number, "acpitz", temperature)
    found = probe(root).read()
    assert found.temperatures_celsius == {"acpitz": 90.0}
    assert found.thermal_zones_seen == 2


def test_a_zone_without_a_type_goes_by_its_folder(root: Path) -> None:
    """It is still a temperature that the gate must see."""
    add_zone(root, 3, None, "60000")
    assert probe(root).read().temperatures_celsius == {"thermal_zone3": 60.0}


def test_a_machine_without_thermal_zones(root: Path) -> None:
    """None seen, none known: a virtual machine."""
    found = probe(root).read()
    assert (found.temperatures_celsius, found.thermal_zones_seen) == ({}, 0)


def test_available_memory_is_what_can_be_had_without_swap(root: Path) -> None:
    """MemAvailable in bytes, neither MemFree nor with the zram swap, which CUDA memory cannot use."""
    found = probe(root).read()
    assert found.memory_available_bytes == 3_145_728 * 1024
    assert found.memory_total_bytes == 7_802_968 * 1024


@pytest.mark.parametrize(
    "meminfo", [MEMINFO.replace("MemAvailable", "Mem"), MEMINFO.replace("3145728 kB", "lots"), "", None]
)
def test_memory_that_is_not_told_is_unknown(root: Path, meminfo: str | None) -> None:
    """Never 0, and never guessed from MemFree."""
    path = root / "proc/meminfo"
    path.unlink() if meminfo is None else path.write_text(meminfo)
    assert probe(root).read().memory_available_bytes is None


def test_disk_space_is_that_of_the_data_folder(root: Path) -> None:
    """Unknown when the folder is not there."""
    assert (probe(root).read().disk_free_bytes or 0) > 0
    assert LinuxProbe(root / "nowhere", root).read().disk_free_bytes is None


def test_reading_leaves_no_file_open(root: Path) -> None:
    """A probe that is asked every second for a year must not run out of descriptors."""
    add_zone(root, 0, "cpu-thermal", "45000")
    probe(root).read()
    with offline_zone(root, 2, OFFLINE[0]):
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            probe(root).read()
        assert len(os.listdir("/proc/self/fd")) == before


def test_the_machine_that_runs_the_tests_can_be_read(tmp_path: Path) -> None:
    """On any Linux: no exception, and memory that is known."""
    assert (LinuxProbe(tmp_path).read().memory_available_bytes or 0) > 0
