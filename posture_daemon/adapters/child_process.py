"""What all our child processes need; the last argument of each is the process id of its parent."""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from posture_daemon.domain import MB

OOM_SCORE = 900
"""Out of 1000: when memory runs out, the kernel takes the training, never the daemon."""

START = str(Path(__file__).with_name("child_start.py"))

PR_SET_PDEATHSIG = 1  # prctl(2)


def command(module: str, *arguments: str) -> list[str]:
    """Start this module as a child of ours."""
    return [*isolated(module), *arguments, str(os.getpid())]


def isolated(module: str) -> list[str]:
    """Run this module in Python's isolated mode: nothing is loaded from where it stands, a home or a variable."""
    return [sys.executable, "-I", START, module]


def thread_caps(threads: int, openblas: int) -> dict[str, str]:
    """For the environment: libraries read their thread counts when they are loaded."""
    return {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(openblas)}


def quiet_environment(scratch: Path, **more: str) -> dict[str, str]:
    """For ultralytics: no network, nothing installed, and its settings and caches in `scratch`, not in the home folder."""
    folders = dict.fromkeys(("YOLO_CONFIG_DIR", "MPLCONFIGDIR"), str(scratch))
    quiet = {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false", "ULTRALYTICS_SAFE_LOAD": "1"}
    return {**os.environ, **quiet, **folders, **more}


def die_with_parent(told: Sequence[str]) -> None:
    """Have the kernel end this child when its parent ends; end it now if that has happened already.

    `told` is the rest of the arguments: the parent's process id, or nothing when a shell started us. For the kernel the parent
    is the thread that started the child.
    """
    parent = int(told[0]) if told else os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel was told, and nobody will send the signal
        sys.exit("the process that asked for this is gone")


def give_way(nice: int) -> None:
    """Let all others compute first, and be the first that the kernel takes when memory runs out. Children inherit both."""
    os.nice(nice)
    be_the_first_to_go()


def be_the_first_to_go() -> None:
    """Have the kernel take this process before others when memory runs out. Children inherit it."""
    try:
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
    except OSError as error:  # a container may forbid it; the work still is right, only less polite
        sys.stderr.write(f"oom_score_adj stays as it is: {error}\n")


def limit_memory(most_mb: int) -> None:
    """From now on, more than this many megabytes of memory raise `MemoryError`; 0 is no limit. Children inherit it.

    What counts is memory that a process writes to (`RLIMIT_DATA`): addresses that are only reserved and libraries that are
    mapped from their files do not, and would be many times as much. A lower limit that somebody set stays.
    """
    if most_mb:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        most = most_mb * MB if hard == resource.RLIM_INFINITY else min(most_mb * MB, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
