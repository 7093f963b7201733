"""Who can change what lies at a path: root goes only where nobody but root can put something else.

Whoever owns a folder, or may write in it, can replace what is in it at any moment, by a link too. So a look at a file alone is
not enough: every folder and every link on the way to it counts, in the order in which the kernel meets them.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from posture_daemon.errors import DataFolderError

MAX_LINKS = 40
"""Links on one path; the kernel's own limit."""

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


NO_HOME = "/nonexistent"

SPECIAL = {
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}
"""What keeps nothing that is written to it, so that nobody's rights there matter."""


@dataclass(frozen=True)
class WeakSpot:
    """A place on a path that somebody but root can change: its owner `uid`, or others by its mode where `uid` is 0."""

    path: Path
    uid: int

    @property
    def words(self) -> str:
        """Continues a sentence: "…, because …"."""
        return f"{self.path} belongs to {name_of(self.uid)}" if self.uid else f"others may write in {self.path}"

    @property
    def mending(self) -> str:
        """The command after which only root can change this place."""
        return f"sudo chown -h root: {self.path}" if self.uid else f"sudo chmod go-w {self.path}"


@dataclass(frozen=True)
class Person:
    """Who to become: user, group and the other groups by number, and what the environment says of them."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    name: str
    home: str

    @classmethod
    def of(cls, uid: int, gid: int | None = None) -> Person:
        """The user of this number. One that this machine does not know is alone in the group `gid`, else of the same number."""
        try:
            known = pwd.getpwuid(uid)
        except KeyError:
            group = uid if gid is None else gid
            return cls(uid, group, (group,), str(uid), NO_HOME)
        groups = os.getgrouplist(known.pw_name, known.pw_gid)
        return cls(uid, known.pw_gid, tuple(groups), known.pw_name, known.pw_dir)


def way_to(path: Path) -> Iterator[Path]:
    """Every folder and link on the way to `path` from `/` on, then `path` itself; ends early where nothing is there.

    Raises `OSError` for a folder that cannot be entered, or links in a circle.
    """
    here, rest, links = Path("/"), list(reversed(Path(os.path.abspath(path)).parts[1:])), 0
    yield here
    while rest:
        part = rest.pop()
        if part == "..":
            here = here.parent
            continue
        try:
            is_link = stat.S_ISLNK(os.lstat(here / part).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return
        yield here / part
        if not is_link:
            here = here / part
            continue
        links += 1
        target = Path(os.readlink(here / part))
        if links > MAX_LINKS:
            raise OSError(f"{path} leads through too many links")
        if target.is_absolute():
            here = Path("/")
        rest += reversed(target.parts[1:] if target.is_absolute() else target.parts)


def weak_spot(path: Path) -> WeakSpot | None:
    """The first place on the way to `path` that somebody but root can change; `None`: only root decides what is there.

    In a folder such as `/tmp` (sticky) everybody may write, but nobody can replace what is root's. So it is weak only where it
    is the end of the path, and is itself what is asked for.
    """
    for place in way_to(path):
        found = os.lstat(place)
        if found.st_uid != 0:
            return WeakSpot(place, found.st_uid)
        may_pass = bool(found.st_mode & stat.S_ISVTX) and place != path
        if not stat.S_ISLNK(found.st_mode) and found.st_mode & OTHERS_WRITE and not may_pass:
            return WeakSpot(place, 0)
    return None


def weak_spot_within(folder: Path) -> WeakSpot | None:
    """The same for a folder and everything in it, and for whatever the links in it lead to.

    Raises `OSError` where something cannot be looked at.
    """
    waiting, seen = [folder], set()
    while waiting:
        one = waiting.pop()
        if spot := weak_spot(one):
            return spot
        real = one.resolve()
        if real in seen or any(other in seen for other in real.parents):
            continue
        seen.add(real)
        for path in _everything_in(real):
            found = os.lstat(path)
            if found.st_uid != 0:
                return WeakSpot(path, found.st_uid)
            if stat.S_ISLNK(found.st_mode):
                waiting.append(path)
            elif found.st_mode & OTHERS_WRITE:
                return WeakSpot(path, 0)
    return None


def decider(path: Path) -> Person:
    """Whose rights are enough to work at `path`: its owner's, or of what stands nearest to it where it is not there yet.

    Raises `DataFolderError` for a device, pipe or socket, for a place that is root's, but where others can put something else,
    and for one that cannot be looked at.
    """
    try:
        *_, end = way_to(path)
        found = os.stat(end) if end.exists() else os.lstat(end)
        if what := SPECIAL.get(stat.S_IFMT(found.st_mode)):
            raise DataFolderError(f"{path} is {what}, in which nothing is kept; give a folder, or a file in one.")
        spot = weak_spot(path) if found.st_uid == 0 else None
        if spot is not None:
            raise DataFolderError(_not_only_roots(path, spot))
    except OSError as error:
        raise DataFolderError(f"{path} cannot be looked at: {error.strerror or error}.") from None
    return Person.of(found.st_uid, found.st_gid)


def _not_only_roots(path: Path, spot: WeakSpot) -> str:
    real = path.resolve()
    if real != path and weak_spot(real) is None:
        return (
            f"{path} leads to root's own {real}, but {spot.words} and can change that; name the folder itself: {real}."
        )
    way = f"sudo chown -hR {name_of(spot.uid)}: {real}" if spot.uid else spot.mending
    return f"{path} is root's own, but {spot.words}, so that root would write wherever they like; run {way}."


def name_of(uid: int) -> str:
    """The name of a user, or the number where there is no such user here."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _everything_in(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        yield from (Path(where, name) for name in (*folders, *files))
