"""The training child of the process that runs the tests: as the kernel sees it, and what it says that it does."""

from pathlib import Path

import psutil

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
