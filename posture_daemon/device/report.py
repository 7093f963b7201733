"""Device report for `doctor`: one line per resource, with its verdict. Pure."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path

from posture_daemon.device.limits import State, has_room, heat, lowered
from posture_daemon.device.resources import Resources, ThermalZone
from posture_daemon.domain import MB, Verdict
from posture_daemon.settings import LimitsSettings, Settings


class Health(Enum):
    """A note is informative or temporary, such as heat; a problem persists until somebody acts."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Line:
    """One line of the report."""

    name: str
    text: str
    health: Health = Health.OK


def examine(resources: Resources, settings: Settings, need_bytes: int = 0) -> tuple[Line, ...]:
    """All lines; the last one tells whether a training that is expected to need `need_bytes` could start."""
    verdicts = {verdict.name: verdict for verdict in has_room(resources, settings.limits, need_bytes).verdicts}
    health = {name: _health(verdict, resources, settings.limits) for name, verdict in verdicts.items()}
    gates = {name: Line(name, one.text.removeprefix(f"{name} "), health[name]) for name, one in verdicts.items()}
    return (
        _board(resources),
        *(Line("source", source, Health.NOTE if ":" in source else Health.OK) for source in resources.sources),
        *(_zone(zone, resources, settings.limits) for zone in resources.zones),
        gates["temperature"],
        gates["memory"],
        _swap(resources),
        _pressure(resources, settings.limits),
        *_loads(resources),
        gates["power mode"],
        gates["disk"],
        _uptime(resources),
        _training(verdicts, health),
    )


def nearest(folder: Path) -> Path:
    """The folder itself, or its nearest existing parent, which is on the same disk."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if os.path.isdir(place))


def _health(verdict: Verdict, resources: Resources, limits: LimitsSettings) -> Health:
    """Heat and used memory are temporary; unknown values, too little total memory and a full disk are problems."""
    total, needed = resources.memory_total_bytes, verdict.limit
    stays = {
        "temperature": heat(resources, limits).state is State.UNKNOWN,
        "memory": verdict.value is None or (total is not None and isinstance(needed, (int, float)) and total < needed),
        "power mode": verdict.value is None,
        "disk": True,
    }
    if verdict.passed:
        return Health.OK
    return Health.PROBLEM if stays[verdict.name] else Health.NOTE


def _board(resources: Resources) -> Line:
    kind = "a Jetson" if resources.is_jetson else "not a Jetson"
    return Line("board", f"{resources.board or 'of unknown name'} ({kind})")


def _zone(zone: ThermalZone, resources: Resources, limits: LimitsSettings) -> Line:
    """A hot or offline zone is a note; the temperature line has the verdict."""
    if zone.celsius is None:
        usual = resources.is_jetson and zone.name.lower().startswith("cv")
        why = ", as on every Orin Nano (it has no such unit)" if usual else ""
        return Line(zone.name, f"offline{why}", Health.NOTE)
    trip = "no trip point" if zone.lowest_trip is None else f"kernel throttles from {zone.lowest_trip:.1f}"
    own = limits.start_celsius, limits.pause_celsius, limits.stop_celsius
    starts, pauses, ends = (lowered(zone, limits, celsius) for celsius in own)
    text = f"{zone.celsius:.1f} °C; training starts up to {starts:.1f}, pauses from {pauses:.1f}, ends from {ends:.1f}; {trip}"
    return Line(zone.name, text, Health.OK if zone.celsius <= starts else Health.NOTE)


def _swap(resources: Resources) -> Line:
    used, total = resources.swap_used_bytes, resources.swap_total_bytes
    if used is None or total is None:
        return Line("swap", "unknown, and not counted", Health.NOTE)
    if total == 0:
        return Line("swap", "none")
    return Line("swap", f"{used // MB} of {total // MB} MB used; not counted, since CUDA memory cannot be swapped")


def _pressure(resources: Resources, limits: LimitsSettings) -> Line:
    waiting, most = resources.memory_waiting_percent, limits.memory_pressure_percent
    if waiting is None:
        return Line("memory pressure", "this kernel does not say (no PSI); available memory alone decides", Health.NOTE)
    text = f"{waiting:.1f} % of the time some process waits for memory (training ends from {most:.1f} %)"
    return Line("memory pressure", text, Health.OK if waiting < most else Health.NOTE)


def _loads(resources: Resources) -> Iterator[Line]:
    """Values that no decision uses, so that an unknown one is only a note."""
    values = {
        "GPU": (resources.gpu_percent, "% busy"),
        "CPU": (resources.cpu_percent, "% busy"),
        "power": (resources.power_watts, "W"),
    }
    for name, (value, unit) in values.items():
        if value is None:
            yield Line(name, "unknown", Health.NOTE)
        else:
            yield Line(name, f"{value:.1f} {unit}")


def _uptime(resources: Resources) -> Line:
    if resources.uptime_s is None:
        return Line("uptime", "unknown", Health.NOTE)
    return Line("uptime", str(timedelta(seconds=int(resources.uptime_s))))


def _training(verdicts: dict[str, Verdict], health: dict[str, Health]) -> Line:
    for worst, words in ((Health.PROBLEM, "cannot begin"), (Health.NOTE, "has to wait")):
        reasons = [verdict.text for name, verdict in verdicts.items() if health[name] is worst]
        if reasons:
            return Line("training", f"{words}: {'; '.join(reasons)}", worst)
    return Line("training", "may begin, as far as the device is concerned")
