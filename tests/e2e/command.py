"""The real command line in processes of its own, as a person would use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
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
def running(data_dir: Path, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run a daemon for the block; whatever happens, nothing of it is left."""
    command = [sys.executable, "-m", "posture_daemon", "--data-dir", str(data_dir), "run", *map(str, arguments)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment())
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def status(data_dir: Path) -> dict[str, Any]:
    """What `status --json` says, from another process."""
    found: dict[str, Any] = json.loads(posture_daemon(data_dir, "status", "--json").stdout)
    return found
