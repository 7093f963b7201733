"""The teaching page: the big sentence, the countdown, the live picture; the same teaching as `posture-daemon teach`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from posture_daemon import __version__
from posture_daemon.errors import LabelError, PostureError
from posture_daemon.labelling.guided_capture import GuidedCapture, GuidedCaptureState, Phase
from posture_daemon.ui.teaching_screen import closing_words
from posture_daemon.vision.jpeg import encode_jpeg

OpenTeaching = Callable[[Sequence[str] | None], AbstractContextManager[GuidedCapture]]
"""Opens a teaching of these classes, `None` for the owner's own; see `bootstrap_teaching.open_teaching`."""

MAX_SIDE_PX, QUALITY = 640, 80

router = APIRouter()


class Classroom:
    """At most one teaching at a time, in a thread of its own, whichever and however many pages look on."""

    def __init__(self, open_teaching: OpenTeaching) -> None:
        self._open = open_teaching
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._teaching: GuidedCapture | None = None
        self._problem: str | None = None

    def start(self, names: Sequence[str] | None) -> None:
        """Begin. Raises `LabelError` while one goes on."""
        with self._lock:
            if self._running():
                raise LabelError("A teaching goes on already; stop it first.")
            self._stop, self._teaching, self._problem = threading.Event(), None, None
            self._thread = threading.Thread(target=self._run, args=(names, self._stop), name="teaching", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ask for no more poses; what was kept stays with its labels."""
        self._stop.set()

    def close(self, timeout_s: float) -> None:
        """Stop, and wait for the end."""
        self.stop()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def state(self) -> dict[str, Any]:
        """Plain values for JSON; `phase` is `null` before the first teaching."""
        teaching = self._teaching
        if teaching is None or self._problem is not None:
            return {"phase": "opening" if self._running() and self._problem is None else None, "problem": self._problem}
        return {**_plain(teaching.state), "busy": self._running()}

    def picture(self) -> bytes | None:
        """The newest picture as JPEG; `None` before there is one."""
        image = None if self._teaching is None else self._teaching.picture()
        return None if image is None else encode_jpeg(image, MAX_SIDE_PX, QUALITY)

    def _running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _run(self, names: Sequence[str] | None, stop: threading.Event) -> None:
        try:
            with self._open(names) as teaching:
                self._teaching = teaching
                teaching.run(stop)
        except PostureError as error:
            self._problem = str(error)


class Wish(BaseModel):
    """Which classes to teach; `null`: the owner's own, else the usual four."""

    model_config = ConfigDict(extra="forbid")

    classes: Annotated[list[Annotated[str, Field(max_length=1000)]], Field(min_length=1, max_length=20)] | None = None


@router.get("/teach")
def page(request: Request) -> HTMLResponse:
    """The page itself."""
    template = request.app.state.templates.get_template("teach.html")
    return HTMLResponse(template.render(state=_classroom(request).state(), version=__version__))


@router.get("/api/teach")
def state(request: Request) -> dict[str, Any]:
    """How it goes."""
    return _classroom(request).state()


@router.get("/api/teach/picture")
def picture(request: Request) -> Response:
    """What the camera sees now, as JPEG; nothing before its first picture."""
    jpeg = _classroom(request).picture()
    return Response(status_code=204) if jpeg is None else Response(jpeg, media_type="image/jpeg")


@router.post("/api/teach")
def start(request: Request, wish: Wish) -> dict[str, Any]:
    """Begin."""
    _classroom(request).start(wish.classes)
    return _classroom(request).state()


@router.post("/api/teach/stop")
def stop(request: Request) -> dict[str, Any]:
    """No more poses."""
    _classroom(request).stop()
    return _classroom(request).state()


def _classroom(request: Request) -> Classroom:
    classroom: Classroom | None = request.app.state.classroom
    if classroom is None:
        raise LabelError("There is no camera to teach with here; run posture-daemon teach.")
    return classroom


def _plain(now: GuidedCaptureState) -> dict[str, Any]:
    return {
        "phase": now.phase.value,
        "sentence": None if now.ask is None else now.ask.sentence,
        "class": None if now.ask is None else now.ask.posture_class.name,
        "seconds": None if now.ask is None else now.ask.seconds if now.phase is Phase.HOLD else now.ask.ready_s,
        "seconds_left": max(0.0, now.seconds_left),
        "number": now.number,
        "of": now.of,
        "frames": dict(now.frames),
        "problem": now.problem,
        "over": now.over,
        "words": list(closing_words(now)) if now.over else [],
    }
