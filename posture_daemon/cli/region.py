"""`region …`: show, propose, set, clear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from posture_daemon.cli.context import console, options, say
from posture_daemon.errors import SettingsError

if TYPE_CHECKING:
    from posture_daemon.bootstrap.region import RegionChoice
    from posture_daemon.domain import Region
    from posture_daemon.settings import Settings

app = typer.Typer(help="Choose the part of the picture that models look at.", no_args_is_help=True)


@app.command()
def show(context: typer.Context) -> None:
    """Tell what part of the picture is looked at, by the settings and by the champion, and draw it where that is possible."""
    from posture_daemon.bootstrap.models import champion, open_store

    settings, chosen = _chosen(context)
    camera, store = chosen.camera, open_store(settings)
    say(f"settings: {_words(camera.seen)}")
    if camera.region_is_of_another:
        say(
            (
                f"The region {camera.region} was drawn for the camera {camera.region_camera}, so it does not "
                "count; posture-daemon region propose finds one for this camera.",
                "yellow",
            )
        )
    version = champion(store)
    say(f"model {version.id}, the champion: {_words(version.region)}")
    if version.region != camera.seen:
        say("The next training looks at what the settings say.")
    _draw(settings, camera.seen)


@app.command()
def propose(
    context: typer.Context,
    write: Annotated[bool, typer.Option("--write", help="Write it into the settings file.")] = False,
) -> None:
    """Find where you sit, from the labelled pictures of the newest session; those of a class that means away help."""
    from posture_daemon.bootstrap.models import open_store
    from posture_daemon.labelling.region_of_session import propose_region

    settings, chosen = _chosen(context)
    found = propose_region(open_store(settings))
    if found is None:
        say(
            "Nothing is proposed: the kept pictures are too few, or they do not tell where you sit (nothing moves, everything "
            "does, or you fill the picture); posture-daemon region set X,Y,WIDTH,HEIGHT chooses a part by hand."
        )
        return
    _draw(settings, found)
    if write:
        _write(chosen, found)
    else:
        say(f"You sit in {found} (left, top, width, height, as shares of the picture); --write keeps that.")


@app.command("set")
def set_(
    context: typer.Context,
    region: Annotated[
        str, typer.Argument(metavar="X,Y,WIDTH,HEIGHT", help="Shares of the picture, such as 0.2,0.1,0.6,0.8.")
    ],
) -> None:
    """Choose a part of the picture by hand, for the present camera."""
    from posture_daemon.domain import Region

    try:
        wanted = Region.parse(region)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    _write(_chosen(context)[1], wanted)


@app.command()
def clear(context: typer.Context) -> None:
    """Look at the whole picture again, and have nothing else proposed for this camera."""
    _write(_chosen(context)[1], None)


def _chosen(context: typer.Context) -> tuple[Settings, RegionChoice]:
    from posture_daemon.bootstrap.region import RegionChoice

    loaded = options(context).load()
    return options(context).settings(), RegionChoice.of(loaded)


def _write(chosen: RegionChoice, region: Region | None) -> None:
    chosen.choose(region)
    say(f"From now on: {_words(region)}; the next training learns that, and a running daemon follows by itself.")


def _words(region: Region | None) -> str:
    return "the whole picture" if region is None else f"the box {region} (left, top, width, height) of the picture"


def _draw(settings: Settings, region: Region | None) -> None:
    """The newest kept picture with the box, where the terminal can draw."""
    from posture_daemon.bootstrap.models import open_store
    from posture_daemon.labelling.region_of_session import newest_picture
    from posture_daemon.ui.picture import HalfBlocks, can_draw
    from posture_daemon.vision.region import outlined

    picture = newest_picture(open_store(settings)) if can_draw(console) else None
    if picture is not None:
        console.print(HalfBlocks(outlined(picture, region), min(console.width, 80), max(4, console.height // 2)))
