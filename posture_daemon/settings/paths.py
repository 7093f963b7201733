"""Paths from outside: options, arguments, variables and settings files. Here each becomes absolute, and nowhere else.

A relative path counts from the current folder, in a settings file from the folder of that file; a child process, a service and
a later command work elsewhere. Any character may stand in a path: nothing in it is a variable, a pattern or an escape.
"""

import os
import pwd
import re
from pathlib import Path

from posture_daemon.errors import SettingsError
from posture_daemon.settings.address import FILM, CameraAddress, is_network

MAX_PATH_BYTES, MAX_NAME_BYTES = 4000, 255
"""What Linux opens, less what we append to it; and one name in it."""


def absolute(path: str | Path, base: Path | None = None) -> Path:
    """The path, absolute: `~` and `~user` are homes, anything else relative counts from `base`, by default the current folder.

    Symbolic links stay, but for those before a `..`. Raises `SettingsError` for what can be no path.
    """
    text = os.fspath(path)
    _check(text)
    whole = _with_home(text, base)
    if not os.path.isabs(whole):
        whole = os.path.join(base or current_folder(text), whole)
    names = whole.split("/")
    if ".." in names:  # of a folder behind a link, `..` is where the link leads
        last = len(names) - names[::-1].index("..")
        whole = os.path.join(os.path.realpath("/".join(names[:last])), *names[last:])
    whole = os.path.abspath(whole)
    if len(os.fsencode(whole)) > MAX_PATH_BYTES or any(len(os.fsencode(n)) > MAX_NAME_BYTES for n in whole.split("/")):
        raise SettingsError(f"The path that ends with {names[-1][:40]}… is too long; choose a shorter one.")
    return Path("/" + whole.lstrip("/"))


def home() -> Path:
    """The home folder: `HOME` if that is absolute, else what the system says. Raises `SettingsError` where there is none."""
    try:
        found = next(h for h in (os.environ.get("HOME", ""), pwd.getpwuid(os.getuid()).pw_dir) if os.path.isabs(h))
    except (KeyError, StopIteration):  # a user without an entry, as in a container
        raise SettingsError(
            f"User {os.getuid()} has no home folder, and HOME does not name one; name the data folder with --data-dir or "
            "POSTURE_DATA_DIR, and every other path whole."
        ) from None
    return Path(found)


def current_folder(path: str) -> Path:
    """Where this program was called. Raises `SettingsError`, about the relative `path`, where that folder was deleted."""
    try:
        return Path.cwd()
    except OSError:
        raise SettingsError(
            f"The current folder is gone, so {path} leads nowhere; go to another folder, or write a whole path."
        ) from None


def placed(address: str, base: Path | None = None) -> str:
    """A camera's address in which the path of a recording is absolute, as by `absolute`. Others are left as they are.

    So is a film below a folder that is not there: that is likelier an address of a network without its beginning.
    """
    found = re.fullmatch(r"\s*(replay:|file:)?(.*)", address, re.DOTALL)
    prefix, path = ("", "") if found is None else (found[1] or "", found[2])
    first, slash, _ = path.partition("/")
    if not path.strip() or (is_network(path) and not os.path.lexists(os.path.join(base or "", path))):
        return address
    is_missing = slash and first[:1] not in ("", ".", "~") and not os.path.lexists(os.path.join(base or "", first))
    if not prefix and (is_missing or not FILM.fullmatch(path.partition("?")[0].rstrip())):
        return address
    return f"{prefix}{absolute(path, base)}"


def _check(text: str) -> None:
    if not text:
        raise SettingsError("A path is empty; write the name of a file or folder.")
    if "\0" in text:
        raise SettingsError("A path holds the character NUL, which no file's name can; remove it.")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) and not os.path.lexists(text):
        shown = CameraAddress(text).shown
        raise SettingsError(
            f"{shown} is an address of a network, and not a file or folder; write ./ before it if it is."
        )


def _with_home(text: str, base: Path | None) -> str:
    """A leading `~` or `~user` replaced. A file that is really called so is taken as it is."""
    name, slash, rest = text.partition("/")
    if not name.startswith("~") or os.path.lexists(os.path.join(base or "", text)):
        return text
    if name == "~":
        return f"{home()}{slash}{rest}"
    try:
        return f"{pwd.getpwnam(name[1:]).pw_dir}{slash}{rest}"
    except (KeyError, ValueError, UnicodeError):
        raise SettingsError(
            f"{text}: there is no user {name[1:]}, so {name} is nobody's home; write the path whole, or ./{text} for a name "
            "that begins so."
        ) from None
