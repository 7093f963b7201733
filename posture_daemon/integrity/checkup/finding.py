"""One matter of the data folder in words, and what would mend it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from posture_daemon.device.report import Health, Line


@dataclass(frozen=True)
class Finding:
    """`mend` does what is safe and says what it did; `None` where there is nothing to mend, or only the owner can.

    `verb` says what `doctor --fix` does about it.

    It never touches a label or a frame. It raises `PostureError` or `OSError` when it cannot.
    """

    line: Line
    mend: Callable[[], str] | None = None
    verb: str = "mends this"


def fine(name: str, text: str) -> Finding:
    """All is well."""
    return Finding(Line(name, text))


def note(name: str, text: str, mend: Callable[[], str] | None = None) -> Finding:
    """Worth knowing."""
    return Finding(Line(name, text, Health.NOTE), mend)


def problem(name: str, text: str, mend: Callable[[], str] | None = None) -> Finding:
    """Somebody should do something."""
    return Finding(Line(name, text, Health.PROBLEM), mend)


def few(names: list[str], most: int = 3) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
