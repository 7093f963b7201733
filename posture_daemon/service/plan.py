"""Steps of installing and removing the service: listed first, then carried out; each step is idempotent."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from posture_daemon.errors import ServiceError
from posture_daemon.service import NAME
from posture_daemon.service.code import WRAPPER, Code, shipped
from posture_daemon.service.machine import Machine
from posture_daemon.service.takeover import has_data, take_over, take_settings
from posture_daemon.service.trust import Person
from posture_daemon.settings import FILE_NAME, SYSTEM_FILE

UNIT = f"/etc/systemd/system/{NAME}.service"
DROP_INS = f"{UNIT}.d"
SYSUSERS = f"/etc/sysusers.d/{NAME}.conf"
COMMAND = f"/usr/local/bin/{NAME}"
DATA = f"/var/lib/{NAME}"

OURS = ("10-code.conf", "20-jtop.conf", "20-csi.conf")
"""Drop-ins that `install` manages; others belong to the owner."""

SETTINGS_TEXT = f"""\
# Written by `posture-daemon service install`: where the service of this machine keeps its data, so that every command finds
# them. Its settings are in {DATA}/{FILE_NAME}.
data_dir = "{DATA}"
"""


@dataclass(frozen=True)
class InstallStep:
    """One step; `words` continue the sentence "this will …"."""

    words: str
    do: Callable[[], None]


@dataclass(frozen=True)
class Before:
    """What has been used so far: data folder, settings file (`None`: none), camera address, and who it belongs to."""

    data_dir: Path
    settings_file: Path | None
    camera: str
    whose: Person = field(default_factory=lambda: Person.of(os.geteuid()))


def install_steps(machine: Machine, code: Code, before: Before) -> list[InstallStep]:
    """Steps to a service that runs this code and starts at boot, from any state. Raises `ServiceError`."""
    code.check()
    drop_ins = _drop_ins(machine, code, before.camera)
    return [
        *_write(machine, SYSUSERS, shipped(f"{NAME}.sysusers")),
        *_make_user(machine),
        *_bring_along(machine, before),
        # The settings file points every command to the data of the service; one that the owner wrote is left alone.
        *(() if machine.path(SYSTEM_FILE).exists() else _write(machine, str(SYSTEM_FILE), SETTINGS_TEXT)),
        *_write(machine, UNIT, code.unit()),
        *(step for name in OURS for step in _drop_in(machine, name, drop_ins.get(name))),
        *_command(machine, code),
        *_start(machine),
    ]


def uninstall_steps(machine: Machine, purge: bool) -> list[InstallStep]:
    """Steps to remove what `install` made, with `purge` the data too; what the owner added or changed stays."""
    steps = []
    if machine.path(UNIT).exists():
        off = ["disable", NAME] if not machine.is_this_one else ["disable", "--now", NAME]
        steps.append(
            InstallStep("stop the service, and no longer start it with the machine", partial(machine.systemctl, *off))
        )
    files = [UNIT, *(f"{DROP_INS}/{name}" for name in OURS), SYSUSERS]
    if _reads(machine.path(SYSTEM_FILE)) == SETTINGS_TEXT:
        files.append(str(SYSTEM_FILE))
    if _is_our_command(machine.path(COMMAND)):
        files.append(COMMAND)
    steps += [_remove(machine, file) for file in files if os.path.lexists(machine.path(file))]
    if steps and machine.is_this_one:
        steps.append(InstallStep("tell systemd", partial(machine.systemctl, "daemon-reload")))
    return steps + (_purge(machine) if purge else [])


def _drop_ins(machine: Machine, code: Code, camera: str) -> dict[str, str]:
    """Texts of the drop-ins that this machine needs, by file name."""
    found = {"10-code.conf": code.drop_in()}
    if machine.has_group("jtop"):
        found["20-jtop.conf"] = shipped("drop-ins/jtop.conf")
    if camera.startswith("csi:"):
        found["20-csi.conf"] = shipped("drop-ins/csi.conf")
    return {name: text for name, text in found.items() if text is not None}


def _write(machine: Machine, file: str, text: str, mode: int = 0o644) -> Iterator[InstallStep]:
    """Write a world-readable file, unless it has this text already."""

    def do() -> None:
        path = machine.path(file)
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
            path.parent.chmod(0o755)  # whatever the umask
        new = path.with_name(f".{path.name}.new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode), "w") as out:
            out.write(text)
            os.fchmod(out.fileno(), mode)  # whatever the umask
        os.replace(new, path)

    there = _reads(machine.path(file))
    if there != text or machine.path(file).is_symlink():
        yield InstallStep(f"{'write' if there is None else 'renew'} {file}", do)


def _drop_in(machine: Machine, name: str, text: str | None) -> Iterator[InstallStep]:
    file = f"{DROP_INS}/{name}"
    if text is not None:
        yield from _write(machine, file, text)
    elif machine.path(file).exists():
        yield _remove(machine, file)


def _make_user(machine: Machine) -> Iterator[InstallStep]:
    """Create the service user with systemd-sysusers, unless it exists."""
    file, root = str(machine.path(SYSUSERS)), [] if machine.is_this_one else [f"--root={machine.root}"]
    if machine.ids_of(NAME) is None:
        words = f"make the system user {NAME}, without password or shell, in the groups video and render"
        yield InstallStep(words, partial(machine.run, "systemd-sysusers", *root, file))


def _bring_along(machine: Machine, before: Before) -> Iterator[InstallStep]:
    """Copy database, models and settings from the owner's folder, if the service has none yet."""
    target = machine.path(DATA)
    if before.data_dir == target:
        return
    if has_data(before.data_dir) and not has_data(target):
        words = f"copy labels, pictures and models from {before.data_dir} to {DATA} (the old folder stays as it is)"
        yield InstallStep(words, lambda: take_over(before.data_dir, target, machine.owner(NAME), before.whose))
    file = before.settings_file
    if file is not None and file != SYSTEM_FILE and not (target / FILE_NAME).exists():
        yield InstallStep(
            f"copy {file} to {DATA}/{FILE_NAME}", lambda: take_settings(file, target, machine.owner(NAME), before.whose)
        )


def _command(machine: Machine, code: Code) -> Iterator[InstallStep]:
    """Put the command into the default PATH, which sudo uses too, unless another program has this name."""
    path = machine.path(COMMAND)
    if os.path.lexists(path) and not _is_our_command(path):
        return
    for step in _write(machine, COMMAND, code.wrapper(), 0o755):
        yield InstallStep(f"make the command {COMMAND}, which runs {code.command}", step.do)


def _start(machine: Machine) -> Iterator[InstallStep]:
    if machine.is_this_one:
        yield InstallStep("tell systemd", partial(machine.systemctl, "daemon-reload"))
    yield InstallStep("have it start with the machine", partial(machine.systemctl, "enable", NAME))
    if machine.is_this_one:
        yield InstallStep("start it, and wait until it is ready", lambda: _restart(machine))


def _restart(machine: Machine) -> None:
    try:
        machine.systemctl("restart", NAME)
    except ServiceError:
        raise ServiceError(
            f"The service is installed, but did not get ready; it goes on trying. Why: journalctl -u {NAME} -n 20"
        ) from None


def _remove(machine: Machine, file: str) -> InstallStep:
    def do() -> None:
        path = machine.path(file)
        path.unlink()
        if path.parent == machine.path(DROP_INS) and not any(path.parent.iterdir()):
            path.parent.rmdir()

    return InstallStep(f"remove {file}", do)


def _purge(machine: Machine) -> list[InstallStep]:
    """Delete the data, then the user: files of a deleted user would belong to whoever gets the id next."""
    steps = []
    data = machine.path(DATA)
    if data.exists() and (not data.is_mount() or any(data.iterdir())):
        words = f"delete {DATA} with every picture, label and model"
        steps.append(InstallStep(words, lambda: _delete(data)))
    if machine.ids_of(NAME) is not None:
        where = [] if machine.is_this_one else ["--prefix", str(machine.root)]
        steps.append(InstallStep(f"remove the user {NAME}", partial(machine.run, "userdel", *where, NAME)))
    return steps


def _delete(folder: Path) -> None:
    """Empty the folder and remove it; a mount point is kept, of a link only the link is removed."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    if folder.is_symlink():
        folder.unlink()
    elif not folder.is_mount():
        folder.rmdir()


def _reads(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def _is_our_command(path: Path) -> bool:
    """Whether it is the command that `install` writes, or the link to a program of this name that it made in older versions."""
    if path.is_symlink():
        return Path(os.readlink(path)).name == NAME
    return (_reads(path) or "").startswith(WRAPPER[: WRAPPER.index("{")])
