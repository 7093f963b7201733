"""Whose data these are: with the service's data every command goes on as the service's user, so that all files stay its own."""

import os
import pwd
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from posture_daemon.errors import DataFolderError
from posture_daemon.service import NAME
from posture_daemon.service.code import read_everything
from posture_daemon.settings import CameraAddress

CAMERA = "--camera"


def called_as() -> list[str]:
    """The beginning of the command line with which this program can be called again."""
    return [sys.argv[0]] if _is_script() else [sys.executable, "-m", "posture_daemon"]


def shown_command(words: Sequence[str]) -> str:
    """A command line to copy, in which the address of a camera shows no secret."""
    addresses = (CAMERA, f"{CAMERA}=")
    safe = [
        CameraAddress(word).shown
        if before == CAMERA
        else _shown_option(word)
        if word.startswith(addresses[1])
        else word
        for before, word in zip(["", *words], words, strict=False)
    ]
    return shlex.join(safe)


def _shown_option(word: str) -> str:
    return f"{CAMERA}={CameraAddress(word.partition('=')[2]).shown}"


def go_on_as_owner(folder: Path) -> None:
    """Begin this program again as the service's user, if the folder is the service's and root asks.

    It keeps one right, to read what is closed to that user: the program, when it lies in a home folder, and what the owner
    imports from there. Raises `DataFolderError` for anybody else, who may not read the folder.
    """
    service = _service_user()
    if service is None or _owner_of(folder) != service.pw_uid or os.geteuid() == service.pw_uid:
        return
    if os.geteuid() != 0:
        again = shown_command(["sudo", *called_as(), *sys.argv[1:]])
        raise DataFolderError(f"{folder} belongs to the service, which alone may look at it; ask with: {again}")
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise DataFolderError(
            f"{folder} belongs to {NAME}, and setpriv (of util-linux), which becomes that user, is missing."
        )
    become = [setpriv, f"--reuid={service.pw_uid}", f"--regid={service.pw_gid}", "--init-groups", *read_everything()]
    program = [sys.argv[0]] if _is_script() else ["-m", "posture_daemon"]
    command = [*become, sys.executable, *program, *sys.argv[1:]]
    os.execve(setpriv, command, {**os.environ, "HOME": service.pw_dir})


def _is_script() -> bool:
    return Path(sys.argv[0]).name == NAME


def _service_user() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(NAME)
    except KeyError:
        return None


def _owner_of(folder: Path) -> int | None:
    try:
        return folder.stat().st_uid
    except OSError:
        return None
