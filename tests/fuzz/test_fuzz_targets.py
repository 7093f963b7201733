"""The readers meet a few hundred inputs that nobody means, always the same ones; `make fuzz` tries others."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from posture_daemon.errors import CameraError, DatasetError
from tests.fuzz.__main__ import Job, main
from tests.fuzz.target import TARGETS, Parts, Refused, Target, Unexpected
from tests.fuzz.worker import input_of, opened, try_one
from tests.waiting import wait_until

QUICK = {"address": 300, "names": 500, "manifests": 300, "head": 200}
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _same_environment() -> Iterator[None]:
    """A target may set variables of its process, which is otherwise its own."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.parametrize("name", QUICK)
def test_each_quick_reader_reads_or_refuses(name: str) -> None:
    """In one sentence, in a bounded time, and with the same inputs in every run."""
    target = next(target for target in TARGETS if target.name == name)
    with opened(target) as parts:
        inputs = [input_of(parts, 13, number) for number in range(QUICK[name])]
        assert len(set(inputs)) > len(inputs) / 2
        assert input_of(parts, 13, 7) == inputs[7]
        ends = {try_one(parts, data) for data in inputs}
    assert ends == {"read", "refused"}


@pytest.mark.slow
@pytest.mark.torch
def test_all_readers_read_or_refuse() -> None:
    """By the command itself, which ends with 0."""
    command = [sys.executable, "-m", "tests.fuzz", "--inputs", "6000", "--seed", "13"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert rows.keys() >= {target.name for target in TARGETS}
    assert not any("left out" in row for row in rows.values())


def fails(error: Exception) -> Callable[[bytes], None]:
    """A reader that ends so."""

    def read(_data: bytes) -> None:
        raise error

    return read


def make(rng: Random) -> bytes:
    """Any input."""
    return rng.randbytes(5)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyError("a"), "KeyError"),
        (RecursionError("deep"), "RecursionError"),
        (SystemExit(3), "SystemExit"),
        (CameraError("The camera\nis gone."), "several lines"),
        (CameraError("camera gone"), "no sentence"),
        (CameraError(""), "no sentence"),
        (CameraError("x" * 5000 + "."), "5001 letters"),
        (Unexpected("a password is shown"), "a password is shown"),
    ],
)
def test_an_end_that_is_not_allowed_is_unexpected(error: Exception, words: str) -> None:
    """Errors that are not the project's, and refusals that are no sentence."""
    with pytest.raises(Unexpected, match=words):
        try_one(Parts(make, fails(error)), b"abc")


def test_a_refusal_in_one_sentence_is_an_end() -> None:
    """An error of the project, or of the kind that this reader may raise."""
    assert try_one(Parts(make, fails(CameraError("It is gone."))), b"") == "refused"
    assert try_one(Parts(make, fails(Refused())), b"") == "refused"
    with pytest.raises(Unexpected, match="CameraError"):
        try_one(Parts(make, fails(CameraError("It is gone.")), refusals=(DatasetError,)), b"")


def test_too_much_work_or_memory_is_unexpected() -> None:
    """For one input."""
    with pytest.raises(Unexpected, match="takes more than 0 s"):
        try_one(Parts(make, lambda _data: sum(range(1000)) and None, limit_s=0.0), b"")
    with pytest.raises(Unexpected, match="takes more than 20 MB"):
        _grow()


def _grow() -> None:
    """Until the process is larger than it ever was."""
    kept: list[bytearray] = []
    for _ in range(200):
        try_one(Parts(make, lambda _data: kept.append(bytearray(b"x" * 30_000_000)), limit_mb=20), b"")


@dataclass(frozen=True)
class Dies(Target):
    """A target whose third input ends the process."""

    def open(self, folder: Path) -> Parts:
        """Without any module."""
        seen: list[bytes] = []

        def read(data: bytes) -> None:
            seen.append(data)
            if len(seen) == 3:
                os.kill(os.getpid(), signal.SIGKILL)

        return Parts(make, read)


def test_an_input_that_kills_the_process_is_found() -> None:
    """And can be made again, since it follows from its number."""

    class Wanted:
        seed = 5

    job = Job(Dies("dies", "it dies", "", 1), Wanted, 10, 60.0)  # type: ignore[arg-type]
    tally = wait_until(job.ended, "the end of the process")
    assert (tally.inputs, tally.unexpected) == (3, 1)
    assert tally.found == {"the process ended with -9": make(Random(5 * 1_000_003 + 2))}


def test_an_input_that_was_kept_is_tried_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From its file, in this process, so that a debugger can look."""
    (tmp_path / "input").write_bytes(b"fake:desk?seed=x")
    assert main(["--target", "address", "--file", str(tmp_path / "input")]) == 0
    assert capsys.readouterr().out == "refused\n"
