"""Memory, pressure, load, uptime, disk, and what only a Jetson tells, on trees that look like /proc, /sys and /etc."""

from pathlib import Path

import pytest

from posture_daemon.adapters.probes import DeviceProbe
from posture_daemon.device.resources import Resources
from tests.fakes.devices import MEMINFO, ORIN_NANO, put

MONITOR = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree with /proc/meminfo alone."""
    put(tmp_path, "proc/meminfo", MEMINFO)
    return tmp_path


def read(root: Path) -> Resources:
    """What the probe sees."""
    return DeviceProbe(root, root).read()


def rail(root: Path, channel: int, name: str, millivolts: str, milliamperes: str) -> None:
    """One channel of the power monitor."""
    put(root, f"{MONITOR}/in{channel}_label", f"{name}\n")
    put(root, f"{MONITOR}/in{channel}_input", f"{millivolts}\n")
    put(root, f"{MONITOR}/curr{channel}_input", f"{milliamperes}\n")


def test_available_memory_is_what_can_be_had_without_swap(root: Path) -> None:
    """MemAvailable in bytes, neither MemFree nor with the zram swap, which CUDA memory cannot use."""
    found = read(root)
    assert (found.memory_available_bytes, found.memory_total_bytes) == (3_145_728 * 1024, 7_802_968 * 1024)
    assert (found.swap_used_bytes, found.swap_total_bytes) == (1024 * 1024, 3_901_476 * 1024)


@pytest.mark.parametrize(
    "meminfo", [MEMINFO.replace("MemAvailable", "Mem"), MEMINFO.replace("3145728 kB", "lots"), "", None]
)
def test_memory_that_is_not_told_is_unknown(root: Path, meminfo: str | None) -> None:
    """Never 0, and never guessed from MemFree."""
    path = root / "proc/meminfo"
    path.unlink() if meminfo is None else path.write_text(meminfo)
    assert read(root).memory_available_bytes is None


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    """All is unknown but the disk, and nothing is raised."""
    found = read(tmp_path)  # once: other processes write to the same disk
    assert found == Resources(disk_free_bytes=found.disk_free_bytes, sources=("/proc and /sys",))


def test_memory_pressure_is_some_of_the_last_ten_seconds(root: Path) -> None:
    """Not `full`, and not the longer averages."""
    lines = ["some avg10=12.50 avg60=3.00 avg300=1.00 total=1", "full avg10=7.00 avg60=2.00 avg300=0.50 total=1"]
    put(root, "proc/pressure/memory", "\n".join(lines) + "\n")
    assert read(root).memory_waiting_percent == 12.5


LOAD = "sys/devices/platform/gpu.0/load"


@pytest.mark.parametrize(
    ("file", "text", "field"),
    [
        *(
            ("proc/pressure/memory", text, "memory_waiting_percent")
            for text in ("", "full avg10=7\n", "some avg10=often\n")
        ),
        *((LOAD, text, "gpu_percent") for text in ("", "-1\n", "1001\n", "busy\n")),
    ],
)
def test_what_is_not_told_or_cannot_be_is_unknown(root: Path, file: str, text: str, field: str) -> None:
    """Never 0; a kernel that was built with pressure and started without answers with an error."""
    put(root, file, text)
    assert getattr(read(root), field) is None


def test_cpu_load_is_what_happened_between_two_looks(root: Path) -> None:
    """Unknown at first; waiting for a disk is idle, and time of guests (the last two) is not counted twice."""
    probe = DeviceProbe(root, root)
    put(root, "proc/stat", "cpu  100 0 100 800 100 0 0 0 50 0\ncpu0 1 1\n")
    assert probe.read().cpu_percent is None
    put(root, "proc/stat", "cpu  150 0 110 820 120 0 0 0 90 0\ncpu0 1 1\n")
    assert probe.read().cpu_percent == pytest.approx(60.0)


def test_cpu_load_survives_two_threads_that_look_at_once(root: Path) -> None:
    """Two looks within a moment tell nothing, so the second gets the last answer and not an invented 0 or 100 %."""
    probe = DeviceProbe(root, root)
    for text in ("cpu 0 0 0 0 0 0 0 0", "cpu 50 0 0 50 0 0 0 0"):
        put(root, "proc/stat", text)
        probe.read()
    put(root, "proc/stat", "cpu 51 0 0 50 0 0 0 0")
    assert probe.read().cpu_percent == pytest.approx(50.0)


@pytest.mark.parametrize(("text", "seconds"), [("93784.21 551203.88\n", 93784.21), ("", None), ("long\n", None)])
def test_uptime(root: Path, text: str, seconds: float | None) -> None:
    """The first number, in seconds."""
    put(root, "proc/uptime", text)
    assert read(root).uptime_s == seconds


def test_disk_space_is_that_of_the_data_folder(root: Path) -> None:
    """Unknown when the folder is not there."""
    assert (read(root).disk_free_bytes or 0) > 0
    assert DeviceProbe(root / "nowhere", root).read().disk_free_bytes is None


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("etc/nv_tegra_release", "# R36 (release), REVISION: 4.7\n"),
        ("proc/device-tree/model", "NVIDIA Jetson Orin Nano Developer Kit\0"),
        ("proc/device-tree/compatible", "nvidia,p3768-0000+p3767-0005\0nvidia,p3767-0005\0nvidia,tegra234\0"),
    ],
)
def test_a_jetson_is_known_by_any_of_its_marks(root: Path, file: str, text: str) -> None:
    """A container often lacks NVIDIA's release file."""
    assert not read(root).is_jetson
    put(root, file, text)
    assert read(root).is_jetson


@pytest.mark.parametrize(
    ("file", "text", "name"),
    [
        ("proc/device-tree/model", "NVIDIA Jetson Orin Nano Developer Kit\0", "NVIDIA Jetson Orin Nano Developer Kit"),
        ("sys/class/dmi/id/product_name", "ThinkPad X1\n", "ThinkPad X1"),
        ("sys/class/dmi/id/product_name", "To Be Filled By O.E.M.\n", None),
    ],
)
def test_the_board_has_its_name(root: Path, file: str, text: str, name: str | None) -> None:
    """Without the NUL at its end, of a PC that of the product, and none where its maker wrote none."""
    put(root, file, text)
    assert read(root).board == name


@pytest.mark.parametrize(
    "file",
    [
        "sys/devices/platform/bus@0/17000000.gpu/load",
        "sys/devices/platform/17000000.gpu/load",
        "sys/devices/platform/gpu.0/load",
        "sys/devices/gpu.0/load",
        "sys/class/devfreq/17000000.gpu/device/load",
        "sys/class/devfreq/17000000.ga10b/device/load",
    ],
)
def test_gpu_load_is_found_wherever_a_jetpack_puts_it(root: Path, file: str) -> None:
    """The kernel says thousandths."""
    put(root, file, "123\n")
    assert read(root).gpu_percent == 12.3


def test_power_is_that_of_the_whole_module(root: Path) -> None:
    """Volts times amperes of VDD_IN on whatever channel; what is not connected, and the sum of shunts on 7, are no rails."""
    rail(root, 1, "NC", "5000", "9000")
    rail(root, 2, "VDD_SOC", "5000", "280")
    rail(root, 3, "VDD_IN", "5072", "1144")
    rail(root, 7, "VDD_IN", "5000", "9000")
    assert read(root).power_watts == pytest.approx(5.802, abs=0.001)


@pytest.mark.parametrize(("name", "amperes"), [("VDD_GPU_SOC", "1144"), ("VDD_IN", ""), ("VDD_IN", "n/a")])
def test_power_that_is_not_measured_is_unknown(root: Path, name: str, amperes: str) -> None:
    """A board without a rail for all, and a monitor that does not answer; the sum of shunts on 7 is no way out."""
    rail(root, 1, name, "5072", amperes)
    rail(root, 7, "VDD_IN", "5000", "900")
    assert read(root).power_watts is None


MODES = "< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >\n< PM_CONFIG DEFAULT=0 >\n"


@pytest.mark.parametrize(
    ("status", "settings", "mode"),
    [
        ("pmode:0002\n", MODES, "MAXN_SUPER"),
        ("pmode:0000 fmode:quiet\n", MODES, "15W"),
        ("pmode:0007\n", MODES, "mode 7"),
        ("pmode:0002\n", None, "mode 2"),
        ("\n", MODES, None),
        (None, MODES, None),
    ],
)
def test_the_power_mode_is_the_one_noted_and_not_the_default(
    root: Path, status: str | None, settings: str | None, mode: str | None
) -> None:
    """By its name where the settings of nvpmodel have one; unknown where nothing was noted."""
    for file, text in (("var/lib/nvpmodel/status", status), ("etc/nvpmodel.conf", settings)):
        if text is not None:
            put(root, file, text)
    assert read(root).power_mode == mode


def test_the_orin_nano_of_the_fixture() -> None:
    """All of it together, as `doctor --root` reads it."""
    found = read(ORIN_NANO)
    assert found.is_jetson
    assert found.board == "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super"
    assert [zone.name for zone in found.zones if zone.celsius is None] == ["cv0-thermal", "cv1-thermal", "cv2-thermal"]
    assert [zone.lowest_trip for zone in found.zones] == [95.0] + 8 * [99.0]
    assert (found.gpu_percent, found.power_mode, found.memory_waiting_percent) == (12.3, "MAXN_SUPER", None)
    assert found.sources == ("/proc and /sys", "jtop: not asked about another tree")


def test_the_machine_that_runs_the_tests_can_be_read(tmp_path: Path) -> None:
    """On any Linux: no exception, and memory and uptime that are known."""
    probe = DeviceProbe(tmp_path)
    try:
        found = probe.read()
    finally:
        probe.close()
    assert (found.memory_available_bytes or 0) > 0
    assert (found.uptime_s or 0) > 0
