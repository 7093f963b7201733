"""Web requests that can neither go on for ever nor leave what is encrypted: what `fetch` asks of urllib.

Only https, also where an answer leads to another address; every certificate is checked; and a server that goes on for ever, one
byte at a time, is left behind after a time for all of it.
"""

import contextlib
import http.client
import itertools
import re
import socket
import ssl
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from posture_daemon.errors import DownloadError

SCHEME = "https://"
SILENCE_S = 30.0
"""The longest that a server may say nothing."""

MOST_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
LONGEST_ADDRESS = 2_000
PLAIN_PART = re.compile(r"(?=.{0,20}$)(?:[A-Za-z]+|[A-Za-z0-9]{1,8})(?:[._-]+(?:[A-Za-z]+|[A-Za-z0-9]{1,8}))*")
"""A part of a path that may be shown: short, of words and short numbers."""

REST = "…"
NOT_SHOWN = "That address"
LONGEST_SHOWN = 200


class Answer:
    """What a server sends after its head: its `status`, its headers, and its bytes, piece by piece."""

    def __init__(self, url: str, response: http.client.HTTPResponse) -> None:
        self.url, self._response = url, response
        self.status = response.status

    def header(self, name: str) -> str:
        """A header; empty without."""
        return self._response.headers.get(name) or ""

    def read_some(self, most: int) -> bytes:
        """The next bytes as they come, at most so many; nothing at the end. Raises `OSError` when the connection breaks."""
        try:
            return self._response.read1(most)
        except (http.client.HTTPException, ValueError) as error:
            raise OSError(str(error)) from error


@contextmanager
def opened(
    url: str, headers: Mapping[str, str], *, limit_s: float, trusted: ssl.SSLContext | None = None
) -> Iterator[Answer]:
    """Ask for a web address. `limit_s` is for all, from the search for the server to the end of the block.

    `trusted` says which certificates count, by default those of the system. Raises `DownloadError` with one sentence for every
    way in which it fails before the block; what goes on in the block too long ends as a broken connection.
    """
    with _Clock(limit_s) as clock:
        opener = urllib.request.OpenerDirector()
        for handler in (urllib.request.ProxyHandler(), _Https(clock, trusted or ssl.create_default_context())):
            opener.add_handler(handler)
        address = url
        for _ in range(MOST_REDIRECTS + 1):
            response = _ask(opener, address, headers, clock)
            with response:
                if response.status not in REDIRECTS:
                    _refuse_without_success(address, response)
                    yield Answer(address, response)
                    return
                address = _next(address, response)
        raise DownloadError(f"{shown(url)} leads from one address to the next without end; try again later.")


def shown(url: str) -> str:
    """What of an address may stand in a sentence, one harmless line: the server, and what is plain of the path.

    Every address may come from a server, with a password before its host, a signature behind a question mark, or a key in its
    path; nobody has to tell those apart from what was typed.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return NOT_SHOWN
    if not parts.netloc and parts.scheme not in ("https", "http", "file"):
        return NOT_SHOWN
    host = f"[{host}]" if ":" in host else host
    server = f"{parts.scheme}://{host}{'' if port is None else f':{port}'}" if parts.scheme else host
    path = list(itertools.takewhile(PLAIN_PART.fullmatch, parts.path.split("/")[1:]))
    more = len(path) < parts.path.count("/") and parts.path != "/"
    text = "/".join([server, *path, *([REST] if more else [])])
    text += f"?{REST}" if parts.query and not more else ""
    return text if text.isprintable() and len(text) < LONGEST_SHOWN else NOT_SHOWN


def _next(address: str, response: http.client.HTTPResponse) -> str:
    """Where the answer leads. Raises `DownloadError` when that is nowhere."""
    with contextlib.suppress(ValueError):  # half a server in brackets
        to = (response.headers.get("Location") or "").strip()
        if to:
            return urllib.parse.urljoin(address, to)
    raise DownloadError(
        f"{shown(address)} answered {response.status}, which leads elsewhere, without an address; try again later."
    )


def _ask(
    opener: urllib.request.OpenerDirector, url: str, headers: Mapping[str, str], clock: "_Clock"
) -> http.client.HTTPResponse:
    """The head of the answer. Raises `DownloadError`."""
    refuse_other_addresses(url)
    try:
        response: http.client.HTTPResponse = opener.open(
            urllib.request.Request(url, headers=dict(headers)),  # noqa: S310 - https only, as checked above
            timeout=min(SILENCE_S, clock.left_s()),
        )
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise DownloadError(
                f"{shown(url)} has no certificate that this device trusts ({_one_line(reason.verify_message)}); is its "
                "clock right, and does nobody sit between?"
            ) from error
        raise DownloadError(
            f"{shown(url)} cannot be reached ({clock.reason(error)}); is this device online?"
        ) from error
    return response


def _refuse_without_success(url: str, response: http.client.HTTPResponse) -> None:
    if not 200 <= response.status < 300:
        raise DownloadError(f"{shown(url)} answered {response.status} {_one_line(response.reason)}; try again later.")


def refuse_other_addresses(url: str) -> None:
    """Raises `DownloadError` for an address that is not one of https without a name and a password."""
    if not url.lower().startswith(SCHEME) or len(url) > LONGEST_ADDRESS or not url.isprintable() or " " in url:
        raise DownloadError(
            f"{shown(url)} cannot be asked: it is no address of a web server that begins with https://."
        )
    try:
        parts = urllib.parse.urlsplit(url)
        wrong = None if parts.port is None or parts.port else "its port is none"
    except ValueError:
        raise DownloadError(f"{shown(url)} is not an address: its server or its port is none.") from None
    if "@" in parts.netloc:
        wrong = "it has a name or a password before the server, which would not be sent"
    elif not parts.hostname:
        wrong = "it has no server"
    elif not url.isascii():
        wrong = "it has letters that are not ASCII; write it as a browser does when it is copied"
    if wrong is not None:
        raise DownloadError(f"{shown(url)} cannot be asked: {wrong}.")


class _Clock:
    """Breaks the connections of one request when its time is over: their timeouts begin anew with every byte."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s, self._sockets = limit_s, list[socket.socket]()
        self._end = time.monotonic() + limit_s
        self._timer = threading.Timer(limit_s, self._break)
        self._timer.daemon = True

    def __enter__(self) -> "_Clock":
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        for connection in self._sockets:
            connection.close()

    def watch(self, connection: socket.socket) -> None:
        """One more connection; a copy of it, since TLS takes the first for itself."""
        self._sockets.append(connection.dup())

    def left_s(self) -> float:
        """What is left of the time, at least a little."""
        return max(self._end - time.monotonic(), 0.001)

    def reason(self, error: Exception) -> str:
        """Why it failed, in one line."""
        if time.monotonic() >= self._end:
            return f"no whole answer within {self._limit_s:.0f} s"
        return _one_line(getattr(error, "reason", None) or error)

    def _break(self) -> None:
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, clock: _Clock, trusted: ssl.SSLContext) -> None:
        super().__init__(context=trusted)
        self._clock, self._trusted = clock, trusted

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        """Connect as usual, under the eyes of the clock."""
        return self.do_open(self._connection, request, context=self._trusted)

    def _connection(self, host: str, **options: Any) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection(host, **options)
        connect = socket.create_connection

        def watched(*arguments: Any, **more: Any) -> socket.socket:
            made = connect(*arguments, **more)
            self._clock.watch(made)
            return made

        connection._create_connection = watched  # type: ignore[attr-defined]  # http.client's own seam since 2.7
        return connection


def _one_line(said: object) -> str:
    """The words of a server or a library, short and harmless."""
    words = " ".join(str(said).split())[:150]
    return words if words.isprintable() else ascii(words)[1:-1]
