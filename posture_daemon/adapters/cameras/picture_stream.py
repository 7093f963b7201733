"""The pictures that a camera sends over HTTP, whether as one endless answer (MJPEG) or as one answer each.

Which it is shows in what comes, since headers are often wrong: an answer that ends is asked for again, at most so many times a
second. What is no JPEG is named in one sentence, or is left to FFmpeg (`IsVideo`).
"""

import io
import re
import time
from collections.abc import Callable

from PIL import Image as PillowImage

from posture_daemon.adapters.cameras.http_answer import HttpAnswer
from posture_daemon.adapters.cameras.jpeg_scanner import MAX_PICTURE_BYTES, SOI, JpegScanner, MalformedStream
from posture_daemon.adapters.cameras.patient_socket import Deadline, OutOfTime
from posture_daemon.domain import Image
from posture_daemon.errors import CameraError
from posture_daemon.vision.picture_decoder import LONGEST_PX
from posture_daemon.vision.picture_kinds import foreign_picture, format_of
from posture_daemon.vision.picture_metadata import exif_of, orientation_of
from posture_daemon.vision.picture_pixels import bgr_of

HEAD_BYTES = 32
"""Enough of an answer to know what it is."""
PICTURE = SOI + b"\xff"
ENVELOPE_BYTES = 2048
"""So far behind the start of an answer its first picture may begin."""
STILL_S = 1.0
"""A picture without an envelope and a type that nothing follows in this time is a still on a connection that is kept."""
PLAYLIST_TYPES = ("application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl", "audio/x-mpegurl")
VIDEO_STARTS = (b"FLV\x01", b"\x1aE\xdf\xa3", b"\0\0\0\x01", b"\0\0\x01", b"G@")
"""FLV, Matroska and WebM, raw H.264, MPEG-PS, MPEG-TS."""
BLANK_LINE = re.compile(rb"\r?\n\r?\n")
"""Ends the head of a part."""


class IsVideo(Exception):
    """The answer is video for FFmpeg; `is_playlist`: HLS, which comes in bursts."""

    def __init__(self, is_playlist: bool) -> None:
        super().__init__()
        self.is_playlist = is_playlist


class PictureStream:
    """Gives one picture after the other. `ask` connects anew and returns an answer with status 200."""

    def __init__(
        self, name: str, ask: Callable[[], HttpAnswer], deadline: Deadline, polls_per_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._name, self._ask, self._deadline, self._monotonic = name, ask, deadline, monotonic
        self._pause_s = 1 / polls_per_s
        self._answer: HttpAnswer | None = None
        self._asked_at = -self._pause_s
        self._scanner, self._count = JpegScanner(), 0
        self._polls = False
        self._is_bare = self._stays_open = False
        self._last = b""
        self._has_given = False
        self.so_far = "gave no answer"
        """What the camera has done since the last picture, for a sentence on its silence."""

    def next(self) -> Image:
        """Wait for the next picture, BGR. Raises `CameraError`, `OutOfTime`, `Interrupted` and `IsVideo`."""
        while True:
            answer = self._answer or self._begin()
            data = self._more(answer)
            if data is None:
                continue
            pictures = self._scanned(data) if data else self._end(answer)
            if self._count and (self._stays_open or answer.content_type.startswith("image/")):
                self._finish(is_still=True)  # some keep the connection open after their one picture
            if pictures and (image := self._decoded(pictures[-1])) is not None:
                self._has_given = True
                return image

    def _more(self, answer: HttpAnswer) -> bytes | None:
        """The next bytes, none at the end. `None` where nothing follows one bare picture: a still."""
        if self._count != 1 or not self._is_bare:
            return answer.read()
        try:
            with self._deadline.at_most(STILL_S):
                return answer.read()
        except OutOfTime:
            self._stays_open = True
            self._finish(is_still=True)
            return None

    def close(self) -> None:
        """Hang up."""
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.close()

    def _begin(self) -> HttpAnswer:
        if (wait_s := self._asked_at + self._pause_s - self._monotonic()) > 0:
            self._deadline.pause(wait_s)
        self._asked_at = self._monotonic()
        answer = self._answer = self._ask()
        self._scanner, self._count = JpegScanner(), 0
        self.so_far = "answers, but gave no picture"
        return answer

    def _scanned(self, data: bytes) -> list[bytes]:
        """The pictures that became whole; looks at the first bytes of an answer what it is."""
        answer = self._answer
        if answer is not None and not answer.is_known:
            data = _head(answer, data)
            self._is_bare = data.startswith(SOI)
            if not self._is_bare:
                data = self._refuse_other(answer, data)
            answer.is_known = True
        try:
            pictures = self._scanner.feed(data)
        except MalformedStream:
            raise CameraError(
                f"camera {self._name} sends a malformed stream: {MAX_PICTURE_BYTES // 2**20} MB without one whole JPEG "
                "picture; open its address in a browser, and choose MJPEG in the camera's settings."
            ) from None
        self._count += len(pictures)
        return pictures

    def _refuse_other(self, answer: HttpAnswer, head: bytes) -> bytes:
        """Raise for what is no picture, by its first bytes or where no picture follows. Returns what was read."""
        _refuse_start(self._name, answer.content_type, head)
        try:
            while PICTURE not in head and len(head) < ENVELOPE_BYTES and (more := answer.read()):
                head += more
        except OutOfTime:
            _refuse_without_picture(self._name, answer.content_type, head)
            raise
        if PICTURE not in head:
            _refuse_without_picture(self._name, answer.content_type, head)
        return head

    def _end(self, answer: HttpAnswer) -> list[bytes]:
        """The answer is over: what may still be taken from it. Raises `CameraError` when the first one held no picture."""
        rest = None if answer.was_cut else self._scanner.unended()
        if self._count == 0 and rest is None and not self._has_given:
            raise CameraError(f"camera {self._name} {_no_picture(answer)}.")
        self._finish(is_still=self._count + (rest is not None) == 1)
        return [] if rest is None else [rest]

    def _finish(self, is_still: bool) -> None:
        self._polls = is_still
        self.close()

    def _decoded(self, picture: bytes) -> Image | None:
        """`None` for one that is damaged, or a still that was there before."""
        if self._polls and picture == self._last:
            self.so_far = "gives the same picture again and again, and no new one"
            return None
        self._last = picture
        image = decode_jpeg(picture)
        if image is None:
            self.so_far = "sends pictures that are damaged, and gave no whole one"
        return image


def decode_jpeg(data: bytes) -> Image | None:
    """BGR `uint8 (height, width, 3)`, upright as the same picture in a file is, or `None` for damaged data.

    By Pillow, since OpenCV's decoder writes to stderr itself.
    """
    try:
        with PillowImage.open(io.BytesIO(data), formats=("JPEG",)) as picture:
            picture.load()
            return bgr_of(picture, LONGEST_PX, orientation_of(exif_of(data, "JPEG")).value)
    except Exception:  # Pillow's decoders raise OSError, SyntaxError, ValueError, …
        return None


def _head(answer: HttpAnswer, data: bytes) -> bytes:
    """At least the first bytes of an answer, unless it is shorter."""
    while len(data) < HEAD_BYTES and (more := answer.read()):
        data += more
    return data


def _refuse_start(name: str, content_type: str, head: bytes) -> None:
    """Raise for what its first bytes say: `IsVideo`, or `CameraError` with what it is."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"#EXTM3U") or content_type in PLAYLIST_TYPES:
        raise IsVideo(is_playlist=True)
    _refuse_picture(name, head)
    if head.startswith(VIDEO_STARTS) or head[4:8] == b"ftyp" or head[8:12] == b"AVI ":
        raise IsVideo(is_playlist=False)
    if start.startswith(b"<") and not start.startswith(b"<?xml"):
        raise _web_page(name)


def _refuse_without_picture(name: str, content_type: str, head: bytes) -> None:
    """Raise for what its first part is, or else for what its type alone says."""
    if head.lstrip().startswith(b"--"):
        _refuse_picture(name, BLANK_LINE.split(head, maxsplit=1)[-1])
    elif content_type.startswith("video/"):
        raise IsVideo(is_playlist=False)
    elif content_type in ("text/html", "application/xhtml+xml"):
        raise _web_page(name)


def _refuse_picture(name: str, head: bytes) -> None:
    """Raise for a picture that is no JPEG."""
    kind = format_of(head) or foreign_picture(head)
    if kind is not None and kind != "JPEG":
        raise CameraError(
            f"camera {name} sends {kind.partition(',')[0]} pictures, and only JPEG is read: choose JPEG or MJPEG at the camera."
        )


def _web_page(name: str) -> CameraError:
    return CameraError(
        f"camera {name} sends a web page and no pictures: this is the address for a browser; its manual tells that of the "
        "stream, often with video, mjpg or snapshot in it."
    )


def _no_picture(answer: HttpAnswer) -> str:
    if answer.was_cut:
        return "hung up before a whole picture had come: it may be overloaded, or the network bad"
    kind = f" ({answer.content_type})" if answer.content_type else ""
    return f"answers without a JPEG picture{kind}, so this is no stream: check the path"
