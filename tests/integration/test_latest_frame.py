"""The reader thread: the newest frame only, a lost camera reported once and brought back, and a prompt stop."""

import logging
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from posture_daemon.adapters.cameras import open_camera
from posture_daemon.adapters.cameras.latest_frame import CameraState, LatestFrame, Patience
from posture_daemon.errors import CameraError, CameraRefused
from tests.fakes.clock import Clock
from tests.fakes.scripted_camera import LONG_S, QUICK, CountingEvent, ScriptedCamera, await_state, frame, lost, started


def test_only_the_newest_frame_is_kept() -> None:
    """A consumer that comes late gets the last of three frames, untouched but for its number."""
    camera = ScriptedCamera()
    with started(LatestFrame(camera, QUICK)) as reader:
        camera.give(frame(0, at=1.0), frame(1, at=2.0), frame(2, at=3.0))
        newest = reader.wait(after_sequence=2, timeout_s=LONG_S)
        camera.give(None)
    assert newest is not None
    assert (newest.sequence, newest.captured_at) == (3, 3.0)


def test_waiting_gives_up_after_the_timeout() -> None:
    """A frame that was already seen is not given again: `None` after the time-out."""
    camera = ScriptedCamera()
    with started(LatestFrame(camera, QUICK)) as reader:
        camera.give(frame())
        first = reader.wait(0, LONG_S)
        assert first is not None
        assert reader.wait(first.sequence, 0.01) is None
        camera.give(None)


def test_numbers_keep_rising_when_the_camera_starts_again_at_zero() -> None:
    """After a loss the camera counts from 0 again, the reader does not."""
    camera = ScriptedCamera()
    with started(LatestFrame(camera, QUICK)) as reader:
        camera.give(frame(0), frame(1), lost(), frame(0))
        newest = reader.wait(after_sequence=2, timeout_s=LONG_S)
        state = reader.state
        camera.give(None)
    assert newest is not None
    assert newest.sequence == 3
    assert (state.status, state.frames, state.reopened, state.error) == ("running", 3, 1, None)
    assert camera.opened == 2


def test_a_loss_is_logged_once_however_often_reopening_fails(caplog: pytest.LogCaptureFixture) -> None:
    """One warning when it goes, one line when it is back; the failed attempts between them say nothing."""
    camera = ScriptedCamera(
        openings=[None, lost("no camera at x."), lost("no camera at x."), lost("still none."), None]
    )
    with caplog.at_level(logging.INFO), started(LatestFrame(camera, QUICK)) as reader:
        camera.give(frame(), lost("camera scripted stopped."), frame())
        assert reader.wait(1, LONG_S) is not None
        camera.give(None)
        await_state(reader, lambda state: state.status == "ended")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "camera lost, will keep trying: camera scripted stopped."),
        ("INFO", "camera scripted is back after 0 s"),
        ("INFO", "camera scripted has come to its end after 2 frames"),
    ]


def test_the_delays_double_up_to_a_limit() -> None:
    """A camera that is not there is asked after 0.5 and then every second, so one that returns is soon seen."""
    stopping = CountingEvent(limit=5)
    camera = ScriptedCamera(openings=[lost()] * 5)
    with started(LatestFrame(camera, stopping=stopping)) as reader:
        state = await_state(reader, lambda _: stopping.is_set())
    assert stopping.delays == [0.5, 1.0, 1.0, 1.0, 1.0]
    assert (state.status, state.error) == ("lost", "camera scripted stopped.")


def test_the_delays_start_over_after_a_camera_has_held_out() -> None:
    """One frame per opening is no recovery, so the delays go on growing; after `stale_s` of frames they begin anew."""
    stopping, monotonic = CountingEvent(limit=4), Clock()
    camera = ScriptedCamera()
    camera.give(frame(), lost(), frame(), lost(), frame())
    with started(LatestFrame(camera, stopping=stopping, monotonic=monotonic)) as reader:
        assert reader.wait(2, LONG_S) is not None
        monotonic.now += 6.0
        camera.give(frame(), lost(), lost())
        camera.give(lost())
        await_state(reader, lambda _: stopping.is_set())
    assert stopping.delays == [0.5, 1.0, 0.5, 1.0]


def test_a_read_that_hangs_is_a_lost_camera(caplog: pytest.LogCaptureFixture) -> None:
    """Without a frame for `stale_s` the state says so, the log once, although the thread hangs; a frame heals it."""
    camera, monotonic, clock = ScriptedCamera(), Clock(), Clock()
    with started(LatestFrame(camera, monotonic=monotonic, clock=clock)) as reader:
        camera.give(frame())
        assert reader.wait(0, LONG_S) is not None
        monotonic.now += 4.0
        assert reader.state.status == "running"
        monotonic.now, clock.now = monotonic.now + 1.0, 777.0
        assert reader.wait(1, 0.0) is None
        assert reader.state == CameraState(
            "scripted", "lost", 777.0, "camera scripted gave no frame for 5 s.", frames=1, size=(2, 2)
        )
        camera.give(frame())
        assert reader.wait(1, LONG_S) is not None
        assert reader.state.status == "running"
        clock.now = 888.0
        camera.give(frame())
        assert reader.wait(2, LONG_S) is not None
        assert reader.state.since == 777.0  # still the same spell, not the newest frame
        camera.give(None)
    assert caplog.text.count("camera lost") == 1


def test_an_opening_that_hangs_is_a_lost_camera() -> None:
    """A device that blocks in `open` is noticed the same way."""
    release = threading.Event()

    class Stuck(ScriptedCamera):
        def open(self) -> None:
            """Block until the test lets go."""
            release.wait(LONG_S)

    camera, monotonic = Stuck(), Clock()
    with started(LatestFrame(camera, monotonic=monotonic)) as reader:
        assert reader.state.status == "opening"
        monotonic.now += 6.0
        assert reader.state.status == "lost"
        release.set()
        camera.give(None)


def test_stopping_does_not_wait_for_a_camera_that_hangs(caplog: pytest.LogCaptureFixture) -> None:
    """`stop` returns after its time-out with False, and the thread left behind does not keep the process alive."""
    camera = ScriptedCamera()
    reader = LatestFrame(camera)
    reader.start()
    assert camera.reading.acquire(timeout=LONG_S)
    assert reader.stop(timeout_s=0.05) is False
    assert "did not answer" in caplog.text
    assert reader._reader._thread.daemon
    began = time.monotonic()
    assert reader.wait(0, LONG_S) is None
    assert time.monotonic() - began < LONG_S / 2  # at once: nothing will come any more
    camera.give(frame())
    assert reader.stop(LONG_S) is True
    assert camera.closed.acquire(blocking=False)


def test_stopping_interrupts_the_delay_of_a_lost_camera() -> None:
    """A daemon that is told to end does not sleep out its delay."""
    camera = ScriptedCamera(openings=[lost()])
    reader = LatestFrame(camera, Patience(min_delay_s=3600, max_delay_s=3600))
    reader.start()
    await_state(reader, lambda state: state.status == "lost")
    assert reader.stop(LONG_S) is True
    assert camera.closed.acquire(blocking=False)


def test_stopping_before_starting_is_harmless() -> None:
    """A daemon that fails early may still clean up."""
    assert LatestFrame(ScriptedCamera()).stop(0.0) is True


def test_a_bug_in_an_adapter_does_not_end_the_reader(caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected exception is logged with its traceback and treated as a loss."""
    camera = ScriptedCamera()
    with started(LatestFrame(camera, QUICK)) as reader:
        camera.give(ZeroDivisionError("oops"), frame())
        assert reader.wait(0, LONG_S) is not None
        camera.give(None)
    assert "ZeroDivisionError: oops" in caplog.text
    assert "failed unexpectedly with ZeroDivisionError" in caplog.text


def test_check_tells_at_once_that_a_camera_is_wrong() -> None:
    """`check` opens and closes once, so that the program can end with the camera's own sentence."""
    good, bad = ScriptedCamera(), ScriptedCamera(openings=[lost("no camera at /dev/video7.")])
    LatestFrame(good).check()
    assert (good.opened, good.closed.acquire(blocking=False)) == (1, True)
    with pytest.raises(CameraError, match="no camera at /dev/video7"):
        LatestFrame(bad).check()
    assert bad.closed.acquire(blocking=False)


def test_a_recording_ends(tmp_path: Path) -> None:
    """The end of a folder is `ended`, not `lost`; the last frame stays, and `wait` gives `None` for a newer one."""
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((32, 32, 3), dtype=np.uint8))
    with started(LatestFrame(open_camera(f"replay:{tmp_path}?fps=1000&skip=false"))) as reader:
        state = await_state(reader, lambda state: state.status == "ended")
        newest = reader.wait(0, LONG_S)
        assert reader.wait(3, 0.01) is None
    assert (state.frames, state.reopened, state.error) == (3, 0, None)
    assert newest is not None
    assert newest.sequence == 3


NETWORK = Patience(min_delay_s=0.01, max_delay_s=0.05, stale_s=4.0, open_s=20.0, read_s=20.0)


def test_a_network_camera_may_take_its_time_to_open() -> None:
    """As long as the settings say, and a moment more, so that it can say itself what was wrong; a local one may not."""
    camera, monotonic = ScriptedCamera(), Clock()
    opening = threading.Event()
    camera.open = lambda: opening.wait(LONG_S)  # type: ignore[assignment]
    with started(LatestFrame(camera, NETWORK, monotonic=monotonic)) as reader:
        monotonic.now += 20.5
        assert reader.state.status == "opening"
        monotonic.now += 1.0
        assert reader.state.status == "lost"
        opening.set()
        camera.give(None)


def test_a_camera_that_is_slow_by_nature_is_not_lost_between_two_pictures() -> None:
    """Four of its usual pauses count as silence, up to the limit of the settings; before two pictures the limit itself."""
    camera, monotonic = ScriptedCamera(), Clock()
    with started(LatestFrame(camera, NETWORK, monotonic=monotonic)) as reader:
        for number, pause_s in enumerate((0.0, 15.0, 4.5, 15.0, 19.0)):
            monotonic.now += pause_s
            assert reader.state.status in ("opening", "running")
            camera.give(frame())
            assert reader.wait(number, LONG_S) is not None
        monotonic.now += 20.5
        assert reader.state.status == "lost"
        camera.give(None)


def test_a_fast_network_camera_that_stalls_is_noticed_as_soon_as_a_local_one() -> None:
    """Ten pictures a second, then none for `stale_s`; also after a long pause, once that is ten times as long ago."""
    camera, monotonic = ScriptedCamera(), Clock()
    with started(LatestFrame(camera, NETWORK, monotonic=monotonic)) as reader:
        for number in range(250):
            monotonic.now += 3.0 if number == 3 else 0.125
            camera.give(frame())
            assert reader.wait(number, LONG_S) is not None
        monotonic.now += 4.5
        assert reader.state.status == "lost"
        camera.give(None)


def test_a_camera_whose_bursts_lie_far_apart_is_lost_once_and_then_understood() -> None:
    """Forty pictures at once and nothing for six seconds: the first time it looks like a stall, from then on it is usual."""
    monotonic = Clock()
    first, second = ScriptedCamera(), ScriptedCamera()
    with started(LatestFrame(first, NETWORK, another=lambda: second, monotonic=monotonic)) as reader:
        first.give(*[frame()] * 5)
        assert reader.wait(4, LONG_S) is not None
        monotonic.now += 6.0
        assert reader.state.status == "lost"
        for spell in range(3):
            second.give(*[frame()] * 5)
            assert reader.wait(4 + 5 * (spell + 1), LONG_S) is not None
            monotonic.now += 6.0
            assert reader.state.status == "running"
        first.give(lost())
        second.give(None)


def test_a_refused_password_is_not_tried_every_second() -> None:
    """Many cameras lock the account after five or ten attempts."""
    stopping = CountingEvent(limit=3)
    camera = ScriptedCamera(openings=[CameraRefused("camera scripted refuses the password.")] * 2 + [lost()])
    with started(LatestFrame(camera, stopping=stopping)) as reader:
        await_state(reader, lambda _: stopping.is_set())
    assert stopping.delays == [30.0, 30.0, 1.0]


def test_stopping_ends_a_call_of_a_camera_that_can_be_interrupted(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is left behind, and the end is not told as a loss."""

    class Kind(ScriptedCamera):
        def interrupt(self) -> None:
            """Let the read raise."""
            self.give(lost("camera scripted was closed."))

    camera = Kind()
    reader = LatestFrame(camera)
    reader.start()
    assert camera.reading.acquire(timeout=LONG_S)
    assert reader.stop(LONG_S) is True
    assert caplog.text == ""
