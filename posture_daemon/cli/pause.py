"""`pause` and `resume`."""

import time
from typing import Annotated

import typer

from posture_daemon.cli import show
from posture_daemon.cli.context import opened, say


def pause(
    context: typer.Context,
    hours: Annotated[float | None, typer.Option(min=0.01, max=8760, help="For so long; else until `resume`.")] = None,
) -> None:
    """No training until `resume`: one that runs keeps what it has done, ends within seconds and is continued later.

    Frames are watched, and kept for labelling, as before.
    """
    now = time.time()
    until = None if hours is None else now + 3600 * hours
    opened(context)[0].pauses.begin(now, until)
    say(f"Training is paused {'until posture-daemon resume' if until is None else f'until {show.clock(until)}'}.")


def resume(context: typer.Context) -> None:
    """End the pause: training begins, or goes on, when the gate says so (`train --explain`)."""
    ended = opened(context)[0].pauses.end()
    say("Training is no longer paused." if ended else "Training was not paused.")
