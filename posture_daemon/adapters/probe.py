"""What the device reports: memory, temperatures, load. From /proc and /sys, the same on a Jetson and a laptop."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import psutil

from posture_daemon.domain import Resources

HIGHEST_PLAUSIBLE, LOWEST_PLAUSIBLE = 150.0, -40.0  # °C


class LinuxProbe:
    """Implements `ports.ResourceProbe`. `root` is `/`, or a folder that looks like it, for tests."""

    def __init__(self, data_dir: Path, root: Path = Path("/")) -> None:
        self._data_dir, self._root = data_dir, root

    def read(self) -> Resources:
        """Read everything now; what cannot be read is `None` or missing."""
        memory = _meminfo(self._root / "proc/meminfo")
        zones = sorted((self._root / "sys/class/thermal").glob("thermal_zone*"))
        return Resources(
            memory_available_bytes=memory.get("MemAvailable"),
            memory_total_bytes=memory.get("MemTotal"),
            temperatures_celsius=_temperatures(zones),
            thermal_zones_seen=len(zones),
            cpu_percent=psutil.cpu_percent(),
            disk_free_bytes=_disk_free(self._data_dir),
        )


def _meminfo(path: Path) -> dict[str, int]:
    """Bytes by name. MemAvailable, not MemFree; zram swap is never counted, since CUDA memory cannot be swapped."""
    found: dict[str, int] = {}
    for line in (_read(path) or "").splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            found[name] = int(words[0]) * 1024
    return found


def _temperatures(zones: Sequence[Path]) -> dict[str, float]:
    """Degrees Celsius by type; of zones with the same type (laptops have several `acpitz`) the hottest."""
    found: dict[str, float] = {}
    for zone in zones:
        celsius = _temperature(zone / "temp")
        if celsius is not None:
            found[_name(zone)] = max(celsius, found.get(_name(zone), celsius))
    return found


def _name(zone: Path) -> str:
    return (_read(zone / "type") or zone.name).strip()


def _temperature(path: Path) -> float | None:
    """Degrees Celsius; `None` for a zone that is offline (the Orin Nano's cv0-cv2), empty or absurd."""
    try:
        celsius = int(_read(path) or "") / 1000
    except ValueError:
        return None
    return celsius if LOWEST_PLAUSIBLE < celsius < HIGHEST_PLAUSIBLE else None


def _read(path: Path) -> str | None:
    """Read without ever blocking: an offline thermal zone answers EAGAIN, which `open().read()` turns into a TypeError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(descriptor, 1 << 16).decode(errors="replace")
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _disk_free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
