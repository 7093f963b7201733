"""What a file is by its first bytes, whatever its name says.

Only the formats named here reach a decoder, and each only its own: of the many that Pillow knows, some start a helper program
(EPS starts Ghostscript), and nobody takes pictures in them.
"""

import re

HEAD_BYTES = 512
"""As many of a file's first bytes as are looked at here."""

_FORMATS = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "BMP": rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",  # the length of its header; what is reserved may hold anything
    "WEBP": rb"RIFF.{4}WEBP",
    "TIFF": rb"II\*\0|MM\0\*|II\+\0|MM\0\+",
    "GIF": rb"GIF8[79]a",
    "AVIF": rb".{4}ftypavi[fs]|.{4}ftypmif1.{8,40}avif",
}

_FOREIGN_PICTURES = {
    "HEIC, to be saved as JPEG": rb".{4}ftyp(hei|hev|mif1|msf1)",
    "raw of a camera, to be saved as JPEG": rb".{4}ftypcrx|FUJIFILMCCD-RAW|IIRO|IIU\0|FOVb",
    "JPEG 2000 or JPEG XL, to be saved as JPEG": rb"\0\0\0\x0c(jP  |JXL )|\xff\x4f\xff\x51|\xff\x0a",
    "of Photoshop, to be saved as JPEG": rb"8BPS",
}
_FOREIGN = {
    "PostScript or PDF": rb"%!PS|%PDF|\xc5\xd0\xd3\xc6",
    "a drawing or a web page": rb"\s*(\xef\xbb\xbf)?\s*<(\?xml|svg|!doctype|html|head|script)",
    "a film": rb".{4}ftyp|RIFF.{4}AVI |\x1aE\xdf\xa3",
    "an archive, to be unpacked": rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!|BZh|\xfd7zXZ",
    "a pointer of Git LFS, to be fetched with git lfs pull": rb"version https://git-lfs",
    "notes of a Mac beside a file": rb"\x00\x05\x16[\x00\x07]",
    "nothing but zeros, left by a failed copy": rb"\0{64}",
}


def format_of(head: bytes) -> str | None:
    """Pillow's name of the format, of those that are read here; `None` for anything else."""
    return _first(_FORMATS, head)


def foreign_picture(head: bytes) -> str | None:
    """In words what a file is that is a picture, but not read; `None` for anything else."""
    return _first(_FOREIGN_PICTURES, head)


def foreign_kind(head: bytes) -> str | None:
    """In words what a file is that is not read, where that is known."""
    return foreign_picture(head) or _first(_FOREIGN, head)


def _first(kinds: dict[str, bytes], head: bytes) -> str | None:
    return next((kind for kind, start in kinds.items() if re.match(start, head, re.DOTALL | re.IGNORECASE)), None)
