"""From a decoded picture of any mode to BGR, shrunk and upright, in bands of rows: no copy is as large as the picture.

To convert a palette, transparency or 16 bits takes several times the memory that the decoder took. So a band is cut out,
converted and shrunk, with the rows around it that its edges need, and then the next.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from PIL import Image as PillowImage

from posture_daemon.domain import Image
from posture_daemon.errors import PictureRefused

BAND_PIXELS = 2_000_000
"""About as many pixels of a picture are converted at a time."""

BAND_BYTES = 24 * BAND_PIXELS
"""Most memory that the copies of a band take, bytes."""

_REACH = 3
"""Rows of the result beyond its edge that a band needs: a cubic filter reaches 2."""
_AVERAGED = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "YCbCr"})
_WITH_ALPHA = frozenset({"LA", "RGBA"})


def bgr_of(picture: PillowImage.Image, longest_px: int, orientation: int) -> Image:
    """BGR `uint8 (height, width, 3)`, at most `longest_px` long, turned as EXIF's `orientation` says, transparency on white.

    `picture` is decoded. Raises `PictureRefused` for numbers of which nothing says what is white.
    """
    width, height = shrunk_size(picture.size, longest_px)
    bits = _bits(picture)
    visible = _shows_something(picture, bits)
    image = np.empty((height, width, 3), np.uint8)
    rows = max(1, height * BAND_PIXELS // (picture.width * picture.height))
    for at in range(0, height, rows):
        end = min(at + rows, height)
        band = _shrunk_band(picture, (width, height), at, end, bits, visible)
        cv2.cvtColor(np.asarray(band), cv2.COLOR_RGB2BGR, dst=image[at:end])
    return np.ascontiguousarray(_turned(image, orientation))


def shrunk_size(size: tuple[int, int], longest_px: int) -> tuple[int, int]:
    """Width and height of the same shape, of which the longer is at most `longest_px`."""
    longest = max(size)
    if longest <= longest_px:
        return size
    width, height = (max(1, round(side * longest_px / longest)) for side in size)
    return width, height


def _shrunk_band(
    picture: PillowImage.Image, size: tuple[int, int], at: int, end: int, bits: int, visible: bool
) -> PillowImage.Image:
    """The rows `at` to `end` of the result, RGB."""
    if picture.size == size:
        return _in_colour(_convertible(_cut(picture, at, end), bits), on_white=visible)
    scale = picture.height / size[1]
    first, last = max(0, int((at - _REACH) * scale)), min(picture.height, int((end + _REACH) * scale) + 1)
    colours = _in_colour(_convertible(_cut(picture, first, last), bits), on_white=visible)
    box = (0, at * scale - first, picture.width, min(end * scale - first, colours.height))
    return colours.resize((size[0], end - at), PillowImage.Resampling.BICUBIC, box, reducing_gap=2.0)


def _bands(picture: PillowImage.Image) -> Iterator[PillowImage.Image]:
    rows = max(1, BAND_PIXELS // picture.width)
    for at in range(0, picture.height, rows):
        yield _cut(picture, at, min(at + rows, picture.height))


def _cut(picture: PillowImage.Image, first: int, end: int) -> PillowImage.Image:
    return picture if end - first == picture.height else picture.crop((0, first, picture.width, end))


def _bits(picture: PillowImage.Image) -> int:
    """Bits that a pixel of 16-bit grey uses: a TIFF may say 12. 0 for other pictures."""
    if picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PNG"):
        return int(getattr(picture, "tag_v2", {}).get(258, (16,))[0])  # BitsPerSample
    return 0


def _shows_something(picture: PillowImage.Image, bits: int) -> bool:
    """Whether any of it can be seen. Transparency that is total is an unused channel, as some programs write it."""
    if not picture.has_transparency_data:
        return True
    bands = (_convertible(band, bits) for band in _bands(picture))
    return any(band.mode not in _WITH_ALPHA or band.getchannel("A").getbbox() is not None for band in bands)


def _convertible(picture: PillowImage.Image, bits: int) -> PillowImage.Image:
    """In a mode of which a pixel is a colour, with or without alpha."""
    if bits:
        return PillowImage.fromarray((np.asarray(picture) >> (bits - 8)).clip(0, 255).astype(np.uint8))
    if picture.mode in ("I", "F"):
        raise PictureRefused("its pixels are numbers of which nothing says what is white, save it as JPEG")
    if "transparency" in picture.info or picture.mode == "PA":
        return picture.convert("RGBA")
    if picture.mode in _AVERAGED:
        return picture
    return picture.convert("L" if picture.mode == "1" else "RGB")


def _in_colour(picture: PillowImage.Image, *, on_white: bool) -> PillowImage.Image:
    if picture.mode == "RGB":
        return picture
    if picture.mode not in _WITH_ALPHA or not on_white:
        return picture.convert("RGB")
    colours = picture.convert("RGBA")
    return PillowImage.alpha_composite(PillowImage.new("RGBA", colours.size, "white"), colours).convert("RGB")


def _turned(image: Image, orientation: int) -> Image:
    if orientation in (2, 3):
        image = image[:, ::-1]
    if orientation in (3, 4):
        image = image[::-1]
    if orientation in (5, 7):
        image = image.swapaxes(0, 1)
    if orientation == 7:
        image = image[::-1, ::-1]
    return np.rot90(image, {6: -1, 8: 1}.get(orientation, 0))
