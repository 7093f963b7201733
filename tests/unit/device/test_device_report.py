"""`doctor`: each matter in words with its verdict, and an exit code that tells heat from what keeps training away for good."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from posture_daemon.adapters.probes import DeviceProbe
from posture_daemon.cli import app
from posture_daemon.device.report import Health, Line, examine
from posture_daemon.device.resources import Resources, ThermalZone
from posture_daemon.errors import DeviceError
from posture_daemon.settings import LimitsSettings, Settings
from tests.builders import resources, zones
from tests.fakes.devices import ORIN_NANO, add_zone, put

OK, NOTE, PROBLEM = Health.OK, Health.NOTE, Health.PROBLEM
GB = 1_000_000_000


def lines(found: Resources, need_bytes: int = 0, **limits: Any) -> Mapping[str, Line]:
    """The lines by name; of several with one name the last."""
    settings = Settings(data_dir=Path("data"), limits=LimitsSettings(**limits))
    return {line.name: line for line in examine(found, settings, need_bytes)}


def doctor(data_dir: Path, *arguments: str) -> Result:
    """The command as a user types it."""
    return CliRunner().invoke(app, ["--data-dir", str(data_dir), "doctor", *arguments])


@pytest.fixture
def laptop(tmp_path: Path) -> Path:
    """A tree as a PC has it: Intel's zone with an unused trip point, two `acpitz`, PSI, no GPU, no power monitor."""
    add_zone(tmp_path, 0, "acpitz", "38000", ("critical", "128000"))
    add_zone(tmp_path, 1, "acpitz", "20000")
    add_zone(tmp_path, 2, "x86_pkg_temp", "61000", ("passive", "0"), ("critical", "90000"))
    put(tmp_path, "proc/meminfo", "MemTotal: 16000000 kB\nMemAvailable: 9000000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n")
    put(tmp_path, "proc/pressure/memory", "some avg10=1.25 avg60=0.00 avg300=0.00 total=0\n")
    put(tmp_path, "proc/uptime", "3661.5 7000.0\n")
    put(tmp_path, "sys/class/dmi/id/product_name", "ThinkPad X1\n")
    return tmp_path


def test_the_orin_nano_of_the_fixture(tmp_path: Path) -> None:
    """Each zone with our limits and the kernel's, the three that the board has not, memory, power, and what follows."""
    result = doctor(tmp_path, "--root", str(ORIN_NANO))
    assert result.exit_code == 0
    shown = [line.split(maxsplit=2) for line in result.output.splitlines()]
    assert [mark for mark, name, _ in shown if name.startswith("cv")] == ["--", "--", "--"]
    for part in (
        "ok board            NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super (a Jetson)",
        "ok cpu-thermal      49.2 °C; training starts up to 72.0, pauses from 80.0, ends from 88.0; kernel throttles from 95.0",
        "-- cv1-thermal      offline, as on every Orin Nano (it has no such unit)",
        "ok memory           4831 MB of memory available (at least 1024 MB",
        "ok swap             134 of 3995 MB used; not counted",
        "-- memory pressure  this kernel does not say (no PSI)",
        "ok GPU              12.3 % busy",
        "ok power            5.8 W",
        "ok power mode       MAXN_SUPER (any is allowed)",
        "ok uptime           1 day, 2:03:04",
        "ok training         may begin, as far as the device is concerned",
    ):
        assert part in result.output


def test_a_laptop(laptop: Path) -> None:
    """All zones, also those of one name; what a PC does not tell is a note, and no reason not to train."""
    result = doctor(laptop, "--root", str(laptop))
    assert result.exit_code == 0
    for part in (
        "ok board            ThinkPad X1 (not a Jetson)",
        "ok acpitz           38.0 °C; training starts up to 72.0",
        "ok acpitz           20.0 °C",
        "ok x86_pkg_temp     61.0 °C; training starts up to 69.0, pauses from 77.0, ends from 85.0; kernel throttles from 90.0",
        "ok swap             none",
        "ok memory pressure  1.2 % of the time",
        "-- GPU              unknown",
        "-- power            unknown",
        "ok power mode       unknown (any is allowed)",
        "ok uptime           1:01:01",
    ):
        assert part in result.output
    assert "!!" not in result.output


def test_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a root it looks at the device itself, twice for the load, and at the data folder, which it does not create."""
    monkeypatch.setattr("posture_daemon.cli.doctor.CPU_S", 0.2)
    result = doctor(tmp_path / "data")
    assert f"-- data folder      {tmp_path / 'data'} is not there yet" in result.output
    assert "% busy" in next(line for line in result.output.splitlines() if " CPU " in line)
    assert not (tmp_path / "data").exists()


def test_a_root_that_is_not_there(tmp_path: Path) -> None:
    """One sentence and no reading of nothing."""
    result = doctor(tmp_path, "--root", str(tmp_path / "nowhere"))
    assert isinstance(result.exception, DeviceError)
    assert (
        str(result.exception) == f"There is no folder {tmp_path / 'nowhere'}; --root takes one that holds proc and sys."
    )


def test_a_folder_that_is_no_root_has_a_problem(tmp_path: Path) -> None:
    """Unknown memory keeps the gate closed for ever: exit 1."""
    result = doctor(tmp_path, "--root", str(tmp_path))
    assert result.exit_code == 1
    assert "!! training  " in result.output
    assert "cannot begin: available memory is unknown" in result.output


def test_what_a_device_says_is_no_markup(tmp_path: Path) -> None:
    """A board, or jtop, may speak in brackets; they are shown, and colour nothing."""
    put(tmp_path, "proc/device-tree/model", "Jetson [bold] board [4.2.1]\0")
    assert "Jetson [bold] board [4.2.1] (a Jetson)" in doctor(tmp_path, "--root", str(tmp_path)).output


def test_heat_passes() -> None:
    """A device that is too hot now has a note, and so has its zone: training waits."""
    found = lines(resources(zones=zones(cpu=91.0, gpu=50.0)))
    assert {name: found[name].health for name in ("cpu", "gpu", "temperature", "training")} == {
        "cpu": NOTE,
        "gpu": OK,
        "temperature": NOTE,
        "training": NOTE,
    }
    assert found["training"].text == "has to wait: hottest zone cpu 91.0 °C (at most 72.0 °C)"


@pytest.mark.parametrize(
    ("changed", "given", "name", "health"),
    [
        ({"memory_available_bytes": GB}, {}, "memory", NOTE),
        ({"memory_available_bytes": GB}, {"need_bytes": 9 * GB}, "memory", PROBLEM),
        ({"memory_available_bytes": GB, "memory_total_bytes": None}, {"need_bytes": 9 * GB}, "memory", NOTE),
        ({"power_mode": "7W"}, {"power_modes": "15W"}, "power mode", NOTE),
        ({"power_mode": "15W"}, {"power_modes": "15W"}, "power mode", OK),
    ],
)
def test_what_may_change_is_a_note_and_what_cannot_a_problem(
    changed: dict[str, Any], given: dict[str, Any], name: str, health: Health
) -> None:
    """Memory that is taken comes back, memory that is not there does not; the mode is the owner's will."""
    assert lines(resources(**changed), **given)[name].health is health


@pytest.mark.parametrize(
    ("changed", "limits", "name"),
    [
        ({"memory_available_bytes": None}, {}, "memory"),
        ({"disk_free_bytes": None}, {}, "disk"),
        ({"disk_free_bytes": 1_000_000}, {}, "disk"),
        ({"zones": (), "is_jetson": True}, {}, "temperature"),
        ({"zones": zones(cpu=None, tj=None)}, {}, "temperature"),
        ({"zones": zones(tj=None, soc0=40.0)}, {}, "temperature"),
        ({"power_mode": None}, {"power_modes": "15W"}, "power mode"),
    ],
)
def test_what_keeps_every_training_away_is_a_problem(
    changed: dict[str, Any], limits: dict[str, Any], name: str
) -> None:
    """An unknown that matters, and a disk that is full: neither passes by itself."""
    found = lines(resources(**changed), **limits)
    assert found[name].health is PROBLEM
    assert found["training"].health is PROBLEM
    assert found["training"].text.startswith("cannot begin: ")


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({}, "memory pressure"),
        ({"memory_waiting_percent": 25.0}, "memory pressure"),
        ({}, "GPU"),
        ({"cpu_percent": None}, "CPU"),
        ({}, "power"),
        ({}, "swap"),
        ({}, "uptime"),
        ({"zones": zones(cpu=40.0, cv0=None)}, "cv0"),
        ({"sources": ("/proc and /sys", "jtop: the service has not answered for 9 s")}, "source"),
    ],
)
def test_what_decides_nothing_is_a_note(changed: dict[str, Any], name: str) -> None:
    """It is told, and training may begin."""
    found = lines(resources(**changed))
    assert found[name].health is NOTE
    assert found["training"].health is OK


def test_an_offline_zone_is_usual_only_where_it_is() -> None:
    """`cv0` on a Jetson; not on another machine, and not its other zones."""
    cv0, gpu = ThermalZone("cv0-thermal", None), ThermalZone("gpu-thermal", None)
    jetson = lines(resources(zones=(*zones(cpu=40.0), cv0, gpu), is_jetson=True))
    assert "as on every Orin Nano" in jetson["cv0-thermal"].text
    assert jetson["gpu-thermal"].text == "offline"
    assert lines(resources(zones=(*zones(cpu=40.0), cv0)))["cv0-thermal"].text == "offline"


def test_every_probe_reading_can_be_examined(laptop: Path) -> None:
    """The lines of a real probe, in their order: who, zones, what is measured, and the conclusion at the end."""
    found = examine(DeviceProbe(laptop, laptop).read(), Settings(data_dir=laptop))
    assert [line.name for line in found] == [
        "board", "source", "acpitz", "acpitz", "x86_pkg_temp", "temperature", "memory", "swap", "memory pressure", "GPU",
        "CPU", "power", "power mode", "disk", "uptime", "training",
    ]  # fmt: skip
