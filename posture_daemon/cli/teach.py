"""`teach`."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Annotated

import psutil
import typer

from posture_daemon.cli.context import console, options, say, say_all
from posture_daemon.domain import Outcome

if TYPE_CHECKING:
    from posture_daemon.settings import Settings

SIMULATED_PACE = 4.0
"""Speed-up of the guided capture for a simulated owner."""


def teach(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="CLASS", help="Teach only this class, which may be new.")
    ] = None,
    camera: Annotated[str | None, typer.Option(help="Camera, as for `run`.")] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            help="Which classes, separated by commas; by default yours, or good_posture,bad_posture,na,standing."
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long each pose is held.", min=3, max=120)] = 7.0,
    simulate_owner: Annotated[
        bool, typer.Option("--simulate-owner", help="With fake:desk: the drawn person does what is asked, sped up.")
    ] = False,
) -> None:
    """Sit, slump, leave and stand on request: a personal model in two minutes. Also the way to add a class later.

    Each pose is asked for twice; what you do the second time is not learned but tells how good the model is.
    """
    from posture_daemon.errors import LabelError

    if name is not None and classes is not None:
        raise LabelError("Name one class, or several with --classes, but not both.")
    names = [name] if name is not None else None if classes is None else classes.split(",")
    run_guided_capture(options(context).settings({"camera.address": camera}), names, seconds, simulate_owner)


def run_guided_capture(settings: Settings, names: list[str] | None, seconds: float, simulate_owner: bool) -> None:
    """Teach in this terminal, and tell how it went. Raises `typer.Exit` with code 1 when the training failed."""
    from posture_daemon.bootstrap.guided_capture import open_guided_capture
    from posture_daemon.ui.guided_capture_screen import LiveScreen, PlainScreen, closing_words

    pace = SIMULATED_PACE if simulate_owner else 1.0
    stop = threading.Event()
    with open_guided_capture(settings, names, seconds, pace if simulate_owner else None, tell=say) as capture:
        before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with LiveScreen(console) if console.is_terminal else PlainScreen(console) as screen:
                while not capture.state.over:
                    if stop.is_set():
                        capture.stop()
                    screen.show(capture.step(time.monotonic() * pace), capture.picture())
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        state = capture.state
    say_all(closing_words(state))
    if state.run is not None and state.run.finished_at is not None:
        trained_s = state.run.finished_at - state.run.started_at
        all_s = time.time() - float(psutil.Process().create_time())  # what Python takes to start counts as well
        say(f"It took {all_s:.0f} s from command to answer, {trained_s:.1f} s of them training.")
    if state.run is not None and state.run.outcome is Outcome.FAILED:
        raise typer.Exit(1)
