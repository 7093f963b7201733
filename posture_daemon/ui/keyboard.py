"""Reads single keys from a terminal, whose settings are always restored."""

import codecs
import os
import select
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from posture_daemon.errors import LabelError

Keys = Callable[[], str]
"""Waits for a key: a character, `""` for one without (arrows), `END` at the end of the input."""

END = "\x04"
"""Ctrl-D, and the end of the input."""

LOOK_UP_S = 0.5
"""Longest wait in one system call: a signal that arrives just before it does not interrupt it and is handled after it."""


@contextmanager
def keyboard() -> Iterator[Keys]:
    """Read standard input key by key, without echo; Ctrl-C stays a signal. Raises `LabelError` without a terminal."""
    if not sys.stdin.isatty():
        raise LabelError(
            "Labelling in the terminal needs a keyboard, but standard input is not a terminal; "
            "use label --export DIR and --import DIR instead."
        )
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield lambda: read_key(descriptor, sys.stdin.encoding)
    finally:
        with suppress(termios.error):  # it has gone
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def read_key(descriptor: int, encoding: str = "utf-8") -> str:
    """Wait for one key; a multi-byte character or the escape sequence of an arrow key counts as one."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    while True:
        while not _comes(descriptor, LOOK_UP_S):
            pass
        byte = os.read(descriptor, 1)
        if not byte:
            return END
        if byte == b"\x1b" and _comes(descriptor, 0.02):  # the Escape key alone sends nothing more
            os.read(descriptor, 32)  # the rest of the sequence arrives at once
            return ""
        character = decoder.decode(byte)
        if character:
            return character


def pressed() -> str | None:
    """The key that waits to be read, as `read_key` gives it; `None` when there is none. Within `keyboard` only."""
    descriptor = sys.stdin.fileno()
    return read_key(descriptor, sys.stdin.encoding) if _comes(descriptor, 0.0) else None


def _comes(descriptor: int, within_s: float) -> bool:
    return bool(select.select([descriptor], [], [], within_s)[0])
