"""Root becomes somebody else and keeps nothing: looked at in real processes."""

import contextlib
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from posture_daemon.errors import ModelError, ServiceError
from posture_daemon.service.privileges import OF_ANOTHER, as_person, take_environment_of
from posture_daemon.service.trust import Person
from tests.other_user import OWNER, as_owner, needs_root


@needs_root
def test_nothing_of_root_is_left() -> None:
    """No user, group or capability of root's, no way back by set-user-ID programs, no home of root's."""

    def look() -> dict[str, list[str]]:
        lines = Path("/proc/self/status").read_text().splitlines()
        found = {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}
        try:
            os.setuid(0)
        except PermissionError:
            found["back"] = []
        return {**found, "home": [os.environ["HOME"]]}

    found, uid = as_owner(look), str(OWNER.uid)
    assert (found["Uid"], found["Gid"], found["Groups"]) == ([uid] * 4, [uid] * 4, [uid])
    assert {found[name][0] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    assert (found["NoNewPrivs"], found["back"], found["home"]) == (["1"], [], ["/nonexistent"])


@needs_root
def test_what_is_closed_to_them_stays_closed(open_place: Path) -> None:
    """A file of root's; the right to read everything is not taken along, as it once was."""
    secret = open_place / "shadow"
    secret.write_text("root's")
    secret.chmod(0o600)
    with pytest.raises(PermissionError):
        as_owner(secret.read_text)
    assert secret.read_text() == "root's"


@needs_root
def test_the_program_itself_stays_readable_and_nothing_beside_it() -> None:
    """It may lie in root's own closed home; its parts that are loaded later, and its children, are found there."""

    def load() -> str:
        import posture_daemon.reports.status  # noqa: F401 — not loaded by the parent

        ask = [sys.executable, "-c", "import decimal, sqlite3; print('loaded')"]
        return subprocess.run(ask, capture_output=True, text=True, check=True).stdout

    assert as_owner(load) == "loaded\n"
    if Path(sys.base_prefix).is_relative_to("/root") and Path("/root/.bashrc").exists():
        assert not as_owner(Path("/root/.bashrc").exists)


@needs_root
def test_errors_come_back_as_they_were_raised() -> None:
    """Sentences for people with their class, errors of the system with their number, all else as a sentence; never a pickle."""

    def fails(error: BaseException) -> object:
        raise error

    with pytest.raises(ModelError, match=r"^It is damaged\.$"):
        as_owner(lambda: fails(ModelError("It is damaged.")))
    with pytest.raises(FileNotFoundError) as missing:
        as_owner(lambda: fails(FileNotFoundError(2, "No such file", "/x")))
    assert missing.value.filename == "/x"
    with pytest.raises(ServiceError, match="KeyError"):
        as_owner(lambda: fails(KeyError("x")))


@needs_root
def test_another_process_of_theirs_cannot_look_into_it() -> None:
    """The child was root a moment ago, and has what root had opened: its memory and descriptors stay closed to its new user."""

    def spy() -> str:
        victim = os.getppid()
        try:
            os.listdir(f"/proc/{victim}/fd")
        except PermissionError:
            return "closed"
        return "open"

    def with_a_spy() -> str:
        reads, writes = os.pipe()
        if os.fork() == 0:
            os.write(writes, spy().encode())
            os._exit(0)
        return os.read(reads, 10).decode()

    assert as_owner(with_a_spy) == "closed"


@needs_root
@pytest.mark.parametrize("ending", ["killed", "tampered with"])
def test_a_child_that_gives_no_answer_is_one_sentence(ending: str) -> None:
    """Whoever has its rights may kill it, or write another answer than it would: bytes of a pickle run nothing."""
    before = set(os.listdir("/proc/self/fd"))

    def act() -> None:
        if ending == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        for descriptor in set(os.listdir("/proc/self/fd")) - before:
            _write_over(int(descriptor))
        os._exit(0)

    with pytest.raises(ServiceError, match="ended without a result"):
        as_owner(act)
    assert not Path("/var/tmp/never").exists()


def _write_over(descriptor: int) -> None:
    """Bytes that a root who unpickled them would obey."""
    with contextlib.suppress(OSError):
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            os.write(descriptor, b"cos\nsystem\n(S'touch /var/tmp/never'\ntR.")


def test_variables_that_lead_into_a_home_or_to_code_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of Python, the loader, GStreamer, matplotlib, ultralytics, torch and XDG; settings stay."""
    monkeypatch.setattr(os, "environ", {"HOME": "/home/a", "POSTURE_CAMERA__FPS": "5", "SUDO_USER": "a"})
    for name in ("PYTHONPATH", "PYTHONSTARTUP", "LD_PRELOAD", "GST_PLUGIN_PATH", "MPLCONFIGDIR", "YOLO_CONFIG_DIR"):
        os.environ[name] = "/home/a"
    os.environ.update(TORCH_EXTENSIONS_DIR="/home/a", XDG_DATA_HOME="/home/a", XDG_CONFIG_HOME="/home/a")
    take_environment_of(Person(0, 0, (0,), "root", "/root"))
    assert not [name for name in os.environ if name.startswith(OF_ANOTHER)]
    assert os.environ == {
        "HOME": "/root", "USER": "root", "LOGNAME": "root", "POSTURE_CAMERA__FPS": "5", "SUDO_USER": "a",
    }  # fmt: skip


def test_who_is_that_user_already_does_it_at_once() -> None:
    """Without root nobody becomes anybody, and nothing is forked."""
    assert as_person(Person.of(os.geteuid()), os.getpid) == os.getpid()


@pytest.mark.skipif(os.geteuid() == 0, reason="root can")
def test_who_is_not_root_cannot() -> None:
    """One sentence."""
    with pytest.raises(ServiceError, match="cannot become"):
        as_person(Person.of(os.geteuid() + 1), os.getpid)
