"""The system on which the service is installed, or a root folder of another one: files, users, systemd."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from posture_daemon.errors import ServiceError
from posture_daemon.service.trust import NO_HOME, Person

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
"""Where the system's own programs are. What `PATH` says is not asked: whoever wrote it could name a folder of theirs."""


def run_system_program(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the system, in an environment of its own. Raises `ServiceError` where it is missing."""
    found = shutil.which(name, path=SYSTEM_PATH)
    if found is None:
        raise ServiceError(f"{name} cannot be run: it is not in {SYSTEM_PATH.replace(':', ', ')}.")
    environment = {"PATH": SYSTEM_PATH, "LANG": "C.UTF-8"}
    return subprocess.run([found, *arguments], capture_output=True, text=True, check=False, cwd="/", env=environment)


@dataclass(frozen=True)
class Machine:
    """`root` is `/`, or the root folder of another system; then nothing on this machine is changed or started."""

    root: Path = Path("/")

    @property
    def is_this_one(self) -> bool:
        """Whether the root is that of the running system, with its systemd."""
        return self.root == Path("/")

    def path(self, absolute: str | Path) -> Path:
        """Path of a file of the machine below `root`."""
        return self.root / str(absolute).lstrip("/")

    def has_group(self, name: str) -> bool:
        """Whether there is a group of this name."""
        return any(line[0] == name for line in self._lines("etc/group"))

    def ids_of(self, user: str) -> tuple[int, int] | None:
        """User and group id; `None` when there is no such user."""
        found = (line for line in self._lines("etc/passwd") if line[0] == user)
        return next(((int(line[2]), int(line[3])) for line in found), None)

    def owner(self, user: str) -> Person:
        """Who writes what belongs to this user of the machine: that user for root, else whoever we are."""
        ids = self.ids_of(user) if os.geteuid() == 0 else None
        return Person.of(os.geteuid(), os.getegid()) if ids is None else Person(*ids, (ids[1],), user, NO_HOME)

    def systemctl(self, *arguments: str) -> None:
        """Run systemctl, with `--root` for another system. Raises `ServiceError` with its error message."""
        self.run("systemctl", *([] if self.is_this_one else [f"--root={self.root}"]), *arguments)

    def run(self, *command: str) -> None:
        """Run a command. Raises `ServiceError` with its error message when it is missing or fails."""
        done = run_system_program(*command)
        if done.returncode != 0:
            said = " ".join(done.stderr.split()) or f"code {done.returncode}"
            raise ServiceError(f"{' '.join(command)} failed: {said}")

    def _lines(self, file: str) -> list[list[str]]:
        try:
            text = (self.root / file).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        return [line.split(":") for line in text.splitlines() if line.count(":") >= 3]
