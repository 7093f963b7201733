"""SIGTERM, Ctrl-C and SIGHUP at whatever moment and to whichever command: exit 0, and the terminal is as before."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.command import environment, started
from tests.waiting import wait_until

SAID = "posture-daemon: Stopped; nothing more was done.\n"
NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
AT_A_TERMINAL = """
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C and the end of the terminal reach this process
from posture_daemon.__main__ import main
main()
"""
PIPES = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def listens(process: subprocess.Popen[str]) -> bool:
    """Whether it has set its first handlers, which is before the program itself is loaded; or has ended."""
    if process.poll() is not None:
        return True
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    caught = next(int(line.split()[1], 16) for line in lines if line.startswith("SigCgt:"))
    return bool(caught >> (signal.SIGHUP - 1) & 1)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_stop_while_the_program_is_loaded_is_a_good_end(number: int, tmp_path: Path) -> None:
    """Nothing has begun, and nothing is written."""
    with started(tmp_path / "data", "run", "--camera", "fake:desk", **PIPES) as process:
        wait_until(lambda: listens(process), "the first handler", every_s=0.002)
        process.send_signal(number)
        assert process.communicate(timeout=300) == ("", SAID)
    assert process.returncode == 0
    assert not (tmp_path / "data").exists()


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(6))
@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("command", ["run --camera fake:desk", "doctor --fix", "status", "setup --yes", "models list"])
def test_no_moment_is_a_bad_one(command: str, number: int, moment: int, tmp_path: Path) -> None:
    """From the first handler to the end of the process: one that has come to its own end before keeps its own code."""
    with started(tmp_path / "data", *command.split(), **PIPES) as process:
        wait_until(lambda: listens(process), "the first handler", every_s=0.01)
        time.sleep(0.15 * moment**2)  # not a wait: the moment of the signal
        over = process.poll() is not None
        process.send_signal(number)
        _, said = process.communicate(timeout=300)
    assert "Traceback" not in said
    assert process.returncode == 0 or (process.returncode == 1 and (over or SAID not in said)), said


class Terminal:
    """The real command with somebody at its keyboard."""

    def __init__(self, data_dir: Path, *arguments: str) -> None:
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))  # rows, columns
        self.before, self.output = termios.tcgetattr(self.slave), b""
        self.process = subprocess.Popen(
            [sys.executable, "-c", AT_A_TERMINAL, "--data-dir", str(data_dir), *arguments],
            stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True,
            env=environment(TERM="xterm-256color"),
        )  # fmt: skip

    def read(self) -> bytes:
        """What it has printed so far."""
        while select.select([self.master], [], [], 0.02)[0]:
            self.output += os.read(self.master, 65536)
        return self.output

    def ended(self) -> int:
        """Its exit code."""
        wait_until(lambda: self.read() is not None and self.process.poll() is not None, "its end", every_s=0)
        return self.process.returncode

    def told(self, words: str, how: str) -> int:
        """Its exit code, told to stop after it has printed these words."""
        wait_until(lambda: words.encode() in self.read() or self.process.poll() is not None, words, every_s=0)
        assert words.encode() in self.output
        if how == "ctrl-c":
            os.write(self.master, b"\x03")
        else:
            self.process.send_signal(signal.Signals[how])
        return self.ended()


@contextmanager
def terminal(data_dir: Path, *arguments: str) -> Iterator[Terminal]:
    """For the block; whatever happens, nothing of it is left."""
    at = Terminal(data_dir, *arguments)
    try:
        yield at
    finally:
        at.process.kill()
        at.process.wait()
        for descriptor in {at.master, at.slave}:
            os.close(descriptor)


@pytest.mark.slow
@pytest.mark.parametrize(("how", "code"), [("SIGTERM", 0), ("SIGHUP", 0), ("ctrl-c", 1)])
def test_a_question_can_be_left(how: str, code: int, tmp_path: Path) -> None:
    """Ctrl-C is an answer, a no, so that what comes after `setup &&` does not begin."""
    with terminal(tmp_path / "data", "setup", "--camera", "fake:desk") as at:
        assert at.told("A number, or something else", how) == code
        assert SAID.strip().encode() in at.output
        assert termios.tcgetattr(at.slave) == at.before


@pytest.mark.slow
@pytest.mark.parametrize("how", ["SIGTERM", "SIGHUP", "ctrl-c"])
def test_labelling_in_the_terminal_can_be_left(how: str, tmp_path: Path) -> None:
    """What was answered is kept, as with q."""
    with terminal(tmp_path / "data", "label", "--terminal") as at:
        assert at.told("No more frames are waiting", how) == 0
        assert SAID.strip().encode() in at.output
        assert termios.tcgetattr(at.slave) == at.before


@pytest.mark.slow
@pytest.mark.parametrize("how", ["SIGTERM", "SIGHUP", "ctrl-c"])
def test_a_lesson_gives_the_terminal_back(how: str, tmp_path: Path) -> None:
    """With its echo and its cursor, and the words of its end."""
    with terminal(tmp_path / "data", "teach", "--camera", "fake:desk") as at:
        assert at.told("pose 1 of", how) == 0
        assert at.output.rindex(b"\x1b[?25h") > at.output.rindex(b"\x1b[?25l")
        assert b"Nothing was kept." in at.output
        assert termios.tcgetattr(at.slave) == at.before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("pose 1 of", "teach --camera fake:desk"),
        ("No more frames are waiting", "label --terminal"),
        ("A number, or something else", "setup --camera fake:desk"),
        ("INFO", "run --camera fake:desk"),
    ],
)
def test_a_terminal_that_goes_away_is_a_good_end(words: str, command: str, tmp_path: Path) -> None:
    """As when the network of an SSH session is cut: nothing can be said any more, and that is no error."""
    with terminal(tmp_path / "data", *command.split()) as at:
        wait_until(lambda: words.encode() in at.read() or at.process.poll() is not None, words, every_s=0)
        assert words.encode() in at.output
        os.close(at.slave)
        os.close(at.master)
        at.slave = at.master = os.open(os.devnull, os.O_RDWR)
        assert at.process.wait(300) == 0
