"""RTSP cameras that do not let one in: FFmpeg only says that it failed, the sentence says why."""

import socket
import time
from contextlib import closing

import pytest

from posture_daemon.adapters.cameras import open_camera
from posture_daemon.adapters.cameras.network_patience import NetworkPatience
from posture_daemon.adapters.cameras.opencv import Rhythm
from posture_daemon.errors import CameraError, CameraRefused
from tests.fakes.clock import Clock
from tests.fakes.raw_camera import RawCamera
from tests.fakes.servers import RtspServer
from tests.waiting import allowed_s


def refused(answer: bytes, user: str = "me:s3cr%40t", open_s: float = 10.0) -> str:
    """The sentence on a camera that answers every request so."""
    with RawCamera(answer) as camera, pytest.raises(CameraError) as caught:
        open_camera(camera.url("/live", user, "rtsp"), NetworkPatience(open_s=open_s)).open()
    assert "s3cr" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("challenge", [b'Basic realm="x"', b'Digest realm="x", nonce="y"'])
def test_a_wrong_password_is_told(challenge: bytes) -> None:
    """Also how it must be written, since this one has a special character; and as what is not tried every second."""
    answer = b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: %b\r\n\r\n" % challenge
    with (
        RawCamera(answer) as camera,
        pytest.raises(CameraRefused, match="refuses the user or the password: check both"),
    ):
        open_camera(camera.url("/live", "me:s3cret", "rtsp")).open()
    assert "wants a user and a password: write rtsp://USER:PASSWORD@HOST/PATH" in refused(answer, user="")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n", "nothing at this path"),
        (b"RTSP/1.0 453 Not Enough Bandwidth\r\nCSeq: 1\r\n\r\n", "too busy"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "write http:// instead of rtsp://"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not answer in RTSP"),
        (b"", "hung up without an answer"),
        (b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", "malformed"),
    ],
)
def test_every_other_refusal_is_told(answer: bytes, words: str) -> None:
    """By what the camera says to the question that FFmpeg asked."""
    assert words in refused(answer)


@pytest.mark.slow
def test_a_camera_that_says_nothing_is_given_up_after_its_time() -> None:
    """FFmpeg keeps to the time of the settings."""
    began = time.monotonic()
    with (
        RawCamera(lambda _to, _head: silent.over.wait()) as silent,
        pytest.raises(CameraError, match="gives no answer"),
    ):
        open_camera(silent.url("/live", scheme="rtsp"), NetworkPatience(open_s=1.0)).open()
    assert time.monotonic() - began < allowed_s(12)


@pytest.mark.slow
def test_a_real_camera_is_read() -> None:
    """Through the question first, with other time-outs than the usual ones."""
    with RtspServer() as camera, closing(open_camera(camera.url, NetworkPatience(open_s=30.0, read_s=15.0))) as reader:
        reader.open()
        assert reader.read() is not None


def test_pictures_that_come_in_bursts_are_spread() -> None:
    """As a playlist gives them: four seconds at once. A clock that jumps begins anew, and who is late is not slowed down."""
    clock, slept = Clock(), []

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 3))
        clock.now += seconds

    rhythm = Rhythm(monotonic=clock, sleep=sleep)
    for number in range(40):
        rhythm.wait(number / 10)
    assert slept == [0.1] * 39
    clock.now += 5.0
    rhythm.wait(4.0)
    rhythm.wait(4.1)
    rhythm.wait(9999.0)
    rhythm.wait(9999.1)
    assert slept[39:] == [0.1, 0.1]


def test_an_address_with_a_port_that_nobody_listens_at_is_told_at_once() -> None:
    """Sooner than FFmpeg would give up."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(CameraError, match="refused the connection"):
        open_camera(f"rtsp://127.0.0.1:{port}/x").open()
