"""Bytes to the label page, through the real connection, guard and application, without a network."""

import asyncio
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from posture_daemon.settings import Settings
from posture_daemon.ui.web.app import create_app
from posture_daemon.ui.web.connections import Connection, State
from posture_daemon.ui.web.refusals import SECURITY
from tests.builders import make_store
from tests.fuzz.mutation import NUMBERS, TEXTS, as_bytes, mutated
from tests.fuzz.target import Parts, Refused, Unexpected
from tests.label_page import queue_frames

HOST = b"Host: 127.0.0.1:8760\r\n"
OURS = HOST + b"X-Posture-Daemon: 1\r\nContent-Type: application/json\r\n"
PATHS = (
    b"/",
    b"/teach",
    b"/region",
    b"/api/state",
    b"/api/groups?limit=3",
    b"/picture/1?at=1772438400.0",
    b"/static/label.js",
    b"/api/teach/plan?class=a",
)
BODIES = (
    (b"/api/answers", b'{"key": "0123456789", "frames": [[1, 1772438400.0]], "class": "upright"}'),
    (b"/api/skips", b'{"key": "0123456789", "frames": [[1, 1772438400.0]]}'),
    (b"/api/undo", b'{"key": "0123456789"}'),
    (b"/api/ask-again", b"{}"),
    (b"/api/classes", b'{"name": "new", "role": "bad"}'),
    (b"/api/region", b'{"region": "0.1,0.1,0.5,0.5"}'),
)
TOKENS = (
    b"\r\n", b"\r\n\r\n", b"\n", b"\r", b": ", b" HTTP/1.1", b" HTTP/1.0", b" HTTP/0.9", b"Host: [::1",
    b"Host: evil.com\r\n", b"Host:\r\n",
    b"Origin: null\r\n", b"Origin: http://127.0.0.1:8760\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 3\r\n", b"Content-Length: 0\r\n",
    b"0\r\n\r\n", b"5\r\nhello\r\n", b"ffffffffffffffff\r\n", b"Expect: 100-continue\r\n", b"Connection: close\r\n",
    b"Connection: Upgrade\r\n",
    b"Upgrade: h2c\r\n", b"Upgrade: websocket\r\n", b"If-None-Match: *\r\n", b"Range: bytes=0-1,5-\r\n",
    b"Range: bytes=-0\r\n", b"%00", b"%2e%2e", b"/..",
    b"//", b"\\", b"http://evil.com/", b"*", b"HEAD", b"OPTIONS", b"TRACE", b"CONNECT", b"DELETE", b"\xff", b"\0",
    b"\x80", b"If-Modified-Since: x\r\n",
    b"Cookie: posture_label=\r\n", b"Sec-Fetch-Site: cross-site\r\n", b"GET / HTTP/1.1\r\n" + HOST + b"\r\n",
    b"Accept-Encoding: gzip\r\n",
    *(as_bytes(text) for text in (*TEXTS, *NUMBERS)),
)  # fmt: skip
HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) [A-Za-z ()'-]*\r\n((?:[^\r\n]+\r\n)*)\r\n")


def make(rng: Random) -> bytes:
    """One to three requests in a row, with damage to the heads or to the bodies."""
    made = b""
    for _ in range(1 + int(rng.random() ** 3 * 3)):
        if rng.random() < 0.5:
            made += b"GET " + rng.choice(PATHS) + b" HTTP/1.1\r\n" + HOST + b"\r\n"
            continue
        path, body = rng.choice(BODIES)
        if rng.random() < 0.5:
            body = mutated(rng, body, TOKENS)
        head = b"POST " + path + b" HTTP/1.1\r\n" + OURS
        if rng.random() < 0.3:
            cut = rng.randrange(len(body) + 1)
            pieces = [piece for piece in (body[:cut], body[cut:]) if piece]
            chunks = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces)
            made += head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
        else:
            made += head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    return made if rng.random() < 0.2 else mutated(rng, made, TOKENS)


class Memory(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"sockname": ("127.0.0.1", 8760), "peername": ("127.0.0.1", 50_000)})
        self.written, self.ended = bytearray(), False

    def write(self, data: Any) -> None:
        """Keep it."""
        if not self.ended:
            self.written += data

    def close(self) -> None:
        """From now on nothing is kept."""
        self.ended = True

    abort = close

    def is_closing(self) -> bool:
        """Whether it has ended."""
        return self.ended

    def can_write_eof(self) -> bool:
        """As a socket can."""
        return True

    def write_eof(self) -> None:
        """Nothing to do here."""

    def pause_reading(self) -> None:
        """Nothing to do here."""

    def resume_reading(self) -> None:
        """Nothing to do here."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing to do here."""


class Heard(logging.Handler):
    """What the server logs, which is nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.said.append(self.format(record))


class Page:
    """The application of a store in a loop of its own."""

    def __init__(self, folder: Path) -> None:
        store = make_store(folder)
        queue_frames(store, ["slouching", "upright", None])
        app = create_app(store, Settings(data_dir=store.folder), lambda: 1_772_440_000.0)
        self.config = uvicorn.Config(
            app, log_config=None, log_level="error", access_log=False, lifespan="off", ws="none", proxy_headers=False
        )
        self.config.load()
        self.loop, self.heard = asyncio.new_event_loop(), Heard()
        for name in ("uvicorn", "asyncio", "fastapi", "posture_daemon"):
            logging.getLogger(name).addHandler(self.heard)

    def answers(self, pieces: Sequence[bytes]) -> bytes:
        """What comes back when these pieces arrive, and then the end."""
        return self.loop.run_until_complete(self._answers(pieces))

    async def _answers(self, pieces: Sequence[bytes]) -> bytes:
        state, transport = ServerState(), Memory()
        connection = Connection(self.config, state, {})
        connection.connection_made(transport)
        for piece in pieces:
            if not transport.ended:
                connection.data_received(piece)
        while connection.state is State.OURS and state.tasks and not transport.ended:
            await asyncio.wait(state.tasks, timeout=20)
        if not transport.ended:
            connection.eof_received()
        connection.connection_lost(None)
        if state.tasks:
            await asyncio.wait(state.tasks, timeout=20)
        return bytes(transport.written)


def check(answered: bytes) -> None:
    """Whole answers, each with all headers and none that says that we failed."""
    heads = HEAD.findall(answered)
    if answered and not answered.startswith(b"HTTP/1.1 "):
        raise Unexpected(f"no answer at all: {answered[:100]!r}")
    for status, head in heads:
        if status == b"100":
            continue
        if status >= b"500":
            raise Unexpected(f"status {status.decode()}: {answered[:300]!r}")
        missing = [name for name, value in SECURITY.items() if f"{name}: {value}\r\n".encode() not in head]
        if missing:
            raise Unexpected(f"status {status.decode()} without {missing}")
    if not heads or all(status >= b"400" for status, _ in heads):
        raise Refused


def parts(folder: Path) -> Parts:
    """Each input comes in one piece, or in two."""
    page = Page(folder)

    def read(data: bytes) -> None:
        cut = (len(data) * 7919) % (2 * len(data) + 1)
        answered = page.answers([piece for piece in (data[:cut], data[cut:]) if piece])
        if page.heard.said:
            said, page.heard.said = page.heard.said, []
            raise Unexpected(f"logged: {said[0][-600:]}")
        check(answered)

    return Parts(make, read)
