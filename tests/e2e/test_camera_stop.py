"""SIGTERM and Ctrl-C while a call to a camera hangs: exit 0 in time, and never an abort, at whatever moment they come."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from posture_daemon.service.daemon_status import CameraSaid, DaemonStatus, read_status
from tests.e2e.command import started
from tests.fakes.raw_camera import RawCamera, head, jpeg, part
from tests.fakes.servers import RtspServer
from tests.waiting import allowed_s, wait_until

pytestmark = pytest.mark.slow

PROMISED_S = 5.0
SETTINGS = """\
[ui]
enabled = false
[camera]
address = "{url}"
open_timeout_s = {open_s}
max_retry_s = 0.1
min_retry_s = 0.1
"""


def settings(folder: Path, url: str, open_s: float = 20.0) -> Path:
    """A data folder for this camera."""
    folder.mkdir(exist_ok=True)
    (folder / "posture-daemon.toml").write_text(SETTINGS.format(url=url, open_s=open_s))
    return folder


def ended(process: subprocess.Popen[str], *numbers: int) -> str:
    """Send these signals, and return what it said; it must end well and in time."""
    began = time.monotonic()
    for number in numbers:
        process.send_signal(number)
    said = process.communicate(timeout=300)[1]
    assert process.returncode == 0, said
    assert time.monotonic() - began < allowed_s(PROMISED_S)
    assert "Traceback" not in said
    return said


@contextmanager
def daemon(folder: Path, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """`run`, once it has a camera to wait for."""
    with started(folder, "run", *arguments, stderr=subprocess.PIPE) as process:
        yield process


@pytest.fixture
def silent() -> Iterator[RawCamera]:
    """A camera that accepts connections and says nothing."""
    with RawCamera(lambda _to, _head: camera.over.wait()) as camera:
        yield camera


@pytest.mark.parametrize("moment", range(12))
def test_a_stop_while_ffmpeg_opens_a_camera_is_a_good_end(moment: int, silent: RawCamera, tmp_path: Path) -> None:
    """FFmpeg's call cannot be ended, and must not abort the process when it returns: here the daemon has just gone then.

    It gives up after three seconds, and the daemon waits two for it.
    """
    folder = settings(tmp_path / "data", silent.url("/live", scheme="rtsp"), open_s=3.0)
    with daemon(folder) as process:
        wait_until(lambda: any(head.startswith("OPTIONS") for head in silent.heads), "an attempt to open", every_s=0.01)
        time.sleep(moment / 10)  # not a wait: the moment of the signal
        assert "stopped after 0 frames" in ended(process, signal.SIGTERM)


@pytest.mark.parametrize(
    "numbers", [(signal.SIGINT,), (signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM)]
)
def test_ctrl_c_and_a_second_signal_are_good_ends_too(
    numbers: tuple[int, ...], silent: RawCamera, tmp_path: Path
) -> None:
    """Who is impatient breaks nothing."""
    with daemon(settings(tmp_path / "data", silent.url("/live", scheme="rtsp"))) as process:
        wait_until(lambda: silent.heads, "an attempt to open")
        ended(process, *numbers)


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", ["run", "setup", "teach"])
def test_every_command_that_waits_for_a_camera_can_be_stopped(
    command: str, number: int, scheme: str, silent: RawCamera, tmp_path: Path
) -> None:
    """One that was typed, and that is waited for before anything else."""
    arguments = (command, *(["--yes"] if command == "setup" else []), "--camera", silent.url("/live", scheme=scheme))
    with started(
        tmp_path / "data", *arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    ) as process:
        wait_until(lambda: silent.heads or process.poll() is not None, "an attempt to open")
        assert ended(process, number) == "posture-daemon: Stopped; nothing more was done.\n"


def test_a_stop_while_a_picture_is_waited_for_leaves_nothing_behind(tmp_path: Path) -> None:
    """Over HTTP the call itself is ended."""

    def answer(to, _head: str) -> None:  # type: ignore[no-untyped-def]
        to.sendall(head() + part(jpeg(1)) + part(jpeg(2)))
        camera.over.wait()

    with RawCamera(answer) as camera, daemon(settings(tmp_path / "data", camera.url())) as process:
        wait_until(lambda: camera.heads, "a connection")
        assert "left behind" not in ended(process, signal.SIGTERM)


@pytest.mark.parametrize("moment", range(4))
def test_a_stop_between_two_attempts_to_reach_a_camera_is_a_good_end(moment: int, tmp_path: Path) -> None:
    """One that hangs up at once, each time."""
    with RawCamera(b"") as camera, daemon(settings(tmp_path / "data", camera.url())) as process:
        wait_until(lambda: len(camera.heads) > 2, "attempts")
        time.sleep(moment / 20)  # not a wait: the moment of the signal
        said = ended(process, signal.SIGTERM)
    assert said.count("camera lost") == 1


def test_a_stop_while_a_stream_stalls_is_a_good_end(tmp_path: Path) -> None:
    """A real RTSP camera whose process hangs, with FFmpeg in the middle of a read."""
    with RtspServer() as camera, daemon(settings(tmp_path / "data", camera.url)) as process:
        wait_until(lambda: (read_status(tmp_path / "data") or DaemonStatus()).frame_at, "a frame")
        camera.stall()
        wait_until(lambda: _camera(tmp_path / "data").status == "lost", "the loss")
        ended(process, signal.SIGTERM)


def _camera(folder: Path) -> CameraSaid:
    return (read_status(folder) or DaemonStatus()).camera or CameraSaid()
