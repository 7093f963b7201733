"""The real command line in processes of its own, as a person would use it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def environment(**variables: str) -> dict[str, str]:
    """The environment of the tests without any settings of the person who runs them."""
    return {k: v for k, v in os.environ.items() if not k.startswith("POSTURE_")} | variables


def posture_daemon(
    data_dir: Path, *arguments: object, timeout_s: float = 1200, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "posture_daemon", "--data-dir", str(data_dir), *map(str, arguments)],
        capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL, check=False,
        env=environment(**variables),
    )  # fmt: skip


@contextmanager
def started(
    data_dir: Path, *arguments: object, variables: Mapping[str, str] | None = None, **streams: Any
) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on for the block; whatever happens, nothing of it is left."""
    command = [sys.executable, "-m", "posture_daemon", "--data-dir", str(data_dir), *map(str, arguments)]
    process = subprocess.Popen(command, text=True, env=environment(**(variables or {})), **streams)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def running(data_dir: Path, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run a daemon for the block."""
    with started(data_dir, "run", *arguments, stderr=subprocess.PIPE) as daemon:
        yield daemon


def status(data_dir: Path) -> dict[str, Any]:
    """What `status --json` says, from another process."""
    return dict(json.loads(posture_daemon(data_dir, "status", "--json").stdout))


def of_daemon(data_dir: Path) -> dict[str, Any]:
    """What the running daemon says of itself; empty while none runs."""
    return dict(status(data_dir)["daemon"] or {})


def frames_answered(data_dir: Path) -> int:
    """Frames that the running daemon has answered, 0 before it says so."""
    return int(of_daemon(data_dir).get("frames", {}).get("frames", 0))


def told(data_dir: Path, *arguments: object, timeout_s: float = 1200, **variables: str) -> str:
    """What a command prints that must succeed."""
    done = posture_daemon(data_dir, *arguments, timeout_s=timeout_s, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def told_json(data_dir: Path, *arguments: object, **variables: str) -> Any:
    """The value that a command prints with `--json`."""
    return json.loads(told(data_dir, *arguments, "--json", **variables))


def refused(data_dir: Path, *arguments: object, **variables: str) -> str:
    """The one sentence of a command that must end with 1, having printed nothing else."""
    done = posture_daemon(data_dir, *arguments, **variables)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stdout + done.stderr
    return done.stderr
