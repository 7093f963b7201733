"""Thermal zones of the kernel, named by type, since zone numbers differ between boards; else chips of hwmon.

Most PCs and servers with AMD processors, and many virtual and ARM boards, have no thermal zone of the processor: its sensor
is only a chip of hwmon (https://docs.kernel.org/hwmon/sysfs-interface.html).
"""

import re
from pathlib import Path

from posture_daemon.adapters.probes.files import find, read_int, read_text
from posture_daemon.device.resources import DIE, ThermalZone

MIN_PLAUSIBLE, MAX_PLAUSIBLE = -40.0, 150.0
"""°C. Offline sensors report -256, and some drivers other impossible values."""


PROCESSOR_CHIPS = (*DIE, "k8temp", "zenpower", "via_cputemp", "soc", "scmi_sensors", "scpi_sensors", "bcm2835")
"""Prefixes of hwmon's names of processor sensors. Drives, batteries, radios and the firmware's `acpitz` are other things."""


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
    """One for each sensor of a processor chip, such as `k10temp Tctl`; its critical temperature is a trip point."""
    chips = sorted(find(root / "sys/class/hwmon", "hwmon*"), key=_number)
    named = ((chip, read_text(chip / "name") or "") for chip in chips)
    return tuple(
        _sensor(sensor, name)
        for chip, name in named
        if name.lower().startswith(PROCESSOR_CHIPS)
        for sensor in find(chip, "temp*_input")
    )


def _sensor(path: Path, chip: str) -> ThermalZone:
    """`max` is no limit: k10temp always says 70 °C, and coretemp the temperature at which a fan should run fast."""
    critical = plausible(read_int(_beside(path, "crit")), 1000)
    name = " ".join(filter(None, (chip, read_text(_beside(path, "label")))))
    trips = {} if critical is None or critical <= 0 else {"critical": critical}
    return ThermalZone(name, plausible(read_int(path), 1000), trips)


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
