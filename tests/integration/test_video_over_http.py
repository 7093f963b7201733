"""Video over HTTP that is no JPEG goes to FFmpeg: a playlist (HLS) in its own rhythm, a transport stream as it comes."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from posture_daemon.adapters.cameras import open_camera
from posture_daemon.adapters.cameras.network_patience import NetworkPatience
from posture_daemon.errors import CameraError
from posture_daemon.ports import Camera
from tests.fakes.raw_camera import RawCamera, head

FPS, SEGMENT = 10, 10
"""Pictures a second, and in a segment."""


class Quiet(SimpleHTTPRequestHandler):
    """A file server that logs nothing."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two segments of one second each, and their playlist."""
    folder = tmp_path_factory.mktemp("hls")
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1", "#EXT-X-MEDIA-SEQUENCE:0"]
    for number in range(2):
        _write_segment(folder / f"{number}.ts", number)
        lines += ["#EXT-X-DISCONTINUITY", "#EXTINF:1.0,", f"{number}.ts"]
    (folder / "cam.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST", ""]))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()


def _write_segment(path: Path, number: int) -> None:
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MPG2"), FPS, (64, 48))
    if not writer.isOpened():
        pytest.skip("this OpenCV cannot write a transport stream")
    for position in range(SEGMENT):
        writer.write(np.full((48, 64, 3), 10 * (number * SEGMENT + position), np.uint8))
    writer.release()


def read_on(camera: Camera) -> None:
    """Read more than there is."""
    for _ in range(2 * SEGMENT):
        camera.read()


def test_a_playlist_is_paced(server: str) -> None:
    """A segment comes at once, and its pictures one by one, in the time in which they were taken."""
    with closing(open_camera(f"{server}/cam.m3u8")) as camera:
        camera.open()
        began = time.monotonic()
        frames = [camera.read() for _ in range(2 * SEGMENT)]
        took_s = time.monotonic() - began
    assert None not in frames
    assert took_s >= (2 * SEGMENT - 3) / FPS
    times = [frame.captured_at for frame in frames if frame is not None]
    assert times == sorted(times)


def test_a_transport_stream_is_read_and_its_end_is_a_loss(server: str) -> None:
    """As before there was a reader of our own: FFmpeg knows what it is."""
    with closing(open_camera(f"{server}/0.ts")) as camera:
        camera.open()
        frame = camera.read()
        assert frame is not None
        assert frame.image.shape == (48, 64, 3)
        with pytest.raises(CameraError, match="stopped giving frames"):
            read_on(camera)


def test_video_that_is_none_is_told() -> None:
    """A playlist without a segment that is there."""
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nnone.ts\n"
    with RawCamera(head("application/vnd.apple.mpegurl") + playlist) as server:
        camera = open_camera(server.url("/cam.m3u8"), NetworkPatience(open_s=1.0))
        with pytest.raises(CameraError, match=r"gave no picture within 1 s|malformed, or no video"):
            camera.open()
