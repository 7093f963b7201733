"""The head of an answer over HTTP, read as cameras write it; `http.client` gives up on much that every browser takes.

Passed over are answers that only announce another one (100 to 199), headers that nobody asks for, however many and long, and
the protocol's version and spelling.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any, cast

from posture_daemon.adapters.cameras.patient_socket import PatientSocket

MAX_BYTES = 2**20
"""Of one head. Time is limited by the connection."""
STATUS = re.compile(rb"\s*(?:HTTP/\d+(?:\.\d+)?|ICY)\s+(\d{3})\b", re.IGNORECASE)
FRAMING = ("content-length", "transfer-encoding")


@dataclass(frozen=True)
class HttpHead:
    """`fields` are names in small letters and values. Bytes that are no UTF-8 are kept as surrogates, as Python does it."""

    status: int
    fields: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        """The values of a header, which may be there several times."""
        return [value for key, value in self.fields if key == name]

    def first(self, name: str) -> str:
        """The value of a header, empty where there is none."""
        return next(iter(self.all(name)), "")


class NoHttp(Exception):
    """What came is no answer in HTTP; its text is how it begins."""


def text(raw: bytes) -> str:
    """What a camera says, so that `encode("utf-8", "surrogateescape")` gives the same bytes again, whatever they mean."""
    return raw.decode("utf-8", "surrogateescape")


def read_head(connection: PatientSocket) -> tuple[HttpHead, HTTPResponse]:
    """The head of the answer that counts, and its body to be read. Raises `NoHttp`, `OSError` and those of `connection`."""
    stream = connection.makefile()
    while 100 <= (head := _head(stream)).status < 200 and head.status != 101:
        pass
    return head, _body(head, stream, connection)


def _head(stream: io.BufferedReader) -> HttpHead:
    lines = _lines(stream)
    first = next(lines, b"")
    found = STATUS.match(first)
    if found is None:
        raise NoHttp(text(first[:80]))
    pairs = (line.partition(b":") for line in lines)
    fields = tuple((text(name).strip().lower(), text(value).strip()) for name, _, value in pairs)
    return HttpHead(int(found[1]), fields)


def _lines(stream: io.BufferedReader) -> Iterator[bytes]:
    """Until the empty one, each with those that are its continuation."""
    kept, left = b"", MAX_BYTES
    while line := stream.readline(left):
        left -= len(line)
        if left <= 0:
            raise NoHttp("a head without end")
        if not line.strip():
            if kept:
                break
            continue  # some leave the end of their last answer before the next
        if kept and line[:1] in b" \t":
            kept += b" " + line.strip()
            continue
        if kept:
            yield kept
        kept = line.strip(b"\r\n")
    if kept:
        yield kept


def _body(head: HttpHead, stream: io.BufferedReader, connection: PatientSocket) -> HTTPResponse:
    """What takes chunks and lengths apart; it sees a head of only what these need."""
    framing = "".join(f"{key}: {value}\r\n" for key, value in head.fields if key in FRAMING and value.isascii())
    response = HTTPResponse(cast(Any, _Rest(f"HTTP/1.1 {head.status} -\r\n{framing}\r\n".encode(), stream, connection)))
    try:
        response.begin()
    except HTTPException as error:
        raise NoHttp(str(error)) from None
    return response


class _Rest(io.RawIOBase):
    """A head, and what came behind the real one."""

    def __init__(self, head: bytes, stream: io.BufferedReader, connection: PatientSocket) -> None:
        self._ahead, self._stream, self._connection = head, stream, connection

    def makefile(self, *_mode: object) -> io.BufferedReader:
        """What `http.client` reads from."""
        return io.BufferedReader(self, 65536)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The bytes that are there, 0 at the end."""
        data = self._ahead[: len(buffer)] or self._stream.read1(len(buffer))
        self._ahead = self._ahead[len(data) :]
        buffer[: len(data)] = data
        return len(data)
