"""A camera over HTTP or RTSP that says exactly the bytes that a test wants, on 127.0.0.1."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

import cv2

from tests.fakes.scripted_camera import scene

TLS_HELLO = b"\x16\x03"
"""How a client begins that speaks TLS; a camera without it answers all the same."""

Answer = Callable[[socket.socket, str], object]
"""Is given the connection and the head of the request; when it returns, the connection is closed."""


def jpeg(number: int = 0) -> bytes:
    """A small JPEG with noise, which changes with its number."""
    return cv2.imencode(".jpg", scene(number))[1].tobytes()


def head(
    content_type: str | None = "multipart/x-mixed-replace; boundary=frame", status: str = "200 OK", *more: str
) -> bytes:
    """The head of an answer."""
    lines = [f"HTTP/1.0 {status}", *([] if content_type is None else [f"Content-Type: {content_type}"]), *more, "", ""]
    return "\r\n".join(lines).encode()


def part(picture: bytes, *lines: str, end: str = "\r\n") -> bytes:
    """One picture with its envelope."""
    envelope = end.join(("--frame", "Content-Type: image/jpeg", *lines, "", "")).encode()
    return envelope + picture + end.encode()


class RawCamera:
    """Use in a `with` statement. `heads` are the requests so far."""

    def __init__(self, answer: Answer | bytes, tls: ssl.SSLContext | None = None) -> None:
        """`answer` may be the bytes of the one answer that everybody gets."""
        self._tls = tls
        self._answer: Answer = (lambda to, _head: to.sendall(answer)) if isinstance(answer, bytes) else answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.over = threading.Event()
        """Set when the test is over: what an answer waits on that never goes on."""
        self.heads: list[str] = []

    def url(self, path: str = "/video", user: str = "", scheme: str = "http") -> str:
        """Where it is."""
        return f"{scheme}://{user}{'@' if user else ''}127.0.0.1:{self.port}{path}"

    def __enter__(self) -> RawCamera:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with suppress(OSError), plain if self._tls is None else self._tls.wrap_socket(plain, True) as connection:
            request = b""
            while b"\r\n\r\n" not in request and not request.startswith(TLS_HELLO) and (more := connection.recv(4096)):
                request += more
            self.heads.append(request.decode("latin-1"))
            self._answer(connection, self.heads[-1])
