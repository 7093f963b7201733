"""Finds whole JPEG pictures in a stream of bytes, by the markers of the format and by nothing that surrounds them.

Cameras get the envelope wrong in every way: no first boundary, another one than announced, a wrong `Content-Length` or none.
The pictures themselves are always right, or no browser would show them. Segments are passed over by their length, so that the
small picture inside an EXIF block is never taken for the camera's (ITU-T T.81, annex B).
"""

import re

MAX_PICTURE_BYTES = 16 * 2**20
"""A picture that is larger is none: 8-megapixel cameras send less than 5 MB."""
MAX_PIXELS = 50_000_000
"""A header of a few bytes can claim 65,535×65,535, which would take 13 GB to decode."""
MAX_WITHOUT_END = 3
"""So many pictures in a row without an end marker are no broken pictures: the camera leaves it out."""

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
START_OF_SCAN = 0xDA
STANDALONE = {0x01, *range(0xD0, 0xD8)}
"""Markers without a segment."""
FRAME_HEADERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
AFTER_SCAN = re.compile(rb"\xff([\xc4\xd8\xd9\xda\xdb\xdc\xdd\xfe\xe0-\xef])")
"""What can follow compressed data; anything else after 0xff belongs to it, or is damage that the decoder lives with."""


class MalformedStream(Exception):
    """So many bytes came without a whole picture that more of them will not help."""


class JpegScanner:
    """Feed it bytes as they come; it gives the pictures that became whole. Holds at most `MAX_PICTURE_BYTES`."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._restart(0)
        self._without_end = 0
        self._without_picture = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The pictures that end in `data`, oldest first. Raises `MalformedStream`."""
        self._bytes += data
        found = []
        while (picture := self._next()) is not None:
            found.append(picture)
        self._without_picture = 0 if found else self._without_picture + len(data)
        if self._without_picture > MAX_PICTURE_BYTES:
            raise MalformedStream
        return found

    def unended(self) -> bytes | None:
        """The picture that has everything but its end marker, once nothing more comes."""
        whole = self._in_picture and self._is_scan and not self._is_too_large
        return bytes(self._bytes) + EOI if whole else None

    def _next(self) -> bytes | None:
        """Go on in the bytes until a picture is whole; `None` when they do not suffice."""
        while True:
            if not self._in_picture and not self._find_start():
                return None
            end = self._in_scan() if self._is_scan else self._in_header()
            if end is None:
                return None
            if end and (picture := self._taken(end)) is not None:
                return picture

    def _restart(self, at: int) -> None:
        """Forget what lies before `at`, and look for a start from there."""
        del self._bytes[:at]
        self._at = 0
        self._in_picture = self._is_scan = self._is_too_large = False

    def _find_start(self) -> bool:
        start = self._bytes.find(SOI)
        if start < 0:
            self._restart(max(0, len(self._bytes) - 1))  # half a marker may be there
            return False
        self._restart(start)
        self._in_picture, self._at = True, 2
        return True

    def _in_header(self) -> int | None:
        """One marker with its segment. Returns where the picture ends, 0 if it goes on, `None` if bytes are missing."""
        data, at = self._bytes, self._at
        if len(data) < at + 2:
            return None
        if data[at] != 0xFF:
            self._restart(at)  # damaged, or cut in a segment; not from its start again, where a thumbnail may be
            return 0
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            self._at += 1
        elif marker == EOI[1]:
            return at + 2
        elif marker == SOI[1]:
            self._restart(at)
        elif marker in STANDALONE:
            self._at += 2
        else:
            return self._segment(marker)
        return 0

    def _segment(self, marker: int) -> int | None:
        data, at = self._bytes, self._at
        if len(data) < at + 4:
            return None
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2:
            self._restart(at)
            return 0
        if len(data) < at + 2 + length:
            return None
        if marker in FRAME_HEADERS and length >= 7:
            height, width = (int.from_bytes(data[i : i + 2], "big") for i in (at + 5, at + 7))
            self._is_too_large = height * width > MAX_PIXELS
        self._at, self._is_scan = at + 2 + length, marker == START_OF_SCAN
        return 0

    def _in_scan(self) -> int | None:
        """Compressed data up to the next marker; the answer as in `_in_header`."""
        match = AFTER_SCAN.search(self._bytes, self._at)
        if match is None:
            self._at = max(self._at, len(self._bytes) - 1)
            return None
        self._at = match.start()
        if match[1][0] != SOI[1]:
            self._is_scan = False
            return 0
        self._without_end += 1  # the next picture begins, and this one has no end: cut, or the camera never sends one
        if self._without_end > MAX_WITHOUT_END:
            self._bytes[self._at : self._at] = EOI
            return self._at + 2
        self._restart(self._at)
        return 0

    def _taken(self, end: int) -> bytes | None:
        """Take the picture that ends there out of the bytes; `None` for one that must not be decoded."""
        picture, is_too_large = bytes(self._bytes[:end]), self._is_too_large
        if self._at + 2 == end and not self._is_scan:
            self._without_end = 0
        self._restart(end)
        return None if is_too_large else picture
