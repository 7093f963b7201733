"""The real daemon under a service manager: what it is told, by a real socket and a real process."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.e2e.command import of_daemon, started
from tests.fakes.servers import MjpegServer
from tests.waiting import wait_until

SETTINGS = """\
[ui]
port = 0
[camera]
stale_s = 1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder whose page takes any free port."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "posture-daemon.toml").write_text(SETTINGS)
    return data_dir


@contextmanager
def supervised(folder: Path, camera: str) -> Iterator[tuple[subprocess.Popen[str], Callable[[], list[str]]]]:
    """A daemon with a watchdog of 2 s, and what it said so far; its stderr is a file that it takes for the journal."""
    address = folder.parent / "notify"
    heard: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, (folder.parent / "journal").open("w") as journal:
        manager.bind(str(address))
        manager.setblocking(False)

        def listen() -> list[str]:
            try:
                while True:
                    heard.append(manager.recv(4096).decode())
            except BlockingIOError:
                return heard

        place = os.fstat(journal.fileno())
        variables = {"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "2000000", "POSTURE_CAMERA__ADDRESS": camera}
        variables["JOURNAL_STREAM"] = f"{place.st_dev}:{place.st_ino}"
        with started(folder, "run", variables=variables, stderr=journal) as process:
            yield process, listen


def journal(folder: Path) -> list[str]:
    """What went to the journal."""
    return (folder.parent / "journal").read_text().splitlines()


def test_it_is_ready_with_the_first_answer_then_feeds_the_watchdog_and_says_that_it_stops(folder: Path) -> None:
    """In this order; and each line of the log is one event with its priority."""
    with supervised(folder, "fake:desk") as (daemon, heard):
        wait_until(lambda: heard().count("WATCHDOG=1") >= 2, "the watchdog's food")
        told = wait_until(lambda: [line for line in heard() if "running" in line], "the status")
        assert "model 1" in told[0]
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(100) == 0
        said = [line for line in heard() if not line.startswith("STATUS=")]
        assert said[0] == "READY=1"
        assert said[-1] == "STOPPING=1\nSTATUS=stopping"
        assert set(said[1:-1]) == {"WATCHDOG=1"}
    assert journal(folder)
    assert all(line.startswith(("<6>", "<4>")) for line in journal(folder))


def test_a_service_waits_for_a_camera_that_is_not_there(folder: Path) -> None:
    """It is ready, its watchdog fed, and `status` says what is wrong."""
    with supervised(folder, "/dev/video77") as (daemon, heard):
        wait_until(lambda: heard().count("WATCHDOG=1") >= 2, "the watchdog's food")
        assert "READY=1" in heard()
        assert of_daemon(folder)["camera"]["status"] == "lost"
        wait_until(lambda: [line for line in heard() if "/dev/video77 lost" in line], "the status")
        assert daemon.poll() is None
    assert sum("lost" in line for line in journal(folder)) == 1


@pytest.mark.slow
def test_a_dark_room_is_no_reason_to_start_anew(folder: Path) -> None:
    """No picture can be used, all night long; the loop gets on, and says so."""
    (folder / "posture-daemon.toml").write_text(f"{SETTINGS}blind_s = 1\n")
    with (
        MjpegServer(picture=lambda number: np.full((240, 320, 3), number % 2, np.uint8)) as server,
        supervised(folder, server.url) as (_, heard),
    ):
        wait_until(lambda: [line for line in heard() if " black" in line], "the status")
        before = heard().count("WATCHDOG=1")
        wait_until(lambda: heard().count("WATCHDOG=1") >= before + 4, "the watchdog's food")
        camera, frames = (of_daemon(folder)[name] for name in ("camera", "frames"))
        assert (camera["status"], frames["frames"]) == ("black", 0)


@pytest.mark.slow
def test_a_loop_that_hangs_feeds_no_watchdog(folder: Path) -> None:
    """The whole process is held, as a driver or a GPU would; when it goes on, so do the messages."""
    with supervised(folder, "fake:desk") as (daemon, heard):
        wait_until(lambda: "WATCHDOG=1" in heard(), "the watchdog's food")
        daemon.send_signal(signal.SIGSTOP)
        wait_until(lambda: psutil.Process(daemon.pid).status() == psutil.STATUS_STOPPED, "the halt")
        before = len(heard())
        with pytest.raises(AssertionError, match="did not happen"):
            wait_until(lambda: len(heard()) > before, "a message", 2.5)
        daemon.send_signal(signal.SIGCONT)
        wait_until(lambda: len(heard()) > before, "a message after it goes on")


def test_a_wrong_setting_is_one_line_in_the_journal(folder: Path) -> None:
    """An error by its priority, and not a word of a traceback."""
    with supervised(folder, "nonsense://x") as (daemon, heard):
        assert daemon.wait(600) == 1
        assert "READY=1" not in heard()
    [line] = journal(folder)
    assert line.startswith("<3>")
