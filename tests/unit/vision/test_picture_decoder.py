"""One decoder of picture files: what is read, alike whatever the format, and what is refused, with which reason."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL.JpegImagePlugin import JpegImageFile

from posture_daemon.domain import Image
from posture_daemon.errors import PictureRefused
from posture_daemon.vision import picture_decoder, picture_pixels
from posture_daemon.vision.picture_decoder import opened, read_picture
from posture_daemon.vision.picture_metadata import parts_of

SMOOTH = cv2.resize(
    np.random.default_rng(1).integers(0, 256, (12, 16, 3), np.uint8), (160, 120), interpolation=cv2.INTER_CUBIC
)
PICTURE = PillowImage.fromarray(SMOOTH[..., ::-1])


def encoded(kind: str, picture: PillowImage.Image = PICTURE, **options: object) -> bytes:
    """A picture in a format of Pillow."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _needs(kind: str) -> None:
    PillowImage.init()
    if kind not in PillowImage.SAVE:
        pytest.skip(f"this Pillow cannot write {kind}")


JPEG = encoded("JPEG", quality=90)


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], Image]:
    """Decode these bytes as a file called .jpg."""

    def decoded(data: bytes) -> Image:
        (tmp_path / "a.jpg").write_bytes(data)
        return read_picture(tmp_path / "a.jpg")

    return decoded


@pytest.fixture
def why(read: Callable[[bytes], Image]) -> Callable[[bytes], str]:
    """Why these bytes are refused."""

    def reason(data: bytes) -> str:
        with pytest.raises(PictureRefused) as refused:
            read(data)
        return refused.value.reason

    return reason


def close_to(image: Image, expected: Image = SMOOTH) -> bool:
    """Whether it shows the same but for compression."""
    return image.shape == expected.shape and float(abs(image.astype(float) - expected).mean()) < 6


# --- formats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF", "AVIF"])
def test_the_content_decides_the_format(read, kind: str) -> None:
    """Seven formats are read, whatever the file is called."""
    _needs(kind)
    assert float(abs(read(encoded(kind)).astype(float) - SMOOTH).mean()) < (12 if kind == "GIF" else 6)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (encoded("EPS"), "PostScript or PDF"),
        (encoded("PDF"), "PostScript or PDF"),
        (encoded("ICO"), "no picture inside"),
        (encoded("PPM"), "no picture inside"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 99, "HEIC, to be saved as JPEG"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS, to be fetched with git lfs pull"),
        (b"<!DOCTYPE html><p>404", "a drawing or a web page"),
        (b"\0" * 500, "nothing but zeros, left by a failed copy"),
        (b"PK\x03\x04" + b"x" * 99, "an archive, to be unpacked"),
        (b"", "an empty file"),
        (b"GIF89a" + b"\xff" * 50, "a damaged or unusual GIF; save it anew as JPEG"),
    ],
)
def test_nothing_else_is_opened(why, monkeypatch, data: bytes, reason: str) -> None:
    """No helper program is started for it; the reason says what it is."""
    monkeypatch.setattr("subprocess.Popen", None)
    assert why(data) == reason


def test_metadata_never_loses_a_picture(read) -> None:
    """Broken colour profiles, previews, comments and resolutions are not even looked at."""
    profile, others, preview = b"ICC_PROFILE\0\0", b"MPF\0MM\0*\0\0\0\x08\xff\xff", b"Photoshop 3.0\x008BIM"
    for mark, body in ((0xE0, b"JFIF\0"), (0xE2, profile), (0xE2, others), (0xED, preview), (0xEE, b"Adobe")):
        segment = struct.pack(">BBH", 0xFF, mark, len(body) + 2) + body
        assert close_to(read(JPEG[:2] + segment + JPEG[2:]))
    png = encoded("PNG")
    broken = b"\0\0\0\3tEXtabc\0\0\0\0"  # with a wrong sum
    assert close_to(read(png[:33] + broken + png[33:]))


def exif(entries: bytes, order: bytes = b"II*\0\x08\0\0\0", count: bytes = b"\1\0") -> bytes:
    """A block of EXIF with this directory."""
    return order + count + entries + b"\0\0\0\0"


TURNED = b"\x12\1\3\0\1\0\0\0\6\0\0\0"


@pytest.mark.parametrize(
    ("block", "turned"),
    [
        (exif(TURNED), True),
        (exif(TURNED + b"\x1a\1\x0a\0\1\0\0\0\xff\xff\xff\xff", count=b"\2\0"), True),  # a rational outside the block
        (exif(TURNED + b"\x69\x87\4\0\1\0\0\0\xff\xff\0\0", count=b"\2\0"), True),  # a directory outside it
        (exif(TURNED, count=b"\xff\xff"), True),
        (exif(b"\1\x12\0\3\0\0\0\1\0\6\0\0", b"II*\0\x08\0\0\0", b"\0\1").replace(b"\x08\0\0\0", b"\0\0\0\x08"), True),
        (exif(TURNED.replace(b"\6", b"\x09")), False),
        (exif(TURNED.replace(b"\6", b"\0")), False),
        (exif(b"\x12\1\2\0\4\0\0\0006\0\0\0"), False),  # the text "6"
        (exif(TURNED)[:12], False),
        (b"\x13" * 40, False),
        (b"II*\0\xff\xff\xff\xff", False),
        (b"", False),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_only_the_orientation_counts_and_odd_exif_is_harmless(read, kind: str, block: bytes, turned: bool) -> None:
    """Turned where the tag can be read, upright where not; the other order of bytes than declared is tried too."""
    image = read(encoded(kind, exif=b"Exif\0\0" + block))
    assert close_to(image, np.rot90(SMOOTH, -1) if turned else SMOOTH)
    assert image.shape == ((160, 120, 3) if turned else (120, 160, 3))


# --- whole or not ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("after", [b"", b"\xff", b"\0" * 700])
def test_a_missing_end_marker_is_no_damage(tmp_path: Path, progressive: bool, after: bytes) -> None:
    """Nor half of one, nor zeros in its place; what is stored of a baseline JPEG has it again."""
    whole = encoded("JPEG", quality=90, progressive=progressive)
    (tmp_path / "a.jpg").write_bytes(whole[:-2] + after)
    (tmp_path / "b.jpg").write_bytes(whole)
    assert (read_picture(tmp_path / "a.jpg") == read_picture(tmp_path / "b.jpg")).all()
    with opened(tmp_path / "a.jpg") as picture:
        assert picture.own_jpeg(640) == (None if progressive else whole)


@pytest.mark.parametrize("ending", [b"", b"\xff\xd9", b"\0" * 2000], ids=["cut", "cut and ended", "cut and filled"])
@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"restart_marker_blocks": 3}, {"optimize": True}], ids=str
)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_a_jpeg_that_lacks_rows_is_refused(why, options: dict[str, object], ending: bytes, share: float) -> None:
    """A decoder fills them with grey, and grey rows must not be learned from; also where a camera ended the file itself."""
    whole = encoded("JPEG", quality=90, **options)
    assert why(whole[: int(share * len(whole))] + ending) == "cut off in the middle"


def test_a_grey_picture_is_not_taken_for_a_cut_off_one(read) -> None:
    """The grey of a decoder may be the picture's own, with and without the end marker."""
    grey = encoded("JPEG", PillowImage.new("RGB", (160, 120), (128, 128, 128)))
    for data in (grey, grey[:-2]):
        assert (read(data) == 128).all()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP", "TIFF", "GIF", "AVIF"])
def test_half_a_file_of_another_format_is_refused(why, kind: str) -> None:
    """With a reason, whichever it is."""
    _needs(kind)
    whole = encoded(kind)
    assert why(whole[: len(whole) // 2])


def test_a_missing_last_chunk_of_a_png_is_no_damage(read) -> None:
    """All pixels are there."""
    assert close_to(read(encoded("PNG")[:-12]))


def test_what_follows_a_jpeg_is_not_stored(tmp_path: Path) -> None:
    """The film of a motion photo would be a hundred times as large as the picture."""
    (tmp_path / "a.jpg").write_bytes(JPEG + b"\0\0\0\x18ftypmp42" + b"x" * 100_000)
    with opened(tmp_path / "a.jpg") as picture:
        assert picture.own_jpeg(640) == JPEG


def test_metadata_that_is_larger_than_the_picture_is_not_stored(tmp_path: Path) -> None:
    """An import holds a block of pictures at a time; small metadata stays, and padding has the picture encoded anew."""
    path = tmp_path / "a.jpg"
    preview = b"\xff\xe2\xff\xff" + b"x" * 65_533
    for data, stored in (
        (JPEG[:2] + preview + JPEG[2:], JPEG[:2] + preview + JPEG[2:]),
        (JPEG[:2] + 20 * preview + JPEG[2:], JPEG),
        (JPEG[:-2] + b"\xff\xd0" * 600_000 + JPEG[-2:], None),
    ):
        path.write_bytes(data)
        with opened(path) as picture:
            assert picture.own_jpeg(640) == stored
    assert close_to(read_picture(path))


def test_a_jpeg_in_very_many_pieces_is_refused(why) -> None:
    """In millions of empty segments, or in thousands of scans, it would take minutes."""
    scans = encoded("JPEG", progressive=True)
    last = scans[scans.rindex(b"\xff\xda") : -2]
    for data in (JPEG[:2] + b"\xff\xfe\0\2" * 30_000 + JPEG[2:], scans[:-2] + 300 * last + scans[-2:]):
        assert "too many pieces" in why(data)


# --- pixels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_16_bits_of_grey_are_scaled_alike(read, kind: str, order: str) -> None:
    """The high byte counts in every format, and white is 65,535."""
    grey = (SMOOTH[..., 0].astype(np.uint16) * 257).astype(order)
    if kind == "PNG":
        grey = grey.astype("<u2")
    image = read(encoded(kind, PillowImage.fromarray(grey)))
    assert (image == SMOOTH[..., :1]).all()


def test_12_bits_of_grey_have_a_white_of_their_own(read) -> None:
    """A TIFF that says 12 bits is not sixteen times as dark."""
    packed = bytes.fromhex("fff000") * (32 * 24 // 2)  # white, black, white, …
    tags = [(256, 3, 32), (257, 3, 24), (258, 3, 12), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1), (278, 3, 24)]
    tags.append((279, 4, len(packed)))
    directory = struct.pack("<H", len(tags)) + b"".join(
        struct.pack("<HHII", tag, kind, 1, of) for tag, kind, of in tags
    )
    image = read(b"II*\0" + struct.pack("<I", 8 + len(packed)) + packed + directory + b"\0\0\0\0")
    assert (image[:, ::2] == 255).all()
    assert (image[:, 1::2] == 0).all()


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_numbers_without_a_white_are_refused(why, dtype: type) -> None:
    """Nobody knows what 1.0 means in such a TIFF."""
    assert "white" in why(encoded("TIFF", PillowImage.fromarray(SMOOTH[..., 0].astype(dtype))))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_what_is_transparent_lies_on_white(read, kind: str) -> None:
    """Half of black is grey; the colours under what cannot be seen do not come back."""
    black = PillowImage.new("RGBA", (160, 120), (0, 0, 0, 128))
    options = {"lossless": True} if kind == "WEBP" else {}
    assert read(encoded(kind, black, **options)).mean() == pytest.approx(127, abs=1)


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_transparent_colour_is_white(read, mode: str) -> None:
    """A palette's, a grey and a colour."""
    picture = PillowImage.new(mode, (160, 120), 0)
    picture.paste((9, 9, 9) if mode == "RGB" else 9, (0, 0, 80, 120))
    image = read(encoded("PNG", picture, transparency=(0, 0, 0) if mode == "RGB" else 0))
    assert (image[:, 80:] == 255).all()
    assert (image[:, :80] != 255).all()


def test_a_channel_of_nothing_but_transparency_is_unused(read) -> None:
    """Some programs write four bytes a pixel and leave the fourth at zero."""
    unused = PICTURE.convert("RGBA")
    unused.putalpha(0)
    for kind in ("PNG", "BMP"):
        assert (read(encoded(kind, unused)) == SMOOTH).all()


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_ink_is_converted(read, kind: str) -> None:
    """CMYK as printers want it; a JPEG stores it inverted."""
    assert close_to(read(encoded(kind, PICTURE.convert("CMYK"))))


# --- sizes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        ((1, 500), "less than 16 pixels wide or high"),
        ((300, 8), "less than 16 pixels wide or high"),
        ((2000, 20), "a strip, more than 10 times as long as wide"),
        ((16, 170), "a strip, more than 10 times as long as wide"),
        ((14_000, 13_000), "too many pixels, save it smaller"),
        ((20_000, 20_000), "too many pixels, save it smaller"),
    ],
)
def test_shapes_that_show_nothing_and_bombs_are_refused_by_their_header(
    why, size: tuple[int, int], reason: str
) -> None:
    """Before a pixel is decoded: the file has none."""
    header = struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
    chunk = b"\0\0\0\x0dIHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    assert why(b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IDAT\x35\xaf\x06\x1e") == reason


def test_what_would_take_too_much_memory_is_refused(read, why, monkeypatch) -> None:
    """By an estimate from the header; the same picture fits where it is shrunk while it is decoded."""
    large = PillowImage.new("RGB", (3000, 2000))
    monkeypatch.setattr(picture_decoder, "MAX_MEMORY_MB", 20)
    monkeypatch.setattr(picture_decoder, "LONGEST_PX", 640)
    assert "20 MB" in why(encoded("PNG", large))
    assert "20 MB" in why(encoded("JPEG", large, progressive=True))


def test_a_large_picture_is_shrunk(tmp_path: Path) -> None:
    """To the longest side that was asked for, which is more than a camera gives where nothing is."""
    path = tmp_path / "a.png"
    path.write_bytes(encoded("PNG", PillowImage.new("1", (5000, 2500), 1)))
    assert read_picture(path, 640).shape == (320, 640, 3)
    assert read_picture(path).shape == (2048, 4096, 3)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    """Its size is asked first; this one has no content on the disk at all."""
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(200_000_000)
    with pytest.raises(PictureRefused, match="larger than 120 MB"):
        read_picture(tmp_path / "a.jpg")


@pytest.mark.parametrize("target", ["/dev/zero", "/proc/self/environ", "pipe", "folder", "."])
def test_what_is_no_file_is_not_opened(tmp_path: Path, target: str) -> None:
    """A device never ends, a pipe waits for ever, and /proc tells secrets."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.jpg").symlink_to(target)
    with pytest.raises(PictureRefused, match=r"no file|empty file"):
        read_picture(tmp_path / "a.jpg")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("longest_px", [160, 100])
def test_bands_give_what_one_piece_gives(tmp_path: Path, monkeypatch, mode: str, longest_px: int) -> None:
    """No seam shows where a picture is converted and shrunk a few rows at a time."""
    grey = PillowImage.fromarray(SMOOTH[..., 0].astype(np.uint16) * 257)
    picture = grey if mode == "I;16" else PICTURE.convert(mode)
    (tmp_path / "a.tif").write_bytes(encoded("TIFF" if mode in ("CMYK", "LA") else "PNG", picture))
    whole = read_picture(tmp_path / "a.tif", longest_px)
    monkeypatch.setattr(picture_pixels, "BAND_PIXELS", 160 * 11)
    assert abs(read_picture(tmp_path / "a.tif", longest_px).astype(int) - whole).max() <= 2


def test_a_palette_with_transparency_is_never_converted_in_one_piece(tmp_path: Path, monkeypatch) -> None:
    """Its copies of four bytes a pixel would take many times the memory of the picture."""
    picture = PillowImage.new("P", (3000, 2000), 1)
    (tmp_path / "a.png").write_bytes(encoded("PNG", picture, transparency=0))
    converted: list[int] = []
    convert = PillowImage.Image.convert

    def noted(self: PillowImage.Image, *args: object, **options: object) -> PillowImage.Image:
        converted.append(self.width * self.height)
        return convert(self, *args, **options)

    monkeypatch.setattr(PillowImage.Image, "convert", noted)
    assert read_picture(tmp_path / "a.png", 640).shape == (427, 640, 3)
    assert 0 < max(converted) < picture.width * picture.height / 2


@pytest.mark.parametrize("ended", [True, False])
def test_rows_are_looked_for_at_a_reduced_scale(tmp_path: Path, monkeypatch, ended: bool) -> None:
    """A sound JPEG with a grey corner is not decoded at full size twice."""
    grey = encoded("JPEG", PillowImage.new("RGB", (1600, 1200), (128, 128, 128)))
    (tmp_path / "a.jpg").write_bytes(grey if ended else grey[:-2])
    loaded: list[tuple[int, int]] = []
    load = JpegImageFile.load
    monkeypatch.setattr(JpegImageFile, "load", lambda self: [loaded.append(self.size), load(self)][1])
    assert read_picture(tmp_path / "a.jpg").shape == (1200, 1600, 3)
    assert set(loaded) == {(1600, 1200), (200, 150)}


@pytest.mark.slow
def test_a_large_jpeg_that_lacks_rows_is_refused(why) -> None:
    """The bytes that are tried fill a small part of it only."""
    whole = encoded("JPEG", PillowImage.effect_noise((7000, 7000), 60), quality=90)
    assert why(whole[: len(whole) // 2] + b"\xff\xd9") == "cut off in the middle"


def test_a_jpeg_in_several_scans_counts_what_its_decoder_holds() -> None:
    """It keeps all coefficients until the last scan, of a progressive one and of one that brings a component at a time."""
    colours = encoded("JPEG")
    frame, scan = colours.index(b"\xff\xda"), b"\xff\xda\0\x08\1\1\0\0\x3f\0"
    assert parts_of(colours, "JPEG").held == 0
    assert parts_of(encoded("JPEG", progressive=True), "JPEG").held == 3
    assert parts_of(colours[:frame] + scan + b"\x55" * 9 + b"\xff\xd9", "JPEG").held == 3


def test_what_is_reserved_in_a_bitmap_may_hold_anything(read) -> None:
    """Some programs leave their mark there."""
    bitmap = encoded("BMP")
    assert (read(bitmap[:6] + b"\1\2\3\4" + bitmap[10:]) == SMOOTH).all()
