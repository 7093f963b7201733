"""jtop beside /sys: what it says is used while it is fresh, and nothing that it does stops or delays a reading."""

import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from posture_daemon.adapters.probes import DeviceProbe, JtopReader
from posture_daemon.adapters.probes.jtop import pause_s, snapshot_of
from posture_daemon.device.resources import Resources, ThermalZone
from tests.conftest import REPOSITORY
from tests.fakes.devices import LIMIT_S, MEMINFO, ORIN_NANO, JtopException, StandInJtop, put

NOT_ACTIVE = JtopException("The jtop.service is not active. Please run:\nsudo jtop --install-service")


class Bench:
    """A probe on the fixture that hears the stand-in, with a clock that only the test moves, and no pauses."""

    def __init__(
        self, root: Path = ORIN_NANO, open_client: Callable[[], Any] | None = None, pause: float = 0.0
    ) -> None:
        self.service, self.now = StandInJtop(), 100.0
        self.reader = JtopReader(open_client or self.service.open, pause, clock=lambda: self.now)
        self.probe = DeviceProbe(ORIN_NANO, root, self.reader)

    def read(self) -> Resources:
        """One reading."""
        return self.probe.read()

    def cpu(self) -> float | None:
        """°C of the CPU in one reading: 51.5 is jtop's, 49.218 that of /sys."""
        return next(zone.celsius for zone in self.read().zones if zone.name == "cpu-thermal")

    def why(self) -> str:
        """What the reading says of jtop."""
        return self.read().sources[1]

    def end(self) -> None:
        """Leave no thread behind."""
        self.reader._stop.set()
        self.service.end()
        self.probe.close()
        assert not listening(self.reader)


def listening(reader: JtopReader) -> bool:
    """Whether the thread is alive."""
    return reader._thread is not None and reader._thread.is_alive()


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A bench that is cleared away."""
    bench = Bench()
    yield bench
    bench.end()


def test_what_jtop_says_is_used_while_it_is_fresh(bench: Bench) -> None:
    """Temperatures, GPU, power and mode are jtop's; trip points stay the kernel's, and its other chips are no zones."""
    bench.read()
    bench.service.answer()
    found = bench.read()
    assert found.zones[0] == ThermalZone("cpu-thermal", 51.5, found.zones[0].trips)
    assert (found.zones[0].lowest_trip, len(found.zones)) == (95.0, 9)
    assert (found.gpu_percent, found.power_watts, found.power_mode) == (33.4, 7.202, "15W")
    assert found.sources == ("/proc and /sys", "jtop")


def test_an_old_answer_says_nothing_about_now(bench: Bench) -> None:
    """After three seconds without a new one /sys is believed, and the reading says for how long jtop has been silent."""
    bench.read()
    bench.service.answer()
    bench.now += 2.9
    assert bench.cpu() == 51.5
    bench.now += 0.2
    assert bench.cpu() == 49.218
    bench.now += 9.0
    assert bench.why() == "jtop: the service has not answered for 12 s"
    bench.service.answer()
    assert bench.cpu() == 51.5


def test_a_service_that_repeats_itself_counts_as_silent(bench: Bench) -> None:
    """Its last values are handed out for ever when its measuring has died; the uptime in them gives it away."""
    bench.read()
    bench.service.answer()
    bench.now += 4.0
    bench.service.answer_the_same()
    assert (bench.cpu(), bench.why()) == (49.218, "jtop: the service has not answered for 4 s")


def test_minus_256_is_never_a_temperature(bench: Bench) -> None:
    """A jtop says it of sensors that are offline: then /sys is asked, and what is offline there too is unknown."""
    bench.service.says["temperature"] = {
        "cpu": {"temp": -256, "online": False},
        "gpu": {"temp": -256.0},
        "cv0": {"temp": -256, "online": False},
    }
    bench.read()
    bench.service.answer()
    found = {zone.name: zone.celsius for zone in bench.read().zones}
    assert (found["cpu-thermal"], found["gpu-thermal"], found["cv0-thermal"]) == (49.218, 47.812, None)


def test_available_memory_is_never_made_of_what_jtop_knows(bench: Bench) -> None:
    """Its memory has no MemAvailable, and free is not available."""
    bench.read()
    bench.service.answer()
    assert bench.read().memory_available_bytes == 4_718_592 * 1024


def test_a_name_that_two_zones_share_is_not_matched(tmp_path: Path) -> None:
    """The service numbers them in an order of its own."""
    for number in range(2):
        put(tmp_path, f"sys/class/thermal/thermal_zone{number}/type", "cpu-thermal\n")
        put(tmp_path, f"sys/class/thermal/thermal_zone{number}/temp", f"{40 + number}000\n")
    bench = Bench(tmp_path)
    bench.read()
    bench.service.answer()
    assert [zone.celsius for zone in bench.read().zones] == [40.0, 41.0]
    bench.end()


def test_without_zones_in_sys_they_are_those_of_jtop(tmp_path: Path) -> None:
    """As in a container; an offline one, and other chips, are none."""
    put(tmp_path, "proc/meminfo", MEMINFO)
    bench = Bench(tmp_path)
    bench.read()
    bench.service.answer()
    assert bench.read().zones == (ThermalZone("cpu", 51.5),)
    bench.end()


def test_a_service_that_hangs_delays_nobody(bench: Bench) -> None:
    """The client waits for ever in `start`: each reading returns with the values of /sys, and one thread waits, not many."""
    bench.service.door.clear()
    bench.read()
    bench.service.until_knocked()
    for _ in range(5):
        assert bench.cpu() == 49.218
    bench.now += 60.0
    assert (bench.why(), bench.service.knocks) == ("jtop: the service has not answered for 60 s", 1)
    assert sum(thread.name == "jtop" for thread in threading.enumerate()) == 1


def test_many_threads_start_one_listener(bench: Bench) -> None:
    """The daemon, the gate and the supervision all read."""
    threads = [threading.Thread(target=bench.read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    bench.service.answer()
    assert bench.service.knocks == 1


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (JtopException("Lost connection with jtop server"), "Lost connection with jtop server"),
        (EOFError(), "EOFError"),
        (SystemExit("bye"), "bye"),
        (False, "the service stopped answering"),
    ],
)
def test_a_service_that_dies_is_left_and_found_again(bench: Bench, how: bool | BaseException, words: str) -> None:
    """After a restart of the service its values are used again; until then those of /sys, and the reading says why."""
    bench.read()
    bench.service.until_knocked()
    bench.service.answer()
    bench.service.door.clear()
    bench.service.fail(how)
    bench.service.until_knocked()
    assert (bench.cpu(), bench.why()) == (49.218, f"jtop: {words}")
    bench.service.door.set()
    bench.service.answer()
    assert (bench.cpu(), bench.read().sources) == (51.5, ("/proc and /sys", "jtop"))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NOT_ACTIVE, "The jtop.service is not active. Please run: sudo jtop --install-service"),
        (JtopException("Mismatch version jtop service: [4.2.1] and client: [7.2.2]. Please run:\n\nsudo jtop"),
         "Mismatch version jtop service: [4.2.1] and client: [7.2.2]. Please run: sudo jtop"),
        (ConnectionResetError(), "ConnectionResetError"),
        (BrokenPipeError(32, "Broken pipe"), "[Errno 32] Broken pipe"),
    ],
)  # fmt: skip
def test_a_service_that_refuses_is_asked_again_later(bench: Bench, error: BaseException, words: str) -> None:
    """Not running, a stale socket in a container, another version: /sys is read, and the reading says it in one line."""
    bench.service.refuses += [error]
    bench.service.door.clear()
    bench.read()
    bench.service.until_knocked()
    bench.service.door.set()
    bench.service.until_asked()  # the second attempt was let in
    assert (bench.cpu(), bench.why()) == (49.218, f"jtop: {words}")


def test_a_second_attempt_that_hangs_is_not_called_by_the_first_ones_name(bench: Bench) -> None:
    """A service that was off and now hangs has not answered."""
    bench.service.refuses += [NOT_ACTIVE]
    bench.read()
    bench.service.until_asked()
    bench.now += 30.0
    assert bench.why() == "jtop: the service has not answered for 30 s"


def test_without_jetson_stats_nobody_is_asked_again() -> None:
    """What is not installed will not be while we run."""
    opened: list[int] = []

    def fail() -> Any:
        opened.append(1)
        raise ImportError("No module named 'jtop'")

    bench = Bench(open_client=fail)
    bench.probe.settle(LIMIT_S)
    bench.reader._thread.join(LIMIT_S)  # type: ignore[union-attr]
    assert (bench.cpu(), bench.why()) == (49.218, "jtop: jetson-stats is not installed in this environment")
    assert opened == [1]
    bench.end()


def test_a_caller_that_reads_once_can_wait_for_the_first_answer(bench: Bench) -> None:
    """As `doctor` does; a service that has failed is not waited for either."""
    bench.service.refuses += [NOT_ACTIVE]
    bench.probe.settle(LIMIT_S)
    assert bench.why().startswith("jtop: The jtop.service is not active")


def test_closing_ends_a_pause_at_once() -> None:
    """A pause of minutes must not hold up the end of the daemon, and nothing is begun again after it."""
    bench = Bench(pause=300.0)
    bench.service.refuses += [NOT_ACTIVE]
    bench.probe.settle(LIMIT_S)
    assert listening(bench.reader)
    bench.probe.close()
    assert not listening(bench.reader)
    bench.read()
    assert not listening(bench.reader)


def test_closing_leaves_a_client_that_hangs_behind(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    """It is a daemon thread, so it does not keep the process alive."""
    monkeypatch.setattr("posture_daemon.adapters.probes.jtop.CLOSE_S", 0.01)
    bench.service.door.clear()
    bench.read()
    bench.service.until_knocked()
    bench.probe.close()
    assert listening(bench.reader)
    assert bench.reader._thread.daemon


def test_pauses_grow_up_to_five_minutes() -> None:
    """Each attempt costs a little, and a board without the service stays without it for long."""
    assert [pause_s(failures) for failures in range(1, 9)] == [5, 10, 20, 40, 80, 160, 300, 300]
    assert pause_s(10_000) == 300


def test_the_pause_is_short_again_after_an_answer(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    """Failures in a row count, and an answer ends the row."""
    counted: list[int] = []
    monkeypatch.setattr(
        "posture_daemon.adapters.probes.jtop.pause_s", lambda failures, _first_s: counted.append(failures) or 0.0
    )
    bench.service.refuses += [NOT_ACTIVE, NOT_ACTIVE]
    bench.read()
    bench.service.answer()
    bench.service.fail(False)
    bench.service.fail(False)
    bench.service.until_asked()
    assert counted == [1, 2, 1, 2]


@pytest.mark.parametrize(
    ("says", "unknown"),
    [
        ({"nvpmodel": None}, "power_mode"),
        ({"nvpmodel": KeyError("name")}, "power_mode"),
        ({"power": {}}, "power_watts"),
        ({"power": {"rail": {}, "tot": {"power": 0, "avg": 0}}}, "power_watts"),
        ({"gpu": {}}, "gpu_percent"),
        ({"gpu": {"gpu": {"status": {"railgate": False}}}}, "gpu_percent"),
        ({"gpu": {"gpu": {"status": {"load": 1234.0}}}}, "gpu_percent"),
        ({"gpu": {"Orin": {"status": {"load": 0.0}, "power_control": "nvml"}}}, "gpu_percent"),
        ({"gpu": RuntimeError("anything")}, "gpu_percent"),
    ],
)
def test_what_jtop_does_not_know_is_unknown(says: dict[str, Any], unknown: str) -> None:
    """Each part alone; the rest of the answer stands. A 0 that stands for not knowing is not taken for a measurement."""
    service = StandInJtop()
    service.says |= says
    found = snapshot_of(service.open(), 5.0)
    expected = {"gpu_percent": 33.4, "power_watts": 7.202, "power_mode": "15W", unknown: None}
    assert {name: getattr(found, name) for name in expected} == expected
    assert found.celsius == {"cpu": 51.5, "nvme Composite": 38.9}


def test_temperatures_of_an_unknown_shape_are_unknown() -> None:
    """Nothing is raised."""
    service = StandInJtop()
    service.says |= {"temperature": ["cpu", 50]}
    assert snapshot_of(service.open(), 5.0).celsius == {}


def test_a_machine_that_is_no_jetson_asks_no_jtop(tmp_path: Path) -> None:
    """Nor does a tree that stands for one, which has no service."""
    for root in (tmp_path, ORIN_NANO):
        probe = DeviceProbe(tmp_path, root)
        assert probe.read().sources[0] == "/proc and /sys"
        probe.settle(LIMIT_S)
        probe.close()
    assert not any(thread.name == "jtop" for thread in threading.enumerate())


@pytest.fixture
def real_service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts services that the real client of jetson-stats finds instead of the one of this machine."""
    pytest.importorskip("jtop")
    started: list[subprocess.Popen[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        socket = f"{folder}/jtop.sock"
        monkeypatch.setattr("jtop.service.JTOP_PIPE", socket)

        def start(*how: str) -> subprocess.Popen[str]:
            command = [sys.executable, "-m", "tests.fakes.jtop_service", socket, *how]
            started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY))
            assert started[-1].stdout.readline() == "ready\n"
            return started[-1]

        yield start
        for process in started:
            process.kill()
            process.communicate()


def test_the_real_client_is_understood(
    real_service: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fields and units are those of jetson-stats, and it never loads cuDNN and TensorRT into this process."""
    loaded: list[object] = []
    monkeypatch.setattr("jtop.jtop._load_jetson_libraries", loaded.append)
    real_service("answers")
    probe = DeviceProbe(ORIN_NANO, ORIN_NANO, JtopReader())
    probe.settle(LIMIT_S)
    found = probe.read()
    probe.close()
    assert found.sources == ("/proc and /sys", "jtop")
    assert [zone.celsius for zone in found.zones][:3] == [51.5, 47.812, None]
    assert (found.gpu_percent, found.power_watts, found.power_mode) == (33.4, 7.202, "15W")
    assert loaded == []


def test_the_real_client_that_hangs_delays_nobody(real_service: Callable[..., subprocess.Popen[str]]) -> None:
    """The service lets it in and never answers: the client waits for ever, and we do not."""
    process = real_service("hangs")
    now = [0.0]
    probe = DeviceProbe(ORIN_NANO, ORIN_NANO, JtopReader(clock=lambda: now[0]))
    probe.read()
    probe.settle(0.5)
    now[0] = 7.0
    assert probe.read().zones[0].celsius == 49.218
    assert probe.read().sources[1] == "jtop: the service has not answered for 7 s"
    process.kill()  # only that sets the client free
    probe.close()


@pytest.mark.parametrize(
    ("service", "words"),
    [
        pytest.param(None, "jtop: The jtop.service is not active.", id="no socket"),
        pytest.param(
            "killed", "jtop: The jtop.service is not active.", id="one that a service left, as in a container"
        ),
        pytest.param("4.2.12", "jtop: Mismatch version jtop service: [4.2.12]", id="another version"),
    ],
)
def test_the_real_client_that_is_refused_says_why(
    real_service: Callable[..., subprocess.Popen[str]], service: str | None, words: str
) -> None:
    """And the values of /sys are used."""
    if service == "killed":
        process = real_service("answers")
        process.kill()
        process.wait()
    elif service is not None:
        real_service("answers", service)
    probe = DeviceProbe(ORIN_NANO, ORIN_NANO, JtopReader())
    probe.settle(LIMIT_S)
    assert probe.read().sources[1].startswith(words)
    assert probe.read().zones[0].celsius == 49.218
    probe.close()
