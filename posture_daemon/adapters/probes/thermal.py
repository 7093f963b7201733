"""Thermal zones of the kernel, named by type, since zone numbers differ between boards."""

import re
from pathlib import Path

from posture_daemon.adapters.probes.files import find, read_int, read_text
from posture_daemon.device.resources import ThermalZone

MIN_PLAUSIBLE, MAX_PLAUSIBLE = -40.0, 150.0
"""°C. Offline sensors report -256, and some drivers other impossible values."""


def read_zones(root: Path) -> tuple[ThermalZone, ...]:
    """All zones in the order of their number, including offline ones and those of equal name (`acpitz`)."""
    folders = sorted(find(root / "sys/class/thermal", "thermal_zone*"), key=_number)
    return tuple(
        ThermalZone(read_text(zone / "type") or zone.name, plausible(read_int(zone / "temp"), 1000), _trips(zone))
        for zone in folders
    )


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
