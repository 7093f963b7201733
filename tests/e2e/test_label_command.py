"""`posture-daemon label`: the page of the running daemon, or one of its own until Ctrl-C."""

import re
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from posture_daemon.ui.web.link import TOKEN_NAME
from tests.e2e.command import frames_answered, of_daemon, running, started, told
from tests.waiting import wait_until

SETTINGS = """\
[camera]
address = "fake:desk?seed=37&fps=5"
[ui]
port = 0
"""
HEADLESS = {"DISPLAY": "", "WAYLAND_DISPLAY": ""}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder whose page takes any free port."""
    (tmp_path / "posture-daemon.toml").write_text(SETTINGS)
    return tmp_path


@contextmanager
def labelling(folder: Path, **variables: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`label` in the foreground without a terminal, and the address that it prints."""
    streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with started(folder, "label", variables=HEADLESS | {"PYTHONUNBUFFERED": "1"} | variables, **streams) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        yield process, next(line for line in lines if "The label page: " in line).split(": ", 1)[1].strip()


def page_at(address: str) -> str:
    """What a browser would get."""
    with urllib.request.urlopen(address, timeout=200) as reply:
        return str(reply.read(), "utf-8")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_without_a_daemon_the_page_is_served_until_it_is_told_to_end(folder: Path, number: signal.Signals) -> None:
    """Also without a terminal or a screen; Ctrl-C and SIGTERM are ordinary endings."""
    with labelling(folder) as (process, address):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
        assert "posture-daemon" in page_at(address)
        process.send_signal(number)
        assert process.wait(100) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_taken_port_is_told_and_another_one_taken(folder: Path) -> None:
    """The page is for now; the link says where."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        with labelling(folder, POSTURE_UI__PORT=port) as (_, address):
            assert f":{port}/" not in address
            assert "posture-daemon" in page_at(address)


def test_for_other_devices_the_link_has_the_secret(folder: Path) -> None:
    """And only with it the page opens."""
    with labelling(folder, POSTURE_UI__HOST="127.0.0.1") as (_, plain):
        assert "token" not in plain
    with labelling(folder, POSTURE_UI__HOST="0.0.0.0") as (_, address):
        secret = (folder / TOKEN_NAME).read_text().strip()
        assert address.endswith(f"/?token={secret}")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            page_at(address.split("?")[0])


def test_the_running_daemon_serves_the_page(folder: Path) -> None:
    """`label` only says where; the page ends with the daemon, which still ends within five seconds."""
    with running(folder) as daemon:
        address = wait_until(lambda: of_daemon(folder).get("page"), "the page")
        assert told(folder, "label", **HEADLESS) == f"The label page: {address}\n"
        assert "posture-daemon" in page_at(address)
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(50) == 0
        with pytest.raises(OSError, match="refused"):
            page_at(address)


def test_a_daemon_whose_port_is_taken_goes_on_without_the_page(folder: Path) -> None:
    """One line in the log; `label` serves a page of its own."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        (folder / "posture-daemon.toml").write_text(SETTINGS.replace("port = 0", f"port = {other.getsockname()[1]}"))
        with running(folder) as daemon:
            wait_until(lambda: frames_answered(folder), "frames")
            assert of_daemon(folder)["page"] is None
            with labelling(folder) as (_, address):
                assert "posture-daemon" in page_at(address)
            daemon.send_signal(signal.SIGTERM)
            _, said = daemon.communicate(timeout=100)
            assert daemon.returncode == 0
            assert len([line for line in said.splitlines() if "label page cannot be served" in line]) == 1


def test_the_page_can_be_turned_off(folder: Path) -> None:
    """For a daemon that is labelled over SSH only."""
    (folder / "posture-daemon.toml").write_text(SETTINGS + "enabled = false\n")
    with running(folder) as daemon:
        wait_until(lambda: frames_answered(folder), "frames")
        assert of_daemon(folder)["page"] is None
        daemon.terminate()
        _, said = daemon.communicate(timeout=100)
        assert "label page" not in said
