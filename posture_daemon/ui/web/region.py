"""The page on which the part of the picture that models look at is chosen: a box to be moved over what the camera sees."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field

from posture_daemon import __version__
from posture_daemon.domain import MIN_REGION_SIDE, Region
from posture_daemon.errors import LabelError, SettingsError
from posture_daemon.labelling.region_of_session import newest_picture, propose_region
from posture_daemon.store import Store
from posture_daemon.store.json_values import as_json
from posture_daemon.ui.web.region_desk import RegionDesk
from posture_daemon.vision.jpeg import encode_jpeg

MAX_SIDE_PX, QUALITY = 960, 85

router = APIRouter()


@dataclass(frozen=True)
class RegionSaid:
    """The choice, the region of the champion, and what must be told; regions as text, empty: the whole picture."""

    region: str
    champion: str
    words: str = ""


class Wanted(BaseModel, extra="forbid"):
    """A region as text."""

    region: str = Field(max_length=100)


@router.get("/region")
def page(request: Request) -> HTMLResponse:
    """The page itself."""
    template = request.app.state.templates.get_template("region.html")
    return HTMLResponse(template.render(state=as_json(_said(request)), least=MIN_REGION_SIDE, version=__version__))


@router.get("/api/region")
def state(request: Request) -> RegionSaid:
    """The choice of now."""
    return _said(request)


@router.post("/api/region")
def choose(request: Request, wanted: Wanted) -> RegionSaid:
    """Keep another one."""
    try:
        region = Region.parse(wanted.region)
        _desk(request).choose(region)
    except (ValueError, SettingsError) as error:
        raise LabelError(str(error)) from error
    return _said(request)


@router.get("/api/region/proposal")
def proposal(request: Request) -> RegionSaid:
    """Where the kept pictures say that somebody sits."""
    found = propose_region(_store(request))
    if found is None:
        raise LabelError("The kept pictures do not tell where you sit; teach first, or draw the box yourself.")
    return RegionSaid(str(found), _said(request).champion)


@router.get("/api/region/picture")
def picture(request: Request) -> Response:
    """What the camera sees as JPEG, or the newest kept picture; status 204 without either."""
    seen = _desk(request).picture()
    image = newest_picture(_store(request)) if seen is None else seen
    if image is None:
        return Response(status_code=204)
    return Response(encode_jpeg(image, MAX_SIDE_PX, QUALITY), media_type="image/jpeg")


def _said(request: Request) -> RegionSaid:
    camera, champion = _desk(request).now(), _store(request).models.champion()
    region, looks = camera.seen, None if champion is None else champion.region
    words = ""
    if camera.region_is_of_another:
        words = f"The box {camera.region} was drawn for the camera {camera.region_camera}, so it does not count."
    elif champion is not None and looks != region:
        words = "The next training looks at this box; until then the model looks at another part."
    return RegionSaid("" if region is None else str(region), "" if looks is None else str(looks), words)


def _desk(request: Request) -> RegionDesk:
    desk: RegionDesk | None = request.app.state.region
    if desk is None:
        raise LabelError("The part of the picture cannot be chosen here; posture-daemon region set does it.")
    return desk


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store
