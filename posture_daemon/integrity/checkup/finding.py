"""A finding about the data folder, with its repair."""

from collections.abc import Callable
from dataclasses import dataclass

from posture_daemon.device.report import Health, Line


@dataclass(frozen=True)
class Finding:
    """`mend` repairs and returns what it did; `None` if there is nothing to repair, or only the owner can.

    It never changes a label or a frame and raises `PostureError` or `OSError` on failure. `verb` describes it in `doctor`.
    """

    line: Line
    mend: Callable[[], str] | None = None
    verb: str = "mends this"


def fine(name: str, text: str) -> Finding:
    """A finding without a problem."""
    return Finding(Line(name, text))


def note(name: str, text: str, mend: Callable[[], str] | None = None) -> Finding:
    """A finding worth knowing."""
    return Finding(Line(name, text, Health.NOTE), mend)


def problem(name: str, text: str, mend: Callable[[], str] | None = None) -> Finding:
    """A finding that needs action."""
    return Finding(Line(name, text, Health.PROBLEM), mend)


def few(names: list[str], most: int = 3) -> str:
    """The first `most` names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
