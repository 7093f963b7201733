"""`wrong`: what is shown now is wrong."""

import time
from typing import Annotated

import typer

from posture_daemon.cli.context import opened, say


def wrong(
    context: typer.Context,
    class_name: Annotated[
        str | None,
        typer.Argument(metavar="[CLASS]", help="What it is in truth; without it the frame waits in the queue."),
    ] = None,
) -> None:
    """Say that what the running daemon shows now is wrong: it keeps the frame, to learn from it."""
    from posture_daemon.labelling.session import Labelling

    store, settings = opened(context)
    labelling = Labelling(store, settings.labels, time.time)
    frame_id = labelling.call_wrong(class_name, time.sleep)
    what = "waits for its label" if class_name is None else f"is labelled as {class_name}"
    say(f"Frame {frame_id} was kept and {what}.")
