"""Location of the installed program, whether the service user can run it, and the unit that runs it."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import posture_daemon
from posture_daemon.errors import ServiceError
from posture_daemon.service import NAME
from posture_daemon.service.privileges import as_person
from posture_daemon.service.trust import NO_HOME, Person, WeakSpot, name_of, weak_spot_within

PACKAGE = Path(posture_daemon.__file__).resolve().parent

SHIPPED = (PACKAGE / "assets" / "systemd", PACKAGE.parent / "systemd")
"""The unit and its drop-ins: in the wheel, else in the checkout."""

HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
"""What `ProtectHome=` hides."""

HIDDEN = (Path("/tmp"), Path("/var/tmp"))
"""What `PrivateTmp=` hides."""

EXEC_START = "ExecStart=/usr/bin/env posture-daemon run\n"

WRAPPER = """\
#!/bin/sh
# Written by `posture-daemon service install`. Isolated (-I): root's Python loads nothing from a home, a variable or the
# current folder.
exec {python} -I {command} "$@"
"""

ELSEWHERE = "/opt/posture-daemon"
"""Where the refusals propose to install it: a place of root's that everybody may read."""

NOBODY = 65534

IN_HOMES = """\
# Written by `posture-daemon service install`: the program lies in a home folder. Of all homes the service sees this much,
# read-only; the rest is not there for it.
[Service]
ProtectHome=tmpfs
BindReadOnlyPaths={paths}
"""


@dataclass(frozen=True)
class Code:
    """An installation: its Python, and the folders that it reads; none of them lies inside another."""

    python: Path
    folders: tuple[Path, ...]

    @property
    def command(self) -> Path:
        """The script that `pip` installed beside its Python."""
        return self.python.parent / NAME

    def unit(self) -> str:
        """Text of the unit for this program. Raises `ServiceError` if the shipped unit is not as expected."""
        text = shipped("posture-daemon.service")
        if EXEC_START not in text:
            raise ServiceError("The unit that came with this program has another ExecStart= than it should.")
        return text.replace(EXEC_START, f"ExecStart={self.python} -I {self.command} run\n")

    def wrapper(self) -> str:
        """Text of the command for everybody's PATH."""
        return WRAPPER.format(python=self.python, command=self.command)

    def drop_in(self) -> str | None:
        """Drop-in that bind-mounts the program for the service; `None` if it lies outside of all home folders."""
        paths = " ".join(str(folder) for folder in self.folders if _is_in_homes(folder))
        return IN_HOMES.format(paths=paths) if paths else None

    def check(self) -> None:
        """Raise `ServiceError` if the service could not run this, or if anybody but root could change what root then runs."""
        if not self.command.is_file():
            raise ServiceError(f"There is no program {self.command}; install posture-daemon with pip, or `make setup`.")
        for folder in self.folders:
            if re.search(r"[^\w/.,+@~-]", str(folder), re.ASCII):
                raise ServiceError(
                    f"The name of {folder} has characters that a unit cannot hold; install it elsewhere."
                )
            for path, needed in _steps_to(folder):
                if path.stat().st_mode & needed != needed:
                    raise ServiceError(
                        f"The user of the service cannot read {folder}, because {path} is closed to others; "
                        f"open it with: sudo chmod o+rX {path}"
                    )
            try:
                spot = weak_spot_within(folder)
            except OSError as error:
                raise ServiceError(f"{folder}, of which the program is part, cannot be looked at: {error}.") from None
            if spot is not None:
                raise ServiceError(_refusal(folder, spot))


def _refusal(folder: Path, spot: WeakSpot) -> str:
    """Why root must not run what lies in `folder`, and what to do: close it, or install it where only root can write."""
    if spot.uid == 0:
        return f"Root would run what others can change: {spot.words}, part of the program {folder}; close it: {spot.mending}."
    by_hand = f"sudo python3 -I -m venv {ELSEWHERE} && sudo {ELSEWHERE}/bin/pip install {NAME}"
    checkout = (PACKAGE.parent / "Makefile").is_file()
    return (
        f"Root would run what {name_of(spot.uid)} can change: {spot.words}, of the program in {folder}; "
        f"install it where only root can write: {f'make -C {PACKAGE.parent} install' if checkout else by_hand}."
    )


def this_code() -> Code:
    """The installation that runs now."""
    python = Path(sys.executable)
    own = [Path(sys.prefix), Path(sys.base_prefix), python.resolve().parent.parent, PACKAGE, *SHIPPED]
    found = [one for one in (*own, *_searched(python)) if one.is_dir() and one != Path("/usr")]
    around = set(PACKAGE.parents)  # a checkout; of what else lies in it nothing is loaded
    outer = [one for one in dict.fromkeys(found) if one not in around]
    return Code(python, tuple(one for one in outer if not any(other in one.parents for other in outer)))


def _searched(python: Path) -> list[Path]:
    """Where this Python looks for code in isolated mode, as the service and its command run it."""
    ask = [str(python), "-I", "-c", "import sys; print(*sys.path, sep='\\n')"]
    return [Path(line) for line in subprocess.run(ask, capture_output=True, text=True, check=False).stdout.splitlines()]


def refuse_hidden(code: Code) -> None:
    """Raise `ServiceError` for a program in /tmp, which the service does not see (`PrivateTmp=`)."""
    for folder in code.folders:
        if any(hidden in folder.parents for hidden in HIDDEN):
            raise ServiceError(
                f"The program lies in {folder}, and the service has a /tmp of its own; install it elsewhere."
            )


def try_as_stranger(code: Code) -> None:
    """Import the program as an unprivileged user without a home, to find packages installed only for the owner.

    Raises `ServiceError` when the import fails.
    """
    stranger = Person(NOBODY, NOBODY, (NOBODY,), "nobody", NO_HOME)
    last = as_person(stranger, lambda: _last_words_of_import(code))
    if last is not None:
        raise ServiceError(
            f"Another user cannot run {code.python} ({last}). What is installed in your own ~/.local is not there for the "
            f"service; install it into {code.python.parent.parent}."
        )


def _last_words_of_import(code: Code) -> str | None:
    """The last line of what the import says when it fails; `None` when it succeeds."""
    command = [str(code.python), "-I", "-c", "import posture_daemon.bootstrap.daemon"]
    try:
        tried = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    if tried.returncode == 0:
        return None
    return (tried.stderr.strip().splitlines() or ["it ended without a word"])[-1]


def shipped(name: str) -> str:
    """Text of a file shipped with this program. Raises `ServiceError` if it is missing."""
    for folder in SHIPPED:
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8")
    raise ServiceError(f"{name} is missing in {SHIPPED[0]}; install posture-daemon again.")


def _is_in_homes(folder: Path) -> bool:
    return any(home in (folder, *folder.parents) for home in HOMES)


def _steps_to(folder: Path) -> list[tuple[Path, int]]:
    """Each folder on the path, with the permission bits for others that are needed: to enter, for the last one to read.

    A folder below a home is bind-mounted, so that the folders above it do not matter.
    """
    above = [] if _is_in_homes(folder) else [(path, 0o001) for path in reversed(folder.parents)]
    return [*above, (folder, 0o005)]
