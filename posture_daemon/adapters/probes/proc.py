"""Values of every Linux from /proc: memory, memory pressure, CPU load, uptime; and free disk space."""

import re
import shutil
from pathlib import Path
from threading import Lock

from posture_daemon.adapters.probes.files import read_text

MIN_TICKS = 20
"""Fewest clock ticks (all cores) between two readings of the load; after fewer the last value is returned again."""


def meminfo(root: Path) -> dict[str, int]:
    """Bytes by name. MemAvailable is the memory that can be allocated; zram swap is not part of it."""
    found: dict[str, int] = {}
    for line in (read_text(root / "proc/meminfo") or "").splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            found[name] = int(words[0]) * 1024
    return found


def swap_used(memory: dict[str, int]) -> int | None:
    """Used swap, bytes."""
    total, free = memory.get("SwapTotal"), memory.get("SwapFree")
    return None if total is None or free is None else total - free


def memory_waiting(root: Path) -> float | None:
    """PSI "some avg10": % of the last 10 s in which a process waited for memory; `None` without PSI in the kernel."""
    return waiting_in(root / "proc/pressure/memory")


def waiting_in(path: Path) -> float | None:
    """The same of any file of pressure stall information."""
    found = re.search(r"^some avg10=(\d+(?:\.\d+)?)", read_text(path) or "", re.M)
    return None if found is None else float(found[1])


def uptime(root: Path) -> float | None:
    """Seconds since boot."""
    found = re.match(r"\d+(\.\d+)?", read_text(root / "proc/uptime") or "")
    return None if found is None else float(found[0])


def disk_free(folder: Path) -> int | None:
    """Bytes free to an unprivileged user."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


class CpuLoad:
    """CPU load between two readings of any threads; psutil keeps one state per thread and starts each at 0 %."""

    def __init__(self, root: Path) -> None:
        self._path, self._lock = root / "proc/stat", Lock()
        self._last: tuple[int, int] | None = None
        self._percent: float | None = None

    def read(self) -> float | None:
        """% of all cores since the reading before, 0-100; `None` at the first reading."""
        with self._lock:
            seen = _idle_and_total(self._path)
            if seen is None or self._last is None:
                self._last = seen
                return None
            idle, total = seen[0] - self._last[0], seen[1] - self._last[1]
            if total >= MIN_TICKS:
                self._last, self._percent = seen, min(100.0, max(0.0, 100 * (1 - idle / total)))
            return self._percent


def _idle_and_total(path: Path) -> tuple[int, int] | None:
    """(idle, total) ticks of all cores; iowait counts as idle. Guest time is already part of user time."""
    found = re.match(r"cpu +(\d+(?: \d+){4,7})", read_text(path) or "")
    if found is None:
        return None
    ticks = [int(word) for word in found[1].split()]
    return ticks[3] + ticks[4], sum(ticks)
