"""The resource probe: /proc and /sys everywhere, and jtop in addition on a Jetson."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from posture_daemon.adapters.probes import jetson, proc
from posture_daemon.adapters.probes.cgroup import read_group
from posture_daemon.adapters.probes.jtop import JtopReader, JtopSnapshot
from posture_daemon.adapters.probes.thermal import read_zones
from posture_daemon.device.resources import Resources, ThermalZone
from posture_daemon.domain import MB

Value = TypeVar("Value")

HERE = Path("/")


class DeviceProbe:
    """Implements `ports.ResourceProbe`; thread-safe. `root` is `/`, or a folder with the same tree (in tests).

    On a Jetson a `jtop` reader is made unless one is given; its thread starts with the first read.
    """

    def __init__(self, data_dir: Path, root: Path = HERE, jtop: JtopReader | None = None) -> None:
        self._data_dir, self._root = data_dir, root
        self._is_jetson = jetson.is_jetson(root)
        self._jtop = JtopReader() if jtop is None and self._is_jetson and root == HERE else jtop
        self._cpu = proc.CpuLoad(root)

    def read(self) -> Resources:
        """Read everything now; what cannot be read is `None`."""
        heard, sources = self._hear()
        root, memory, group = self._root, proc.meminfo(self._root), read_group(self._root)
        if group.limit_bytes is not None:
            sources = (*sources, f"control groups, which limit memory to {group.limit_bytes // MB} MB")
        return Resources(
            memory_available_bytes=_least(memory.get("MemAvailable"), group.available_bytes),  # jtop has no such number
            memory_total_bytes=_least(memory.get("MemTotal"), group.limit_bytes),
            memory_waiting_percent=max(_known(proc.memory_waiting(root), group.waiting_percent), default=None),
            swap_used_bytes=proc.swap_used(memory),
            swap_total_bytes=memory.get("SwapTotal"),
            zones=_merge(read_zones(root), heard.celsius),
            cpu_percent=self._cpu.read(),
            gpu_percent=_first(heard.gpu_percent, jetson.gpu_percent(root)),
            power_watts=_first(heard.power_watts, jetson.power_watts(root)),
            power_mode=_first(heard.power_mode, jetson.power_mode(root)),
            disk_free_bytes=proc.disk_free(self._data_dir),
            uptime_s=proc.uptime(root),
            board=jetson.board(root),
            is_jetson=self._is_jetson,
            sources=sources,
        )

    def settle(self, max_s: float) -> None:
        """Wait at most `max_s` seconds until jtop has answered or failed, for a caller that reads only once."""
        if self._jtop is not None:
            self._jtop.start()
            self._jtop.wait(max_s)

    def close(self) -> None:
        """Stop the jtop thread."""
        if self._jtop is not None:
            self._jtop.close()

    def _hear(self) -> tuple[JtopSnapshot, tuple[str, ...]]:
        """The snapshot of jtop (empty without one), and the sources that were asked, in words."""
        kernel = "/proc and /sys"
        if self._jtop is None:
            return JtopSnapshot(), (kernel, "jtop: not asked about another tree") if self._is_jetson else (kernel,)
        self._jtop.start()
        heard = self._jtop.latest()
        if heard is None:
            return JtopSnapshot(), (kernel, f"jtop: {self._jtop.why}")
        return heard, (kernel, "jtop")


def _merge(zones: Sequence[ThermalZone], heard: Mapping[str, float]) -> tuple[ThermalZone, ...]:
    """Join trip points of the kernel with temperatures of jtop, where jtop's name for a zone is unambiguous.

    Where /sys has no zones, as in some containers, jtop's are used; those with a space in their name are other chips (`nvme`).
    """
    if not zones:
        return tuple(ThermalZone(name, celsius) for name, celsius in heard.items() if " " not in name)
    names = Counter(_name_in_jtop(zone) for zone in zones)
    return tuple(
        replace(zone, celsius=heard.get(name, zone.celsius)) if names[name] == 1 else zone
        for zone, name in ((zone, _name_in_jtop(zone)) for zone in zones)
    )


def _name_in_jtop(zone: ThermalZone) -> str:
    """`cpu` of `cpu-thermal`."""
    return zone.name.split("-" if "-" in zone.name else "_")[0]


def _least(machine: int | None, group: int | None) -> int | None:
    """Of a machine that does not say, a group's limit alone says too little: it is no reservation."""
    return machine if machine is None or group is None else min(machine, group)


def _first(*values: Value | None) -> Value | None:
    return next(_known(*values), None)


def _known(*values: Value | None) -> Iterator[Value]:
    return (value for value in values if value is not None)
