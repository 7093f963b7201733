"""Tests with several users: real ones, who need no name. Only root can become somebody else; others skip these tests."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from posture_daemon.service.privileges import as_person
from posture_daemon.service.trust import Person

T = TypeVar("T")

OWNER, SERVICE = Person.of(23456), Person.of(23457)
"""Two ordinary users: who sits at the desk, and whom the daemon runs as."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")


def owned(path: Path, who: Person, text: str | None = None) -> Path:
    """A folder, or with `text` a file, that belongs to somebody."""
    if text is None:
        path.mkdir(mode=0o755)
    else:
        path.write_text(text)
    os.chown(path, who.uid, who.gid)
    return path


def as_owner(act: Callable[[], T]) -> T:
    """Do it as who sits at the desk."""
    return as_person(OWNER, act)
