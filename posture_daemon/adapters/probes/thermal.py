"""Thermal zones of the kernel, by their type and never by their number, which changes from board to board."""

from __future__ import annotations

import re
from pathlib import Path

from posture_daemon.adapters.probes.files import find, read_int, read_text
from posture_daemon.device.resources import ThermalZone

MIN_PLAUSIBLE, MAX_PLAUSIBLE = -40.0, 150.0
"""°C. Outside lie the -256 of sensors that are off, and what drivers say that have nothing to say."""


def read_zones(root: Path) -> tuple[ThermalZone, ...]:
    """Every zone in the order of its number, offline ones too; of two with one name (`acpitz`) both."""
    folders = sorted(find(root / "sys/class/thermal", "thermal_zone*"), key=_number)
    return tuple(
        ThermalZone(read_text(zone / "type") or zone.name, plausible(read_int(zone / "temp"), 1000), _trips(zone))
        for zone in folders
    )


def plausible(value: float | None, divisor: float = 1) -> float | None:
    """°C from a number of sensors; `None` for what no sensor of a running computer can have measured."""
    if value is None:
        return None
    celsius = value / divisor
    return celsius if MIN_PLAUSIBLE < celsius < MAX_PLAUSIBLE else None


def _trips(zone: Path) -> dict[str, float]:
    """The lowest trip point of each type, °C. A trip point that is not in use says 0 or -274 000."""
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
