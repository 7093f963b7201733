"""A camera that comes and goes: a few lines, then rarely one with a number, and a last one when it is over."""

import logging

import numpy as np
import pytest

from posture_daemon.adapters.cameras.camera_health import CameraHealthLog
from posture_daemon.adapters.cameras.log_throttle import FEW, PAUSE_S, LogThrottle
from posture_daemon.domain import Frame
from posture_daemon.vision.frame_quality import FrameQuality
from tests.fakes.clock import Clock

FRAME = Frame(np.zeros((2, 2, 3), np.uint8), 0.0, 1)


@pytest.fixture
def clock() -> Clock:
    """A clock that the test moves."""
    return Clock()


@pytest.fixture
def health(clock: Clock, caplog: pytest.LogCaptureFixture) -> CameraHealthLog:
    """The health of a camera, whose lines are kept."""
    caplog.set_level(logging.INFO)
    return CameraHealthLog("cam", None, clock)


def test_a_camera_that_is_lost_every_second_for_a_day_does_not_fill_the_journal(
    health: CameraHealthLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Each of 43,200 losses counts, in fewer than 300 lines; the first are told as ever, the others with their number."""
    for _ in range(43_200):
        health.lost("camera cam hung up.")
        clock.now += 1
        health.usable(FRAME)
        clock.now += 1
    lines = caplog.messages
    assert len(lines) <= 2 * (FEW + 86_400 / PAUSE_S)
    assert lines[:2] == ["camera lost, will keep trying: camera cam hung up.", "camera cam is back after 1 s"]
    assert lines[2 * FEW].endswith(" times more since this was told last)")
    assert health.state.reopened == 43_199


def test_the_end_of_it_is_told_once_with_what_was_not_told(
    health: CameraHealthLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """After a quiet minute; later trouble is told again."""
    for _ in range(10):
        health.lost("camera cam hung up.")
        clock.now += 1
        health.usable(FRAME)
    for _ in range(200):
        clock.now += 1
        health.usable(FRAME)
    assert len(caplog.messages) == 2 * FEW + 1
    assert caplog.messages[-1] == "camera cam is steady again, after 7 interruptions that were not told one by one"
    clock.now += 3600
    health.lost("camera cam is unplugged.")
    assert caplog.messages[-1] == "camera lost, will keep trying: camera cam is unplugged."


def test_a_loss_that_was_not_told_is_told_when_it_lasts(
    health: CameraHealthLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Else a camera that is unplugged after a bad minute would be missing from the journal."""
    for _ in range(FEW + 2):
        health.usable(FRAME)
        health.lost("camera cam hung up.")
    told = len(caplog.messages)
    for _ in range(int(2 * PAUSE_S)):
        clock.now += 1
        health.lost("camera cam is unplugged.")
    assert caplog.messages[told:] == [
        "camera lost, will keep trying: camera cam is unplugged. (and 1 times more since this was told last)"
    ]


def test_each_kind_of_trouble_has_its_own_count(
    health: CameraHealthLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A camera that is often lost may also be covered, and that is told."""
    for _ in range(FEW + 1):
        health.usable(FRAME)
        health.lost("camera cam hung up.")
    health.unusable(FrameQuality.BLACK, is_blind=True)
    assert "black picture" in caplog.messages[-1]


def test_a_clock_that_is_set_back_silences_nothing() -> None:
    """At worst more is told."""
    clock = Clock()
    words = LogThrottle(clock)
    assert [words.tells("x") for _ in range(FEW + 1)] == [0] * FEW + [None]
    clock.now -= 1e6
    assert words.tells("x") == 1
