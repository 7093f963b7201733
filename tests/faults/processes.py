"""The processes that are killed: a daemon, a worker, where they come from, and whether anything of them is left."""

import json
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from tests.e2e.command import environment
from tests.waiting import poll

REPOSITORY = Path(__file__).resolve().parents[2]

GONE_S = 50.0
"""How long a process may take to die after the one that it belongs to."""


class Nursery:
    """See `nursery.py`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=REPOSITORY, env=environment(OPENBLAS_NUM_THREADS="1", PYTHONPATH=str(REPOSITORY)),
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def fork(self, module: str, *arguments: object, out: Path, hurried: bool = False) -> psutil.Process:
        """Run `module.main()` with these arguments in a process of its own; what it prints is appended to `out`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        wanted = {"module": module, "arguments": [*map(str, arguments)], "out": str(out), "hurried": hurried}
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        return psutil.Process(int(self._process.stdout.readline()))

    def close(self) -> None:
        """No more."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.kill()
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()


def execute(*arguments: object, out: Path, **variables: str) -> psutil.Process:
    """The command as a person or systemd starts it; the caller's `psutil` waits for it."""
    command = [sys.executable, "-m", "posture_daemon", *map(str, arguments)]
    with out.open("ab") as output:
        return psutil.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=REPOSITORY, start_new_session=True,
            env=environment(PYTHONPATH=str(REPOSITORY), **variables),
        )  # fmt: skip


def kill(process: psutil.Process, *, with_children: bool = False) -> list[psutil.Process]:
    """SIGKILL; returns what was below it and is still there after some seconds: orphans, which are ended then."""
    below = _below(process)
    victims = [process, *below] if with_children else [process]
    for victim in victims:
        with suppress(psutil.NoSuchProcess):
            victim.kill()
    _, alive = psutil.wait_procs([process, *below], timeout=GONE_S)
    for orphan in alive:
        with suppress(psutil.NoSuchProcess):
            orphan.kill()
    return alive


def stop_of(process: psutil.Process, limit_s: float) -> bool:
    """SIGTERM; whether it has ended in time."""
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGTERM)
    return bool(poll(lambda: not is_alive(process), limit_s))


def _below(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
