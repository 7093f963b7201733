"""Network cameras that would keep the reader for ever, or lead it and its password to somebody else."""

import socket
import time
from dataclasses import replace

import pytest

from posture_daemon.adapters.cameras import open_camera
from posture_daemon.adapters.cameras.network_patience import NetworkPatience
from posture_daemon.adapters.cameras.opencv import FfmpegCamera
from posture_daemon.errors import CameraError
from tests.fakes.raw_camera import RawCamera, head, jpeg, part
from tests.waiting import allowed_s

BRIEF = NetworkPatience(open_s=0.5, read_s=0.5)
VIDEO = head("video/mp4") + b"\0\0\0\x18ftypisom"
BROKEN = part(jpeg(0)[:600])


@pytest.mark.parametrize(
    ("before", "again"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"Warning: 199\r\n"),
        (head(), BROKEN + part(jpeg(0)[:300])),
    ],
    ids=["continue", "hints", "headers", "damaged"],
)
def test_a_camera_that_never_stops_sending_is_given_up(before: bytes, again: bytes) -> None:
    """The time counts also while bytes come without a pause, and nothing is left that goes on."""

    def answer(to: socket.socket, _head: str) -> None:
        to.sendall(before)
        while not camera.over.is_set():
            to.sendall(again * 1000)

    began = time.monotonic()
    with (
        RawCamera(answer) as camera,
        pytest.raises(CameraError, match=r"within 0\.5 s|does not answer in HTTP|malformed"),
    ):
        open_camera(camera.url(), BRIEF).open()
    assert time.monotonic() - began < allowed_s(10)


@pytest.mark.parametrize("scheme", ["https", "rtsps", "HTTPS"])
def test_video_over_tls_is_refused_while_certificates_count(scheme: str) -> None:
    """FFmpeg would send the password to anybody; it is told before a connection is made, and a setting allows it."""
    with RawCamera(b"") as camera:
        url = camera.url(user="me:s3cret", scheme=scheme)
        with pytest.raises(CameraError, match=r"without a look at the certificate.*camera\.check_certificate = false"):
            FfmpegCamera("cam", url, BRIEF).open()
        assert camera.heads == []
        with pytest.raises(CameraError, match=r"malformed, or no video|gave no picture"):
            FfmpegCamera("cam", url, replace(BRIEF, check_certificate=False)).open()
        assert camera.heads != []


def test_rtsps_is_refused_while_certificates_count() -> None:
    """Also as it is written in the settings."""
    with RawCamera(b"") as camera, pytest.raises(CameraError, match="without a look at the certificate"):
        open_camera(camera.url(scheme="rtsps"), BRIEF).open()
    assert camera.heads == []


def test_ffmpeg_is_not_led_to_another_host() -> None:
    """A camera that sends our reader video, and FFmpeg on to somebody else."""

    def answer(to: socket.socket, request: str) -> None:
        away = head(None, "302 Found", f"Location: {other.url('/stolen')}")
        to.sendall(away if "Lavf" in request else VIDEO)

    with RawCamera(VIDEO) as other, RawCamera(answer) as camera, pytest.raises(CameraError):
        open_camera(camera.url("/cam.mp4", "me:s3cret"), NetworkPatience(open_s=5.0)).open()
    assert any("Lavf" in request for request in camera.heads)
    assert other.heads == []


def test_ffmpeg_gets_the_address_that_a_redirect_led_to() -> None:
    """On the same host, with the user and the password of the address."""

    def answer(to: socket.socket, request: str) -> None:
        if not request.startswith("GET /live.mp4"):
            to.sendall(head(None, "302 Found", "Location: /live.mp4"))
        elif "Authorization: Basic bWU6cEBzcw==" not in request:
            to.sendall(head(None, "401 Unauthorized", 'WWW-Authenticate: Basic realm="x"'))
        else:
            to.sendall(VIDEO)

    with RawCamera(answer) as camera, pytest.raises(CameraError):
        open_camera(camera.url("/", "me:p%40ss"), NetworkPatience(open_s=5.0)).open()
    of_ffmpeg = [request for request in camera.heads if "Lavf" in request]
    assert all(request.startswith("GET /live.mp4") for request in of_ffmpeg)
    assert any("Basic bWU6cEBzcw==" in request for request in of_ffmpeg)
