"""Bytes that are called a picture, as import, replay and queue read them."""

import io
from pathlib import Path
from random import Random

from PIL import ExifTags, ImageDraw
from PIL import Image as PillowImage

from posture_daemon.datasets.images import capture_time, read_as_jpeg
from posture_daemon.settings import QueueSettings
from posture_daemon.vision.jpeg import decode
from tests.fuzz.mutation import mutated
from tests.fuzz.target import Parts

MOST_MB = 600
"""What an import may take; pictures are refused by an estimate of less (`MAX_MEMORY_MB`)."""

FORMATS = {".jpg": "JPEG", ".png": "PNG", ".bmp": "BMP", ".webp": "WEBP", ".tif": "TIFF", ".gif": "GIF"}
TOKENS = (
    b"\xff\xd8", b"\xff\xd9", b"\xff\xe1", b"\xff\xc0", b"\xff\xc2", b"\xff\xda", b"Exif\0\0", b"II*\0", b"MM\0*",
    b"IHDR", b"IDAT", b"IEND",
    b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF", b"WEBPVP8X", b"VP8L", b"ANIM", b"GIF89a", b"iCCP", b"eXIf",
    b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg", b"%PDF-",
    b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"tRNS", b"acTL",
)  # fmt: skip


def seeds() -> list[tuple[str, bytes]]:
    """Small pictures of all formats and some modes, some with a time and an orientation."""
    found = []
    for mode in ("RGB", "L", "RGBA", "P", "I;16", "CMYK", "1", "LA"):
        picture = PillowImage.new(mode, (40, 30))
        if mode in ("RGB", "L"):
            ImageDraw.Draw(picture).ellipse((5, 5, 30, 25), fill="white")
        exif = PillowImage.Exif()
        exif[ExifTags.Base.Orientation], exif[ExifTags.Base.DateTime] = 6, "2026:05:01 12:00:00"
        for suffix, name in FORMATS.items():
            stream = io.BytesIO()
            try:
                picture.save(
                    stream, name, **({"exif": exif} if mode == "RGB" and suffix in (".jpg", ".png", ".webp") else {})
                )
            except (OSError, ValueError, KeyError):
                continue  # that format has no such mode
            found.append((suffix, stream.getvalue()))
    return found


def parts(folder: Path) -> Parts:
    """The first byte of an input says which suffix the file has."""
    suffixes, whole, settings = list(FORMATS), seeds(), QueueSettings()

    def make(rng: Random) -> bytes:
        suffix, data = rng.choice(whole)
        if rng.random() < 0.1:
            suffix = rng.choice(suffixes)
        begin = 60 if rng.random() < 0.2 else len(data)  # the head, where sizes are
        return bytes([suffixes.index(suffix)]) + mutated(rng, data[:begin], TOKENS) + data[begin:]

    def read(data: bytes) -> None:
        path = folder / f"picture{suffixes[(data or b'.')[0] % len(suffixes)]}"
        path.write_bytes(data[1:])
        capture_time(path)
        jpeg = read_as_jpeg(path, settings)
        image = decode(jpeg)
        assert image.ndim == 3
        assert image.shape[2] == 3

    return Parts(make, read, limit_mb=MOST_MB)
