"""Whose data these are: root goes on as the owner of the data folder, without any right of root's."""

from __future__ import annotations

import errno
import os
import pwd
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from posture_daemon.cli.typed import CAMERA
from posture_daemon.errors import DataFolderError, ServiceError, SettingsError
from posture_daemon.service import NAME
from posture_daemon.service.privileges import become, take_environment_of
from posture_daemon.service.trust import Person, decider, name_of, weak_spot
from posture_daemon.settings import CameraAddress
from posture_daemon.settings.paths import absolute


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


def begin_as_root() -> None:
    """What root does before anything else: forget the home that sudo may have left in the environment.

    Raises `ServiceError` where Python has taken code from there already; what that code did cannot be undone, but no more of it
    is loaded.
    """
    if os.geteuid() != 0:
        return
    for entry in (Path(entry) for entry in sys.path if ".local/lib" in entry):
        if entry.is_dir() and (spot := weak_spot(entry)):
            raise ServiceError(
                f"Root's Python would load code from {entry}, which {name_of(spot.uid)} can change; say sudo -H, or sudo -i."
            )
    if weak_spot(Path(os.environ.get("TMPDIR", "/tmp"), "new")):  # noqa: S108 - Python's own default
        os.environ.pop("TMPDIR", None)
    if _is_of_another(os.environ.get("HOME", "/")):
        take_environment_of(Person.of(0))


def go_on_as_owner(folder: Path) -> None:
    """Become whoever the folder belongs to, or the folder in which it will be made, if root asks; root's own stays root's.

    Raises `DataFolderError` where root would work in a folder that others can replace, and for anybody else with the service's
    data.
    """
    if os.geteuid() != 0:
        _refuse_the_services(folder)
        return
    owner = decider(absolute(folder))
    if owner.uid != 0:
        become(owner)


def refuse_hands_of_others(place: Path | None) -> None:
    """Raise `DataFolderError` where root, on data of its own, would write to a place in somebody else's hands, or beside it."""
    if place is None or os.geteuid() != 0:
        return
    path = absolute(place)
    if (owner := decider(path)).uid != 0:
        raise DataFolderError(
            f"Root does not write to {path} or beside it, where {owner.name} can lead it elsewhere by a link; take a folder of "
            f"root's, and give the result away: sudo chown -R {owner.name}: FOLDER."
        )


def refuse_unreadable(file: Path) -> None:
    """Raise `PermissionError` for a file that this user may not read; a child would only say that it cannot be opened."""
    try:
        file.stat()  # says that the way to it is closed
    except FileNotFoundError:
        return
    if not os.access(file, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))


def denied(error: PermissionError) -> str:
    """What to do about a file that this user may not use, who may be somebody else than who called."""
    what = f"{error.filename or 'A file'} cannot be used: {error.strerror or error}"
    if "SUDO_USER" in os.environ and os.geteuid() != 0:
        who = name_of(os.geteuid())
        return (
            f"{what}. With these data this command works as {who}, without any right of root's; copy it to /tmp first."
        )
    return f"{what}; check who may use it."


def refuse_settings_of_others(file: Path | None) -> None:
    """Raise `SettingsError` where root would go by a settings file that somebody else can change."""
    if file is None or os.geteuid() != 0:
        return
    if spot := weak_spot(file):
        raise SettingsError(f"Root goes by no settings that others can change: {spot.words}; run {spot.mending}.")


def _refuse_the_services(folder: Path) -> None:
    service = _service_user()
    if service is None or _owner_of(folder) != service.pw_uid or os.geteuid() == service.pw_uid:
        return
    again = shown_command(["sudo", *called_as(), *sys.argv[1:]])
    raise DataFolderError(f"{folder} belongs to the service, which alone may look at it; ask with: {again}")


def _is_of_another(home: str) -> bool:
    try:
        return os.stat(home).st_uid != 0
    except OSError:
        return False


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
