"""A log that says a thing once: what is left out, what is not, and what it remembers."""

import errno
import io
import logging

import pytest

from posture_daemon.errors import CameraError, DiskUnwritable
from posture_daemon.service.log_repeats import MOST_KINDS, QUIET_S, RepeatFilter


class Told:
    """A log with the filter, on a clock of its own."""

    def __init__(self) -> None:
        self.now, self._text = 0.0, io.StringIO()
        handler = logging.StreamHandler(self._text)
        self.filter = RepeatFilter(lambda: self.now)
        handler.addFilter(self.filter)
        self.log = logging.getLogger("test of repeats")
        self.log.handlers, self.log.propagate = [handler], False
        self.log.setLevel(logging.INFO)

    @property
    def lines(self) -> list[str]:
        """All that came through."""
        return self._text.getvalue().splitlines()


@pytest.fixture
def told() -> Told:
    """Of this test."""
    return Told()


def test_a_full_disk_is_one_line_whatever_fails_of_it(told: Told) -> None:
    """Frames, the status file and the backup fail at once, ten times a second; the first line says all."""
    for number in range(500):
        told.log.warning("frame %d could not be handled: %s", number, DiskUnwritable("The database /d cannot grow."))
        told.log.error("%s", OSError(errno.ENOSPC, "No space left on device"))
        told.log.error("no backup: %s", OSError(errno.EDQUOT, "Disk quota exceeded"))
    assert told.lines == ["frame 0 could not be handled: The database /d cannot grow."]


def test_the_cause_of_an_error_counts_too(told: Told) -> None:
    """An error of ours that was made of the kernel's."""
    told.log.error("first: %s", OSError(errno.ENOSPC, "No space left on device"))
    try:
        raise CameraError("no picture was written") from OSError(errno.ENOSPC, "No space left on device")
    except CameraError:
        told.log.exception("later")
    assert len(told.lines) == 1


def test_an_hour_later_it_is_said_again_with_the_number_of_those_left_out(told: Told) -> None:
    """So that who reads only today's log learns of it too."""
    for second in range(int(QUIET_S) + 1):
        told.now = float(second)
        told.log.warning("frame %d could not be handled: %s", second, "an odd picture")
    assert len(told.lines) == 2
    assert told.lines[1] == "frame 3600 could not be handled: an odd picture (3599 times more since it was last said)"


def test_other_words_another_level_and_information_all_come_through(told: Told) -> None:
    """Numbers alone make no difference, words do; a promotion is never left out."""
    told.log.warning("camera a lost")
    told.log.warning("camera b lost")
    told.log.error("camera b lost")
    for _ in range(3):
        told.log.info("PROMOTED")
    assert told.lines == ["camera a lost", "camera b lost", "camera b lost", *["PROMOTED"] * 3]


def test_it_remembers_no_more_than_so_many_lines(told: Told) -> None:
    """Lines with ever new words must not fill the memory of a daemon that runs for months; the newest are remembered."""
    names = [chr(0x4E00 + number) for number in range(3 * MOST_KINDS)]
    for name in names:
        told.log.warning("odd: %s", name)
    assert len(told.filter._heard) == MOST_KINDS
    told.log.warning("odd: %s", names[-1])
    assert len(told.lines) == len(names)
