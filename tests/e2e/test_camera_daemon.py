"""The real daemon on real network cameras that fail: told in `status` and in the log, over without a restart."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from posture_daemon.domain import Status
from posture_daemon.service.daemon_status import CameraSaid, DaemonStatus, FrameCounts, read_status
from posture_daemon.store import Store
from posture_daemon.vision.jpeg import decode
from tests.e2e.command import posture_daemon, running
from tests.fakes.scripted_camera import scene
from tests.fakes.servers import MjpegServer, RtspServer
from tests.waiting import allowed_s, wait_until

pytestmark = pytest.mark.slow

PROMISED_S = 5.0
"""From the failure to the words in `status`, and from the camera's return to answered frames."""

SETTINGS = """\
[ui]
enabled = false
[camera]
address = "{url}"
[queue]
audit_share = 1.0
duplicate_cosine = 1.0
max_per_minute = 3600
max_audit_per_hour = 3600
max_uncertain_per_hour = 3600
"""


class Run:
    """A daemon on one data folder, as another process sees it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "posture-daemon.toml").write_text(SETTINGS.format(url=url))
        self.store = Store(folder)
        self.log = ""

    def said(self) -> DaemonStatus:
        """All that it says of itself."""
        return read_status(self.folder) or DaemonStatus()

    def camera(self) -> CameraSaid:
        """How its camera is doing."""
        return self.said().camera or CameraSaid()

    def answered(self) -> int:
        """Frames answered so far."""
        return (self.said().frames or FrameCounts()).frames

    def words(self) -> str:
        """What `posture-daemon status` prints, on one line."""
        return " ".join(posture_daemon(self.folder, "status").stdout.split())

    def told(self, status: str) -> None:
        """Wait until `status` says so, which takes no longer than promised."""
        self._within(lambda: self.camera().status == status, f"camera {status}")

    def goes_on(self) -> None:
        """Wait until frames are answered again, which takes no longer than promised."""
        before = self.answered()
        self._within(lambda: self.answered() > before, "answered frames")

    def _within(self, condition: Callable[[], bool], what: str) -> None:
        began = time.monotonic()
        wait_until(condition, what)
        took_s = time.monotonic() - began
        print(f"{what}: after {took_s:.1f} s")  # noqa: T201
        assert took_s < allowed_s(PROMISED_S), f"{what} took {took_s:.1f} s; {self.camera()}"


@contextmanager
def daemon_on(tmp_path: Path, url: str, waits_for_frames: bool = True) -> Iterator[Run]:
    """Run the daemon for the block; afterwards its log is there."""
    run = Run(tmp_path / "data", url)
    with running(run.folder) as process:
        if waits_for_frames:
            wait_until(lambda: run.answered() > 3, "frames")
        yield run
        process.terminate()
        run.log = process.communicate(timeout=150)[1]
        assert process.returncode == 0


def camera_lines(log: str) -> list[str]:
    """What the log says of the camera."""
    return [line for line in log.splitlines() if "camera" in line and "running:" not in line]


def test_an_rtsp_camera_fails_in_every_way_and_the_daemon_goes_on(tmp_path: Path) -> None:
    """Power cut, process stalled, black and frozen picture: each one warning and one line when it is over."""
    with RtspServer() as camera, daemon_on(tmp_path, camera.url) as run:
        camera.stop()
        run.told("lost")
        assert "lost since" in run.words()
        assert (run.said().frames or FrameCounts(failed=1)).failed == 0
        time.sleep(2)  # as long as it likes; meanwhile it is looked for
        camera.start()
        run.goes_on()
        camera.stall()
        run.told("lost")
        camera.resume()
        run.goes_on()
        for pattern, status in (("black", "black"), ("smpte75", "frozen")):
            camera.show(pattern)
            run.told(status)
            queued, answered = run.store.queue.counts()[Status.QUEUED], run.answered()
            time.sleep(1.5)
            assert (run.store.queue.counts()[Status.QUEUED], run.answered()) == (queued, answered)
            assert status in run.words()
            camera.show("smpte")
            run.goes_on()
        assert run.store.queue.counts()[Status.QUEUED] > 0
    expected = ("lost", "is back", "lost", "is back", "black", "sees again", "repeats one", "sees again")
    for line, words in zip(camera_lines(run.log), expected, strict=True):
        assert words in line


def test_no_black_picture_of_a_camera_is_ever_queued(tmp_path: Path) -> None:
    """Every frame is kept here, and between them come single black ones, and at last nothing else: none is in the queue."""
    black = np.zeros((48, 64, 3), np.uint8)
    with (
        MjpegServer(picture=lambda number: black if number % 3 else scene(number)) as camera,
        daemon_on(tmp_path, camera.url) as run,
    ):
        camera.picture = lambda _: black
        run.told("black")
    waiting = run.store.queue.waiting()
    assert len(waiting) > 3
    for frame in waiting:
        assert decode(run.store.queue.jpeg(frame.id)).mean() > 60


def test_a_camera_of_the_settings_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    """After a power cut the camera may start later than the daemon; `status` says what is missing until then."""
    with MjpegServer(picture=scene) as camera:
        url, port = camera.url, camera.port
    with daemon_on(tmp_path, url, waits_for_frames=False) as run:
        wait_until(lambda: run.camera().status == "lost", "a lost camera")
        assert "refused the connection" in run.words()
        with MjpegServer(port, picture=scene):
            run.goes_on()
