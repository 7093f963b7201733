"""What a camera can do to its reader: show nothing, hang for ever, give another size, and be plugged in somewhere else.

No video device can be made on a machine for tests, so those are files in a folder that looks like /dev, and a stand-in for
`cv2.VideoCapture`. Network cameras are real, in test_camera_servers.py.
"""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from posture_daemon.adapters.cameras import open_camera
from posture_daemon.adapters.cameras.device import Device
from posture_daemon.adapters.cameras.latest_frame import LatestFrame, Patience
from posture_daemon.adapters.cameras.opencv import Picture, V4l2Camera
from posture_daemon.domain import Frame, Image
from posture_daemon.errors import CameraError
from posture_daemon.vision.frame_quality import FrameQualityMonitor
from tests.fakes.clock import Clock
from tests.fakes.scripted_camera import LONG_S, QUICK, ScriptedCamera, await_state, lost, scene, started

BLACK: Image = np.zeros((48, 64, 3), np.uint8)
GREEN: Image = np.full((48, 64, 3), (0, 135, 0), np.uint8)


class Watched:
    """A reader with an eye on a scripted camera; each picture comes a second after the one before."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.camera, self.clock, self._caplog = ScriptedCamera(), Clock(), caplog
        self.reader = LatestFrame(
            self.camera, QUICK, quality=lambda: FrameQualityMonitor(3.0), monotonic=self.clock, clock=self.clock
        )  # fmt: skip
        self._given = 0

    def show(self, *images: Image) -> None:
        """Let the camera give these, and wait until each was looked at."""
        for image in images:
            self.clock.now += 1.0
            self._given += 1
            self.camera.give(Frame(image, self.clock.now, 0))
            await_state(self.reader, lambda state: state.frames + state.unusable >= self._given)

    @property
    def log(self) -> list[str]:
        """What was logged so far."""
        return [record.getMessage() for record in self._caplog.records]


@pytest.fixture
def watched(caplog: pytest.LogCaptureFixture) -> Iterator[Watched]:
    """A started reader."""
    caplog.set_level(logging.INFO)
    watched = Watched(caplog)
    with started(watched.reader):
        yield watched
        watched.camera.give(None)


@pytest.mark.parametrize(("blind", "status"), [(BLACK, "black"), (GREEN, "blank"), (scene(0), "frozen")])
def test_a_blind_camera_is_noticed_told_once_and_seen_to_recover(watched: Watched, blind: Image, status: str) -> None:
    """Nothing of it is passed on, from its first useless picture; the status and one line in the log say what to do."""
    watched.show(scene(0))
    watched.show(blind, blind, blind)
    assert watched.reader.state.status == "running"  # two seconds are a warm-up
    watched.show(blind, blind, blind, blind)
    state = watched.reader.state
    assert (state.status, state.frames, state.unusable) == (status, 1, 7)
    assert watched.reader.wait(1, 0.0) is None
    assert len(watched.log) == 1
    assert state.error == watched.log[0]
    watched.show(scene(1))
    assert watched.reader.state.status == "running"
    assert watched.log[1:] == ["camera scripted sees again after 4 s"]
    newest = watched.reader.wait(1, LONG_S)
    assert newest is not None
    assert newest.sequence == 2  # without a gap: nobody was too slow


def test_a_frozen_camera_is_opened_anew(watched: Watched) -> None:
    """Which is what helps a stream that hangs; a picture that is still the old one after that is frozen, too."""
    watched.show(scene(0), *[scene(0)] * 4)
    assert watched.camera.opened == 2
    watched.show(scene(0))
    assert (watched.reader.state.status, watched.camera.opened) == ("frozen", 2)
    watched.show(scene(1))
    assert watched.reader.state.status == "running"


def test_a_blind_camera_that_is_unplugged_is_lost(watched: Watched) -> None:
    """One state at a time; back again, and still blind, it is told so anew."""
    watched.show(scene(0), *[BLACK] * 5)
    assert watched.reader.state.status == "black"
    watched.camera.give(lost("camera scripted stopped."))
    await_state(watched.reader, lambda state: state.status == "lost")
    watched.show(*[BLACK] * 2)
    assert watched.reader.state.status == "black"
    assert [line.split(":")[0] for line in watched.log] == [
        "camera scripted shows a black picture",
        "camera lost, will keep trying",
        "camera scripted shows a black picture",
    ]


def test_another_size_than_asked_for_is_told_once_and_used(caplog: pytest.LogCaptureFixture) -> None:
    """The state has both sizes; a size that changes is told again."""
    camera = ScriptedCamera()
    camera.wanted_size = (1280, 720)
    with started(LatestFrame(camera, QUICK)) as reader:
        small, large = np.zeros((480, 640, 3), np.uint8), np.zeros((720, 1280, 3), np.uint8)
        camera.give(*(Frame(image, 0.0, 0) for image in (small, small, large, small)))
        state = await_state(reader, lambda state: state.frames == 4)
        camera.give(None)
    assert (state.status, state.size, state.wanted_size) == ("running", (640, 480), (1280, 720))
    told = (
        "camera scripted gives pictures of 640×480 px instead of the 1280×720 that were asked for, and is used as it is"
    )
    assert caplog.messages == [told, told]


# ── a call that hangs ─────────────────────────────────────────────────────────────────────────────────────────────────


def others(*cameras: ScriptedCamera) -> Any:
    """A maker that gives these, one after the other."""
    return iter(cameras).__next__


def test_a_camera_that_hangs_in_a_call_is_left_behind_and_read_by_another_thread() -> None:
    """No thread can be ended while it is in a driver; what it gives when it wakes up is forgotten, and it cleans up."""
    hanging, other, monotonic = ScriptedCamera(), ScriptedCamera(), Clock()
    with started(LatestFrame(hanging, QUICK, another=others(other), monotonic=monotonic)) as reader:
        hanging.give(Frame(scene(0), 1.0, 0))
        assert reader.wait(0, LONG_S) is not None
        monotonic.now += 4.5
        assert reader.state.status == "lost"
        other.give(Frame(scene(1), 2.0, 0))
        newest = reader.wait(1, LONG_S)
        assert newest is not None
        assert (newest.captured_at, newest.sequence) == (2.0, 2)
        hanging.give(Frame(scene(2), 3.0, 0))
        assert hanging.closed.acquire(timeout=LONG_S)
        assert reader.wait(2, 0.0) is None
        assert (reader.state.status, reader.state.frames, reader.state.reopened) == ("running", 2, 1)
        other.give(None)


def test_a_camera_that_hangs_every_time_does_not_fill_the_process_with_threads() -> None:
    """Each time it is waited twice as long, and at most four hang at a time; when one returns, there is another attempt."""
    cameras, monotonic = [ScriptedCamera() for _ in range(6)], Clock()
    reader = LatestFrame(cameras[0], QUICK, another=others(*cameras[1:]), monotonic=monotonic)
    with started(reader):
        for number, longest_s in enumerate((4.0, 8.0, 16.0, 32.0)):
            assert cameras[number].reading.acquire(timeout=LONG_S)
            monotonic.now += longest_s
            assert reader.state.status in ("opening", "lost")
            assert not cameras[number + 1].reading.acquire(timeout=0.02)
            monotonic.now += 0.5
            assert reader.state.status == "lost"
        assert cameras[4].reading.acquire(timeout=LONG_S)
        monotonic.now += 10_000.0
        assert "4 attempts before hang, too" in str(reader.state.error)
        assert not cameras[5].reading.acquire(timeout=0.02)
        cameras[0].give(lost())
        assert cameras[0].closed.acquire(timeout=LONG_S)
        cameras[5].give(Frame(scene(0), 1.0, 0))
        await_state(reader, lambda state: state.status == "running")
        for camera in cameras[1:]:
            camera.give(None)


def test_a_recording_that_is_slow_is_waited_for() -> None:
    """Only a device can be opened a second time."""
    camera, monotonic = ScriptedCamera(), Clock()
    with started(LatestFrame(camera, QUICK, monotonic=monotonic)) as reader:
        assert camera.reading.acquire(timeout=LONG_S)
        monotonic.now += 60.0
        assert reader.state.status == "lost"
        camera.give(Frame(scene(0), 1.0, 0))
        assert reader.wait(0, LONG_S) is not None
        camera.give(None)


# ── a device that moves ───────────────────────────────────────────────────────────────────────────────────────────────


class Ports:
    """A folder like /dev, where cameras are plugged in and out as udev would show it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for kind in ("by-id", "by-path"):
            (folder / "v4l" / kind).mkdir(parents=True)

    def plug(self, number: int, name: str, kind: str = "by-id") -> None:
        """A camera appears under a number, with a stable link."""
        (self.folder / f"video{number}").touch()
        (self.folder / "v4l" / kind / name).symlink_to(f"../../video{number}")

    def pull(self, number: int) -> None:
        """It goes, and its links with it."""
        device = self.folder / f"video{number}"
        for link in self.folder.glob("v4l/*/*"):
            if link.resolve() == device:
                link.unlink()
        device.unlink()


class StandInCapture:
    """Like `cv2.VideoCapture` on a device that is there; its reads fail when the device file has gone."""

    opened: list[str]

    def __init__(self, path: str, backend: int) -> None:
        assert backend == cv2.CAP_V4L2
        self._path = Path(path)
        self.opened.append(self._path.name)

    def isOpened(self) -> bool:  # noqa: N802  (the name that OpenCV chose)
        """Whether it is there."""
        return self._path.exists()

    def set(self, _wish: int, _value: float) -> bool:
        """Grant every wish."""
        return True

    def read(self) -> tuple[bool, Image | None]:
        """A picture, soon."""
        threading.Event().wait(0.002)
        return (True, scene(len(self.opened))) if self._path.exists() else (False, None)

    def release(self) -> None:
        """Nothing to release."""


@pytest.fixture
def ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ports:
    """Empty ports, and a fresh record of what is opened."""
    monkeypatch.setattr(StandInCapture, "opened", [], raising=False)
    return Ports(tmp_path)


def camera_at(ports: Ports, path: str = "video0") -> V4l2Camera:
    """The camera that the settings name by this path."""
    device = Device(str(ports.folder / path), ports.folder)
    return V4l2Camera("0", device, Picture(64, 48), capture=StandInCapture)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["by-id", "by-path"])
def test_a_camera_that_is_plugged_in_under_another_number_is_followed(
    ports: Ports, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Known by its stable name, which the settings need not tell; the log says where it is now."""
    caplog.set_level(logging.INFO)
    ports.plug(0, "usb-Logi", kind)
    with started(LatestFrame(camera_at(ports), Patience(0.01, 0.01))) as reader:
        assert reader.wait(0, LONG_S) is not None
        ports.pull(0)
        away = await_state(reader, lambda state: "usb-Logi is unplugged" in str(state.error))
        ports.plug(2, "usb-Logi", kind)
        assert reader.wait(away.frames, LONG_S) is not None
    assert StandInCapture.opened == ["video0", "video2"]
    assert [line.split(" after ")[0] for line in caplog.messages] == [
        "camera lost, will keep trying: camera 0 stopped giving frames: is it still plugged in and switched on?",
        f"camera {ports.folder}/video0 is at {ports.folder}/video2 now",
        "camera 0 is back",
    ]


def test_a_camera_is_not_mistaken_for_the_one_that_took_its_number(ports: Ports) -> None:
    """Both are plugged in, with their numbers exchanged."""
    ports.plug(0, "usb-Logi")
    camera = camera_at(ports)
    camera.open()
    ports.pull(0)
    ports.plug(0, "usb-Other")
    ports.plug(1, "usb-Logi")
    camera.open()
    assert StandInCapture.opened == ["video0", "video1"]


def test_a_new_camera_at_the_old_number_takes_over_from_one_that_is_gone(ports: Ports) -> None:
    """A number means whatever is there, and the owner may have bought another camera."""
    ports.plug(0, "usb-Logi")
    camera = camera_at(ports)
    camera.open()
    ports.pull(0)
    ports.plug(0, "usb-New")
    camera.open()
    ports.pull(0)
    with pytest.raises(CameraError, match="usb-New is unplugged"):
        camera.open()


def test_a_camera_that_is_read_by_another_thread_is_followed_as_well(ports: Ports) -> None:
    """While the first hangs it keeps its number, so the camera surely comes back under another one."""
    first = camera_at(ports)
    ports.plug(0, "usb-Logi")
    first.open()
    second = V4l2Camera("0", first._device, capture=StandInCapture)  # type: ignore[arg-type]
    ports.pull(0)
    ports.plug(1, "usb-Logi")
    second.open()
    assert StandInCapture.opened == ["video0", "video1"]
    again = [open_camera(address) for address in ("7", "/dev/video7?fps=5")]
    assert len({id(camera._device) for camera in again if isinstance(camera, V4l2Camera)}) == 1


def test_a_camera_named_by_its_stable_link_is_wherever_that_leads(ports: Ports) -> None:
    """Resolved at each opening."""
    ports.plug(0, "usb-Logi")
    camera = camera_at(ports, "v4l/by-id/usb-Logi")
    camera.open()
    ports.pull(0)
    with pytest.raises(CameraError, match="usb-Logi"):
        camera.open()
    ports.plug(3, "usb-Logi")
    camera.open()
    assert StandInCapture.opened == ["usb-Logi", "video3"]


def test_a_camera_asks_for_the_size_of_the_settings(ports: Ports) -> None:
    """And tells it, so that another one is noticed."""
    assert camera_at(ports).wanted_size == (64, 48)
