"""One image file: the JPEG to store, and its capture time."""

import io
import warnings
from datetime import datetime
from pathlib import Path

import numpy as np
from PIL import ExifTags, ImageOps, UnidentifiedImageError
from PIL import Image as PillowImage

from posture_daemon.datasets.manifest import time_in_name
from posture_daemon.domain import Image
from posture_daemon.errors import DatasetError
from posture_daemon.settings import QueueSettings
from posture_daemon.vision import jpeg

MIN_SIDE_PX = 16
"""Shortest accepted side of a picture, pixels."""

SHRINKABLE = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "YCbCr"})
"""Pillow's modes whose pixels can be averaged."""


def read_as_jpeg(path: Path, settings: QueueSettings) -> bytes:
    """Return the JPEG to store: the file's own bytes if suitable, else re-encoded upright, in colour and within the size limit.

    Raises `DatasetError` for anything but a complete picture (see `cause_of`). Uses Pillow, because OpenCV before 5.0 decodes
    truncated files partially and prints to stderr.
    """
    longest_px = settings.jpeg_longest_side_px
    try:
        data = path.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about large pictures and odd metadata
            with PillowImage.open(io.BytesIO(data)) as picture:
                if min(picture.size) < MIN_SIDE_PX:
                    raise ValueError(f"{picture.width}×{picture.height} pixels show nothing")
                if _can_be_kept(picture, longest_px):
                    picture.load()  # decodes all of it, so that a cut-off file is noticed
                    return data
                image = _upright_bgr(picture, longest_px)
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, zlib.error, …
        raise DatasetError(f"{path} cannot be read as a picture ({_cause(error, path)}).") from error
    return jpeg.encode_jpeg(image, longest_px, settings.jpeg_quality)


def cause_of(refused: DatasetError) -> str:
    """Why `read_as_jpeg` refused a file, in a few words, so that files can be counted by cause."""
    return str(refused).rpartition("(")[2].rstrip(").")


def _cause(error: Exception, path: Path) -> str:
    """The cause in words for the user; Pillow's messages name objects in memory."""
    if isinstance(error, UnidentifiedImageError):
        return "an empty file" if path.stat().st_size == 0 else "no picture inside"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, OSError) and "truncated" in str(error):
        return "cut off in the middle"
    return str(error) or type(error).__name__


def capture_time(path: Path) -> float | None:
    """Tell when a picture was taken, seconds since the epoch: EXIF, else a name given by an export; `None` when unknown.

    The modification time is not used, since copying and unpacking change it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with PillowImage.open(path) as picture:
                # Asked first because `getexif` decodes a whole PNG in search of it.
                taken = _exif_time(picture.getexif()) if "exif" in picture.info else None
    except Exception:  # `read_as_jpeg` reports the file; here it only has no time
        taken = None
    return time_in_name(path.name) if taken is None else taken


def _can_be_kept(picture: PillowImage.Image, longest_px: int) -> bool:
    """Whether it is an upright baseline colour JPEG within the size limit, which every reader decodes alike."""
    plain = picture.format == "JPEG" and picture.mode == "RGB" and "progressive" not in picture.info
    upright = picture.getexif().get(ExifTags.Base.Orientation, 1) == 1
    return plain and upright and max(picture.size) <= longest_px


def _upright_bgr(picture: PillowImage.Image, longest_px: int) -> Image:
    picture.draft("RGB", (longest_px, longest_px))  # a large JPEG is decoded at 1/2, 1/4 or 1/8, never below this size
    if picture.mode in SHRINKABLE:
        picture.thumbnail((longest_px, longest_px))  # before the copies below: of 50 megapixels each would take 200 MB
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I"):  # 16 bits of grey, which Pillow's own conversion would clip to white
        grey = (np.asarray(upright).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
        return np.ascontiguousarray(np.repeat(grey[..., None], 3, axis=2))
    colour = upright.convert("RGBA") if upright.mode == "P" else upright
    return np.ascontiguousarray(np.asarray(colour.convert("RGB"))[..., ::-1])


def _exif_time(exif: PillowImage.Exif) -> float | None:
    """`DateTimeOriginal` with its fraction and time zone; without a zone it is this computer's, as cameras have it."""
    tags = exif.get_ifd(ExifTags.IFD.Exif)
    text = str(tags.get(ExifTags.Base.DateTimeOriginal, "")).strip("\0 ")
    zone = str(tags.get(ExifTags.Base.OffsetTimeOriginal, "")).strip("\0 ")
    fraction = str(tags.get(ExifTags.Base.SubsecTimeOriginal, "")).strip("\0 ")
    try:
        time = datetime.strptime(text, "%Y:%m:%d %H:%M:%S")
        seconds = datetime.strptime(text + zone, "%Y:%m:%d %H:%M:%S%z").timestamp() if zone else time.timestamp()
    except (ValueError, OverflowError, OSError):  # "0000:00:00 00:00:00" from cameras whose clock was never set
        return None
    return seconds + (float(f"0.{fraction}") if fraction.isdecimal() else 0.0)
