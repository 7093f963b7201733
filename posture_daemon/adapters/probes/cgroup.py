"""Memory limits of the control groups that this process is in: of a container, of a unit, of what they are in.

The kernel refuses (or kills) at the lowest limit on the way up, so the least room of all levels counts. Of what a group uses,
inactive file pages do not count: the kernel drops them first (as `docker stats` and the kubelet reckon). Sources:
admin-guide/cgroup-v2.rst and admin-guide/cgroup-v1/memory.rst of the kernel's documentation. Where the hierarchies are mounted,
and which part of one, is what /proc/self/mountinfo says (filesystems/proc.rst).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from posture_daemon.adapters.probes.files import find, read_int, read_text
from posture_daemon.adapters.probes.proc import waiting_in

MOUNT = "sys/fs/cgroup"
NO_LIMIT = 1 << 60
"""Bytes. Version 1 writes the highest number of whole pages where there is no limit, which differs between page sizes."""


@dataclass(frozen=True)
class _Files:
    """Names of the files of one version; `inactive` is a line in `memory.stat`."""

    limits: tuple[str, ...]
    used: str
    inactive: str


V2 = _Files(("memory.max", "memory.high"), "memory.current", "inactive_file")
V1 = _Files(("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file")


@dataclass(frozen=True)
class GroupMemory:
    """Bytes: the lowest limit of all levels, and the least room that a level leaves; `None` where nothing is limited.

    `waiting_percent` is the pressure stall information of the process's own group, "some avg10", which a container's limit
    raises long before that of the machine.
    """

    limit_bytes: int | None = None
    available_bytes: int | None = None
    waiting_percent: float | None = None


def read_group(root: Path) -> GroupMemory:
    """Read all levels of both versions below `root` (`/`, or a folder with the same tree)."""
    groups = tuple(_own_groups(root))
    levels = [level for group in groups for level in group.levels()]
    waiting = [waiting_in(group.folder / "memory.pressure") for group in groups]  # version 1 has none
    return GroupMemory(
        limit_bytes=min((limit for limit, _ in levels), default=None),
        available_bytes=min((room for _, room in levels), default=None),
        waiting_percent=next((percent for percent in waiting if percent is not None), None),
    )


@dataclass(frozen=True)
class _Group:
    """The process's own folder in a mounted hierarchy."""

    files: _Files
    mount: Path
    folder: Path

    def levels(self) -> Iterator[tuple[int, int]]:
        """(limit, room) in bytes of each level that has a limit; the room is all of it where the use cannot be read."""
        for level in (self.folder, *self.folder.parents):
            statistics = _statistics(level)
            limits = [read_int(level / name) for name in self.files.limits]  # "max" is no number
            # version 1 tells it, also of levels that a container cannot see
            limits.append(statistics.get("hierarchical_memory_limit"))
            found = [limit for limit in limits if limit is not None and 0 <= limit < NO_LIMIT]
            if found:
                used = (read_int(level / self.files.used) or 0) - statistics.get(self.files.inactive, 0)
                yield min(found), max(0, min(found) - max(0, used))
            if level == self.mount:
                return


@dataclass(frozen=True)
class _Mount:
    """A hierarchy in the tree of files: `part` is the group that is seen at `folder`, a path as in `/proc/self/cgroup`."""

    files: _Files
    folder: Path
    part: tuple[str, ...] = ()

    def group(self, path: tuple[str, ...]) -> _Group:
        """Of a path that leads out of the mount, as some containers see their own, only what is visible remains."""
        below = path[len(self.part) :] if self.shows(path) else path
        return _Group(self.files, self.folder, self.folder.joinpath(*below))

    def shows(self, path: tuple[str, ...]) -> bool:
        """Whether the group at `path` is in the part that is mounted."""
        return path[: len(self.part)] == self.part


def _own_groups(root: Path) -> Iterator[_Group]:
    """One for each version that is mounted; `/proc/self/cgroup` has lines NUMBER:CONTROLLERS:PATH, 0 for version 2."""
    mounts = tuple(_mounts(root))
    for line in (read_text(root / "proc/self/cgroup") or "").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if "memory" in controllers.split(","):
            yield from _seen_in([one for one in mounts if one.files is V1] or _usual_v1(root), _parts(path))
        elif not controllers:
            yield from _seen_in([one for one in mounts if one.files is V2] or _usual_v2(root), _parts(path))


def _seen_in(mounts: Sequence[_Mount], path: tuple[str, ...]) -> Iterator[_Group]:
    """Of a hierarchy that is mounted several times, the mounts with the own group, if there are any, are the ones to ask."""
    right = [one for one in mounts if one.shows(path)]
    return (one.group(path) for one in right or mounts)


def _mounts(root: Path) -> Iterator[_Mount]:
    """Lines of mountinfo: ID PARENT DEVICE PART FOLDER OPTIONS [MORE...] - KIND SOURCE OPTIONS."""
    for line in (read_text(root / "proc/self/mountinfo") or "").splitlines():
        here, _, what = line.partition(" - ")
        place, kind = here.split(" "), what.split(" ")
        if len(place) < 6 or len(kind) < 3:
            continue
        files = {"cgroup": V1 if "memory" in kind[2].split(",") else None, "cgroup2": V2}.get(kind[0])
        if files is not None:
            yield _Mount(files, root.joinpath(*_parts(_unescaped(place[4]))), _parts(_unescaped(place[3])))


def _usual_v1(root: Path) -> list[_Mount]:
    """Where it is by custom, alone or with other controllers (`cpu,memory`)."""
    return [_Mount(V1, folder) for folder in find(root / MOUNT, "*memory*") if "memory" in folder.name.split(",")]


def _usual_v2(root: Path) -> list[_Mount]:
    """Where it is by custom; in `unified` where both versions are in use."""
    folders = (root / MOUNT, root / MOUNT / "unified")
    return [_Mount(V2, folder) for folder in folders if (folder / "cgroup.controllers").exists()]


def _parts(path: str) -> tuple[str, ...]:
    """Names on the way; those that lead up or nowhere are left out, so that nothing leads out of `root`."""
    return tuple(part for part in path.split("/") if part not in ("", ".", ".."))


def _unescaped(text: str) -> str:
    """Mountinfo writes spaces, tabs, line ends and backslashes as three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def _statistics(level: Path) -> dict[str, int]:
    pairs = (line.split() for line in (read_text(level / "memory.stat") or "").splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
