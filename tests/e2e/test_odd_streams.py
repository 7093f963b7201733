"""Streams that are closed, and terminals that say they have no size."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.command import environment, posture_daemon

COMMAND = f"exec {sys.executable} -m posture_daemon --data-dir data status"


@pytest.mark.parametrize("closed", ["2>&-", "<&-", "<&- 2>&-", pytest.param("<&- >&- 2>&-", marks=pytest.mark.slow)])
def test_a_closed_stream_changes_nothing(tmp_path: Path, closed: str) -> None:
    """What it would have carried is lost and nothing else; no file that is opened later gets its number."""
    done = subprocess.run(
        ["sh", "-c", f"{COMMAND} {closed}"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert ("not running" in done.stdout) == (">&- 2" not in closed)


def test_an_error_that_nobody_can_read_keeps_its_exit_code(tmp_path: Path) -> None:
    """2 for how it was called, where stderr is closed and where its disk is full."""
    for stderr in ("2>&-", "2>/dev/full"):
        words = ["sh", "-c", f"{COMMAND} --nonsense {stderr}"]
        assert subprocess.run(words, cwd=tmp_path, env=environment(), check=False).returncode == 2


@pytest.mark.slow
@pytest.mark.parametrize("arguments", ["status", "--help"])
def test_a_terminal_without_a_size_has_the_usual_one(tmp_path: Path, arguments: str) -> None:
    """Of 80 columns; so has one whose size is no number. One column is too few for any word."""
    usual = posture_daemon(tmp_path, arguments).stdout
    assert "posture-daemon" in usual or "not running" in usual
    for size in ("0", "-3", "²", "abc", "99999999999"):
        assert posture_daemon(tmp_path, arguments, COLUMNS=size, LINES=size).stdout.split() == usual.split()
    narrow = posture_daemon(tmp_path, arguments, COLUMNS="1").stdout
    assert max(map(len, narrow.splitlines())) > 10
