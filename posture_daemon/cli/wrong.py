"""`wrong`: what is shown now is wrong."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from posture_daemon.cli.context import options, say


def wrong(
    context: typer.Context,
    class_name: Annotated[
        str | None,
        typer.Argument(
            metavar="[CLASS]", help="What it is in truth; without it the frame waits in the queue.", show_default=False
        ),
    ] = None,
) -> None:
    """Say that what the running daemon shows now is wrong: it keeps the frame, to learn from it."""
    from posture_daemon.bootstrap.models import open_store
    from posture_daemon.labelling.session import Labelling

    settings = options(context).settings()
    labelling = Labelling(open_store(settings), settings.labels, time.time)
    frame_id = labelling.call_wrong(class_name, time.sleep)
    what = "waits for its label" if class_name is None else f"is labelled as {class_name}"
    say(f"Frame {frame_id} was kept and {what}.")
