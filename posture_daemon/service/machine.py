"""The system on which the service is installed, or a root folder of another one: files, users, systemd."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from posture_daemon.errors import ServiceError


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

    def owner(self, user: str) -> tuple[int, int] | None:
        """User and group id for chown; `None` if we are not root or there is no such user."""
        return self.ids_of(user) if os.geteuid() == 0 else None

    def systemctl(self, *arguments: str) -> None:
        """Run systemctl, with `--root` for another system. Raises `ServiceError` with its error message."""
        self.run("systemctl", *([] if self.is_this_one else [f"--root={self.root}"]), *arguments)

    def run(self, *command: str) -> None:
        """Run a command. Raises `ServiceError` with its error message when it is missing or fails."""
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise ServiceError(f"{command[0]} cannot be run: {error.strerror}.") from None
        if done.returncode != 0:
            said = " ".join(done.stderr.split()) or f"code {done.returncode}"
            raise ServiceError(f"{' '.join(command)} failed: {said}")

    def _lines(self, file: str) -> list[list[str]]:
        try:
            text = (self.root / file).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        return [line.split(":") for line in text.splitlines() if line.count(":") >= 3]
