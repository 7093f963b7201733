"""Log formats: with the time for a terminal; one line per event with a priority prefix for journald.

journald reads `<N>` at the start of a line as its priority (sd-daemon(3)), so that `journalctl -p warning` works, and adds
the time itself. It splits events at line breaks, so a traceback is put into the line of its event.
"""

import logging
import os
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import PurePath
from typing import TextIO

from posture_daemon.service.log_repeats import RepeatFilter
from posture_daemon.service.plain_text import LINE_BREAK, in_one_line, visible
from posture_daemon.settings.address import hide_secrets

TERMINAL = "%(asctime)s %(levelname)s %(name)s: %(message)s"

ERROR, WARNING, INFO, DEBUG = 3, 4, 6, 7
"""Priorities of syslog(3)."""


def is_journal(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the stream leads to journald; `JOURNAL_STREAM` alone is also inherited by children that write elsewhere."""
    try:
        place = os.fstat(stream.fileno())
    except (OSError, ValueError):  # closed, or without a file descriptor
        return False
    return environment.get("JOURNAL_STREAM") == f"{place.st_dev}:{place.st_ino}"


def set_up_logging(level: int) -> None:
    """Log to stderr: this program from `level`, libraries from warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TerminalFormatter(TERMINAL))
    handler.addFilter(RepeatFilter())
    logging.raiseExceptions = False  # a log that cannot be written, as to a full disk, must not fill another one
    threading.excepthook = _log_end_of_thread
    if is_journal(sys.stderr):
        handler.setFormatter(JournalFormatter())
        logging.captureWarnings(True)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("posture_daemon").setLevel(level)


def sentence(words: str) -> str:
    """A final error message, formatted for the terminal or for the journal."""
    words = in_one_line(hide_secrets(words))
    return f"<{ERROR}>{words}" if is_journal(sys.stderr) else f"posture-daemon: {words}"


class TerminalFormatter(logging.Formatter):
    """Time, level, module and message in one line, and below it, indented, the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the event; no message can forge another line, or tell the terminal anything."""
        record.message, record.asctime = in_one_line(record.getMessage()), self.formatTime(record)
        lines = [self.formatMessage(record)]
        if record.exc_info and record.exc_info[1] is not None:
            story = "".join(traceback.format_exception(record.exc_info[1]))
            lines += [f"    {visible(line)}" for line in story.splitlines()]
        return _without_secrets(record, "\n".join(lines))


class JournalFormatter(logging.Formatter):
    """`<priority>module: message`, followed by the exception and its call stack."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the event as one line."""
        words = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            words += LINE_BREAK + _story(record.exc_info[1])
        name = record.name.removeprefix("posture_daemon.")
        return f"<{_priority(record.levelno)}>{name}: {in_one_line(_without_secrets(record, words))}"


def _without_secrets(record: logging.LogRecord, words: str) -> str:
    """What a library says may quote the address of a camera; we ourselves write only what may be shown."""
    return hide_secrets(words) if record.exc_info or not record.name.startswith("posture_daemon") else words


def _priority(level: int) -> int:
    """Priority of a logging level; critical counts as an error, since nothing here concerns the whole machine."""
    steps = ((logging.ERROR, ERROR), (logging.WARNING, WARNING), (logging.INFO, INFO))
    return next((priority for least, priority in steps if level >= least), DEBUG)


def _story(error: BaseException) -> str:
    """The error with its call stack, outermost call first, and its causes."""
    frames = traceback.extract_tb(error.__traceback__)
    calls = " > ".join(f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
    told = f"{type(error).__name__}: {error} ({calls})"
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return told if cause is None else f"{told}, after {_story(cause)}"


def _log_end_of_thread(failed: threading.ExceptHookArgs) -> None:
    name = failed.thread.name if failed.thread else "unknown"
    logging.getLogger("posture_daemon").error("thread %s ended with an error", name, exc_info=failed.exc_value)
