"""Real network cameras that fail: an RTSP and an MJPEG server, read by OpenCV, are switched off, stalled and started again."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from posture_daemon.adapters.cameras import open_camera
from posture_daemon.adapters.cameras.latest_frame import CameraState, LatestFrame, Patience
from posture_daemon.vision.frame_quality import FrameQualityMonitor
from tests.fakes.scripted_camera import LONG_S, await_state, scene, started
from tests.fakes.servers import MjpegServer, RtspServer
from tests.waiting import allowed_s

PROMISED_S = 5.0
"""Noticed within this time, and frames again within this time after the camera is back."""


def noticed(reader: LatestFrame, status: str) -> CameraState:
    """Wait until the camera is so, which must not take longer than promised."""
    began = time.monotonic()
    state = await_state(reader, lambda state: state.status == status)
    assert time.monotonic() - began < allowed_s(PROMISED_S)
    return state


def frames_again(reader: LatestFrame, away: CameraState) -> None:
    """A new picture comes in the promised time, with a number above all before."""
    newest = reader.wait(away.frames, allowed_s(PROMISED_S))
    assert newest is not None
    assert newest.sequence > away.frames
    assert reader.state.status == "running"


@contextmanager
def reading(url: str) -> Iterator[LatestFrame]:
    """A reader as the daemon has it, with the usual patience, and enough pictures to know the camera's pace."""
    patience = Patience(open_s=20.0, read_s=20.0)
    with started(
        LatestFrame(open_camera(url), patience, quality=FrameQualityMonitor, another=lambda: open_camera(url))
    ) as reader:
        assert reader.wait(3, LONG_S) is not None
        yield reader


@pytest.fixture(params=["h264", "jpeg"])
def rtsp(request: pytest.FixtureRequest) -> Iterator[RtspServer]:
    """An RTSP camera."""
    with RtspServer(request.param) as server:
        yield server


@pytest.mark.slow
def test_an_rtsp_camera_that_is_restarted_comes_back(rtsp: RtspServer) -> None:
    """Its power is cut for a while."""
    with reading(rtsp.url) as reader:
        rtsp.stop()
        away = noticed(reader, "lost")
        assert "stopped giving frames" in str(away.error)
        rtsp.start()
        frames_again(reader, away)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["h264", "h264-b", "jpeg", "mjpeg"])  # with B-frames a decoder holds some back
def test_a_camera_that_stalls_is_noticed_and_read_again(kind: str) -> None:
    """All connections stay open and silent, as with a camera whose processor hangs."""
    made = MjpegServer(picture=scene) if kind == "mjpeg" else RtspServer(kind)
    with made as server, reading(server.url) as reader:
        server.stall()
        away = noticed(reader, "lost")
        server.resume()
        frames_again(reader, away)


@pytest.mark.slow
@pytest.mark.parametrize("rtsp", ["h264"], indirect=True)
def test_an_rtsp_camera_that_shows_nothing_is_blind(rtsp: RtspServer) -> None:
    """A black picture, and one that stands still, through a real codec."""
    with reading(rtsp.url) as reader:
        for pattern, status in (("black", "black"), ("smpte75", "frozen")):
            rtsp.show(pattern)
            blind = noticed(reader, status)
            rtsp.show("smpte")
            frames_again(reader, blind)


@pytest.mark.slow
def test_an_mjpeg_camera_that_is_restarted_comes_back() -> None:
    """On the same port."""
    with MjpegServer(picture=scene) as server, reading(server.url) as reader:
        server.stop()
        away = noticed(reader, "lost")
        assert "refused the connection" in str(away.error)
        with MjpegServer(server.port, picture=scene):
            frames_again(reader, away)
        assert reader.state.reopened == 1


@pytest.mark.slow
def test_an_mjpeg_camera_that_repeats_its_picture_is_frozen() -> None:
    """It sends frames all the time, and all are the same."""
    with MjpegServer(picture=scene) as server, reading(server.url) as reader:
        server.picture = lambda _: scene(0)
        frozen = noticed(reader, "frozen")
        server.picture = scene
        frames_again(reader, frozen)
