"""Who root becomes must still be able to read this program, though it lies in a folder that is closed, such as /root.

As the unit does it (`ProtectHome=tmpfs`, `BindReadOnlyPaths=`): for this process and its children alone, the closed folder is
replaced by an empty one with the program's folders in it, read-only. No right to read anything else is needed for that.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import posture_daemon
from posture_daemon.errors import ServiceError

CLONE_NEWNS = 0x00020000  # unshare(2)
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_SLAVE = 1, 2, 4, 32, 4096, 16384, 1 << 19  # mount(2)


def program_folders() -> tuple[Path, ...]:
    """The folders that this program is read from, without the current one, which Python searches under `-m`."""
    package = Path(posture_daemon.__file__).resolve().parent
    searched = [Path(entry) for entry in sys.path if os.path.isabs(entry) and entry != os.getcwd()]
    prefix, real = Path(sys.prefix), Path(sys.executable).resolve().parent.parent
    found = [prefix, prefix.resolve(), Path(sys.base_prefix), real, package, *searched]
    return tuple(one for one in dict.fromkeys(found) if one.is_dir())


def show_program(to: str) -> None:
    """Make this program readable for `to`, where it lies in a closed folder. Raises `ServiceError` where that cannot be."""
    found = {folder: above for folder in program_folders() if (above := _closed_above(folder))}
    closed = {folder: above for folder, above in found.items() if not any(other in folder.parents for other in found)}
    if not closed:
        return
    try:
        _in_own_view(closed)
    except OSError as error:
        folder, above = next(iter(closed.items()))
        raise ServiceError(
            f"This program lies in {folder}, and {above} is closed to {to} ({error.strerror}); "
            f"install it elsewhere, or open the way with: sudo chmod o+x {above}."
        ) from None


def _in_own_view(closed: Mapping[Path, Path]) -> None:
    """Mount what is needed for it in a view of the files that is ours alone; `closed` has the closed folder above each."""
    libc = ctypes.CDLL(None, use_errno=True)
    _checked(libc.unshare(CLONE_NEWNS))
    _mount(libc, "none", "/", "", MS_REC | MS_SLAVE)
    shown = {folder: os.open(folder, os.O_PATH | os.O_DIRECTORY) for folder in closed}
    try:
        for above in dict.fromkeys(closed.values()):
            _mount(libc, "tmpfs", str(above), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m")
        for folder, descriptor in shown.items():
            _make_open(folder)
            _mount(libc, f"/proc/self/fd/{descriptor}", str(folder), "", MS_BIND | MS_REC)
            _mount(libc, "none", str(folder), "", MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)
    finally:
        for descriptor in shown.values():
            os.close(descriptor)


def _make_open(folder: Path) -> None:
    """Make a folder and those above it that are missing, so that everybody may enter them, whatever the umask."""
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir()
        missing.chmod(0o755)


def _closed_above(folder: Path) -> Path | None:
    """The topmost folder on the way that others may not enter."""
    return next((above for above in reversed((folder, *folder.parents)) if not above.stat().st_mode & 0o001), None)


def _mount(libc: ctypes.CDLL, source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    words = (word.encode() for word in (source, target, kind))
    _checked(libc.mount(*words, ctypes.c_ulong(flags), data.encode()))


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
