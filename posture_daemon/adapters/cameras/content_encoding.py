"""Undoes a compression that nobody asked for, as cameras and what stands before them mean it."""

import zlib
from collections.abc import Callable
from contextlib import suppress

MOST_AT_ONCE = 2**22
"""Bytes that one call gives: a few can stand for gigabytes."""
WAYS = (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS)
"""Gzip or zlib, whatever the header says; then `deflate` without the header of zlib, which browsers take too."""


def unpacker(encoding: str) -> Callable[[bytes], bytes]:
    """What unpacks the next bytes of a body with this `Content-Encoding`; of one that we do not know, they are as they were."""
    is_known = encoding.strip().lower() in ("gzip", "x-gzip", "deflate")
    return _Unpacker() if is_known else bytes


class _Unpacker:
    """Finds out the way by trying: a body in none of them was not packed at all."""

    def __init__(self) -> None:
        self._ways = list(WAYS)
        self._seen = b""
        self._has_given = self._is_plain = False
        self._begin()

    def __call__(self, data: bytes) -> bytes:
        if self._is_plain:
            return data
        if not self._has_given:
            self._seen += data
        try:
            given = self._unpacked(data)
        except zlib.error:
            return b"" if self._has_given else self._other_way()
        if given:
            self._has_given, self._seen = True, b""
        return given

    def _begin(self) -> None:
        self._unpack = zlib.decompressobj(self._ways[0])

    def _unpacked(self, data: bytes) -> bytes:
        given = self._unpack.decompress(self._unpack.unconsumed_tail + data, MOST_AT_ONCE)
        while self._unpack.eof and (more := self._unpack.unused_data):  # each picture packed for itself
            self._begin()
            with suppress(zlib.error):  # padding
                given += self._unpack.decompress(more, MOST_AT_ONCE)
        return given

    def _other_way(self) -> bytes:
        seen, self._seen = self._seen, b""
        del self._ways[0]
        if not self._ways:
            self._is_plain = True
            return seen
        self._begin()
        return self(seen)
