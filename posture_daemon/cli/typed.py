"""What was typed: paths, made absolute; and addresses of cameras, whose secrets nobody else may see."""

import ctypes
import logging
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from posture_daemon.settings import CameraAddress
from posture_daemon.settings.address import LOCAL, near_scheme, remember
from posture_daemon.settings.paths import absolute

OF_CAMERA = ("run", "setup", "teach", "region")
CAMERA, CAMERA_VARIABLE = "--camera", "POSTURE_CAMERA__ADDRESS"

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,11})(?::[/\\]+|[/\\]{2,})(?P<rest>.+)", re.DOTALL)
_LOGIN = re.compile(r"[^\s/@:]+:[^\s@]+@(?:\[[0-9A-Fa-f:.%]+\]|[\w.-]+)(?::\d+)?(?:[/?].*)?", re.DOTALL)
_RTSP = re.compile(r"(?i)r[tps]{3}s?:")
"""However mistyped: never the beginning of anything else."""
_SECRET = re.compile(r"(?i)pass|pwd|psw|token|secret|auth|api_?key|\bkey=|user|login|cred|signature|\bsig=")

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


def hide_typed(words: Sequence[str], environment: Mapping[str, str]) -> None:
    """Keep the secrets of addresses among these out of every message and, as far as that goes, out of `ps`."""
    typed = [CameraAddress(text) for text in _addresses_in(words)]
    given = [CameraAddress(value) for name, value in environment.items() if _is_address_in(name, value)]
    for address in (*typed, *given):
        remember(address)
    if hidden := [address.text for address in typed if address.hides]:
        with suppress(OSError, ValueError, IndexError):
            _overwrite(hidden)


def _addresses_in(words: Sequence[str]) -> list[str]:
    """What was typed as `--camera`; of all else only what looks like an address with a secret, typed in the wrong place.

    Other words stay as they were typed, so that a sentence can quote them: `--rename OLD=NEW` is no address.
    """
    found, command = [], None
    for before, word in zip(["", *words], words, strict=False):
        option, _, value = word.partition("=") if word.startswith("-") else (before, "", word)
        is_value = option.startswith("-")
        misplaced = not is_value and _is_misplaced(command, word)
        if option == CAMERA or misplaced or _RTSP.match(value) or looks_secret(value, is_value):
            found.append(value)
        if command is None and not is_value:
            command = word
    return found


def _is_misplaced(command: str | None, word: str) -> bool:
    """Whether a word that no option takes may be an address: where a command should stand, or behind one that has a camera."""
    return ":" in word if command is None else command in OF_CAMERA and (":" in word or "/" in word)


def _is_address_in(name: str, value: str) -> bool:
    return name.upper() == CAMERA_VARIABLE or (name.upper().startswith("POSTURE_") and looks_secret(value))


def looks_secret(text: str, is_value: bool = False) -> bool:
    """Whether a word looks like an address with a name and a password, or with a part that is called as a secret is.

    `is_value`: of an option, where `X=Y` is never taken for a name and a password.
    """
    is_path = text.startswith(("/", ".", "~")) and "://" not in text  # where two slashes are as one
    url = None if is_path else _URL.search(text)
    if url is not None:
        is_of_network = near_scheme(url["scheme"]) not in (None, *LOCAL)
        return "@" in url["rest"] or (is_of_network and _SECRET.search(url["rest"]) is not None)
    return _LOGIN.fullmatch(text) is not None and not (is_value and "=" in text)


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
