"""What the unit and root's command run is root's alone, and Python loads it from nowhere else: real attacks by files."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from posture_daemon.errors import ServiceError
from posture_daemon.service.code import Code
from posture_daemon.service.condition import condition
from posture_daemon.service.machine import Machine
from tests.other_user import OWNER, needs_root, owned

BASE = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
"""A Python outside of any environment, which looks into the home for packages unless it is told not to."""


@pytest.fixture
def code(open_place: Path) -> Code:
    """A program that is root's alone."""
    folder = open_place / "opt" / "venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "lib").mkdir()
    (folder / "lib" / "module.py").write_text("")
    (folder / "bin" / "posture-daemon").write_text("import sys; print('ran', sys.argv[1:], sys.flags.isolated)\n")
    return Code(folder / "bin" / "python", (folder,))


@needs_root
@pytest.mark.parametrize("attack", ["file", "group", "everybody", "parent's owner", "parent's mode", "link", "pth"])
def test_a_program_that_others_can_change_is_refused(code: Code, open_place: Path, attack: str) -> None:
    """With the place, and what to do: before anything is installed."""
    code.check()
    folder, module = code.folders[0], code.folders[0] / "lib" / "module.py"
    theirs = owned(open_place / "theirs", OWNER)
    if attack == "file":
        os.chown(module, OWNER.uid, OWNER.gid)
    elif attack == "group":
        (folder / "lib").chmod(0o775)
    elif attack == "everybody":
        module.chmod(0o666)
    elif attack == "parent's owner":
        os.chown(folder.parent, OWNER.uid, OWNER.gid)
    elif attack == "parent's mode":
        folder.parent.chmod(0o777)
    elif attack == "link":
        (folder / "lib" / "plugin.so").symlink_to(theirs / "plugin.so")
    else:
        owned(folder / "lib" / "own.pth", OWNER, "import os\n")
    with pytest.raises(ServiceError, match=r"Root would run what .* can change") as refused:
        code.check()
    said = str(refused.value)
    assert ("sudo chmod go-w" in said) != ("install it where only root can write: " in said)


@needs_root
def test_a_link_in_a_circle_is_one_sentence(code: Code) -> None:
    """It leads nowhere, and hangs nobody."""
    (code.folders[0] / "lib" / "round").symlink_to("round")
    with pytest.raises(ServiceError, match="too many links"):
        code.check()


def attacked_home(folder: Path, touched: Path) -> dict[str, str]:
    """Every place of a home, and variable, from which Python takes code at its start."""
    attack = f"import pathlib; pathlib.Path({str(touched)!r}).touch()\n"
    scheme = sysconfig.get_path("purelib", f"{os.name}_user", vars={"userbase": str(folder / ".local")})
    packages = Path(scheme)
    packages.mkdir(parents=True)
    (packages / "usercustomize.py").write_text(attack)
    (packages / "evil.pth").write_text(attack)
    (folder / "sitecustomize.py").write_text(attack)
    (folder / "runpy.py").write_text(attack)
    return {"HOME": str(folder), "PYTHONPATH": str(folder), "PYTHONSTARTUP": str(folder / "sitecustomize.py")}


def test_the_command_loads_nothing_from_a_home_or_by_a_variable(tmp_path: Path) -> None:
    """The wrapper that `install` writes, with the environment of an attacker and from a folder of theirs."""
    touched, script = tmp_path / "touched", tmp_path / "posture-daemon"
    environment = attacked_home(tmp_path / "home", touched)
    script.write_text("import sys; print('ran', sys.argv[1:], sys.flags.isolated)\n")
    subprocess.run([BASE, "-c", ""], env=environment, check=True, capture_output=True)
    assert touched.exists(), "the attack itself must work"
    touched.unlink()
    wrapper = tmp_path / "command"
    wrapper.write_text(Code(BASE, ()).wrapper().replace(str(BASE.parent / "posture-daemon"), str(script)))
    wrapper.chmod(0o755)
    done = subprocess.run(
        [wrapper, "status", "a b"], env=environment, cwd=tmp_path / "home", capture_output=True, text=True, check=True
    )
    assert done.stdout == "ran ['status', 'a b'] 1\n"
    assert not touched.exists()


def test_the_unit_loads_nothing_from_the_data_folder(code: Code) -> None:
    """It is isolated, and what libraries keep in a home begins anew in a /tmp of its own."""
    text = code.unit()
    assert f"ExecStart={code.python} -I {code.command} run\n" in text
    for variable in ("PYTHONNOUSERSITE=1", "XDG_DATA_HOME=/tmp/", "XDG_CACHE_HOME=/tmp/", "XDG_CONFIG_HOME=/tmp/"):
        assert variable in text


@pytest.mark.parametrize("program", ["systemctl", "systemd-sysusers", "userdel", "journalctl"])
def test_programs_of_the_system_are_not_looked_for_in_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    """`sudo -E`, or a sudo without `secure_path`, keeps the PATH of who called it, with their folders first."""
    touched, planted = tmp_path / "touched", tmp_path / program
    planted.write_text(f"#!/bin/sh\ntouch {touched}\n")
    planted.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    try:
        Machine().run(program, "--no-such-option")
        if program == "systemctl":
            condition()
    except ServiceError:
        assert not touched.exists()
    assert not touched.exists()
