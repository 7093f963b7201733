"""Live cameras through OpenCV: a real MJPEG server, and device files that are missing, forbidden or no camera."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from posture_daemon.adapters.cameras import open_camera
from posture_daemon.adapters.cameras.device import Device, found_devices
from posture_daemon.adapters.cameras.http_camera import HttpCamera
from posture_daemon.adapters.cameras.latest_frame import LatestFrame
from posture_daemon.adapters.cameras.network_patience import NetworkPatience
from posture_daemon.adapters.cameras.opencv import Picture, V4l2Camera, v4l2_wishes
from posture_daemon.errors import CameraError
from posture_daemon.ports import Camera
from tests.fakes.scripted_camera import QUICK, await_state, started
from tests.fakes.servers import MjpegServer
from tests.waiting import allowed_s

NOBODY = 65534


@pytest.fixture
def server() -> Iterator[MjpegServer]:
    """Start an MJPEG camera on this machine."""
    with MjpegServer() as server:
        yield server


def impatient(server: MjpegServer, clock: float = 5.0) -> HttpCamera:
    """Make a camera with time-outs of 0.3 s."""
    return HttpCamera(server.url, server.url, NetworkPatience(open_s=0.3, read_s=0.3), clock=lambda: clock)


def read_until_lost(camera: Camera) -> None:
    """Read on; a few frames may still be on their way."""
    for _ in range(100):
        camera.read()


def test_an_mjpeg_camera_gives_frames(server: MjpegServer) -> None:
    """Pictures arrive as BGR with the capture time and rising numbers."""
    camera = impatient(server, clock=1234.5)
    camera.open()
    first, second = camera.read(), camera.read()
    camera.close()
    assert first is not None
    assert second is not None
    assert first.image.shape == (48, 64, 3)
    assert first.image.dtype == np.uint8
    assert first.captured_at == 1234.5
    assert second.sequence == first.sequence + 1
    assert round(float(second.image.mean() - first.image.mean())) % 10 == 0  # a slow reader gets the newest of several


def test_a_camera_that_hangs_up_is_asked_again_at_once_and_lost_when_it_is_gone(server: MjpegServer) -> None:
    """A cut connection is no loss while the next one gives pictures; without it there is a `CameraError`, and then again."""
    camera = HttpCamera(server.url, server.url)
    camera.open()
    assert camera.read() is not None
    server.hang_up()
    for _ in range(10):
        assert camera.read() is not None
    assert len(server.requests) == 2
    server.stop()
    with pytest.raises(CameraError, match="refused the connection"):
        read_until_lost(camera)
    with pytest.raises(CameraError, match="is not open"):
        camera.read()
    with MjpegServer(server.port):
        camera.open()
        assert camera.read() is not None
    camera.close()


def test_a_camera_that_stalls_is_lost_after_the_read_timeout(server: MjpegServer) -> None:
    """A silent connection ends in an error after the time-out (here 0.3 s)."""
    camera = impatient(server)
    camera.open()
    server.stall()
    began = time.monotonic()
    with pytest.raises(CameraError, match=r"gave no picture within 0\.3 s"):
        read_until_lost(camera)
    assert time.monotonic() - began < allowed_s(3)


def test_opening_gives_up_on_a_camera_that_says_nothing(server: MjpegServer) -> None:
    """A server that accepts but never answers is refused after the time-out."""
    server.stall()
    began = time.monotonic()
    with pytest.raises(CameraError, match=r"gave no answer within 0\.3 s"):
        impatient(server).open()
    assert time.monotonic() - began < allowed_s(3)


def test_a_password_is_sent_but_never_shown(server: MjpegServer, capfd: pytest.CaptureFixture[str]) -> None:
    """The camera gets its secrets; the name, the error and stderr do not."""
    url = server.url.replace("//", "//me:s3cret@") + "?token=s3cret"
    camera = open_camera(url)
    camera.open()
    assert camera.read() is not None
    server.stop()
    with pytest.raises(CameraError) as lost:
        read_until_lost(camera)
    with pytest.raises(CameraError) as refused:
        open_camera(url.replace(str(server.port), "1").replace("http", "rtsp")).open()
    assert server.requests == ["/video?token=s3cret"]
    assert "s3cret" not in camera.name + str(lost.value) + str(refused.value)
    assert "http://***@127.0.0.1" in str(lost.value)
    assert capfd.readouterr().err == ""


def test_nothing_but_our_sentence_reaches_stderr(tmp_path: Path) -> None:
    """In a fresh process OpenCV and FFmpeg stay quiet about a camera, a URL and a file that cannot be opened."""
    (tmp_path / "text.mp4").write_text("not a video", encoding="utf-8")
    script = """
import sys
from posture_daemon.adapters.cameras import open_camera
from posture_daemon.errors import CameraError
for address in sys.argv[1:]:
    try:
        open_camera(address).open()
    except CameraError as error:
        print(error)
"""
    addresses = ["77", "rtsp://127.0.0.1:1/x", "http://127.0.0.1:1/x", str(tmp_path / "text.mp4")]
    result = subprocess.run(
        [sys.executable, "-c", script, *addresses], capture_output=True, text=True, timeout=300, check=True
    )
    assert result.stderr == ""
    assert len(result.stdout.splitlines()) == 4


def test_a_missing_device_names_those_that_exist(tmp_path: Path) -> None:
    """The sentence says which cameras are plugged in, so that the right one can be copied from it."""
    (tmp_path / "v4l" / "by-id").mkdir(parents=True)
    for name in ("video1", "video0", "v4l/by-id/usb-Logi-index0", "null"):
        (tmp_path / name).touch()
    with pytest.raises(CameraError, match=r"no camera at /dev/video77: .*; cameras found: "):
        open_camera("77").open()
    assert found_devices(tmp_path).split(", ") == [
        str(tmp_path / name) for name in ("video0", "video1", "v4l/by-id/usb-Logi-index0")
    ]
    assert found_devices(tmp_path / "nothing") == "none"


def test_a_file_that_is_no_camera_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """An existing device that gives no video (in use, or a metadata node) gets a sentence and no noise."""
    device = tmp_path / "video0"
    device.touch()
    with pytest.raises(CameraError, match="exists but gives no video: another program may be using it"):
        V4l2Camera("0", Device(str(device))).open()
    assert capfd.readouterr().err == ""


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Run the test without the rights of root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def forbidden_device() -> Iterator[Path]:
    """Make a file that only root may touch until its owner allows it, in a folder that all may enter."""
    folder = Path(tempfile.mkdtemp(prefix="posture-test-"))
    folder.chmod(0o755)
    device = folder / "video0"
    device.touch()
    if os.geteuid() == 0:
        os.chown(device, NOBODY, NOBODY)
    device.chmod(0o000)
    yield device
    shutil.rmtree(folder)


@pytest.mark.usefixtures("ordinary_user")
def test_a_camera_that_becomes_allowed_is_read_without_a_restart(forbidden_device: Path) -> None:
    """Until then the state says which group to join."""

    class Capture:
        """Stands in for `cv2.VideoCapture`, which needs a real device."""

        def __init__(self, _path: str, _backend: int) -> None:
            self.isOpened = lambda: True
            self.set = self.release = lambda *_: None
            self.read = lambda: (True, np.zeros((720, 1280, 3), np.uint8))

    camera = V4l2Camera("0", Device(str(forbidden_device)), capture=Capture)  # type: ignore[arg-type]
    with started(LatestFrame(camera, QUICK)) as reader:
        refused = await_state(reader, lambda state: state.status == "lost")
        assert "join the group `video`" in str(refused.error)
        forbidden_device.chmod(0o600)
        await_state(reader, lambda state: state.status == "running")


def test_the_pixel_format_is_set_before_size_and_rate() -> None:
    """Drivers limit size and rate by the format, so MJPG goes first; a single buffer keeps frames fresh."""
    wishes = v4l2_wishes(Picture(width=640, height=360, fps=10))
    assert wishes[0] == (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    assert dict(wishes[1:]) == {
        cv2.CAP_PROP_FRAME_WIDTH: 640,
        cv2.CAP_PROP_FRAME_HEIGHT: 360,
        cv2.CAP_PROP_FPS: 10,
        cv2.CAP_PROP_BUFFERSIZE: 1,
    }


@pytest.mark.skipif(cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER), reason="this OpenCV has GStreamer")
def test_csi_without_gstreamer_says_so() -> None:
    """The opencv-python wheel has no GStreamer: the sentence says what to install or use instead."""
    with pytest.raises(CameraError, match="needs an OpenCV with GStreamer"):
        open_camera("csi://0").open()
