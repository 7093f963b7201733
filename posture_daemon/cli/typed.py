"""What was typed: paths, made absolute; and addresses of cameras, whose secrets nobody else may see."""

import ctypes
import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from posture_daemon.settings import CameraAddress
from posture_daemon.settings.address import remember
from posture_daemon.settings.paths import absolute

log = logging.getLogger(__name__)

ARG_START, ARG_END = 47, 48
"""Fields of /proc/PID/stat, from 0: where the arguments of the process lie in its memory; see proc_pid_stat(5)."""


def path(text: str) -> Path:
    """For `parser=` of an option or argument that names a file or folder. Raises `SettingsError`."""
    return absolute(text)


def camera(address: str | None) -> str | None:
    """For `callback=` of `--camera`: warns of a secret, which every user of this machine can read while it stands there."""
    if address is not None and CameraAddress(address).hides:
        log.warning(
            "what stands on a command line can be read by others (ps, sudo's log, the shell's history): keep an address with "
            "a password in the settings file, as camera.address, or in the variable POSTURE_CAMERA__ADDRESS"
        )
    return address


def hide_typed(words: Sequence[str]) -> None:
    """Keep the secrets of addresses among these words out of every message and, as far as that goes, out of `ps`."""
    typed = [address for word in words for address in _addresses_in(word) if address.hides]
    for address in typed:
        remember(address)
    if typed:
        with suppress(OSError, ValueError, IndexError):
            _overwrite([address.text for address in typed])


def _addresses_in(word: str) -> list[CameraAddress]:
    """The word, and the value of an option. Paths and plain words hide nothing."""
    value = word.partition("=")[2] if word.startswith("-") else word
    return [CameraAddress(value)] if "@" in value or "//" in value or "=" in value else []


def _overwrite(texts: Sequence[str]) -> None:
    """Blank these texts in the memory that the kernel shows as this process's arguments; Python has copies of its own."""
    with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
        numbers = file.read().rpartition(")")[2].split()
    start, end = (int(numbers[field - 2]) for field in (ARG_START, ARG_END))
    if not 0 < end - start < 1 << 20:
        return
    there = ctypes.string_at(start, end - start)
    for text in texts:
        secret = text.encode(sys.getfilesystemencoding(), "surrogateescape")
        place = there.find(secret)
        if place >= 0:
            ctypes.memset(start + place, ord("*"), len(secret))
