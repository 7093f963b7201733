"""Memory limits of the control groups that this process is in: of a container, of a unit, of what they are in.

The kernel refuses (or kills) at the lowest limit on the way up, so the least room of all levels counts. Of what a group uses,
inactive file pages do not count: the kernel drops them first (as `docker stats` and the kubelet reckon). Sources:
admin-guide/cgroup-v2.rst and admin-guide/cgroup-v1/memory.rst of the kernel's documentation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from posture_daemon.adapters.probes.files import read_int, read_text
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
        available_bytes=min((room for _, room in levels if room is not None), default=None),
        waiting_percent=next((percent for percent in waiting if percent is not None), None),
    )


@dataclass(frozen=True)
class _Group:
    """The process's own folder in a mounted hierarchy."""

    files: _Files
    mount: Path
    folder: Path

    def levels(self) -> Iterator[tuple[int, int | None]]:
        """(limit, room) in bytes of each level that has a limit; room is unknown where the use is."""
        for level in (self.folder, *self.folder.parents):
            statistics = _statistics(level)
            limits = [read_int(level / name) for name in self.files.limits]  # "max" is no number
            limits.append(
                statistics.get("hierarchical_memory_limit")
            )  # version 1: of levels that a container cannot see
            found = [limit for limit in limits if limit is not None and 0 <= limit < NO_LIMIT]
            if found:
                used = read_int(level / self.files.used)
                held = None if used is None else max(0, used - statistics.get(self.files.inactive, 0))
                yield min(found), None if held is None else max(0, min(found) - held)
            if level == self.mount:
                return


def _own_groups(root: Path) -> Iterator[_Group]:
    """One for each version that is mounted; `/proc/self/cgroup` has lines NUMBER:CONTROLLERS:PATH, 0 for version 2."""
    for line in (read_text(root / "proc/self/cgroup") or "").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if "memory" in controllers.split(","):
            yield _group(V1, root / MOUNT / "memory", path)
        elif not controllers:
            mounts = (root / MOUNT, root / MOUNT / "unified")  # the latter where both versions are in use
            yield from (_group(V2, mount, path) for mount in mounts if (mount / "cgroup.controllers").exists())


def _group(files: _Files, mount: Path, path: str) -> _Group:
    """Of a path that leads out of the mount, as some containers see their own, only what is visible remains."""
    return _Group(files, mount, mount.joinpath(*(part for part in path.split("/") if part not in ("", ".", ".."))))


def _statistics(level: Path) -> dict[str, int]:
    pairs = (line.split() for line in (read_text(level / "memory.stat") or "").splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
