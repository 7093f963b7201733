"""Picture files: their natural order, which files of a folder are some, and their bytes."""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from posture_daemon.errors import DatasetError, PictureRefused
from posture_daemon.vision.picture_kinds import HEAD_BYTES, foreign_kind, format_of

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

_KINDS = {
    stat.S_ISFIFO: "a pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
    stat.S_ISDIR: "a folder",
}
_UNREAD_SUFFIXES = {
    "a HEIC picture; save it as JPEG": {".heic", ".heif", ".hif"},
    "a raw picture of a camera; save it as JPEG": {
        ".dng",
        ".cr2",
        ".cr3",
        ".nef",
        ".arw",
        ".orf",
        ".rw2",
        ".raf",
        ".raw",
    },
    "a film": {".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mts"},
    "an archive; unpack it": {".zip", ".tar", ".tgz", ".gz", ".7z", ".rar"},
}


@dataclass
class FolderFiles:
    """The files below a folder.

    `pictures` are called so and can be opened. `left_out` seem to be some but are not read, each with the reason. `others`
    counts the rest: hidden files, texts, and what machines put beside pictures.
    """

    pictures: list[Path] = field(default_factory=list)
    left_out: list[tuple[Path, str]] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)


def natural_key(text: str) -> list[str | int]:
    """Sort key that compares digits as numbers: `2.jpg` before `10.jpg`."""
    return [int(part) if part.isdecimal() else part.casefold() for part in re.split(r"(\d+)", text)]


def picture_files(root: Path) -> FolderFiles:
    """Look through a folder, and once through each that a link in it leads to, unless that holds the folder itself.

    Raises `DatasetError` for a folder that cannot be read.
    """
    found = FolderFiles()
    for path in _files_below(root, found.left_out):
        why = None if _is_machines(path.name) else _why_not(path)
        if _is_machines(path.name) or why == "":
            found.others.append(path)
        elif why is None:
            found.pictures.append(path)
        else:
            found.left_out.append((path, why))
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
        raise PictureRefused(f"{_kind(facts.st_mode)} and no file")
    if facts.st_size == 0:  # also what /proc pretends to hold
        raise PictureRefused("an empty file")
    if facts.st_size > MAX_FILE_BYTES:
        raise PictureRefused(f"larger than {MAX_FILE_BYTES // 1_000_000} MB")


def _kind(mode: int) -> str:
    return next((words for is_it, words in _KINDS.items() if is_it(mode)), "something special")


def _is_machines(name: str) -> bool:
    """Whether no person made it: hidden, as `._1.jpg` of a Mac too, or of a network drive or operating system."""
    return name.startswith(".") or name.casefold() in MACHINE_FOLDERS or "@syno" in name.casefold()


def _why_not(path: Path) -> str | None:
    """Why a file is not read as a picture: "" for one that does not seem to be one, `None` for one that is read."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return "a link that leads nowhere" if _named(path) else ""
    if not stat.S_ISREG(mode):
        return f"{_kind(mode)} and no file" if _named(path) else ""
    return None if _named(path) else _seems(path)


def _named(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _seems(path: Path) -> str:
    """What a file with another suffix is, if it is something that somebody would miss."""
    suffix = path.suffix.lower()
    by_name = next((what for what, suffixes in _UNREAD_SUFFIXES.items() if suffix in suffixes), "")
    try:
        head = read_file(path, HEAD_BYTES)
    except (OSError, PictureRefused):
        return by_name
    inside = format_of(head)
    if inside is not None and not by_name:
        return f"{inside} inside, but not called so; rename it to end in .{inside.lower()}"
    picture = foreign_kind(head) or ""
    return by_name or (picture if "picture" in picture else "")


def _files_below(root: Path, left_out: list[tuple[Path, str]]) -> Iterator[Path]:
    """Real folders first, so that a picture is found where it lies and not where a link shows it once more.

    A folder of machines counts as one file, and its own are not looked at.
    """
    seen = {_identity(root)}
    links: list[Path] = []
    yield from _walk(root, seen, links)
    while links:
        link = links.pop(0)
        why = _why_not_followed(link, root, seen)
        if why is None:
            seen.add(_identity(link))
            yield from _walk(link, seen, links)
        else:
            left_out.append((link, why))


def _walk(top: Path, seen: set[tuple[int, int]], links: list[Path]) -> Iterator[Path]:
    """Files below a folder in natural order, but not below links, which are added to `links`."""
    waiting = [top]
    while waiting:
        for path in _content(waiting.pop()):
            if _is_machines(path.name) or not path.is_dir():
                yield path
            elif path.is_symlink():
                links.append(path)
            elif _identity(path) not in seen:
                seen.add(_identity(path))
                waiting.append(path)


def _content(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir(), key=lambda path: natural_key(path.name))
    except OSError as error:
        raise DatasetError(f"The folder {folder} cannot be read ({error.strerror}).") from error


def _identity(folder: Path) -> tuple[int, int]:
    facts = folder.stat()
    return facts.st_dev, facts.st_ino


def _why_not_followed(link: Path, root: Path, seen: set[tuple[int, int]]) -> str | None:
    target = link.resolve()
    if target in root.resolve().parents or target == root.resolve():
        return "a link to a folder that holds this one"
    if any(target.is_relative_to(kernel) for kernel in ("/proc", "/sys", "/dev")):
        return "a link to what is no disk"
    return "a link to a folder that is read already" if _identity(link) in seen else None
