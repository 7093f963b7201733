"""Recordings played as if they were a camera: a folder of images or a video file, in real time.

`ImageFolder` or `VideoFile` gives the pictures, `Pace` the time at which each is due, `ReplayCamera` joins the two. Like a
camera, it does not wait for a slow consumer: frames that were due meanwhile are dropped, unless `skip` is off (evaluations
want to see every frame).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias, cast

import cv2

from posture_daemon.adapters.cameras.address import without_password
from posture_daemon.adapters.cameras.opencv import quiet_opencv
from posture_daemon.domain import Frame, Image
from posture_daemon.errors import CameraError, DatasetError, PictureRefused
from posture_daemon.vision.image_files import FORMATS, natural_key, pictures_below
from posture_daemon.vision.picture_decoder import check_shape, read_picture

log = logging.getLogger(__name__)

quiet_opencv()
DEFAULT_FPS = 10.0
_CONVERT = "convert it, for example to MP4 with H.264"


class Pace:
    """When each picture of a recording is due."""

    def __init__(
        self,
        fps: float | None = None,
        *,
        skip: bool = True,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`fps`, per second, overrides the recording's own rate; `skip` drops the pictures that a late consumer missed."""
        self._fps, self._skip = fps, skip
        self._monotonic, self._sleep = monotonic, sleep
        self._period_s = 1.0
        self._due: float | None = None

    def restart(self, recorded_fps: float | None) -> None:
        """Start over: the first picture is due at the next `wait`."""
        self._period_s = 1.0 / (self._fps or recorded_fps or DEFAULT_FPS)
        self._due = None

    def wait(self) -> int:
        """Sleep until the next picture is due; return how many the consumer missed by coming too late."""
        now = self._monotonic()
        due = now if self._due is None else self._due
        if now < due:
            self._sleep(due - now)
        missed = int((now - due) / self._period_s) if self._skip and now > due else 0
        # When nothing may be skipped all later pictures are postponed, so that a late consumer is never sent a burst.
        start = due if self._skip else max(due, now)
        self._due = start + (missed + 1) * self._period_s
        return missed


class ReplayCamera:
    """A `Camera` that plays a `Recording`, once or for ever, in its own size."""

    wanted_size: None = None

    def __init__(
        self,
        name: str,
        recording: Recording,
        *,
        loop: bool = False,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives `captured_at` when a frame is delivered, seconds since the epoch."""
        self.name, self._recording, self._loop = name, recording, loop
        self._pace, self._clock = pace or Pace(), clock
        self._is_open = False
        self._sequence = 0

    @property
    def last_path(self) -> Path | None:
        """File of the last image that was read; `None` before the first one and for a video."""
        return self._recording.last_path

    def open(self) -> None:
        """Go to the first picture. Raises `CameraError` when there is none."""
        self._recording.open()
        self._pace.restart(self._recording.fps)
        self._is_open = True

    def read(self) -> Frame | None:
        """Wait until the next picture is due and return it; `None` at the end when not looping."""
        if not self._is_open:
            raise CameraError(f"camera {self.name} is not open.")
        self._recording.skip(self._pace.wait())
        image = self._recording.read()
        if image is None and self._loop:
            self._recording.open()
            image = self._recording.read()
        if image is None:
            return None
        self._sequence += 1
        return Frame(image, self._clock(), self._sequence)

    def close(self) -> None:
        """Release the recording."""
        self._is_open = False
        self._recording.close()


class ImageFolder:
    """The images below a folder in natural order; one that cannot be decoded is left out from then on, with one warning."""

    fps: float | None = None

    def __init__(self, folder: Path) -> None:
        """`folder` is searched at every `open`; hidden files and folders are ignored."""
        self._folder = folder
        self._paths: list[Path] = []
        self._next = 0
        self._damaged: set[Path] = set()
        self.last_path: Path | None = None

    def open(self) -> None:
        """List the images and make sure that one of them can be read."""
        if not self._folder.is_dir():
            raise CameraError(
                f"there is no folder {without_password(str(self._folder))} to replay images from; check the path."
            )
        try:
            self._paths = sorted(pictures_below(self._folder), key=self._order)
        except DatasetError as error:
            raise CameraError(str(error)) from error
        self._next = 0
        if self.read() is None:
            raise CameraError(f"folder {without_password(str(self._folder))} holds no readable image ({FORMATS}).")
        self._next, self.last_path = 0, None

    def read(self) -> Image | None:
        """Decode the next image that can be decoded."""
        while self._next < len(self._paths):
            path = self._paths[self._next]
            self._next += 1
            image = None if path in self._damaged else self._decode(path)
            if image is not None:
                self.last_path = path
                return image
        return None

    def skip(self, count: int) -> None:
        """Pass over `count` images."""
        self._next += count

    def close(self) -> None:
        """No file is kept open."""

    def _decode(self, path: Path) -> Image | None:
        """BGR, upright; `None` for a file that is refused, which is said once."""
        try:
            return read_picture(path)
        except PictureRefused as error:
            log.warning("image %s is left out because it cannot be read: %s", path, error.reason)
            self._damaged.add(path)
            return None

    def _order(self, path: Path) -> tuple[list[list[str | int]], list[str | int]]:
        """Folder first, then file name; each part natural."""
        return [natural_key(part) for part in path.parent.relative_to(self._folder).parts], natural_key(path.name)


class VideoFile:
    """A video file, decoded by OpenCV."""

    last_path: Path | None = None

    def __init__(self, path: Path) -> None:
        """`path` is opened by `open`."""
        self._path = path
        self._capture: cv2.VideoCapture | None = None
        self._first: Image | None = None
        self.fps: float | None = None

    def open(self) -> None:
        """Open the file; again for every round, because seeking back is unreliable in many formats."""
        self.close()
        if not self._path.is_file():
            raise CameraError(f"there is no video file {without_password(str(self._path))}; check the path.")
        capture = cv2.VideoCapture(str(self._path), cv2.CAP_ANY)
        if not capture.isOpened():
            raise CameraError(f"{without_password(str(self._path))} holds no video that OpenCV can read; {_CONVERT}.")
        self._capture = capture
        fps = capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0.5 <= fps <= 240 else None  # some formats report the tick rate of their clock, e.g. 90000
        self._first = self._checked_first()

    def _checked_first(self) -> Image:
        """The first picture: that a film can be opened does not say that it has one, or that it can be decoded."""
        image = self.read()
        if image is None:
            self.close()
            raise CameraError(f"{self._path} holds no picture that this OpenCV can decode; {_CONVERT}.")
        try:
            check_shape(image.shape[1], image.shape[0])
        except PictureRefused as error:
            self.close()
            raise CameraError(f"the pictures of {self._path} cannot be used: {error.reason}.") from error
        return image

    def read(self) -> Image | None:
        """Decode the next frame."""
        if self._capture is None:
            return None
        first, self._first = self._first, None
        if first is not None:
            return first
        decoded, image = self._capture.read()
        return cast(Image, image) if decoded else None

    def skip(self, count: int) -> None:
        """Pass over `count` frames; the video decoder still has to look at each."""
        if count and self._first is not None:
            self._first = None
            count -= 1
        for _ in range(count):
            if self._capture is None or not self._capture.grab():
                return

    def close(self) -> None:
        """Release the file."""
        self._first = None
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()


Recording: TypeAlias = ImageFolder | VideoFile
"""Pictures in a fixed order. `fps` is that of the recording, `None` if unknown; `last_path` the file of the last picture."""
