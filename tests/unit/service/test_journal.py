"""What the journal gets: one line an event, its priority in front, no time."""

import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from posture_daemon.service.journal import TERMINAL, JournalFormatter, TerminalFormatter, is_journal
from posture_daemon.service.plain_text import in_one_line


def event(level: int, message: str, error: BaseException | None = None) -> str:
    """The line of one event."""
    raised = None if error is None else (type(error), error, error.__traceback__)
    record = logging.LogRecord("posture_daemon.live.capture", level, "capture.py", 1, message, None, raised)
    return JournalFormatter().format(record)


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.DEBUG, 7), (logging.INFO, 6), (logging.WARNING, 4), (logging.ERROR, 3), (logging.CRITICAL, 3), (35, 4)],
)
def test_the_priority_stands_in_front(level: int, priority: int) -> None:
    """So that `journalctl -p warning` finds warnings; the package's own name is left out."""
    assert event(level, "the camera is back") == f"<{priority}>live.capture: the camera is back"


def test_a_message_of_several_lines_is_one_event() -> None:
    """Each line that began with nothing would be an event of its own, without a priority."""
    assert in_one_line("first\n\n  second\r\nthird\n") == "first |   second | third"
    assert in_one_line("\x1b[31mred\x07") == "\\x1b[31mred\\x07"


def test_an_exception_tells_where_it_came_from_and_what_caused_it() -> None:
    """The calls, outermost first, by file, line and function."""

    def inner() -> None:
        raise KeyError("who")

    try:
        try:
            inner()
        except KeyError as cause:
            raise ValueError("two\nlines") from cause
    except ValueError as error:
        line = event(logging.ERROR, "it failed", error)
    assert "\n" not in line
    assert line.startswith("<3>live.capture: it failed | ValueError: two | lines (test_journal.py:")
    assert "after KeyError: 'who' (test_journal.py:" in line
    assert line.endswith(" inner)")


def test_the_stream_must_be_the_one_that_the_variable_names(tmp_path: Path) -> None:
    """`JOURNAL_STREAM` is inherited by children whose stderr is a file; that file is read by people."""
    with (tmp_path / "log").open("w") as file:
        place = os.fstat(file.fileno())
        assert is_journal(file, {"JOURNAL_STREAM": f"{place.st_dev}:{place.st_ino}"})
        assert not is_journal(file, {"JOURNAL_STREAM": f"{place.st_dev}:{place.st_ino + 1}"})
        assert not is_journal(file, {})
    assert not is_journal(io.StringIO(), {"JOURNAL_STREAM": "1:2"})


PROGRAM = """
import logging, threading, warnings
from posture_daemon.service.journal import set_up_logging, sentence
set_up_logging(logging.INFO)
log = logging.getLogger("posture_daemon.live.capture")
log.info("running")
log.debug("too much")
logging.getLogger("a.library").info("too much")
warnings.warn("old")
def fail():
    raise OSError("in a thread")
thread = threading.Thread(target=fail, name="jtop")
thread.start()
thread.join()
import sys
sys.stderr.write(sentence("There is no camera.") + "\\n")
"""


def run_program(log: Path, *, journal: bool) -> list[str]:
    """The lines on stderr of a program with or without `JOURNAL_STREAM`."""
    with log.open("w") as file:
        place = os.fstat(file.fileno())
        environment = {**os.environ, "JOURNAL_STREAM": f"{place.st_dev}:{place.st_ino}" if journal else ""}
        subprocess.run([sys.executable, "-c", PROGRAM], stderr=file, env=environment, check=True, timeout=600)
    return log.read_text().splitlines()


def test_everything_that_reaches_the_journal_is_one_line_an_event(tmp_path: Path) -> None:
    """Also Python's own warnings, and the end of a thread."""
    running, warning, thread, last = run_program(tmp_path / "log", journal=True)
    assert running == "<6>live.capture: running"
    assert warning.startswith("<4>py.warnings: ")
    assert thread.startswith("<3>posture_daemon: thread jtop ended with an error | OSError: in a thread (")
    assert last == "<3>There is no camera."


def test_in_a_terminal_the_time_stands_in_front(tmp_path: Path) -> None:
    """And no priority."""
    lines = run_program(tmp_path / "log", journal=False)
    assert lines[0].endswith("INFO posture_daemon.live.capture: running")
    assert (lines[0][:2], lines[-1]) == ("20", "posture-daemon: There is no camera.")


def test_a_message_on_a_terminal_cannot_forge_a_line_nor_tell_it_anything() -> None:
    """What it holds is shown; a traceback stands below its message, indented."""
    try:
        raise ValueError("\x1b[2J\nposture-daemon: all is well")
    except ValueError as error:
        raised = (type(error), error, error.__traceback__)
    record = logging.LogRecord(
        "posture_daemon.x", logging.ERROR, "x.py", 1, "camera %s", ("\x9b31m\r\nforged",), raised
    )
    first, *story = TerminalFormatter(TERMINAL).format(record).split("\n")
    assert first.endswith(" ERROR posture_daemon.x: camera \\x9b31m | forged")
    assert all(line.startswith("    ") and line.isprintable() for line in story)
    assert story[-2] == "    ValueError: \\x1b[2J"
