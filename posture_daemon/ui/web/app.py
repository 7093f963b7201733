"""Routes of the label page: the page, its pictures, and a small JSON API."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Body, FastAPI, Query, Request
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from posture_daemon import __version__
from posture_daemon.domain import Role
from posture_daemon.errors import LabelError, PostureError
from posture_daemon.labelling.class_names import MAX_NAME_LENGTH
from posture_daemon.labelling.session import Labelling
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.ui.web import region, teach
from posture_daemon.ui.web.guard import Guard
from posture_daemon.ui.web.refusals import refused
from posture_daemon.ui.web.region_desk import RegionDesk
from posture_daemon.ui.web.session import LabelPageSession, Reply
from posture_daemon.ui.web.teach import GuidedCaptureThread

HERE = Path(__file__).parent
MAX_GROUPS, MAX_FRAMES = 100, 1000
MAX_ID = 2**63 - 1
PICTURE_CACHE = "private, max-age=86400, immutable"
"""A frame's picture never changes, but the browser should not keep it for more than a day."""

UNKNOWN = {404: "There is nothing at that address.", 405: "Nothing is done in that way at that address."}

router = APIRouter()
Key = Annotated[str, Field(min_length=8, max_length=64)]
Ids = Annotated[list[tuple[Annotated[int, Field(ge=0, le=MAX_ID)], float]], Field(min_length=1, max_length=MAX_FRAMES)]


class Change(BaseModel, extra="forbid"):
    """Base of requests that change something; `key` is an idempotency key made by the page."""

    key: Key


class Skip(Change):
    """Frames to skip, each with its id and capture time."""

    frames: Ids


class Undo(Change):
    """Take back the last step; `step` is the one that the owner was asked about."""

    step: int | None = Field(default=None, ge=0, le=MAX_ID)


class Answer(Skip):
    """Frames to label with a class, or to discard (`null`)."""

    class_name: str | None = Field(alias="class")


class NewClass(BaseModel, extra="forbid"):
    """A new class; without a role it is guessed from the name. `labelling` validates the name."""

    name: str = Field(max_length=1000)
    role: Role | None = None


def create_app(
    store: Store,
    settings: Settings,
    clock: Callable[[], float],
    token: str | None = None,
    new_labelling: Callable[..., Labelling] = Labelling,
    guided_capture: GuidedCaptureThread | None = None,
    desk: RegionDesk | None = None,
) -> ASGIApp:
    """The application of one data folder. `token` is the secret of its link, `None` if it listens on loopback only.

    The guard is around all of it, so that its headers are on errors, too.
    """
    app = FastAPI(
        title="posture-daemon", docs_url=None, redoc_url=None, openapi_url=None,
        redirect_slashes=False,  # it would redirect to whatever host the request names
    )  # fmt: skip
    app.state.session = LabelPageSession(store, settings, clock, new_labelling)
    app.state.templates = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True)
    app.state.guided_capture, app.state.region, app.state.store = guided_capture, desk, store
    app.include_router(router)
    app.include_router(teach.router)
    app.include_router(region.router)
    app.mount("/static", StaticFiles(directory=HERE / "static"))
    app.add_exception_handler(LabelError, _sentence(400))
    app.add_exception_handler(PostureError, _sentence(503))  # e.g. a full disk: the page retries later
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _unknown)
    return Guard(app, token)


@router.get("/")
def page(request: Request) -> HTMLResponse:
    """The page itself; it fetches its questions."""
    template = request.app.state.templates.get_template("page.html")
    words = {"state": _session(request).state(), "longest_name": MAX_NAME_LENGTH, "version": __version__}
    words["incidents"] = _session(request).incidents()
    words["warning"] = _session(request).warning()
    words["teaches"] = request.app.state.guided_capture is not None
    words["has_region"] = request.app.state.region is not None
    return HTMLResponse(template.render(roles=[role.value for role in Role], **words))


@router.get("/api/state")
def state(request: Request) -> Reply:
    """Classes and counts."""
    return _session(request).state()


@router.get("/api/groups")
def groups(request: Request, limit: Annotated[int, Query(ge=1, le=MAX_GROUPS)] = 20) -> Reply:
    """The next questions."""
    return _session(request).groups(limit)


@router.get("/picture/{frame_id}")
def picture(request: Request, frame_id: Annotated[int, InPath(ge=0, le=MAX_ID)], at: float) -> Response:
    """A frame as JPEG."""
    try:
        jpeg = _session(request).picture(frame_id, at)
    except LabelError as error:
        return JSONResponse({"error": str(error)}, 404)
    return Response(jpeg, media_type="image/jpeg", headers={"cache-control": PICTURE_CACHE})


@router.post("/api/answers")
def answer(request: Request, given: Answer) -> Reply:
    """Label or discard frames."""
    return _session(request).answer(given.key, given.frames, given.class_name)


@router.post("/api/skips")
def skip(request: Request, given: Skip) -> Reply:
    """Skip frames."""
    return _session(request).skip(given.key, given.frames)


@router.post("/api/ask-again")
def ask_again(request: Request, _given: Annotated[dict[str, Any], Body()]) -> Reply:
    """Offer skipped frames again."""
    return _session(request).ask_again()


@router.post("/api/undo")
def undo(request: Request, given: Undo) -> Reply:
    """Undo the last step."""
    return _session(request).undo(given.key, given.step)


@router.post("/api/redo")
def redo(request: Request, given: Change) -> Reply:
    """Do again what was undone last."""
    return _session(request).redo(given.key)


@router.post("/api/classes")
def add_class(request: Request, given: NewClass) -> Reply:
    """Create a class."""
    return _session(request).add_class(given.name, given.role)


def _session(request: Request) -> LabelPageSession:
    session: LabelPageSession = request.app.state.session
    return session


def _sentence(status: int) -> Callable[[Request, Exception], JSONResponse]:
    return lambda _request, error: JSONResponse({"error": str(error)}, status)


def _unknown(request: Request, error: Exception) -> Response:
    """No such address (404), no such method there (405), a body that is no JSON (400)."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    return refused(
        request.scope["path"], status, UNKNOWN.get(status, "The page sent something that cannot be understood.")
    )


def _malformed(_request: Request, error: Exception) -> JSONResponse:
    place = error.errors()[0]["loc"] if isinstance(error, RequestValidationError) else ()
    where = ".".join(str(part) for part in place)
    return JSONResponse({"error": f"The page sent something that cannot be understood ({where}); reload it."}, 422)
