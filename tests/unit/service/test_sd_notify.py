"""What systemd is told: by a real datagram socket, by the progress of the capture loop alone."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from posture_daemon.service.sd_notify import VARIABLES, SystemdNotifier, WatchdogBeat, supervisor
from tests.fakes.clock import Clock


class Listener:
    """systemd's end of the socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        """The messages since the last call."""
        found = []
        try:
            while True:
                found.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            return found


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    """A listener at a path."""
    found = Listener(str(tmp_path / "notify"))
    yield found
    found.socket.close()


def test_the_first_progress_is_ready_and_later_ones_feed_the_watchdog(listener: Listener) -> None:
    """Four times within the limit at most, however often the loop turns."""
    clock = Clock()
    systemd = SystemdNotifier(listener.address, 20.0, clock)
    systemd.progress()
    assert listener.heard() == ["READY=1"]
    for _ in range(40):
        clock.now += 0.25
        systemd.progress()
    assert listener.heard() == ["WATCHDOG=1", "WATCHDOG=1"]


@pytest.mark.parametrize(
    ("steps", "messages"),
    [
        pytest.param([(0, False)] * 5, [], id="a silent camera that is not known to be lost: not ready"),
        pytest.param([(0, False), (1, False), (2, False)], ["READY=1", "WATCHDOG=1"], id="answered frames"),
        pytest.param([(0, False), (0, True), (0, True)], ["READY=1", "WATCHDOG=1"], id="a lost camera is waited for"),
        pytest.param([(1, False), (1, False), (1, False)], ["READY=1"], id="frames that all fail are no progress"),
        pytest.param([(1, False), (1, True), (2, False)], ["READY=1", "WATCHDOG=1", "WATCHDOG=1"], id="lost, and back"),
    ],
)
def test_progress_is_an_answered_frame_or_the_wait_for_a_camera_that_gives_nothing(
    listener: Listener, steps: list[tuple[int, bool]], messages: list[str]
) -> None:
    """Each step: how many frames were answered so far, and whether the camera is known to give nothing; 10 s apart."""
    clock, now = Clock(), [(0, False)]
    progress = WatchdogBeat(SystemdNotifier(listener.address, 20.0, clock), lambda: now[0][0], lambda: now[0][1])
    for step in steps:
        now[0] = step
        clock.now += 10
        progress.after_step()
    assert listener.heard() == messages


def test_without_a_watchdog_it_is_only_ready(listener: Listener) -> None:
    """`WatchdogSec=` may be switched off by the owner."""
    clock = Clock()
    systemd = SystemdNotifier(listener.address, None, clock)
    systemd.progress()
    clock.now += 3600
    systemd.progress()
    assert listener.heard() == ["READY=1"]


def test_the_status_is_one_line_and_said_when_it_changes(listener: Listener) -> None:
    """A line break would begin another field of the protocol."""
    systemd = SystemdNotifier(listener.address)
    for sentence in ("camera 0 running", "camera 0 running", "camera 0 lost:\nREADY=1"):
        systemd.status(sentence)
    assert listener.heard() == ["STATUS=camera 0 running", "STATUS=camera 0 lost: READY=1"]


def test_when_it_stops_nothing_else_is_said(listener: Listener) -> None:
    """A late frame or look at the status must not make systemd believe that it goes on."""
    clock = Clock()
    systemd = SystemdNotifier(listener.address, 2.0, clock)
    systemd.progress()
    systemd.stopping()
    clock.now += 10
    systemd.progress()
    systemd.status("running")
    assert listener.heard() == ["READY=1", "STOPPING=1\nSTATUS=stopping"]


def test_an_abstract_socket_is_understood() -> None:
    """As under systemd's user manager or in containers: `@name`."""
    name = f"posture-daemon-test-{os.getpid()}"
    listener = Listener("\0" + name)
    supervisor({"NOTIFY_SOCKET": "@" + name}).progress()
    assert listener.heard() == ["READY=1"]
    listener.socket.close()


@pytest.mark.parametrize(
    ("variables", "pings"),
    [
        ({"WATCHDOG_USEC": "2000000"}, True),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getpid())}, True),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"}, False),
        ({"WATCHDOG_USEC": "0"}, False),
        ({"WATCHDOG_USEC": "soon"}, False),
        ({}, False),
    ],
)
def test_the_watchdog_is_fed_where_it_is_meant_for_this_process(
    listener: Listener, variables: dict[str, str], pings: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`WATCHDOG_PID` of another process: that one is watched, not we."""
    clock = Clock()
    systemd = supervisor({"NOTIFY_SOCKET": listener.address, **variables})
    monkeypatch.setattr(systemd, "_clock", clock)
    systemd.progress()
    clock.now += 1.0
    systemd.progress()
    assert listener.heard() == ["READY=1", *(["WATCHDOG=1"] if pings else [])]


def test_no_child_process_can_speak_in_our_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The training child inherits the environment, without the variables of the service manager."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "/run/notify")
    supervisor()
    assert not set(VARIABLES) & os.environ.keys()
    program = f"import os; print(sorted(set(os.environ) & {set(VARIABLES)!r}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("named", ["", "vsock:2:1234", "relative/path"])
def test_without_a_service_manager_nothing_happens(named: str) -> None:
    """In a terminal, or with an address of a kind that we do not speak."""
    systemd = supervisor({"NOTIFY_SOCKET": named})
    systemd.progress()
    systemd.status("running")
    systemd.stopping()


def test_a_socket_that_has_gone_is_no_reason_to_fail(tmp_path: Path) -> None:
    """Its owner may be starting anew at this moment."""
    systemd = SystemdNotifier(str(tmp_path / "gone"), 2.0)
    systemd.progress()
    systemd.stopping()
