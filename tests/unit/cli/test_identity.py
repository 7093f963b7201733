"""Commands on the service's data go on as the service's user, or say who may."""

import os
import pwd
import sys
from pathlib import Path
from typing import Any

import pytest

from posture_daemon.cli import identity
from posture_daemon.errors import DataFolderError

ROOT, SERVICE, OWNER = 0, 996, 1000


class Execed(Exception):
    """Instead of becoming another program."""


@pytest.fixture
def execed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would have been started: program, arguments, environment."""
    started: list[Any] = []

    def execve(*arguments: Any) -> None:
        started.extend(arguments)
        raise Execed

    monkeypatch.setattr(os, "execve", execve)
    return started


def as_user(user: int, folder_of: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is of `user`, there is a service's user, and the folder belongs to `folder_of`."""
    entry = pwd.struct_passwd(("posture-daemon", "x", SERVICE, 997, "", "/var/lib/posture-daemon", "/usr/sbin/nologin"))
    monkeypatch.setattr(pwd, "getpwnam", lambda _name: entry)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(identity, "_owner_of", lambda _folder: folder_of)


@pytest.mark.parametrize(
    ("program", "again"),
    [
        ("/usr/local/bin/posture-daemon", ["/usr/local/bin/posture-daemon"]),
        ("/opt/x/posture_daemon/__main__.py", ["-m", "posture_daemon"]),
    ],
)
def test_root_becomes_the_services_user(
    tmp_path: Path, execed: list[Any], monkeypatch: pytest.MonkeyPatch, program: str, again: list[str]
) -> None:
    """With its groups and home, the same words, run as a module too, and the right to read what is closed to it."""
    as_user(ROOT, SERVICE, monkeypatch)
    monkeypatch.setattr(sys, "argv", [program, "status", "--json"])
    with pytest.raises(Execed):
        identity.go_on_as_owner(tmp_path)
    started, words, environment = execed
    assert Path(started).name == "setpriv"
    assert {f"--reuid={SERVICE}", "--init-groups"} <= set(words)
    assert words[-3 - len(again) :] == [sys.executable, *again, "status", "--json"]
    assert environment["HOME"] == "/var/lib/posture-daemon"


def test_anybody_else_is_told_to_use_sudo(tmp_path: Path, execed: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the very words to type."""
    as_user(OWNER, SERVICE, monkeypatch)
    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/posture-daemon", "status"])
    with pytest.raises(DataFolderError, match="ask with: sudo /usr/local/bin/posture-daemon status"):
        identity.go_on_as_owner(tmp_path)
    assert execed == []


@pytest.mark.parametrize(
    ("user", "folder_of"),
    [
        pytest.param(SERVICE, SERVICE, id="the service itself"),
        pytest.param(ROOT, ROOT, id="root on its own data"),
        pytest.param(ROOT, OWNER, id="root on somebody's own data, as ever"),
        pytest.param(OWNER, OWNER, id="an owner without a service"),
    ],
)
def test_otherwise_nothing_changes(
    tmp_path: Path, execed: list[Any], monkeypatch: pytest.MonkeyPatch, user: int, folder_of: int
) -> None:
    """Only data of the service are the service's."""
    as_user(user, folder_of, monkeypatch)
    identity.go_on_as_owner(tmp_path)
    assert execed == []


def test_without_a_service_there_is_no_such_user(tmp_path: Path, execed: list[Any]) -> None:
    """And a folder that is not there yet belongs to nobody."""
    identity.go_on_as_owner(tmp_path / "none")
    assert execed == []
