"""The page of guided capture: plan, instruction, countdown and live picture; the same as `posture-daemon teach`."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field

from posture_daemon import __version__
from posture_daemon.domain import Frame
from posture_daemon.errors import LabelError, PostureError
from posture_daemon.labelling.classes import ClassChanges
from posture_daemon.labelling.guided_capture import GuidedCapture
from posture_daemon.labelling.guided_capture_plan import LIVE_S, duration_s, plan, would_choose
from posture_daemon.labelling.guided_capture_state import GuidedCaptureState, Phase
from posture_daemon.labelling.lesson_frames import spread
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.json_values import as_json
from posture_daemon.ui.lesson_words import closing_words, live_words
from posture_daemon.vision.jpeg import encode_jpeg

OpenGuidedCapture = Callable[[Sequence[str] | None], AbstractContextManager[GuidedCapture]]
"""Opens a guided capture of these classes, `None` for the owner's own; see `bootstrap.guided_capture`."""

MAX_SIDE_PX, QUALITY = 640, 80

SHEET_PICTURES = 6
"""Pictures of each class on the contact sheet."""

router = APIRouter()


@dataclass(frozen=True)
class TeachingSaid:
    """How a teaching goes, for the page. `phase` is `None` before the first one.

    `seconds` and `seconds_left` are of the phase, `number` of `of` poses is the present one; `learning_s` is how long it has
    learned. Pictures to look at, because of `doubts`, are in `sheet`: ids and capture times by class. `says` is what the new
    model sees live. When it is `over` come `words`, and the classes that are to be shown `again`.
    """

    phase: str | None
    problem: str | None
    busy: bool = False
    sentence: str | None = None
    posture_class: str | None = None
    seconds: float | None = None
    seconds_left: float = 0.0
    number: int = 0
    of: int = 0
    frames: Mapping[str, int] = field(default_factory=dict)
    learning_s: float = 0.0
    doubts: tuple[str, ...] = ()
    sheet: Mapping[str, tuple[tuple[int, float], ...]] = field(default_factory=dict)
    says: str = ""
    over: bool = False
    words: tuple[str, ...] = ()
    again: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlannedClass:
    """What will be asked of one class."""

    name: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class LessonPlan:
    """The lesson that would begin now: its `poses`, how many `seconds` they take, and how many it is looked at live after."""

    classes: tuple[PlannedClass, ...]
    poses: int
    seconds: float
    live_seconds: float


class GuidedCaptureThread:
    """Runs at most one guided capture at a time in a thread of its own, however many pages show it."""

    def __init__(
        self,
        open_guided_capture: OpenGuidedCapture,
        store: Store,
        settings: Settings,
        look: Callable[[], Frame | None] = lambda: None,
    ) -> None:
        """`look` gives the newest frame of a camera that runs anyway, for who wants to see it before they begin."""
        self._open, self._look, self._store, self._settings = open_guided_capture, look, store, settings
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._capture: GuidedCapture | None = None
        self._problem: str | None = None

    def plan(self, names: Sequence[str] | None) -> LessonPlan:
        """The lesson that `start` would begin. Raises `LabelError` without a name."""
        classes = would_choose(ClassChanges(self._store, self._settings.labels, time.time), names)
        asks = plan(classes)
        planned = (PlannedClass(c.name, tuple(a.sentence for a in asks if a.posture_class == c)) for c in classes)
        return LessonPlan(tuple(planned), len(asks), duration_s(asks), LIVE_S)

    def start(self, names: Sequence[str] | None) -> None:
        """Start one. Raises `LabelError` while another runs."""
        with self._lock:
            if self._running():
                raise LabelError("A teaching goes on already; stop it first.")
            self._stop, self._capture, self._problem = threading.Event(), None, None
            self._thread = threading.Thread(
                target=self._run, args=(names, self._stop), name="guided-capture", daemon=True
            )
            self._thread.start()

    def go_on(self, drop: Sequence[str]) -> None:
        """End the look at the pictures, and drop those of these classes, or the live look."""
        if self._capture is not None:
            self._capture.go_on(drop)

    def stop(self) -> None:
        """End it; kept frames keep their labels."""
        self._stop.set()

    def close(self, timeout_s: float) -> None:
        """End it and wait for the thread, at most `timeout_s` seconds."""
        self.stop()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def state(self) -> TeachingSaid:
        """What the page shows now."""
        capture = self._capture
        if capture is None or self._problem is not None:
            return TeachingSaid("opening" if self._running() and self._problem is None else None, self._problem)
        return _said(capture.state, busy=self._running())

    def picture(self) -> bytes | None:
        """The newest frame as JPEG; `None` before the first one."""
        capture = self._capture
        if capture is None or not self._running():
            frame = self._look()
            image = None if frame is None else frame.image
        else:
            image = capture.picture()
        return None if image is None else encode_jpeg(image, MAX_SIDE_PX, QUALITY)

    def _running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _run(self, names: Sequence[str] | None, stop: threading.Event) -> None:
        try:
            with self._open(names) as capture:
                self._capture = capture
                capture.run(stop)
        except PostureError as error:
            self._problem = str(error)


Name = Annotated[str, Field(max_length=1000)]


class Wish(BaseModel, extra="forbid"):
    """Classes to capture; `null`: the owner's own, else the default four."""

    classes: Annotated[list[Name], Field(min_length=1, max_length=20)] | None = None


class GoOn(BaseModel, extra="forbid"):
    """Classes whose pictures of this lesson are to be dropped before it goes on."""

    drop: Annotated[list[Name], Field(max_length=20)] = []


@router.get("/teach")
def page(request: Request) -> HTMLResponse:
    """The page itself."""
    template = request.app.state.templates.get_template("teach.html")
    lesson = _guided_capture(request)
    said = {"state": as_json(lesson.state()), "plan": as_json(lesson.plan(None))}
    warning = request.app.state.session.warning()
    return HTMLResponse(template.render(**said, warning=warning, version=__version__))


@router.get("/api/teach")
def state(request: Request) -> TeachingSaid:
    """State of the guided capture."""
    return _guided_capture(request).state()


@router.get("/api/teach/plan")
def planned(
    request: Request, names: Annotated[list[Name] | None, Query(alias="class", max_length=20)] = None
) -> LessonPlan:
    """The lesson that would begin now with these classes."""
    return _guided_capture(request).plan(names)


@router.get("/api/teach/picture")
def picture(request: Request) -> Response:
    """The newest frame as JPEG; status 204 before the first one."""
    jpeg = _guided_capture(request).picture()
    return Response(status_code=204) if jpeg is None else Response(jpeg, media_type="image/jpeg")


@router.post("/api/teach")
def start(request: Request, wish: Wish) -> TeachingSaid:
    """Start a guided capture."""
    _guided_capture(request).start(wish.classes)
    return _guided_capture(request).state()


@router.post("/api/teach/go-on")
def go_on(request: Request, wish: GoOn) -> TeachingSaid:
    """End the look at the pictures, or the live look."""
    _guided_capture(request).go_on(wish.drop)
    return _guided_capture(request).state()


@router.post("/api/teach/stop")
def stop(request: Request) -> TeachingSaid:
    """End the guided capture."""
    _guided_capture(request).stop()
    return _guided_capture(request).state()


def _guided_capture(request: Request) -> GuidedCaptureThread:
    guided_capture: GuidedCaptureThread | None = request.app.state.guided_capture
    if guided_capture is None:
        raise LabelError("There is no camera to teach with here; run posture-daemon teach.")
    return guided_capture


def _said(now: GuidedCaptureState, *, busy: bool) -> TeachingSaid:
    ask = now.ask
    return TeachingSaid(
        phase=now.phase.value,
        problem=now.problem,
        busy=busy,
        sentence=None if ask is None else ask.sentence,
        posture_class=None if ask is None else ask.posture_class.name,
        learning_s=now.seconds,
        doubts=tuple(one.sentence for one in now.doubts) if now.phase is Phase.REVIEW else (),
        sheet=_sheet(now) if now.phase is Phase.REVIEW else {},
        says=live_words(now) if now.phase is Phase.LIVE else "",
        seconds=None if ask is None else ask.seconds if now.phase is Phase.HOLD else ask.ready_s,
        seconds_left=max(0.0, now.seconds_left),
        number=now.number,
        of=now.of,
        frames=dict(now.frames),
        over=now.over,
        words=tuple(closing_words(now)) if now.over else (),
        again=now.unseen if now.over and now.run is not None else (),
    )


def _sheet(now: GuidedCaptureState) -> Mapping[str, tuple[tuple[int, float], ...]]:
    """Some pictures of each class, as the page asks for them."""
    return {name: tuple(spread(frames, SHEET_PICTURES)) for name, frames in now.sheet.items()}
