"""The training child of the process that runs the tests: as the kernel sees it, and what it says that it does."""

import sys
from pathlib import Path

import psutil
import pytest

from posture_daemon.adapters import child_process
from posture_daemon.adapters.trainer.child import MODULE
from posture_daemon.domain import Order
from posture_daemon.learning.interruption import ANSWER


def training_child() -> psutil.Process | None:
    """The one that trains at this moment."""
    for child in psutil.Process().children():
        try:
            if MODULE in child.cmdline():
                return child
        except psutil.Error:  # it has just ended
            continue
    return None


def answered(folder: Path) -> Order | None:
    """What the training in this folder last said; `None` before its first word."""
    path = folder / ANSWER
    return Order(path.read_text()) if path.exists() else None


CHANGED = """
import sys
from posture_daemon.adapters import child_process
child_process.isolated = lambda module: [sys.executable, "-m", module]
"""


def let_children_be_changed(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Start children, and theirs, outside of Python's isolated mode; they import from `folder` first, as nobody can in use."""
    with (folder / "sitecustomize.py").open("a") as file:
        file.write(CHANGED)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setattr(child_process, "isolated", lambda module: [sys.executable, "-m", module])
