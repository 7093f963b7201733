"""A log that says a thing once: what is said again within an hour is counted, and its number told with the next line of it.

A daemon that meets a full disk meets it with every frame, every status file and every job, for as long as nobody makes room.
Ten lines a second bury what else happened, and wear out the journal; the first line says all.
"""

import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

from posture_daemon.errors import DiskUnwritable
from posture_daemon.store.files import UNWRITABLE

QUIET_S = 3600.0
MOST_KINDS = 256
"""So many different lines are remembered; then the one that was heard least lately is forgotten."""


@dataclass
class _Heard:
    said_at: float
    left_out: int = 0


class RepeatFilter(logging.Filter):
    """For a handler: passes a warning or an error unless it was said within `quiet_s` seconds. Information always passes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, quiet_s: float = QUIET_S) -> None:
        super().__init__()
        self._clock, self._quiet_s = clock, quiet_s
        self._heard: OrderedDict[Hashable, _Heard] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a repetition; a line that comes after some tells how many were left out."""
        if record.levelno < logging.WARNING:
            return True
        now, kind = self._clock(), _kind(record)
        heard = self._heard.pop(kind, None)
        if heard is not None and now - heard.said_at < self._quiet_s:
            heard.left_out += 1
            self._heard[kind] = heard
            return False
        if heard is not None and heard.left_out:
            record.msg, record.args = (
                f"{record.getMessage()} ({heard.left_out} times more since it was last said)",
                None,
            )
        self._heard[kind] = _Heard(now)
        if len(self._heard) > MOST_KINDS:
            self._heard.popitem(last=False)
        return True


def _kind(record: logging.LogRecord) -> Hashable:
    """What makes two lines the same: their cause, or their words without the numbers in them."""
    for error in _errors(record):
        if isinstance(error, DiskUnwritable) or (isinstance(error, OSError) and error.errno in UNWRITABLE):
            return "disk"  # all that cannot be written is one matter, whichever line says it first
    return record.name, record.levelno, re.sub(r"\d+", "#", record.getMessage())


def _errors(record: logging.LogRecord) -> Iterator[BaseException]:
    """Every error that a line is about, and what each came from."""
    about = record.args if isinstance(record.args, tuple) else ()
    for found in (*about, *(record.exc_info or ())):
        error = found if isinstance(found, BaseException) else None
        while error is not None:
            yield error
            error = error.__cause__
