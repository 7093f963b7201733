"""Live cameras through OpenCV: USB (V4L2), CSI (GStreamer on a Jetson) and video over the network (FFmpeg).

They differ only in `connect`. After a failed read the capture is unusable although it still reports "opened" (FFmpeg), so
it is released at once and the caller opens a new one.
"""

import math
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import cv2

from posture_daemon.adapters.cameras.device import Device
from posture_daemon.adapters.cameras.network_patience import DEFAULT_NETWORK, NetworkPatience
from posture_daemon.adapters.cameras.rtsp_question import RtspQuestion
from posture_daemon.domain import Frame, Image
from posture_daemon.errors import CameraError
from posture_daemon.settings.address import hide_secrets

Clock = Callable[[], float]

NO_REDIRECTS = "|max_redirects;0"
MAX_PAUSE_S = 2.0
"""Two pictures of a video lie closer together; a longer wait means that its clock has jumped."""


@dataclass(frozen=True)
class Picture:
    """Requested format of a USB camera: pixels and frames per second. The driver picks the nearest that it supports."""

    width: int = 1280
    height: int = 720
    fps: int = 15


@dataclass(frozen=True)
class CsiPicture:
    """Requested format of a CSI camera: pixels, frames per second, nvvidconv's flip-method (2 rotates by 180°)."""

    width: int = 640
    height: int = 360
    fps: int = 30
    flip: int = 0


def quiet_opencv() -> None:
    """Keep OpenCV and FFmpeg off stderr, where they would print a URL with its password, whatever the environment says.

    FFmpeg reads its variable once, when the process first opens a video, so this runs at import; see also the package's
    `__init__` for what OpenCV reads when it is loaded.
    """
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"  # AV_LOG_QUIET
    # Ours: FFmpeg gets an address whose redirects were followed already. Without a variable OpenCV itself prefers TCP.
    theirs = os.environ.get("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_flags;prefer_tcp").removesuffix(NO_REDIRECTS)
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = theirs + NO_REDIRECTS
    # Seconds that a USB read may block; OpenCV's 10 would hide an unplugged camera for too long.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "3")
    # OpenCV as Debian builds it has only the first of these, OpenCV 5 only the second.
    set_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel
    set_level(0)


quiet_opencv()


class OpenCvCamera(ABC):
    """A `cv2.VideoCapture` as a `Camera`."""

    _longest_read_s = math.inf

    def __init__(self, name: str, *, clock: Clock = time.time) -> None:
        """`name` is the address without passwords; `clock` gives the capture time, seconds since the epoch."""
        self.name, self._clock = name, clock
        self.wanted_size: tuple[int, int] | None = None
        self._capture: cv2.VideoCapture | None = None
        self._sequence = 0

    @abstractmethod
    def connect(self) -> cv2.VideoCapture:
        """Return an opened capture. Raises `CameraError` with advice for the user."""

    def open(self) -> None:
        """Open or reopen the device. Raises `CameraError`."""
        self.close()
        try:
            self._capture = self.connect()
        except cv2.error as error:
            said = hide_secrets(str(error).strip().splitlines()[0].rstrip("."))
            raise CameraError(f"camera {self.name} cannot be opened: OpenCV says {said}.") from None

    def read(self) -> Frame | None:
        """Block until the next frame. Raises `CameraError` when none comes; a live camera never returns `None`."""
        if self._capture is None:
            raise CameraError(f"camera {self.name} is not open.")
        began = time.monotonic()
        try:
            delivered, image = self._capture.read()
        except cv2.error:
            delivered, image = False, None
        if not delivered or image is None or time.monotonic() - began > self._longest_read_s:
            self.close()
            raise CameraError(f"camera {self.name} stopped giving frames: is it still plugged in and switched on?")
        self._sequence += 1
        return Frame(cast(Image, image), self._clock(), self._sequence)

    def close(self) -> None:
        """Release the device."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()


class V4l2Camera(OpenCvCamera):
    """A USB camera by its device file; found again after replugging, even under another number."""

    def __init__(
        self,
        name: str,
        device: Device,
        picture: Picture = Picture(),
        *,
        clock: Clock = time.time,
        capture: Callable[[str, int], cv2.VideoCapture] = cv2.VideoCapture,
    ) -> None:
        """`capture` opens a device file with a backend of OpenCV."""
        super().__init__(name, clock=clock)
        self._device, self._picture, self._new_capture = device, picture, capture
        self.wanted_size = picture.width, picture.height

    def connect(self) -> cv2.VideoCapture:
        """Open the device file and ask for compressed frames."""
        path = self._device.find()
        capture = self._new_capture(path, cv2.CAP_V4L2)
        if not capture.isOpened():
            raise CameraError(
                f"camera {path} exists but gives no video: another program may be using it, "
                f"or it is not a capture device; cameras found: {self._device.others()}."
            )
        for wish, value in v4l2_wishes(self._picture):
            capture.set(wish, value)
        self._device.remember(path)
        return capture


class CsiCamera(OpenCvCamera):
    """A ribbon-cable camera of a Jetson, through NVIDIA's GStreamer source."""

    def __init__(self, name: str, sensor: int, picture: CsiPicture = CsiPicture(), *, clock: Clock = time.time) -> None:
        """`sensor` counts from 0."""
        super().__init__(name, clock=clock)
        self._pipeline = csi_pipeline(sensor, picture)

    def connect(self) -> cv2.VideoCapture:
        """Start the pipeline."""
        if not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
            raise CameraError(
                f"camera {self.name} needs an OpenCV with GStreamer and this one ({cv2.__version__}) has none: "
                "use the python3-opencv of JetPack instead of the opencv-python wheel, or a USB or network camera."
            )
        capture = cv2.VideoCapture(self._pipeline, cv2.CAP_GSTREAMER)
        if not capture.isOpened():
            raise CameraError(
                f"camera {self.name} cannot be opened: check the ribbon cable and the sensor number; "
                "if it worked before, run `sudo systemctl restart nvargus-daemon`."
            )
        return capture


class FfmpegCamera(OpenCvCamera):
    """Video over the network, through FFmpeg: RTSP, and what HTTP cameras send that is not JPEG."""

    def __init__(
        self,
        name: str,
        url: str,
        patience: NetworkPatience = DEFAULT_NETWORK,
        *,
        is_paced: bool = False,
        question: RtspQuestion | None = None,
        clock: Clock = time.time,
    ) -> None:
        """`url` may hold a password and is never shown; `name` is. `is_paced` spreads pictures that come in bursts.

        `question` finds out why there is no video, which FFmpeg does not tell.
        """
        super().__init__(name, clock=clock)
        scheme, colon, rest = url.partition(":")
        self._url = scheme.lower() + colon + rest  # FFmpeg knows no RTSP://
        self._patience, self._question = patience, question
        # After a timeout FFmpeg returns what its decoder still buffered: one old frame per further timeout.
        self._longest_read_s = 0.9 * patience.read_s
        self._rhythm = Rhythm() if is_paced else None
        # A decoder with several threads buffers one frame for each, and frames would lag behind by as many.
        self._options = {
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: int(patience.open_s * 1000),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC: int(patience.read_s * 1000),
            cv2.CAP_PROP_N_THREADS: 1,
        }

    def connect(self) -> cv2.VideoCapture:
        """Connect and wait for the first bytes of video."""
        self._refuse_unchecked()
        if self._question is not None:
            self._question.reach()
        parameters = [number for pair in self._options.items() for number in pair]
        began = time.monotonic()
        capture = cv2.VideoCapture(self._url, cv2.CAP_FFMPEG, parameters)
        if capture.isOpened():
            return capture
        is_late = time.monotonic() - began > 0.9 * self._patience.open_s
        if self._question is not None:
            self._question.explain()
        if is_late:
            raise CameraError(
                f"camera {self.name} answers, but gave no picture within {self._patience.open_s:g} s: "
                "if it is only slow, raise camera.open_timeout_s."
            )
        raise CameraError(
            f"camera {self.name} cannot be opened: what it sends is malformed, or no video that is understood; choose H.264 or "
            "MJPEG in the camera's settings."
        )

    def _refuse_unchecked(self) -> None:
        """FFmpeg looks at no certificate, so it gets no password that TLS shall protect."""
        if self._patience.check_certificate and self._url.startswith(("https:", "rtsps:")):
            raise CameraError(
                f"camera {self.name} is video over TLS, which is played without a look at the certificate: if its address has "
                "JPEG or MJPEG, write that one with https://; if you trust everybody in your network, set "
                "camera.check_certificate = false."
            )

    def read(self) -> Frame | None:
        """As the others; a paced one waits until the picture is due."""
        frame = super().read()
        if frame is not None and self._rhythm is not None and self._capture is not None:
            self._rhythm.wait(self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
            frame = replace(frame, captured_at=self._clock())
        return frame


class Rhythm:
    """Spreads pictures that arrive in bursts, as those of a playlist do, over the time in which they were taken."""

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._monotonic, self._sleep = monotonic, sleep
        self._offset_s: float | None = None

    def wait(self, position_s: float) -> None:
        """Sleep until the picture at this place of the video is due, at most `MAX_PAUSE_S`; a jump begins anew."""
        now = self._monotonic()
        early_s = 0.0 if self._offset_s is None else position_s + self._offset_s - now
        if self._offset_s is None or not 0 <= early_s <= MAX_PAUSE_S:
            self._offset_s = now - position_s
            return
        self._sleep(early_s)


def v4l2_wishes(picture: Picture) -> list[tuple[int, float]]:
    """List the properties to set, in this order.

    The pixel format comes first, because it limits size and rate: uncompressed 720p fills USB 2 at about 10 frames per
    second. One buffer, so that a frame is not old when it is read.
    """
    return [
        (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
        (cv2.CAP_PROP_FRAME_WIDTH, picture.width),
        (cv2.CAP_PROP_FRAME_HEIGHT, picture.height),
        (cv2.CAP_PROP_FPS, picture.fps),
        (cv2.CAP_PROP_BUFFERSIZE, 1),
    ]


def csi_pipeline(sensor: int, picture: CsiPicture) -> str:
    """Write the GStreamer pipeline: captured at 1280×720, scaled by the hardware, and only the newest frame kept."""
    return (
        f"nvarguscamerasrc sensor-id={sensor}"
        f" ! video/x-raw(memory:NVMM),width=1280,height=720,format=NV12,framerate={picture.fps}/1"
        f" ! nvvidconv flip-method={picture.flip}"
        f" ! video/x-raw,width={picture.width},height={picture.height},format=BGRx"
        " ! videoconvert ! video/x-raw,format=BGR ! appsink drop=true max-buffers=1 sync=false"
    )
