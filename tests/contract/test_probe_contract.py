"""What every probe promises, real or stand-in: the `ResourceProbe` Protocol of `ports.py`."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from posture_daemon.adapters.probes import DeviceProbe, JtopReader
from posture_daemon.device.resources import Resources
from posture_daemon.ports import ResourceProbe
from tests.fakes.devices import ORIN_NANO, StandInJtop
from tests.fakes.probe import StandInProbe

COUNTS = (
    "memory_available_bytes", "memory_total_bytes", "swap_used_bytes", "swap_total_bytes", "disk_free_bytes", "power_watts",
    "uptime_s",
)  # fmt: skip
PERCENTS = ("memory_waiting_percent", "cpu_percent", "gpu_percent")


def this_machine(folder: Path, stack: ExitStack) -> ResourceProbe:
    """Whatever runs the tests."""
    return DeviceProbe(folder)


def orin_nano(folder: Path, stack: ExitStack) -> ResourceProbe:
    """A tree of files as the board has it."""
    return DeviceProbe(folder, ORIN_NANO)


def nothing_there(folder: Path, stack: ExitStack) -> ResourceProbe:
    """Neither /proc nor /sys nor the data folder."""
    return DeviceProbe(folder / "none", folder / "none")


def _with_jtop(service: StandInJtop, stack: ExitStack) -> DeviceProbe:
    reader = JtopReader(service.open, 0.0)
    stack.callback(service.end)
    stack.callback(reader._stop.set)
    return DeviceProbe(ORIN_NANO, ORIN_NANO, reader)


def jtop_answers(folder: Path, stack: ExitStack) -> ResourceProbe:
    """The board's service beside the files."""
    service = StandInJtop()
    probe = _with_jtop(service, stack)
    probe.read()
    service.answer()
    return probe


def jtop_hangs(folder: Path, stack: ExitStack) -> ResourceProbe:
    """A service that lets nobody in."""
    service = StandInJtop()
    service.door.clear()
    return _with_jtop(service, stack)


def stand_in(folder: Path, stack: ExitStack) -> ResourceProbe:
    """What most tests use."""
    return StandInProbe()


MAKERS = [this_machine, orin_nano, nothing_there, jtop_answers, jtop_hangs, stand_in]


@pytest.fixture(params=MAKERS, ids=lambda maker: maker.__name__)
def probe(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ResourceProbe]:
    """Each of them in turn; nothing of it is left."""
    with ExitStack() as stack:
        found = request.param(tmp_path, stack)
        stack.callback(found.close)
        yield found


def test_a_reading_is_always_given(probe: ResourceProbe) -> None:
    """Again and again, never an exception; a service that hangs delays nothing, or this test would not end."""
    assert all(isinstance(probe.read(), Resources) for _ in range(3))


def test_every_number_is_in_its_unit_or_unknown(probe: ResourceProbe) -> None:
    """Bytes, watts and seconds are not negative, shares are of a hundred; temperatures are those that a board can have."""
    found = probe.read()
    for name in COUNTS:
        assert getattr(found, name) is None or getattr(found, name) >= 0, name
    for name in PERCENTS:
        assert getattr(found, name) is None or 0 <= getattr(found, name) <= 100, name
    assert all(zone.celsius is None or -40 < zone.celsius < 150 for zone in found.zones)
    if found.memory_available_bytes is not None and found.memory_total_bytes is not None:
        assert found.memory_available_bytes <= found.memory_total_bytes


def test_closing_is_safe_at_any_time(probe: ResourceProbe) -> None:
    """Before the first reading, after it, and twice; who reads after it gets what can still be known."""
    probe.close()
    assert isinstance(probe.read(), Resources)
    probe.close()
    probe.close()


def test_what_cannot_be_read_is_unknown_and_never_zero(tmp_path: Path) -> None:
    """A device that says nothing at all is not one that is cool, idle and without memory."""
    with ExitStack() as stack:
        found = nothing_there(tmp_path, stack).read()
    assert {name: getattr(found, name) for name in (*COUNTS, *PERCENTS)} == dict.fromkeys((*COUNTS, *PERCENTS))
    assert found.zones == ()
