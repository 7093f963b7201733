"""A reading of the device's resources. An unknown value is `None`, never 0."""

from collections.abc import Mapping
from dataclasses import dataclass, field

DIE = ("cpu", "tj", "x86_pkg", "k10temp", "coretemp")
"""Prefixes of zones on the processor die: Jetson, Intel, AMD."""

LIMITING_TRIPS = ("passive", "hot", "critical")
"""Trip points at which the kernel throttles or shuts down; `active` ones control a fan."""


@dataclass(frozen=True)
class ThermalZone:
    """One temperature sensor. `celsius` is `None` while it is offline; `trips` are °C by type, the lowest of each."""

    name: str
    celsius: float | None
    trips: Mapping[str, float] = field(default_factory=dict)

    @property
    def lowest_trip(self) -> float | None:
        """Temperature from which the kernel throttles, °C; `None` if unknown."""
        return min((self.trips[kind] for kind in LIMITING_TRIPS if kind in self.trips), default=None)

    @property
    def on_die(self) -> bool:
        """Whether it measures the processor die."""
        return self.name.lower().startswith(DIE)


@dataclass(frozen=True)
class Resources:
    """One reading in bytes, °C, % (0-100 of all cores, of the GPU, of the time), watts, seconds; `None` is unknown.

    `memory_available_bytes` is what can be allocated without swapping; zram swap is not part of it, since CUDA memory cannot
    be swapped. `memory_waiting_percent` is the kernel's pressure stall information, "some avg10". `sources` names in words
    what was read, and why a source was not.
    """

    memory_available_bytes: int | None = None
    memory_total_bytes: int | None = None
    memory_waiting_percent: float | None = None
    swap_used_bytes: int | None = None
    swap_total_bytes: int | None = None
    zones: tuple[ThermalZone, ...] = ()
    cpu_percent: float | None = None
    gpu_percent: float | None = None
    power_watts: float | None = None
    power_mode: str | None = None
    disk_free_bytes: int | None = None
    uptime_s: float | None = None
    board: str | None = None
    is_jetson: bool = False
    sources: tuple[str, ...] = ()

    @property
    def known_zones(self) -> tuple[ThermalZone, ...]:
        """Zones with a temperature."""
        return tuple(zone for zone in self.zones if zone.celsius is not None)
