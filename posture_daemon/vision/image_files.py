"""Picture files: their natural order, which files of a folder are some, and their bytes."""

import os
import re
import stat
from pathlib import Path

from posture_daemon.errors import DatasetError, PictureRefused
from posture_daemon.vision.picture_kinds import HEAD_BYTES, foreign_picture, format_of

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".png", ".apng", ".bmp", ".dib"}
    | {".webp", ".tif", ".tiff", ".gif", ".avif", ".avifs"}
)
"""Names of picture files, in small letters; what is inside decides how they are read."""

FORMATS = "jpg, png, bmp, webp, tiff, gif or avif"
"""The same in words for the user."""

MAX_FILE_BYTES = 120_000_000
"""Largest picture file that is read."""

MACHINE_FOLDERS = frozenset(
    {"@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "$recycle.bin", "recycler"}
    | {"__macosx", "system volume information", "lost+found", "network trash folder", "temporary items"}
)
"""Folders that network drives, operating systems and photo programs put beside the pictures, in small letters."""

NO_PICTURE = "no picture"
"""What a file is that does not seem to be one by its name or its first bytes."""

_KINDS = {
    stat.S_ISFIFO: "a pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
    stat.S_ISDIR: "a folder",
}
_UNREAD = {
    "HEIC, to be saved as JPEG": {".heic", ".heif", ".hif"},
    "raw of a camera, to be saved as JPEG": {".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".raw"},
    "films": {".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mts"},
    "archives, to be unpacked": {".zip", ".tar", ".tgz", ".7z", ".rar"},
}


def natural_key(text: str) -> list[str | int]:
    """Sort key that compares digits as numbers: `2.jpg` before `10.jpg`."""
    return [int(part) if part.isdecimal() else part.casefold() for part in re.split(r"(\d+)", text)]


def is_of_machines(name: str) -> bool:
    """Whether no person made a file or folder of this name: hidden, as `._1.jpg` of a Mac too, or of a network drive."""
    return name.startswith(".") or name.casefold() in MACHINE_FOLDERS or "@syno" in name.casefold()


def is_of_the_kernel(path: Path) -> bool:
    """Whether a path leads to where there are no files of a disk, and where to read one may do something."""
    real = path.resolve()
    return any(real.is_relative_to(folder) for folder in ("/proc", "/sys", "/dev"))


def why_not_read(path: Path) -> str | None:
    """Why a file is not read as a picture, in a few words; `None` for one that is, `NO_PICTURE` if nobody would miss it."""
    named = path.suffix.lower() in SUFFIXES
    try:
        mode = path.stat().st_mode
    except OSError:
        return "links to nothing" if named else NO_PICTURE
    if stat.S_ISREG(mode):
        return None if named else _seems(path)
    return f"{_kind(mode)}, no file" if named else NO_PICTURE


def pictures_below(root: Path) -> list[Path]:
    """The picture files below a folder, and below each folder that a link in it leads to, once. Raises `DatasetError`."""
    found: list[Path] = []
    seen = {_identity(folder) for folder in (root.resolve(), *root.resolve().parents)}

    def is_new(folder: Path) -> bool:
        identity = _identity(folder)
        new = not (identity in seen or is_of_machines(folder.name) or is_of_the_kernel(folder))
        seen.add(identity)
        return new

    for where, folders, names in os.walk(root, onerror=_refuse, followlinks=True):
        folders.sort(key=lambda name: (Path(where, name).is_symlink(), name))  # a picture counts where it lies
        folders[:] = [name for name in folders if is_new(Path(where, name))]
        files = [Path(where, name) for name in names if not is_of_machines(name)]
        found += [path for path in files if path.suffix.lower() in SUFFIXES and path.is_file()]
    return found


def read_file(path: Path, most_bytes: int | None = None) -> bytes:
    """The bytes of a regular file, or the first `most_bytes` of it. Raises `PictureRefused` or `OSError`.

    Nothing else is opened: a pipe would wait for ever, `/dev/zero` never ends, and to open some devices does something.
    """
    _check_regular(os.stat(path))
    with open(path, "rb", opener=_without_waiting) as file:
        _check_regular(os.fstat(file.fileno()))
        return file.read(MAX_FILE_BYTES if most_bytes is None else most_bytes)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _check_regular(facts: os.stat_result) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise PictureRefused(f"{_kind(facts.st_mode)}, no file")
    if facts.st_size == 0:  # also what /proc pretends to hold
        raise PictureRefused("an empty file")
    if facts.st_size > MAX_FILE_BYTES:
        raise PictureRefused(f"larger than {MAX_FILE_BYTES // 1_000_000} MB")


def _kind(mode: int) -> str:
    return next((words for is_it, words in _KINDS.items() if is_it(mode)), "something special")


def _seems(path: Path) -> str:
    """What a file with another suffix is, if it is something that somebody would miss."""
    by_name = next((what for what, suffixes in _UNREAD.items() if path.suffix.lower() in suffixes), None)
    if by_name is not None:
        return by_name
    try:
        head = read_file(path, HEAD_BYTES)
    except (OSError, PictureRefused):
        return NO_PICTURE
    inside = format_of(head)
    if inside is not None:
        return f"{inside} inside, to be renamed to end in .{inside.lower()}"
    return foreign_picture(head) or NO_PICTURE


def _identity(folder: Path) -> tuple[int, int]:
    facts = folder.stat()
    return facts.st_dev, facts.st_ino


def _refuse(error: OSError) -> None:
    raise DatasetError(f"The folder {error.filename} cannot be read ({error.strerror}).") from error
