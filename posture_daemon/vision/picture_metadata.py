"""A picture file taken apart: what its pixels are made of, and the one thing it says that is needed, its orientation.

Cameras, phones and programs write EXIF, colour profiles, previews and comments into their files, often broken ones. A decoder
gets none of it, so a broken one cannot lose the picture. Marker codes: ITU-T T.81, annex B; chunks: PNG, third edition,
section 11; tags: CIPA DC-008 (EXIF 2.32), section 4.6.
"""

import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from posture_daemon.errors import PictureRefused

MAX_SEGMENTS, MAX_SCANS = 20_000, 200
"""Of a JPEG: a file of the largest size in segments of the largest size has 2,000, a progressive one ten scans, few have 30."""

_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)  # with "\xff+" it takes 30 times as long
_RESTART_MARKS = tuple(bytes((0xFF, code)) for code in range(0xD0, 0xD8))
_SCAN_MARK = b"\xff\xda"
_END, _SCAN, _JFIF, _EXIF, _ADOBE, _COMMENT, _RESTARTS = 0xD9, 0xDA, 0xE0, 0xE1, 0xEE, 0xFE, 0xDD
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCA})
_LONE = frozenset({0x01, 0xD8})
_PROGRESSIVE = frozenset({0xC2, 0xCA})
_EXIF_MARK = b"Exif\0\0"
_AVIF_EXIF = re.compile(rb"(infe.{8}|infe.{10})Exif", re.DOTALL)
_ORIENTATION = 0x0112
_WHOLE_NUMBERS = {1: "B", 3: "H", 4: "I"}


class Orientation(NamedTuple):
    """How a picture must be turned, 1 to 8 as in EXIF; `plain` when every reader would say so too."""

    value: int
    plain: bool


UPRIGHT = Orientation(1, plain=True)
_ODD = Orientation(1, plain=False)


def orientation_of(exif: bytes | None) -> Orientation:
    """Read the orientation from a block of EXIF, with or without its mark; upright where it is absent or odd."""
    if not exif:
        return UPRIGHT
    block = exif.removeprefix(_EXIF_MARK)
    declared = {b"II": "<", b"MM": ">"}.get(block[:2])
    if declared is None:
        return _ODD
    for order in (declared, "<>".replace(declared, "")):  # some write the other order than they say
        entries, whole = _entries(block, order)
        value = next((_number(entry, order) for entry in entries if entry[:2] == _tag(order)), None)
        if value is not None:
            return value._replace(plain=value.plain and whole and order == declared)
        if whole:
            return UPRIGHT
    return _ODD


def _tag(order: str) -> bytes:
    return struct.pack(order + "H", _ORIENTATION)


def _entries(block: bytes, order: str) -> tuple[list[bytes], bool]:
    """The entries of the first directory as far as they are there, and whether all are."""
    if len(block) < 8:
        return [], False
    (at,) = struct.unpack_from(order + "I", block, 4)
    if at + 2 > len(block):
        return [], False
    (count,) = struct.unpack_from(order + "H", block, at)
    there = min(count, (len(block) - at - 2) // 12)
    return [block[at + 2 + 12 * n : at + 14 + 12 * n] for n in range(there)], there == count > 0


def _number(entry: bytes, order: str) -> Orientation:
    kind, count = struct.unpack_from(order + "HI", entry, 2)
    if kind not in _WHOLE_NUMBERS or count < 1:
        return _ODD
    (value,) = struct.unpack_from(order + _WHOLE_NUMBERS[kind], entry, 8)
    return Orientation(value, plain=kind == 3 and count == 1) if 1 <= value <= 8 else _ODD


@dataclass
class Parts:
    """A file without what a decoder does not need, and its EXIF.

    Of a JPEG also whether it has its end marker, and something after it, whether it is progressive and has all scans, and how
    many components of it a decoder holds until it has the last scan: 0 if it comes in one.
    """

    pixels: bytes
    exif: bytes | None = None
    ended: bool = True
    followed: bool = False
    progressive: bool = False
    all_scans: bool = True
    held: int = 0


def exif_of(data: bytes, kind: str) -> bytes | None:
    """The EXIF alone of a JPEG or PNG, or of the beginning of one."""
    if kind == "JPEG" and _EXIF_MARK not in data:
        return None  # most files of a data set have none, and need not be taken apart once more
    return parts_of(data, kind).exif


def parts_of(data: bytes, kind: str) -> Parts:
    """Take a file of this format apart. Raises `PictureRefused` for a JPEG in too many pieces."""
    if kind == "JPEG":
        return _jpeg_parts(data)
    if kind == "PNG":
        return _png_parts(data)
    if kind == "AVIF":  # whose own boxes say how it is turned, and count more than EXIF (ISO/IEC 23008-12)
        return Parts(_AVIF_EXIF.sub(rb"\1none", data))
    return Parts(data)


@dataclass
class _Jpeg:
    """What has been read of a JPEG."""

    kept: io.BytesIO = field(default_factory=io.BytesIO)  # a list of millions of pieces would be larger than the file
    exif: bytes | None = None
    frame: int = 0
    components: bytes = b""
    sizes: tuple[int, int] = (0, 0)
    sampling: bytes = b""
    interval: int = 0
    several: bool = False
    sent: dict[int, dict[int, int]] = field(default_factory=dict)
    segments: int = 0
    scans: int = 0

    def take(self, code: int, body: bytes, whole: bytes) -> None:
        """Keep a segment, or not; `body` is without marker and length."""
        if code == _EXIF and body.startswith(_EXIF_MARK) and self.exif is None:
            self.exif = body.removeprefix(_EXIF_MARK)
        if code in _FRAMES:
            self.frame, self.components, self.sampling = code, body[6::3], body[7::3]
            self.sizes = int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big")
        if code == _RESTARTS:
            self.interval = int.from_bytes(body[:2], "big")
        if code == _SCAN and body:
            self._scan(body)
        metadata = _JFIF <= code <= 0xEF or code == _COMMENT
        about_colours = (code == _JFIF and body.startswith(b"JFIF\0") and len(body) >= 14) or (
            code == _ADOBE and body.startswith(b"Adobe") and len(body) >= 12
        )
        if not metadata or about_colours:
            self.kept.write(whole)

    def _scan(self, body: bytes) -> None:
        """Note which coefficients of which component a scan brings, and to which bit."""
        components, (first, last, bits) = body[1 : 1 + 2 * body[0] : 2], (*body[1 + 2 * body[0] :], 0, 0, 0)[:3]
        self.several = self.several or self.frame in _PROGRESSIVE or len(components) < len(self.components)
        for component in components:
            self.sent.setdefault(component, {}).update(dict.fromkeys(range(first, min(last, 63) + 1), bits & 15))

    def lacks_restarts(self, pixels: bytes) -> bool:
        """Whether more than a hundredth of the markers is missing after which a decoder goes on, and the part before each."""
        if not self.interval or not self.sampling or self.frame in _PROGRESSIVE or pixels.count(_SCAN_MARK) != 1:
            return False
        several = len(self.sampling) > 1  # components: then they take turns in units of so many blocks
        wide, high = (
            8 * max(some) if several else 8 for some in zip(*(divmod(s, 16) for s in self.sampling), strict=True)
        )
        units = -(-self.sizes[0] // max(wide, 8)) * -(-self.sizes[1] // max(high, 8))
        expected = -(-units // self.interval) - 1
        return expected - sum(map(pixels.count, _RESTART_MARKS)) > expected / 100

    @property
    def has_all_scans(self) -> bool:
        """One of every component; of a progressive one every coefficient of the brightness and every mean to the last bit."""
        if self.frame not in _PROGRESSIVE:
            return bool(self.components) and all(component in self.sent for component in self.components)
        means = all(self.sent.get(component, {}).get(0) == 0 for component in self.components)
        brightness = self.sent.get(self.components[0], {}) if self.components else {}
        return means and all(brightness.get(at) == 0 for at in range(64))


def _jpeg_parts(data: bytes) -> Parts:
    read, at, in_scan, ended = _Jpeg(), 2, False, False
    view = memoryview(data)  # slices of it are no copies
    read.kept.write(view[:2])
    while (marker := _MARKER.search(data, at)) is not None:
        code, after = marker[1][0], marker.end()
        if in_scan:
            read.kept.write(view[at : marker.start()])
        at, ended = after, code == _END
        if ended:
            break
        read.segments += 1
        read.scans += code == _SCAN
        if read.segments > MAX_SEGMENTS or read.scans > MAX_SCANS:
            raise PictureRefused("in too many pieces, save it anew as JPEG")
        if code in _LONE:
            continue
        at = after + max(2, int.from_bytes(data[after : after + 2], "big"))
        read.take(code, data[after + 2 : at], data[marker.start() : at])
        in_scan = code == _SCAN
    if in_scan and not ended:
        end = max(at, len(data.rstrip(b"\0")))  # a copy that was given its room before its content leaves zeros
        half = data[max(at, end - 1) : end] == b"\xff"  # of an end marker, or of a byte 255, which a zero follows
        read.kept.write(view[at : end - 1 if half and end == len(data) else end])
        read.kept.write(b"\0" if half and end < len(data) else b"")
    read.kept.write(b"\xff\xd9")
    pixels = read.kept.getvalue()
    return Parts(
        pixels=pixels,
        exif=read.exif,
        ended=ended,
        followed=ended and at < len(data),
        progressive=read.frame in _PROGRESSIVE,
        all_scans=read.has_all_scans and not read.lacks_restarts(pixels),
        held=len(read.components) if read.several else 0,
    )


def _png_parts(data: bytes) -> Parts:
    kept, exif, kind = io.BytesIO(), None, b""
    kept.write(data[:8])
    for kind, body, whole in _chunks(memoryview(data)):
        if kind == b"eXIf":
            exif = bytes(body)
        if kind[:1].isupper() or kind == b"tRNS":  # all others may be left out, says their first letter
            kept.write(whole)
        if kind == b"IEND":
            break
    if kind != b"IEND":
        kept.write(b"\0\0\0\0IEND\xaeB`\x82")
    return Parts(kept.getvalue(), exif)


def _chunks(data: memoryview) -> Iterator[tuple[bytes, memoryview, memoryview]]:
    """Type, content and the whole of each chunk."""
    at = 8
    while at + 8 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        yield bytes(data[at + 4 : at + 8]), data[at + 8 : end - 4], data[at:end]
        at = end
