"""The one decoder of picture files, for import, evaluation and replay: upright, in colour, whole, or refused with a reason.

It opens JPEG, PNG, BMP, WebP, TIFF, the first picture of a GIF, and AVIF where this Pillow can; the format is what the content
says, not the name. Pillow, because OpenCV before 5.0 decodes a cut-off file partially and prints to stderr.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from posture_daemon.domain import Image
from posture_daemon.errors import PictureRefused
from posture_daemon.vision.image_files import read_file
from posture_daemon.vision.picture_kinds import HEAD_BYTES, foreign_kind, format_of
from posture_daemon.vision.picture_metadata import UPRIGHT, Orientation, Parts, exif_of, orientation_of, parts_of
from posture_daemon.vision.picture_pixels import BAND_BYTES, BAND_PIXELS, bgr_of, shrunk_size

LONGEST_PX = 4096
"""Longest side of a decoded picture, more than a camera gives; larger ones are shrunk."""

MIN_SIDE_PX = 16
"""Shortest accepted side of a picture, pixels."""

MAX_RATIO = 10
"""Longest accepted shape, its longer side by its shorter."""

MAX_PIXELS = 178_000_000
"""Most pixels of a picture, in the file."""

TOO_MANY = "too many pixels, save it smaller"
MAX_MEMORY_MB = 400
"""Most memory that one picture may take while it is read, estimated from its header, MB."""

METADATA_BYTES = 1_000_000
"""By so much a JPEG may be larger than its picture is when decoded, to be stored as it is: an import holds a block of them."""

MAX_MISSING = 0.01
"""Share of a JPEG that may be missing; a camera that ends without the end marker loses a block or two."""

MOST_MISSING_PX = 1000
"""As many pixels of the scale at which that is looked for may be missing at most, however large the picture is."""

EXIF_WITHIN_BYTES = 262_144
"""EXIF of a JPEG or PNG is looked for in so much of its beginning; one block of a JPEG has at most 65,533 bytes."""

_STORED_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}
"""Bytes that Pillow takes for a pixel, by mode; 4 for all others."""
_DECODER_BYTES = {"WEBP": 14, "AVIF": 16, "TIFF": 4, "GIF": 9, "BMP": 3}
"""Bytes that a decoder itself takes for a pixel, measured as the peak of reading one, rounded up."""
_FILLER = np.random.default_rng(0).integers(1, 255, 1_000_000, np.uint8).tobytes()


def read_picture(path: Path, longest_px: int = LONGEST_PX) -> Image:
    """Decode a file to BGR `uint8 (height, width, 3)`, upright and shrunk to at most `longest_px`. Raises `PictureRefused`."""
    with opened(path) as picture:
        return picture.upright_bgr(longest_px)


def read_exif(path: Path) -> bytes | None:
    """The EXIF of a picture file, which may be broken; `None` without one. Raises `PictureRefused` or what Pillow raises."""
    head = read_file(path, EXIF_WITHIN_BYTES)
    kind = format_of(head[:HEAD_BYTES])
    if kind in ("JPEG", "PNG"):
        return exif_of(head, kind)
    if kind == "TIFF":  # EXIF has the form of a TIFF
        return read_file(path)
    if kind not in ("WEBP", "AVIF"):
        return None
    exif = PillowImage.open(io.BytesIO(read_file(path)), formats=(kind,)).info.get("exif")
    return exif if isinstance(exif, bytes) else None


@contextmanager
def opened(path: Path) -> "Iterator[Picture]":
    """A picture file, read and recognised but not decoded. Raises `PictureRefused`, also for what fails within the block."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about large pictures
            yield Picture(read_file(path))
    except PictureRefused as refused:
        raise PictureRefused(refused.reason, path) from refused
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, zlib.error, …
        raise PictureRefused(_reason(error), path) from error


def check_shape(width: int, height: int) -> None:
    """Raise `PictureRefused` for a picture of these sides, pixels, that shows nothing or is too large."""
    if min(width, height) < MIN_SIDE_PX:
        raise PictureRefused(f"less than {MIN_SIDE_PX} pixels wide or high")
    if max(width, height) > MAX_RATIO * min(width, height):
        raise PictureRefused(f"a strip, more than {MAX_RATIO} times as long as wide")
    if width * height > MAX_PIXELS:
        raise PictureRefused(TOO_MANY)


class Picture:
    """A picture file in memory. Each call may raise `PictureRefused` or what Pillow raises: see `opened`."""

    def __init__(self, data: bytes) -> None:
        """`data` is the whole file."""
        kind = format_of(data[:HEAD_BYTES])
        if kind is None:
            raise PictureRefused(foreign_kind(data[:HEAD_BYTES]) or "no picture inside")
        if kind == "WEBP" and int.from_bytes(data[4:8], "little") + 8 > len(data):
            raise PictureRefused("cut off in the middle")
        self._kind = kind
        self._data = data if kind == "JPEG" else b""  # only a JPEG may be kept as it is
        self._parts: Parts = parts_of(data, kind)
        self._picture = self._open(self._parts.pixels)
        self._size = self._picture.size  # in the file
        check_shape(*self._size)

    def upright_bgr(self, longest_px: int) -> Image:
        """Decode it, shrunk to at most `longest_px`; what is transparent lies on white."""
        self._data = b""
        return bgr_of(self._decoded(longest_px), longest_px, self._orientation.value)

    def own_jpeg(self, longest_px: int) -> bytes | None:
        """The file's own bytes if it is an upright baseline colour JPEG of at most `longest_px`: all readers decode it alike.

        Without what follows its end, and without metadata that readers understand differently or that is larger than the
        picture. `None` for any other.
        """
        plain = self._kind == "JPEG" and self._picture.mode == "RGB" and not self._parts.progressive
        orientation = self._orientation
        if not plain or orientation.value != 1 or max(self._size) > longest_px:
            return None
        self._decoded(longest_px)  # all of it, so that a cut-off file is noticed
        unchanged = orientation.plain and self._parts.ended and not self._parts.followed
        most = 3 * self._size[0] * self._size[1] + METADATA_BYTES
        kept = (self._data, self._parts.pixels) if unchanged else (self._parts.pixels,)
        return next((own for own in kept if len(own) <= most), None)

    @cached_property
    def _orientation(self) -> Orientation:
        if self._kind in ("JPEG", "PNG"):
            return orientation_of(self._parts.exif)
        if self._kind == "TIFF":  # newer versions of Pillow turn it and then forget the tag
            value = getattr(self._picture, "tag_v2", {}).get(0x0112, 1)
            return Orientation(value, plain=False) if value in range(2, 9) else UPRIGHT
        return orientation_of(self._picture.info.get("exif"))

    def _open(self, pixels: bytes) -> PillowImage.Image:
        PillowImage.init()
        if self._kind not in PillowImage.OPEN:
            raise PictureRefused(f"{self._kind}, which this Pillow cannot open; save it as JPEG")
        try:
            return PillowImage.open(io.BytesIO(pixels), formats=(self._kind,))
        except UnidentifiedImageError as error:
            raise PictureRefused(f"a damaged or unusual {self._kind}; save it anew as JPEG") from error

    def _decoded(self, longest_px: int) -> PillowImage.Image:
        """The picture, whole; a large JPEG at 1/2, 1/4 or 1/8, never below `longest_px`."""
        picture = self._picture
        picture.draft("RGB", shrunk_size(self._size, longest_px))
        self._check_memory(longest_px)
        if not self._parts.all_scans:
            raise PictureRefused("cut off in the middle")
        picture.load()
        if self._kind == "JPEG" and (not self._parts.ended or _ends_grey(picture)) and self._lacks_rows():
            raise PictureRefused("cut off in the middle")
        return picture

    def _check_memory(self, longest_px: int) -> None:
        """Refuse what would take too much: the file twice, since decoders copy it, the picture, and what comes on top of it.

        On top come while it is decoded the decoder's own and two of the scale at which `_lacks_rows` looks, and after that the
        result, if it is turned before and after that, and a band of it.
        """
        width, height = self._picture.size
        stored = _STORED_BYTES.get(self._picture.mode, 4) * width * height
        decoding = self._decoder_bytes() * width * height
        if self._kind == "JPEG":
            decoding = 2 * self._parts.held * self._size[0] * self._size[1]
            decoding += 8 * (self._check_size[0] + 7) * (self._check_size[1] + 7)
        shrunk = shrunk_size((width, height), longest_px)
        afterwards = (3 if self._orientation.value == 1 else 6) * shrunk[0] * shrunk[1] + min(
            BAND_BYTES, 24 * width * height
        )
        needed = 2 * len(self._parts.pixels) + len(self._data) + stored + max(decoding, afterwards)
        if needed > MAX_MEMORY_MB * 1_000_000:
            raise PictureRefused(f"it would take more than {MAX_MEMORY_MB} MB of memory, save it smaller")

    def _decoder_bytes(self) -> float:
        """Bytes that a decoder itself takes for a pixel of the picture."""
        if self._kind != "TIFF":
            return _DECODER_BYTES.get(self._kind, 0)
        tags = getattr(self._picture, "tag_v2", {})
        tile = int(tags.get(322, 0)) * int(tags.get(323, 0))  # which may be larger than the picture
        return _DECODER_BYTES["TIFF"] * max(1, tile / (self._picture.width * self._picture.height))

    @property
    def _check_size(self) -> tuple[int, int]:
        """Width and height at which rows are looked for: of a progressive JPEG the last scans show in half the size only."""
        by = 2 if self._parts.held else 8
        return self._size[0] // by, self._size[1] // by

    def _lacks_rows(self) -> bool:
        """Whether other bytes in front of the end would change the picture: then that part of it is missing.

        A decoder fills it with grey and says nothing.
        """
        pixels = memoryview(self._parts.pixels)
        own, other = self._open(self._parts.pixels), self._open(b"".join((pixels[:-2], _FILLER, pixels[-2:])))
        for picture in (own, other):
            picture.draft("RGB", self._check_size)
            picture.load()
        rows = max(1, BAND_PIXELS // own.width)
        boxes = [(0, at, own.width, min(at + rows, own.height)) for at in range(0, own.height, rows)]
        changed = sum(_changed_px(own.crop(box), other.crop(box)) for box in boxes)
        return changed > min(MAX_MISSING * own.width * own.height, MOST_MISSING_PX)


def _ends_grey(picture: PillowImage.Image) -> bool:
    """Whether its last pixel is what a decoder puts where rows are missing."""
    corner = picture.crop((picture.width - 1, picture.height - 1, picture.width, picture.height)).tobytes()
    return all(127 <= value <= 129 for value in corner)


def _changed_px(one: PillowImage.Image, other: PillowImage.Image) -> int:
    changed = np.asarray(one) != np.asarray(other)
    return int(np.count_nonzero(changed.any(axis=2) if changed.ndim == 3 else changed))


def _reason(error: Exception) -> str:
    """The cause in words for the user; Pillow's messages name objects in memory."""
    if isinstance(error, PillowImage.DecompressionBombError):
        return TOO_MANY
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, OSError) and "truncated" in str(error):
        return "cut off in the middle"
    return "too little memory" if isinstance(error, MemoryError) else "damaged inside"
