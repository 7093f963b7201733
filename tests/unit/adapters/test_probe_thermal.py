"""Thermal zones on trees that look like a Jetson's and a laptop's /sys, with the traps of the real ones."""

import os
from pathlib import Path
from typing import Any

import pytest

from posture_daemon.adapters.probes import DeviceProbe
from posture_daemon.device.limits import State, heat
from posture_daemon.device.resources import ThermalZone
from posture_daemon.settings import LimitsSettings
from tests.fakes.devices import add_zone, offline_zone, put

ONLINE = {"cpu-thermal": 48.218, "gpu-thermal": 47.0, "soc0-thermal": 46.906, "tj-thermal": 48.218}


def zones(root: Path) -> tuple[ThermalZone, ...]:
    """What the probe sees."""
    return DeviceProbe(root, root).read().zones


def test_an_orin_nano_with_its_offline_zones(tmp_path: Path) -> None:
    """Zones that answer are read by type; the three that answer EAGAIN are kept as offline, and never waited for."""
    for number, (name, celsius) in enumerate(ONLINE.items(), start=5):
        add_zone(tmp_path, number, name, f"{celsius * 1000:.0f}")
    with offline_zone(tmp_path, 2, "cv0"), offline_zone(tmp_path, 3, "cv1"), offline_zone(tmp_path, 4, "cv2"):
        found = {zone.name: zone.celsius for zone in zones(tmp_path)}
    assert found == {"cv0": None, "cv1": None, "cv2": None, **ONLINE}


@pytest.mark.parametrize("text", [None, "", "n/a", "-256000", "-40000", "150000", "2147483647"])
def test_a_temperature_that_cannot_be_is_unknown_and_never_zero(tmp_path: Path, text: str | None) -> None:
    """No file, an empty one, words, and the -256 °C of a sensor that is off; the zone is there all the same."""
    add_zone(tmp_path, 0, "cpu-thermal", "45000")
    add_zone(tmp_path, 8, "tj-thermal", text)
    assert zones(tmp_path) == (ThermalZone("cpu-thermal", 45.0), ThermalZone("tj-thermal", None))


@pytest.mark.parametrize(
    ("there", "seen"),
    [
        pytest.param([(0, "cpu-thermal", "-5000")], [ThermalZone("cpu-thermal", -5.0)], id="a cold morning"),
        pytest.param([(0, "cpu-thermal", "0")], [ThermalZone("cpu-thermal", 0.0)], id="freezing"),
        pytest.param([(0, "cpu-thermal", "104500")], [ThermalZone("cpu-thermal", 104.5)], id="a hot chip"),
        pytest.param(
            [(10, "acpitz", "90000"), (9, "acpitz", "40000")],
            [ThermalZone("acpitz", 40.0), ThermalZone("acpitz", 90.0)],
            id="two of one name, by their numbers: a cool one must not hide a hot one",
        ),
        pytest.param([(3, None, "60000")], [ThermalZone("thermal_zone3", 60.0)], id="without a type, by its folder"),
        pytest.param(
            [(2, "cv0-thermal", "", ("passive", "99000"))],
            [ThermalZone("cv0-thermal", None, {"passive": 99.0})],
            id="an offline one keeps its trip points",
        ),
        pytest.param([], [], id="a virtual machine has none"),
    ],
)
def test_every_zone_is_seen_as_it_is(tmp_path: Path, there: list[tuple[Any, ...]], seen: list[ThermalZone]) -> None:
    """Thousandths of a degree, also below zero."""
    for zone in there:
        add_zone(tmp_path, *zone)
    assert zones(tmp_path) == tuple(seen)


def test_trip_points_are_read_at_run_time(tmp_path: Path) -> None:
    """In °C by type, of several of a type the lowest; a board that changes them is believed at the next read."""
    trips = [("active", "80000"), ("active", "50000"), ("passive", "95000"), ("hot", "99000"), ("critical", "104500")]
    zone = add_zone(tmp_path, 0, "cpu-thermal", "45000", *trips)
    assert zones(tmp_path)[0].trips == {"active": 50.0, "passive": 95.0, "hot": 99.0, "critical": 104.5}
    assert zones(tmp_path)[0].lowest_trip == 95.0
    (zone / "trip_point_2_temp").write_text("70000\n")
    assert zones(tmp_path)[0].lowest_trip == 70.0


@pytest.mark.parametrize("text", ["0", "-274000", "2147483647", "", "n/a"])
def test_a_trip_point_that_is_not_in_use_is_none(tmp_path: Path, text: str) -> None:
    """A PC's passive trip point says 0 until somebody sets it; it must not hide the critical one."""
    add_zone(tmp_path, 0, "x86_pkg_temp", "45000", ("passive", text), ("critical", "100000"))
    assert zones(tmp_path)[0].trips == {"critical": 100.0}


def test_reading_leaves_no_file_open(tmp_path: Path) -> None:
    """A probe that is asked every second for a year must not run out of descriptors."""
    add_zone(tmp_path, 0, "cpu-thermal", "45000", ("passive", "99000"))
    probe = DeviceProbe(tmp_path, tmp_path)
    with offline_zone(tmp_path, 2, "cv0-thermal"):
        probe.read()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            probe.read()
        assert len(os.listdir("/proc/self/fd")) == before


def add_chip(root: Path, number: int, name: str, **files: str) -> None:
    """A chip of hwmon; without a name it is in no file of that name."""
    if name:
        put(root, f"sys/class/hwmon/hwmon{number}/name", f"{name}\n")
    for file, text in files.items():
        put(root, f"sys/class/hwmon/hwmon{number}/{file}", f"{text}\n")


AMD = ThermalZone("k10temp Tctl", 71.5)


@pytest.mark.parametrize(
    ("chips", "zone", "seen"),
    [
        pytest.param([("k10temp", {"temp1_input": "71500", "temp1_label": "Tctl", "temp1_max": "70000"})], None, [AMD],
            id="AMD; its maximum of 70 °C is written in the driver and no limit"),
        pytest.param([("coretemp", {"temp1_input": "48000", "temp1_label": "Package id 0", "temp1_crit": "100000",
            "temp2_input": "47000", "temp2_label": "Core 0", "temp2_crit": "100000"})], None,
            [ThermalZone("coretemp Package id 0", 48.0, {"critical": 100.0}),
             ThermalZone("coretemp Core 0", 47.0, {"critical": 100.0})], id="Intel, each core"),
        pytest.param([("nvme", {"temp1_input": "44850"}), ("BAT0", {"in0_input": "12000"}),
            ("zenpower", {"temp1_input": "60000"}), ("iwlwifi_1", {"temp1_input": "99000"})],
            None, [ThermalZone("zenpower", 60.0)], id="drives, batteries and radios are no processor"),
        pytest.param([("k10temp", {"temp1_input": "71500", "temp1_label": "Tctl"})], "acpitz",
            [ThermalZone("acpitz", 16.8), AMD], id="beside a zone of the firmware, which is not on the die"),
        pytest.param([("cpu_thermal", {"temp1_input": "71500"})], "cpu-thermal", [ThermalZone("cpu-thermal", 16.8)],
            id="not beside the zone that it is a copy of"),
        pytest.param([("coretemp", {"temp1_input": "-256000"})], None, [ThermalZone("coretemp", None)], id="a dead sensor"),
        pytest.param([("coretemp", {"temp1_input": "127000", "temp1_fault": "1"})], None, [ThermalZone("coretemp", None)],
            id="a sensor that says of itself that it is broken"),
        pytest.param([("k10temp", {"temp1_input": "76000", "temp1_label": "Tctl", "temp2_input": "49000",
            "temp2_label": "Tdie", "temp3_input": "50250", "temp3_label": "Tccd1"})], None,
            [ThermalZone("k10temp Tdie", 49.0), ThermalZone("k10temp Tccd1", 50.25)],
            id="AMD with 27 degrees on top for the fans: the die's own counts"),
        pytest.param([("zenpower", {"temp1_input": "49000", "temp1_label": "Tdie", "temp2_input": "76000",
            "temp2_label": "Tctl"})], None, [ThermalZone("zenpower Tdie", 49.0)], id="the same from the other driver"),
        pytest.param([("k10temp", {"temp1_input": "71500", "temp1_label": "Tctl", "temp2_input": "",
            "temp2_label": "Tdie"})], None, [AMD, ThermalZone("k10temp Tdie", None)],
            id="AMD whose die tells nothing: rather too hot than unknown"),
        pytest.param([("dell_smm", {"temp1_input": "96000", "temp1_label": "CPU", "temp2_input": "97000",
            "temp2_label": "GPU", "temp3_input": "98000", "temp3_label": "Ambient"})], None,
            [ThermalZone("dell_smm CPU", 96.0)], id="a Dell's board, which alone knows the processor"),
        pytest.param([("nct6775", {"temp1_input": "120000", "temp1_label": "CPUTIN", "temp2_input": "61000",
            "temp2_label": "PECI Agent 0", "temp3_input": "62000", "temp3_label": "SYSTIN"})], None,
            [ThermalZone("nct6775 PECI Agent 0", 61.0)], id="a board's chip whose CPUTIN is connected to nothing"),
        pytest.param([("asusec", {"temp1_input": "50000", "temp1_label": "CPU Package", "temp2_input": "80000",
            "temp2_label": "VRM"}), ("thinkpad", {"temp1_input": "51000", "temp1_label": "CPU", "temp2_input": "0"})],
            None, [ThermalZone("asusec CPU Package", 50.0), ThermalZone("thinkpad CPU", 51.0)], id="other boards"),
        pytest.param([("dell_smm", {"temp1_input": "96000", "temp1_label": "CPU"}), ("coretemp", {"temp1_input":
            "48000"})], None, [ThermalZone("coretemp", 48.0)], id="not beside the processor's own chip"),
        pytest.param([("", {"device/name": "coretemp", "device/temp1_input": "96000", "device/temp1_crit": "100000"})],
            None, [ThermalZone("coretemp", 96.0, {"critical": 100.0})], id="old kernels: all in device"),
        pytest.param([("k10temp", {"device/temp1_input": "71500", "device/temp1_label": "Tctl"})], None, [AMD],
            id="old kernels: only the name is not"),
    ],
)  # fmt: skip
def test_where_no_zone_is_on_the_die_the_processor_s_chip_counts(
    tmp_path: Path, chips: list[tuple[str, dict[str, str]]], zone: str | None, seen: list[ThermalZone]
) -> None:
    """PCs and servers have the processor's sensor in hwmon alone; without it a hot machine counted as cool."""
    for number, (name, files) in enumerate(chips):
        add_chip(tmp_path, number, name, **files)
    if zone is not None:
        add_zone(tmp_path, 0, zone, "16800")
    assert zones(tmp_path) == tuple(seen)


def test_a_hot_processor_without_zones_stops_a_training(tmp_path: Path) -> None:
    """The gate decides on the chip's temperature, below its critical one."""
    add_chip(tmp_path, 0, "coretemp", temp1_input="96000", temp1_crit="100000")
    assert heat(DeviceProbe(tmp_path, tmp_path).read(), LimitsSettings()).state is State.HOT
