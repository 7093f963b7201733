"""Real servers for tests: cameras over HTTP (MJPEG) and RTSP that can be made to stall, hang up, vanish and return."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
import pytest

from posture_daemon.domain import Image

INTERVAL_S = 0.02

SYSTEM_PYTHON = "/usr/bin/python3"
"""Debian's own, which sees GStreamer's bindings from apt."""

RTSP_CAMERA = str(Path(__file__).with_name("rtsp_camera.py"))


def grey(number: int) -> Image:
    """A small picture of one grey, `10 * (number % 20)`, so that a test sees which one it is."""
    return np.full((48, 64, 3), 10 * (number % 20), dtype=np.uint8)


class MjpegServer:
    """`multipart/x-mixed-replace` on 127.0.0.1, as cheap network cameras speak it. Use in a `with` statement."""

    def __init__(self, port: int = 0, path: str = "/video", picture: Callable[[int], Image] = grey) -> None:
        """`port` 0 takes a free one; giving the port of a stopped server brings that camera back.

        `picture` gives the picture of each number and may be replaced while the server runs.
        """
        self.picture = picture
        self._flowing = threading.Event()
        self._flowing.set()
        self._connections: set[socket.socket] = set()
        self._http = _Server(("127.0.0.1", port), _handler_for(self))
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self.port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}{path}"
        self.requests: list[str] = []

    def __enter__(self) -> MjpegServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Vanish: cut all connections and accept no more. Safe to call twice."""
        self._flowing.set()
        self._http.shutdown()
        self._http.server_close()
        self.hang_up()
        self._thread.join(50)

    def stall(self) -> None:
        """Keep connections open but send nothing more, not even the header."""
        self._flowing.clear()

    def resume(self) -> None:
        """Send again."""
        self._flowing.set()

    def hang_up(self) -> None:
        """Cut all connections; new ones are accepted."""
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the other side was faster

    def serve(self, connection: socket.socket, path: str) -> None:
        """Send pictures until the client goes away."""
        self.requests.append(path)
        self._connections.add(connection)
        try:
            self._flowing.wait(300)
            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n")
            pause = threading.Event()
            for number in count():
                self._flowing.wait(300)
                connection.sendall(_part(self.picture(number)))
                pause.wait(INTERVAL_S)
        except OSError:
            return
        finally:
            self._connections.discard(connection)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


def _handler_for(server: MjpegServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.serve(self.connection, self.path)

        def log_message(self, *arguments: object) -> None:
            """Keep the test output clean."""

    return Handler


def _part(picture: Image) -> bytes:
    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
    return b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(jpeg), jpeg)


class RtspServer:
    """GStreamer's RTSP server in a process of its own; see `rtsp_camera.py`. Use in a `with` statement.

    Skips the test where GStreamer's bindings are missing, but fails it in CI, which installs them.
    """

    def __init__(self, codec: str = "h264") -> None:
        """`codec` is one of those of `rtsp_camera.py`."""
        require_gstreamer()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.url = f"rtsp://127.0.0.1:{self.port}/cam"
        self._codec = codec

    def __enter__(self) -> RtspServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Serve, on the same port as before."""
        self._process = subprocess.Popen(
            [SYSTEM_PYTHON, RTSP_CAMERA, str(self.port), self._codec],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout.readline() == "ready\n"

    def show(self, pattern: str) -> None:
        """Show another pattern of videotestsrc from now on."""
        self._process.stdin.write(f"{pattern}\n")
        self._process.stdin.flush()

    def stall(self) -> None:
        """Stop the process with SIGSTOP: connections stay open, the kernel accepts new ones, and nobody answers."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it as a power cut would. Safe to call twice."""
        self._process.kill()
        self._process.communicate()


def require_gstreamer() -> None:
    """Skip where there is no RTSP server to test with, or fail in CI."""
    try:
        found = subprocess.run([SYSTEM_PYTHON, RTSP_CAMERA, "check"], capture_output=True, check=False).returncode == 0
    except OSError:
        found = False
    if found:
        return
    if os.environ.get("CI") == "true":
        pytest.fail("GStreamer's RTSP server is missing, but must be present in CI: see .ci/run")
    pytest.skip("there is no GStreamer RTSP server; .ci/run has the names of its packages")
