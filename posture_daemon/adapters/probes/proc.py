"""What every Linux tells in /proc: memory, its pressure, load, uptime. And the disk."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from threading import Lock

from posture_daemon.adapters.probes.files import read_text

MIN_TICKS = 20
"""Ticks of all cores together between two looks at the load; fewer say nothing, and the last answer is given again."""


def meminfo(root: Path) -> dict[str, int]:
    """Bytes by name.

    MemAvailable, not MemFree, is what can be had; zram swap is never part of it, since CUDA memory cannot be swapped.
    """
    found: dict[str, int] = {}
    for line in (read_text(root / "proc/meminfo") or "").splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            found[name] = int(words[0]) * 1024
    return found


def swap_used(memory: dict[str, int]) -> int | None:
    """Bytes in swap."""
    total, free = memory.get("SwapTotal"), memory.get("SwapFree")
    return None if total is None or free is None else total - free


def memory_waiting(root: Path) -> float | None:
    """Per cent of the last 10 s in which some process waited for memory; the kernel of JetPack may be built without it."""
    found = re.search(r"^some avg10=(\d+(?:\.\d+)?)", read_text(root / "proc/pressure/memory") or "", re.M)
    return None if found is None else float(found[1])


def uptime(root: Path) -> float | None:
    """Seconds since the start."""
    found = re.match(r"\d+(\.\d+)?", read_text(root / "proc/uptime") or "")
    return None if found is None else float(found[0])


def disk_free(folder: Path) -> int | None:
    """Bytes that a user without privileges may still write."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


class CpuLoad:
    """Load between two looks, whoever looked. It is not psutil's, which has a clock a thread and begins each at 0 %."""

    def __init__(self, root: Path) -> None:
        self._path, self._lock = root / "proc/stat", Lock()
        self._last: tuple[int, int] | None = None
        self._percent: float | None = None

    def read(self) -> float | None:
        """Per cent of all cores since the look before; `None` at the first one, and on a tree that stands still."""
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
    """Ticks of all cores; waiting for a disk is idle. Time of guests is in that of users already."""
    found = re.match(r"cpu +(\d+(?: \d+){4,7})", read_text(path) or "")
    if found is None:
        return None
    ticks = [int(word) for word in found[1].split()]
    return ticks[3] + ticks[4], sum(ticks)
