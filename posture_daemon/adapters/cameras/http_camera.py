"""A camera over HTTP: MJPEG and JPEG stills by our own reader, whose time-outs and sentences we own; video by FFmpeg."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from posture_daemon.adapters.cameras.credentials import Credentials
from posture_daemon.adapters.cameras.http_answer import HttpAnswer, ask
from posture_daemon.adapters.cameras.network_patience import DEFAULT_NETWORK, NetworkPatience
from posture_daemon.adapters.cameras.network_url import network_url
from posture_daemon.adapters.cameras.opencv import FfmpegCamera
from posture_daemon.adapters.cameras.patient_socket import Deadline, Interrupted, OutOfTime
from posture_daemon.adapters.cameras.picture_stream import IsVideo, PictureStream
from posture_daemon.domain import Frame, Image
from posture_daemon.errors import CameraError


class HttpCamera:
    """A `Camera` over HTTP. `interrupt` may be called from any thread."""

    wanted_size: tuple[int, int] | None = None

    def __init__(
        self,
        name: str,
        url: str,
        patience: NetworkPatience = DEFAULT_NETWORK,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`url` may hold a password and is never shown; `name` is. Raises `SettingsError` for a URL that is none."""
        self.name, self._clock, self._patience = name, clock, patience
        self._url = network_url(name, url)
        self._found = self._url
        self._credentials = Credentials(self._url.user, self._url.password)
        self._deadline = Deadline(0.0)
        self._stream: PictureStream | None = None
        self._video: FfmpegCamera | None = None
        self._first: Image | None = None
        self._sequence = 0

    def open(self) -> None:
        """Connect and wait for the first picture. Raises `CameraError` that says why there is none."""
        self.close()
        self._stream = PictureStream(self.name, self._ask, self._deadline, self._patience.polls_per_s)
        try:
            with self._within(self._patience.open_s, "camera.open_timeout_s") as stream:
                self._first = stream.next()
        except IsVideo as video:
            self._play(video.is_playlist)

    def read(self) -> Frame | None:
        """Block until the next picture. Raises `CameraError` when none comes in time; never returns `None`."""
        if self._video is not None:
            return self._video.read()
        image, self._first = self._first, None
        if image is None:
            try:
                with self._within(self._patience.read_s, "camera.read_timeout_s") as stream:
                    image = stream.next()
            except IsVideo:
                raise CameraError(f"camera {self.name} sends video instead of pictures now.") from None
        self._sequence += 1
        return Frame(image, self._clock(), self._sequence)

    def close(self) -> None:
        """Hang up."""
        stream, video, self._stream, self._video, self._first = self._stream, self._video, None, None, None
        if stream is not None:
            stream.close()
        if video is not None:
            video.close()

    def interrupt(self) -> None:
        """End a call that waits, from any thread; the camera is of no use afterwards."""
        self._deadline.interrupt()

    def _ask(self) -> HttpAnswer:
        answer = ask(self._url, self._credentials, self._deadline, self._patience.check_certificate)
        self._found = answer.url
        return answer

    def _play(self, is_playlist: bool) -> None:
        self._video = FfmpegCamera(self.name, self._found.url, self._patience, is_paced=is_playlist, clock=self._clock)
        self._video.open()

    @contextmanager
    def _within(self, seconds: float, setting: str) -> Iterator[PictureStream]:
        """Give the camera so many seconds for the block; whatever goes wrong in it hangs up."""
        stream = self._stream
        if stream is None:
            raise CameraError(f"camera {self.name} is not open.")
        self._deadline.restart(seconds)
        try:
            yield stream
        except OutOfTime:
            self.close()
            raise CameraError(
                f"camera {self.name} {stream.so_far} within {seconds:g} s: is it switched on? "
                f"If it is only slow, raise {setting}."
            ) from None
        except Interrupted:
            self.close()
            raise CameraError(f"camera {self.name} was closed while it was waited for.") from None
        except BaseException:
            self.close()
            raise
