"""What every camera promises, real or fake: the `Camera` Protocol of `ports.py`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from posture_daemon.adapters.cameras import open_camera
from posture_daemon.domain import Frame
from posture_daemon.errors import CameraError
from posture_daemon.ports import Camera
from tests.fakes.servers import MjpegServer

FRAMES = 4


def image_folder(folder: Path, stack: ExitStack) -> str:
    """Write a folder of four images."""
    for number in range(FRAMES):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((24, 32, 3), number, dtype=np.uint8))
    return f"replay:{folder}?fps=500&skip=false"


def video_file(folder: Path, stack: ExitStack) -> str:
    """Write a video of four frames."""
    path = folder / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    for number in range(FRAMES):
        writer.write(np.full((48, 64, 3), number, dtype=np.uint8))
    writer.release()
    return f"{path}?fps=500&skip=false"


def mjpeg_server(folder: Path, stack: ExitStack) -> str:
    """Start a network camera."""
    return stack.enter_context(MjpegServer()).url


def fake_desk(folder: Path, stack: ExitStack) -> str:
    """Choose the synthetic person at a desk, four frames of them."""
    return "fake:desk?seed=7&fps=100"


Maker = Callable[[Path, ExitStack], str]
MAKERS: list[Maker] = [image_folder, video_file, mjpeg_server, fake_desk]
FINITE: list[Maker] = [image_folder, video_file]


@pytest.fixture
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Prepare the source that the test is about and return its address."""
    with ExitStack() as stack:
        yield request.param(tmp_path, stack)


@pytest.fixture
def camera(address: str) -> Iterator[Camera]:
    """Build the camera; whatever the test does, it is closed."""
    camera = open_camera(address)
    yield camera
    camera.close()


every_camera = pytest.mark.parametrize("address", MAKERS, indirect=True, ids=lambda maker: maker.__name__)
finite_cameras = pytest.mark.parametrize("address", FINITE, indirect=True, ids=lambda maker: maker.__name__)


def frames(camera: Camera, count: int) -> list[Frame]:
    """Read frames that have to be there."""
    read = [camera.read() for _ in range(count)]
    assert None not in read
    return [frame for frame in read if frame is not None]


@every_camera
def test_it_is_named_as_the_user_chose_it(camera: Camera, address: str) -> None:
    """The name is the address, known before opening."""
    assert camera.name == address


@every_camera
def test_frames_are_bgr_pictures_with_rising_numbers_and_times(camera: Camera) -> None:
    """`uint8 (height, width, 3)`, contiguous; sequence strictly rising; capture time never going back."""
    camera.open()
    seen = frames(camera, FRAMES)
    for frame in seen:
        assert (frame.image.dtype, frame.image.ndim, frame.image.shape[2]) == (np.uint8, 3, 3)
        assert frame.image.flags.c_contiguous
    assert len({frame.image.shape for frame in seen}) == 1
    assert all(a.sequence < b.sequence for a, b in pairwise(seen))
    assert all(a.captured_at <= b.captured_at for a, b in pairwise(seen))


@every_camera
def test_a_frame_is_not_overwritten_by_the_next(camera: Camera) -> None:
    """A frame may be kept while the camera goes on: each has pixels of its own."""
    camera.open()
    first = frames(camera, 1)[0]
    before = first.image.copy()
    later = frames(camera, 2)
    assert np.array_equal(first.image, before)
    assert not any(np.shares_memory(first.image, frame.image) for frame in later)


@every_camera
def test_closing_is_safe_at_any_time(camera: Camera) -> None:
    """Before opening, after it, and twice."""
    camera.close()
    camera.open()
    camera.close()
    camera.close()


@every_camera
def test_it_can_be_opened_again(camera: Camera) -> None:
    """After closing, and while it is still open: both give frames."""
    camera.open()
    frames(camera, 1)
    camera.close()
    camera.open()
    frames(camera, 1)
    camera.open()
    frames(camera, 1)


@every_camera
def test_reading_a_closed_camera_is_an_error(camera: Camera) -> None:
    """A `CameraError`, before the first opening and after closing, never `None`, which would mean the end."""
    with pytest.raises(CameraError):
        camera.read()
    camera.open()
    camera.close()
    with pytest.raises(CameraError):
        camera.read()


@finite_cameras
def test_the_end_is_none_and_stays(camera: Camera) -> None:
    """After the last frame comes `None`, again and again; opening anew starts from the first."""
    camera.open()
    frames(camera, FRAMES)
    assert camera.read() is None
    assert camera.read() is None
    camera.open()
    assert len(frames(camera, FRAMES)) == FRAMES
