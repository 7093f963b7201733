"""Real servers for tests: an MJPEG camera over HTTP that can be made to stall, hang up, vanish and return."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import TracebackType

import cv2
import numpy as np

INTERVAL_S = 0.02


class MjpegServer:
    """`multipart/x-mixed-replace` on 127.0.0.1, as cheap network cameras speak it. Use in a `with` statement.

    The pictures are 64×48 and uniformly grey; picture number n has the value `10 * (n % 20)`.
    """

    def __init__(self, port: int = 0, path: str = "/video") -> None:
        """`port` 0 takes a free one; giving the port of a stopped server brings that camera back."""
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
        self._thread.join(5)

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
            self._flowing.wait(30)
            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n")
            pause = threading.Event()
            for number in count():
                self._flowing.wait(30)
                connection.sendall(_part(number))
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


def _part(number: int) -> bytes:
    picture = np.full((48, 64, 3), 10 * (number % 20), dtype=np.uint8)
    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
    return b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(jpeg), jpeg)
