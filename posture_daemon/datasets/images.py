"""One image file: the JPEG to store, and its capture time."""

import warnings
from datetime import datetime
from pathlib import Path

from PIL import ExifTags
from PIL import Image as PillowImage

from posture_daemon.datasets.manifest import time_in_name
from posture_daemon.errors import DatasetError, PictureRefused
from posture_daemon.settings import QueueSettings
from posture_daemon.vision import jpeg
from posture_daemon.vision.picture_decoder import opened, read_exif


def read_as_jpeg(path: Path, settings: QueueSettings) -> bytes:
    """Return the JPEG to store: the file's own bytes if suitable, else re-encoded upright, in colour and within the size limit.

    Raises `PictureRefused` for anything but a complete picture (see `cause_of`).
    """
    longest_px = settings.jpeg_longest_side_px
    with opened(path) as picture:
        own = picture.own_jpeg(longest_px)
        if own is not None:
            return own
        image = picture.upright_bgr(longest_px)
    return jpeg.encode_jpeg(image, longest_px, settings.jpeg_quality)


def cause_of(refused: DatasetError) -> str:
    """Why `read_as_jpeg` refused a file, in a few words, so that files can be counted by cause."""
    return refused.reason if isinstance(refused, PictureRefused) else str(refused)


def capture_time(path: Path) -> float | None:
    """Tell when a picture was taken, seconds since the epoch: EXIF, else a name given by an export; `None` when unknown.

    The modification time is not used, since copying and unpacking change it.
    """
    try:
        taken = _exif_time(read_exif(path))
    except Exception:  # `read_as_jpeg` reports the file; here it only has no time
        taken = None
    return time_in_name(path.name) if taken is None else taken


def _exif_time(block: bytes | None) -> float | None:
    """`DateTimeOriginal` with its fraction and time zone; without a zone it is this computer's, as cameras have it."""
    if not block:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about odd tags
        exif = PillowImage.Exif()
        exif.load(block)
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
