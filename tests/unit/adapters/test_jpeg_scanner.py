"""Whole pictures are found in any stream of bytes, whatever surrounds them, and never half ones or thumbnails."""

import random

import pytest

from posture_daemon.adapters.cameras.jpeg_scanner import (
    EOI,
    MAX_PICTURE_BYTES,
    SOI,
    JpegScanner,
    MalformedStream,
)
from tests.fakes.raw_camera import jpeg, part

ONE, TWO, THREE = jpeg(1), jpeg(2), jpeg(3)


def with_segment(picture: bytes, marker: int, payload: bytes) -> bytes:
    """The picture with a segment more, right after its start."""
    return SOI + bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2, "big") + payload + picture[2:]


def scanned(stream: bytes, step: int = 10**9) -> list[bytes]:
    """The pictures of a stream that comes in pieces of so many bytes."""
    scanner = JpegScanner()
    return [picture for at in range(0, len(stream), step) for picture in scanner.feed(stream[at : at + step])]


@pytest.mark.parametrize("step", [1, 7, 4096, 10**9])
@pytest.mark.parametrize(
    "stream",
    [
        ONE + TWO,
        b"--frame\r\n\r\n" + ONE + b"\r\n--other\n" + TWO + b"\n",
        part(ONE, "Content-Length: 5") + part(TWO, "Content-Length: 99999999"),
        part(ONE, end="\n") + part(TWO, end="\n"),
        b"\xff" * 9 + ONE + b"\xff\x00\xff" + TWO,
    ],
)
def test_pictures_are_found_in_any_envelope(stream: bytes, step: int) -> None:
    """However the bytes are cut into pieces, and whatever stands between the pictures."""
    assert scanned(stream, step) == [ONE, TWO]


def test_a_picture_inside_a_picture_is_not_taken() -> None:
    """A thumbnail in an EXIF block, a comment that looks like an end, and fill bytes before a marker."""
    picture = with_segment(with_segment(ONE, 0xE1, b"Exif\0\0" + TWO), 0xFE, EOI + SOI)
    filled = picture[:2] + b"\xff\xff" + picture[2:]
    assert scanned(picture + filled, 11) == [picture, filled]


def test_a_cut_picture_is_left_out_and_the_next_one_read() -> None:
    """Cut in its data, or in its first segments; at worst one more is lost, never a half one given."""
    half = ONE[: len(ONE) // 2]
    assert scanned(part(half) + part(TWO) + part(THREE)) == [TWO, THREE]
    assert scanned(part(ONE[:30]) + part(TWO) * 3)[-1] == TWO
    assert half not in scanned(part(half) * 3)


def test_a_camera_that_never_sends_an_end_marker_is_understood() -> None:
    """From its fifth picture on, when it is clear that they are not cut by accident."""
    found = scanned(part(ONE[:-2]) * 8)
    assert len(found) >= 3
    assert all(picture.startswith(ONE[:-2]) and picture.endswith(EOI) for picture in found)


def test_a_still_without_an_end_marker_is_whole_when_its_answer_is() -> None:
    """Nothing more comes, so nothing is missing; without any data there is no picture."""
    scanner = JpegScanner()
    assert scanner.unended() is None
    assert scanner.feed(ONE[:-2]) == []
    assert scanner.unended() == ONE


def test_a_header_that_claims_absurd_sizes_is_passed_over() -> None:
    """65,535×65,535 pixels would take 13 GB to decode."""
    at = ONE.index(b"\xff\xc0")
    absurd = ONE[: at + 5] + b"\xff\xff\xff\xff" + ONE[at + 9 :]
    assert scanned(absurd + TWO) == [TWO]


def test_memory_is_bounded() -> None:
    """Neither a picture without an end nor noise is collected for ever: both are malformed in the end."""
    for begin, more in ((ONE[:-2], b"\0"), (b"", b"\xff\x00")):
        scanner = JpegScanner()
        scanner.feed(begin)
        for _ in range(MAX_PICTURE_BYTES // 2**20 - 1):
            assert scanner.feed(more * (2**20 // len(more))) == []
        assert len(scanner._bytes) <= MAX_PICTURE_BYTES
        with pytest.raises(MalformedStream):
            scanner.feed(more * 2**21)


def test_any_damage_is_survived() -> None:
    """Bytes that are flipped, cut out and doubled at random: no error, and sound pictures after it are found."""
    chance = random.Random(0)
    for _ in range(200):
        stream = bytearray(part(ONE) * 3)
        for _ in range(chance.randrange(1, 20)):
            at = chance.randrange(len(stream))
            stream[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(4))
        assert scanned(bytes(stream) + part(TWO) * 30, chance.choice([13, 1000, 10**9]))[-1] == TWO
