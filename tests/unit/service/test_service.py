"""`service install`, `uninstall` and `status`, against a folder that stands for a system."""

import os
import pwd
import shutil
import sqlite3
import stat
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from posture_daemon.cli import app
from posture_daemon.errors import PostureError, ServiceError
from posture_daemon.service.code import Code, refuse_hidden, this_code, try_as_stranger
from posture_daemon.service.condition import LastFailure, in_words
from posture_daemon.service.machine import Machine
from posture_daemon.service.plan import (
    COMMAND,
    DATA,
    DROP_INS,
    SETTINGS_TEXT,
    SYSUSERS,
    UNIT,
    Before,
    install_steps,
    uninstall_steps,
)
from posture_daemon.service.trust import Person
from posture_daemon.settings import load as load_module
from posture_daemon.store.lock import exclusive
from tests.builders import label_block

needs_systemd = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("systemctl", "systemd-sysusers")) and os.environ.get("CI") != "true",
    reason="systemctl and systemd-sysusers are not installed",
)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A system without anything."""
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    return Machine(root)


@pytest.fixture
def code(tmp_path: Path) -> Code:
    """A program outside of all homes, open to everybody."""
    return make_code(tmp_path / "opt")


def make_code(folder: Path) -> Code:
    """An environment with the program in it; pytest's own folders above are closed to others, which is not meant here."""
    command = folder / "bin" / "posture-daemon"
    command.parent.mkdir(parents=True)
    command.touch()
    return Code(folder / "bin" / "python", ())


def nothing_before(tmp_path: Path) -> Before:
    """An owner who has used nothing so far."""
    return Before(tmp_path / "nowhere", None, "0")


def files(machine: Machine) -> dict[str, str]:
    """All files below the root that are not the work of systemd-sysusers or useradd."""
    found = {f"/{path.relative_to(machine.root)}": path for path in machine.root.rglob("*") if path.is_file()}
    accounts = ("passwd", "group", "shadow", "gshadow", ".pwd.lock")
    return {name: path.read_text() for name, path in found.items() if path.name.rstrip("-") not in accounts}


def carry_out(machine: Machine, code: Code, before: Before) -> list[str]:
    """Install; the words of the steps."""
    steps = install_steps(machine, code, before)
    for step in steps:
        step.do()
    return [step.words for step in steps]


@needs_systemd
def test_it_installs_and_a_second_time_changes_nothing(machine: Machine, code: Code, tmp_path: Path) -> None:
    """Unit, user, the command, where the data are; and it starts with the machine."""
    carry_out(machine, code, nothing_before(tmp_path))
    assert f"ExecStart={code.python} -I {code.command} run\n" in machine.path(UNIT).read_text()
    assert stat.S_IMODE(machine.path(UNIT).stat().st_mode) == 0o644
    assert machine.ids_of("posture-daemon") is not None
    assert machine.path(COMMAND).read_text().splitlines()[-1] == f'exec {code.python} -I {code.command} "$@"'
    assert stat.S_IMODE(machine.path(COMMAND).stat().st_mode) == 0o755
    assert machine.path("/etc/posture-daemon.toml").read_text() == SETTINGS_TEXT
    wanted = machine.path("/etc/systemd/system/multi-user.target.wants/posture-daemon.service")
    assert wanted.is_symlink()
    before = files(machine)
    assert carry_out(machine, code, nothing_before(tmp_path)) == ["have it start with the machine"]
    assert files(machine) == before


@needs_systemd
def test_what_is_removed_is_what_was_installed(machine: Machine, code: Code, tmp_path: Path) -> None:
    """The owner's own drop-in stays; the data go with `--purge` alone, and then the user too."""
    carry_out(machine, code, nothing_before(tmp_path))
    own = machine.path(f"{DROP_INS}/override.conf")
    own.parent.mkdir(exist_ok=True)
    own.write_text("[Service]\nCPUWeight=100\n")
    machine.path(DATA).mkdir(parents=True)
    for step in uninstall_steps(machine, purge=False):
        step.do()
    assert list(files(machine)) == [f"{DROP_INS}/override.conf"]
    assert machine.path(DATA).is_dir()
    assert not os.path.lexists(machine.path(COMMAND))
    for step in uninstall_steps(machine, purge=True):
        step.do()
    assert not machine.path(DATA).exists()
    assert machine.ids_of("posture-daemon") is None
    assert uninstall_steps(machine, purge=True) == []


def test_files_of_the_owner_are_left_alone(machine: Machine, code: Code, tmp_path: Path) -> None:
    """Settings that somebody wrote for the whole system, and another program of this name."""
    machine.path("/etc/posture-daemon.toml").write_text("[camera]\nfps = 5\n")
    machine.path(COMMAND).parent.mkdir(parents=True)
    machine.path(COMMAND).write_text("#!/bin/sh\n")
    words = " ".join(step.words for step in install_steps(machine, code, nothing_before(tmp_path)))
    assert "posture-daemon.toml" not in words
    assert COMMAND not in words
    assert uninstall_steps(machine, purge=False) == []


def test_drop_ins_are_chosen_by_what_is_there(machine: Machine, tmp_path: Path) -> None:
    """A group of jtop's, a CSI camera, a program in a home; what is no longer needed goes."""
    machine.path("/etc/group").write_text("jtop:x:990:owner\n")
    before = Before(tmp_path / "nowhere", None, "csi://0")
    code = make_code(tmp_path / "opt")
    names = {step.words.rpartition("/")[2] for step in install_steps(machine, code, before)}
    assert {"20-jtop.conf", "20-csi.conf"} <= names
    assert "10-code.conf" not in names
    for step in install_steps(machine, code, before):
        if DROP_INS in step.words:
            step.do()
    machine.path("/etc/group").write_text("")
    words = [step.words for step in install_steps(machine, code, nothing_before(tmp_path))]
    assert f"remove {DROP_INS}/20-jtop.conf" in words
    assert f"remove {DROP_INS}/20-csi.conf" in words


def test_a_program_in_a_home_is_shown_to_the_service_and_nothing_else_of_it() -> None:
    """Homes are closed to other users on Ubuntu; the bound folders alone are there, under their own names."""
    venv, python = Path("/home/jetson/p/.venv"), Path("/root/.pyenv/versions/3.12")
    text = Code(venv / "bin/python", (venv, Path("/opt/x"), python)).drop_in()
    assert "ProtectHome=tmpfs\n" in text
    assert f"BindReadOnlyPaths={venv} {python}\n" in text
    assert Code(Path("/opt/x/bin/python"), (Path("/opt/x"),)).drop_in() is None


@pytest.mark.parametrize("closed", [".", ".."], ids=["the folder itself", "the folder around it, as a home often is"])
def test_a_program_that_others_cannot_read_is_refused(closed: str) -> None:
    """With the folder that is in the way, and what opens it; before anything is changed."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        os.chmod(place, 0o755)
        folder = Path(place) / "a" / "venv"
        code = Code(make_code(folder).python, (folder,))
        code.check()
        (folder / closed).chmod(0o700)
        with pytest.raises(ServiceError, match=r"closed to others; open it with: sudo chmod o\+rX /var/tmp"):
            code.check()


def test_a_name_that_a_unit_cannot_hold_is_refused(tmp_path: Path) -> None:
    """A space would be two paths, a percent sign something of systemd's."""
    made = make_code(tmp_path / "my 100% venv")
    with pytest.raises(ServiceError, match="characters that a unit cannot hold"):
        Code(made.python, (tmp_path / "my 100% venv",)).check()
    with pytest.raises(ServiceError, match="There is no program"):
        Code(tmp_path / "bin" / "python", ()).check()


def test_a_program_in_a_folder_that_the_service_does_not_see_is_refused() -> None:
    """It has a /tmp of its own; a home is shown to it."""
    refuse_hidden(Code(Path("/home/jetson/p/bin/python"), (Path("/home/jetson/p"), Path("/usr/tmp"))))
    with pytest.raises(ServiceError, match="lies in /tmp/p, and the service has a /tmp of its own"):
        refuse_hidden(Code(Path("/tmp/p/bin/python"), (Path("/opt/python"), Path("/tmp/p"))))


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv")
def test_what_only_its_owner_can_run_is_found_out_before_anything_changes(open_place: Path) -> None:
    """A library in ~/.local is there for its owner alone; tried as a user without rights, home or groups."""
    python = open_place / "bin" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\n[ "$(id -u)" = 65534 ] && [ "$HOME" = /nonexistent ]\n')
    python.chmod(0o755)
    try_as_stranger(Code(python, ()))
    python.write_text("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'numpy'\" >&2\nexit 1\n")
    with pytest.raises(ServiceError, match=r"No module named 'numpy'.*\.local.*install it into"):
        try_as_stranger(Code(python, ()))


def test_this_installation_is_found() -> None:
    """Its environment, its Python and the package, none of them inside another."""
    code = this_code()
    assert code.command.parent == code.python.parent
    assert not [one for one in code.folders for other in code.folders if other in one.parents]


@pytest.fixture
def taught(tmp_path: Path) -> Path:
    """A data folder with labels, a model file, a cache, and settings."""
    from posture_daemon.store import Store

    folder = tmp_path / "owners"
    store = Store(folder)
    label_block(store, "good", 0.0, count=3)
    store.close()
    (folder / "models" / "heads").mkdir(parents=True, exist_ok=True)
    (folder / "models" / "heads" / "abc.safetensors").write_bytes(b"head")
    (folder / "cache").mkdir(exist_ok=True)
    (folder / "cache" / "big").write_bytes(b"x")
    (folder / "posture-daemon.toml").write_text('data_dir = "elsewhere"\n[camera]\naddress = "csi://0"\n')
    return folder


@needs_systemd
def test_what_was_taught_before_comes_along(machine: Machine, code: Code, taught: Path) -> None:
    """Labels, models and settings; not what is computed again, nor a data folder that is not the service's."""
    carry_out(machine, code, Before(taught, taught / "posture-daemon.toml", "csi://0"))
    target = machine.path(DATA)
    with closing(sqlite3.connect(target / "posture.db")) as database:
        assert database.execute("SELECT count(*) FROM labels").fetchone() == (3,)
    assert (target / "models/heads/abc.safetensors").read_bytes() == b"head"
    assert not (target / "cache").exists()
    assert (
        (target / "posture-daemon.toml")
        .read_text()
        .startswith('# not for the service: data_dir = "elsewhere"\n[camera]')
    )
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert stat.S_IMODE((target / "posture-daemon.toml").stat().st_mode) == 0o600
    assert not list(target.parent.glob(".*partial"))
    again = [step.words for step in install_steps(machine, code, Before(taught, taught / "posture-daemon.toml", "0"))]
    assert not [words for words in again if "copy" in words]


@needs_systemd
def test_data_that_a_daemon_is_working_on_are_not_copied(machine: Machine, code: Code, taught: Path) -> None:
    """What it learns next would be missing; the service's folder stays as empty as it was."""
    with exclusive(taught / "daemon.lock"), pytest.raises(ServiceError, match="is running on"):
        carry_out(machine, code, Before(taught, None, "0"))
    assert not machine.path(DATA).exists()


def test_a_copy_that_breaks_off_can_be_begun_again(
    machine: Machine, taught: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database comes last: without it there are no data yet, and the next attempt starts afresh."""
    from posture_daemon.service import takeover

    target, me = machine.path(DATA), Person.of(os.geteuid())
    with monkeypatch.context() as broken:
        broken.setattr(takeover, "_into_place", lambda *_names: (_ for _ in ()).throw(OSError(28, "No space left")))
        with pytest.raises(ServiceError, match=r"No space left.*the old folder is as it was"):
            takeover.take_over(taught, target, me, me)
    assert not takeover.has_data(target)
    assert not list(target.iterdir())
    takeover.take_over(taught, target, me, me)
    assert takeover.has_data(target)


SHOWN = {
    "LoadState": "loaded", "FragmentPath": UNIT, "DropInPaths": f"{DROP_INS}/10-code.conf", "UnitFileState": "enabled",
    "NeedDaemonReload": "no", "ActiveState": "active", "SubState": "running", "Result": "success", "MainPID": "77",
    "StatusText": "camera 0 running", "ActiveEnterTimestampMonotonic": "400000000", "WatchdogUSec": "30s",
    "WatchdogTimestampMonotonic": "499000000", "NRestarts": "0",
}  # fmt: skip


def told(ending: LastFailure | None = None, **shown: str) -> str:
    """What `service status` prints at 500 s of the monotonic clock."""
    return "\n".join(in_words({**SHOWN, **shown}, ending, 1000.0, 500.0).lines)


def test_status_tells_in_words() -> None:
    """Installed, enabled, since when, the watchdog, restarts, data and log."""
    text = told()
    assert f"installed: {UNIT} with 10-code.conf" in text
    assert "starts with the machine: yes" in text
    assert "it runs since 1970-01-01" in text
    assert "(process 77)" in text
    assert "it says: camera 0 running" in text
    assert "watchdog: after 30s without an answered frame; the last sign of life was 1 s ago" in text
    assert "never since it was last started" in text
    assert f"data: {DATA}" in text
    assert "journalctl -u posture-daemon" in text


@pytest.mark.parametrize(
    ("ending", "shown", "words"),
    [
        (LastFailure(0.0, "watchdog"), {"NRestarts": "2"}, "2 times since it was last started by hand; 1970-01-01"),
        (LastFailure(0.0, "watchdog"), {"NRestarts": "2"}, "the watchdog ended it"),
        (LastFailure(0.0, "oom-kill"), {"NRestarts": "1"}, "memory ran out"),
        (LastFailure(0.0, "start-limit-hit"), {}, "start-limit-hit"),
        (None, {"ActiveState": "activating", "SubState": "auto-restart"}, "it waits to be started again"),
        (None, {"ActiveState": "inactive", "SubState": "dead"}, "it does not run"),
        (None, {"UnitFileState": "disabled"}, "starts with the machine: no"),
        (None, {"WatchdogUSec": "0"}, "watchdog: off"),
        (None, {"NeedDaemonReload": "yes"}, "daemon-reload"),
        (None, {"LoadState": "not-found"}, "installed: no"),
    ],
)
def test_status_tells_what_is_wrong(ending: LastFailure | None, shown: dict[str, str], words: str) -> None:
    """Each way in which it does not simply run."""
    assert words in told(ending, **shown)


def test_only_a_running_service_counts_as_running() -> None:
    """For the exit code."""
    assert in_words(SHOWN, None, 0.0, 500.0).runs
    assert not in_words({**SHOWN, "ActiveState": "activating"}, None, 0.0, 500.0).runs
    assert not in_words({"LoadState": "not-found"}, None, 0.0, 500.0).runs


@pytest.fixture
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person without settings, in an empty folder."""
    monkeypatch.setattr(load_module, "SYSTEM_FILE", tmp_path / "etc" / "posture-daemon.toml")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def refused(*arguments: str) -> str:
    """The sentence with which a command is refused."""
    result = CliRunner().invoke(app, ["service", *arguments])
    assert isinstance(result.exception, PostureError), result.output
    return str(result.exception)


@pytest.mark.usefixtures("nothing_set")
class TestCommands:
    def test_a_dry_run_changes_nothing(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        """It prints the plan, one step a line, without root."""
        monkeypatch.setattr(Code, "check", lambda _self: None)  # this checkout may lie in a closed folder
        result = CliRunner().invoke(app, ["service", "install", "--dry-run", "--root", str(machine.root)])
        assert result.exit_code == 0, result.exception
        assert f"  write {UNIT}\n" in result.output
        assert files(machine) == {}

    def test_under_sudo_the_data_of_who_called_it_are_found(
        self, machine: Machine, taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Root's own home has none; those of the caller come along, with their settings."""
        theirs = tmp_path / "home-of-owner" / ".local" / "share" / "posture-daemon"
        theirs.parent.mkdir(parents=True)
        taught.rename(theirs)
        (theirs / "posture-daemon.toml").write_text("[camera]\nfps = 5\n")
        entry = pwd.struct_passwd(("owner", "x", 1000, 1000, "", str(tmp_path / "home-of-owner"), "/bin/sh"))
        monkeypatch.setattr(pwd, "getpwnam", lambda name: {"owner": entry}[name])
        monkeypatch.setattr(Code, "check", lambda _self: None)
        monkeypatch.setenv("SUDO_USER", "owner")
        result = CliRunner().invoke(app, ["service", "install", "--dry-run", "--root", str(machine.root)])
        assert f"copy labels, pictures and models from {theirs} to {DATA}" in result.output
        assert f"copy {theirs}/posture-daemon.toml" in result.output

    def test_without_systemd_it_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """In a container, or another system."""
        monkeypatch.setattr(Path, "is_dir", lambda _self: str(_self) != "/run/systemd/system")
        assert refused("install") == "systemd does not run this machine, so there is nothing to install a service into."

    def test_who_is_not_root_is_told_what_to_type(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Before anything is changed; the plan itself needs no rights."""
        monkeypatch.setattr(Path, "is_dir", lambda _self: True)
        monkeypatch.setattr(Code, "check", lambda _self: None)
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        assert refused("install").startswith("This changes the system, so it needs root: sudo ")

    def test_data_are_not_deleted_without_a_word(self, machine: Machine) -> None:
        """Without a keyboard `--yes` must be said."""
        machine.path(DATA).mkdir(parents=True)
        assert "say --yes as well" in refused("uninstall", "--purge", "--root", str(machine.root))
        assert machine.path(DATA).exists()

    def test_nothing_to_remove_is_no_error(self, machine: Machine) -> None:
        """And what is kept is said."""
        machine.path(DATA).mkdir(parents=True)
        result = CliRunner().invoke(app, ["service", "uninstall", "--root", str(machine.root)])
        assert result.exit_code == 0
        assert "not installed" in result.output
        assert DATA in result.output

    def test_a_folder_that_is_not_there_is_refused(self) -> None:
        """A misspelt `--root` must not become a new system."""
        assert refused("install", "--root", "/no/such/place") == "There is no folder /no/such/place; check the path."


def test_the_user_file_lies_where_systemd_looks() -> None:
    """So that a restored or renewed system makes the user again."""
    assert SYSUSERS.startswith("/etc/sysusers.d/")
