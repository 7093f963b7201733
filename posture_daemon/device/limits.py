"""Resources compared with the limits: pure functions shared by the gate and the control of a running training.

An unknown temperature is a state of its own: the gate stays closed, and a running training is paused.
"""

from dataclasses import dataclass
from enum import Enum

from posture_daemon.device.resources import Resources, ThermalZone
from posture_daemon.domain import MB, Decision, Verdict
from posture_daemon.settings import LimitsSettings

TRIP_MARGIN = 5.0
"""°C below a zone's lowest trip point at which a training is stopped at the latest."""

MIN_TRIP = 60.0
"""°C. Lower trip points belong to skin or battery sensors, or are invalid, and are ignored."""


class State(Enum):
    """Thermal states, from good to bad."""

    COOL = "cool"
    NEUTRAL = "neutral"
    """Hysteresis band: too warm to start, not warm enough to pause; the present state is kept."""
    WARM = "warm"
    HOT = "hot"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Heat:
    """State of the zone nearest to its limit. `limit` is that for starting a training, °C."""

    state: State
    text: str
    celsius: float | None = None
    limit: float | None = None


def heat(resources: Resources, limits: LimitsSettings) -> Heat:
    """Thermal state of the device. Without any zone a machine counts as cool (e.g. a virtual one), a Jetson as unknown."""
    blind = _blind(resources)
    if blind is not None:
        return Heat(State.UNKNOWN, blind)
    if not resources.known_zones:
        return Heat(State.COOL, "this machine has no thermal zones")
    zone = max(resources.known_zones, key=lambda zone: (zone.celsius or 0.0) - lowered(zone, limits, 0.0))
    celsius, start = zone.celsius or 0.0, lowered(zone, limits, limits.start_celsius)
    if celsius >= lowered(zone, limits, limits.stop_celsius):
        state = State.HOT
    elif celsius >= lowered(zone, limits, limits.pause_celsius):
        state = State.WARM
    else:
        state = State.COOL if celsius <= start else State.NEUTRAL
    return Heat(state, f"hottest zone {zone.name} {celsius:.1f} °C", celsius, start)


def lowered(zone: ThermalZone, limits: LimitsSettings, celsius: float) -> float:
    """Limit `celsius` for this zone; all limits are lowered equally for a zone with lower trip points."""
    trip = zone.lowest_trip
    if trip is None or trip < MIN_TRIP:
        return celsius
    return celsius - max(0.0, limits.stop_celsius - (trip - TRIP_MARGIN))


def _blind(resources: Resources) -> str | None:
    """Why the temperature is unknown; `None` when it is known."""
    zones, known = resources.zones, resources.known_zones
    if not zones:
        return "this Jetson shows no thermal zones" if resources.is_jetson else None
    if not known:
        return f"none of {len(zones)} thermal zones can be read"
    die = [zone for zone in zones if zone.on_die]
    if die and not any(zone.celsius is not None for zone in die):
        return f"the processor's own temperature cannot be read ({', '.join(zone.name for zone in die)})"
    return None


def temperature_verdict(resources: Resources, limits: LimitsSettings) -> Verdict:
    """Whether a training may start at this temperature."""
    found = heat(resources, limits)
    limit = "" if found.limit is None else f" (at most {found.limit:.1f} °C)"
    return Verdict("temperature", found.state is State.COOL, found.text + limit, found.celsius, found.limit, True)


def memory_verdict(resources: Resources, limits: LimitsSettings, need_bytes: int) -> Verdict:
    """Whether there is memory for a training that is expected to need `need_bytes`."""
    available, needed = resources.memory_available_bytes, need_bytes + limits.memory_reserve_mb * MB
    wanted = f"at least {needed // MB} MB: {need_bytes // MB} expected + {limits.memory_reserve_mb} in reserve"
    if available is None:
        return Verdict("memory", False, f"available memory is unknown ({wanted})", None, needed, True)
    text = f"{available // MB} MB of memory available ({wanted})"
    return Verdict("memory", available >= needed, text, available, needed, True)


def disk_verdict(resources: Resources, limits: LimitsSettings) -> Verdict:
    """Whether enough disk space of the data folder is free."""
    free, least = resources.disk_free_bytes, limits.disk_reserve_mb * MB
    if free is None:
        return Verdict("disk", False, "free disk space is unknown", None, least, True)
    text = f"{free // MB} MB of disk free (at least {limits.disk_reserve_mb} MB)"
    return Verdict("disk", free >= least, text, free, least, True)


def idle_verdict(resources: Resources, limits: LimitsSettings) -> Verdict:
    """Whether the CPU is idle enough for deferrable work."""
    load, most = resources.cpu_percent, limits.idle_cpu_percent
    if load is None:
        return Verdict("CPU", False, "CPU load is unknown", None, most)
    return Verdict("CPU", load <= most, f"CPU {load:.0f} % busy (at most {most:.0f} %)", load, most)


def power_verdict(resources: Resources, limits: LimitsSettings) -> Verdict:
    """Whether the power mode is one that the owner allows for training."""
    allowed = [name.strip() for name in limits.power_modes.split(",") if name.strip()]
    mode = resources.power_mode
    if not allowed:
        return Verdict("power mode", True, f"power mode {mode or 'unknown'} (any is allowed)", mode)
    passed = mode is not None and mode.lower() in (name.lower() for name in allowed)
    text = f"power mode {mode or 'unknown'} (allowed: {', '.join(allowed)})"
    return Verdict("power mode", passed, text, mode, limits.power_modes)


def has_room(resources: Resources, limits: LimitsSettings, need_bytes: int) -> Decision:
    """The conditions of the gate that depend on the device alone."""
    device = (look(resources, limits) for look in (temperature_verdict, power_verdict, disk_verdict))
    return Decision((memory_verdict(resources, limits, need_bytes), *device))
