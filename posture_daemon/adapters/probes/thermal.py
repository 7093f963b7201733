"""Thermal zones of the kernel, named by type, since zone numbers differ between boards; else chips of hwmon.

Most PCs and servers with AMD processors, and many virtual and ARM boards, have no thermal zone of the processor: its sensor
is only a chip of hwmon (https://docs.kernel.org/hwmon/sysfs-interface.html).
"""

import re
from dataclasses import dataclass
from pathlib import Path

from posture_daemon.adapters.probes.files import find, read_int, read_text
from posture_daemon.device.resources import DIE, ThermalZone

MIN_PLAUSIBLE, MAX_PLAUSIBLE = -40.0, 150.0
"""°C. Offline sensors report -256, and some drivers other impossible values."""


PROCESSOR_CHIPS = (*DIE, "k8temp", "zenpower", "via_cputemp", "soc", "scmi_sensors", "scpi_sensors", "bcm2835")
"""Prefixes of hwmon's names of processor sensors. Drives, batteries, radios and the firmware's `acpitz` are other things."""

PROCESSOR_LABEL = re.compile(
    r"cpu ?\d*( (package|core|die|temp|temperature))?|peci( agent)? \d+|tsi\d_temp|amd tsi addr \w+", re.IGNORECASE
)
"""Labels of the processor's sensor on a chip of the board (`dell_smm`, `thinkpad`, `nct6775`). Not `CPUTIN`: on many boards
nothing is connected to that one, and it says 120 °C."""


def read_zones(root: Path) -> tuple[ThermalZone, ...]:
    """All zones, and where none is on the processor's die, the processor's sensors of hwmon."""
    zones = _thermal_zones(root)
    return zones if any(zone.on_die for zone in zones) else (*zones, *_processor_chips(root))


def _thermal_zones(root: Path) -> tuple[ThermalZone, ...]:
    """In the order of their number, including offline ones and those of equal name (`acpitz`)."""
    folders = sorted(find(root / "sys/class/thermal", "thermal_zone*"), key=_number)
    return tuple(
        ThermalZone(read_text(zone / "type") or zone.name, plausible(read_int(zone / "temp"), 1000), _trips(zone))
        for zone in folders
    )


def _processor_chips(root: Path) -> tuple[ThermalZone, ...]:
    """The sensors of the processor's own chips, such as `k10temp Tctl`; where there is none, those of the board for it."""
    chips = sorted(find(root / "sys/class/hwmon", "hwmon*"), key=_number)
    sensors = [sensor for chip in chips for sensor in _sensors(chip)]
    own = [sensor for sensor in sensors if sensor.chip.lower().startswith(PROCESSOR_CHIPS)]
    of_board = [sensor for sensor in sensors if PROCESSOR_LABEL.fullmatch(sensor.label)]
    return tuple(_zone(sensor) for sensor in own or of_board)


@dataclass(frozen=True)
class _Sensor:
    """A `temp*_input` of hwmon, the name of its chip and its label, which may be empty."""

    path: Path
    chip: str
    label: str

    @property
    def celsius(self) -> float | None:
        """`None` where it tells nothing, or the chip says that what it tells is wrong (a broken wire)."""
        return None if read_int(_beside(self.path, "fault")) == 1 else plausible(read_int(self.path), 1000)


def _sensors(chip: Path) -> list[_Sensor]:
    """All that count. Old kernels have the files of a chip one folder below, in `device`.

    AMD's Tctl is for the fans: on some processors it is 10, 20 or 27 °C above the temperature of the die, Tdie, which is
    there as well (https://docs.kernel.org/hwmon/k10temp.html).
    """
    name = read_text(chip / "name") or read_text(chip / "device/name") or ""
    inputs = find(chip, "temp*_input") or find(chip / "device", "temp*_input")
    found = [_Sensor(path, name, read_text(_beside(path, "label")) or "") for path in inputs]
    if any(one.label == "Tdie" and one.celsius is not None for one in found):
        return [one for one in found if one.label != "Tctl"]
    return found


def _zone(sensor: _Sensor) -> ThermalZone:
    """`crit` is a trip point. `max` is none: k10temp always says 70 °C, coretemp where a fan should run fast."""
    critical = plausible(read_int(_beside(sensor.path, "crit")), 1000)
    trips = {} if critical is None or critical <= 0 else {"critical": critical}
    return ThermalZone(" ".join(filter(None, (sensor.chip, sensor.label))), sensor.celsius, trips)


def _beside(path: Path, end: str) -> Path:
    """`temp1_crit` of `temp1_input`."""
    return path.with_name(path.name.replace("_input", f"_{end}"))


def plausible(value: float | None, divisor: float = 1) -> float | None:
    """`value / divisor` as °C; `None` outside of the plausible range."""
    if value is None:
        return None
    celsius = value / divisor
    return celsius if MIN_PLAUSIBLE < celsius < MAX_PLAUSIBLE else None


def _trips(zone: Path) -> dict[str, float]:
    """Lowest trip point of each type, °C; unused ones report 0 or -274 000."""
    found: dict[str, float] = {}
    for path in find(zone, "trip_point_*_type"):
        kind = read_text(path)
        celsius = plausible(read_int(path.with_name(path.name.replace("_type", "_temp"))), 1000)
        if kind and celsius is not None and celsius > 0:
            found[kind] = min(celsius, found.get(kind, celsius))
    return found


def _number(zone: Path) -> tuple[int, str]:
    digits = re.sub(r"\D", "", zone.name)
    return int(digits or 0), zone.name
