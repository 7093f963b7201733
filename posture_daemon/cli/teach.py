"""`teach`."""

from __future__ import annotations

import shlex
import threading
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import psutil
import typer

from posture_daemon.cli.context import confirm, console, has_keyboard, options, say, say_all
from posture_daemon.cli.typed import camera as typed_camera
from posture_daemon.domain import Outcome
from posture_daemon.service.signals import taken_over

if TYPE_CHECKING:
    from posture_daemon.labelling.guided_capture import GuidedCapture
    from posture_daemon.settings import Loaded

SIMULATED_PACE = 4.0
"""Speed-up of the guided capture for a simulated owner."""


def teach(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="CLASS", help="Teach only this class, which may be new.")
    ] = None,
    camera: Annotated[str | None, typer.Option(callback=typed_camera, help="Camera, as for `run`.")] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            help="Which classes, separated by commas; by default yours, or good_posture,bad_posture,na,standing."
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long each pose is held.", min=3, max=120)] = 7.0,
    simulate_owner: Annotated[
        bool,
        typer.Option("--simulate-owner", help="With fake:desk: the lesson, and the drawn person, four times as fast."),
    ] = False,
) -> None:
    """Sit, slump, leave and stand on request: a personal model in two minutes. Also the way to add a class later.

    Each pose is asked for twice; what you do the second time is not learned: it is the exam. Then you see it answer, live.
    """
    from posture_daemon.errors import LabelError

    if name is not None and classes is not None:
        raise LabelError("Name one class, or several with --classes, but not both.")
    names = [name] if name is not None else None if classes is None else classes.split(",")
    chosen, given = options(context), {"camera.address": camera}
    chosen.settings(given)  # as whoever the data folder belongs to
    run_guided_capture(chosen.load(given), names, seconds, simulate_owner, asks=has_keyboard())


def run_guided_capture(
    loaded: Loaded, names: list[str] | None, seconds: float, simulate_owner: bool, asks: bool
) -> None:
    """Teach in this terminal, and tell how it went; `asks` says whether there is somebody to ask.

    Raises `typer.Exit` with code 1 when the training failed.
    """
    from posture_daemon.bootstrap.guided_capture import open_guided_capture
    from posture_daemon.bootstrap.region import RegionChoice
    from posture_daemon.ui.lesson_words import again_question, closing_words

    pace, region = SIMULATED_PACE if simulate_owner else 1.0, RegionChoice.of(loaded)
    with open_guided_capture(loaded.settings, names, seconds, pace, tell=say, region=region) as capture:
        while True:
            answered_s = _conduct(capture, pace, asks)
            state = capture.state
            say_all(closing_words(state))
            if state.run is not None and state.run.finished_at is not None:
                trained_s = state.run.finished_at - state.run.started_at
                say(f"It took {answered_s:.0f} s from command to answer, {trained_s:.1f} s of them training.")
            if not (state.unseen and asks and confirm(again_question(state.unseen), default=True)):
                break
            capture.show_again(state.unseen)
    if state.unseen and state.run is not None and not asks:
        say(f"Show it once more: posture-daemon teach --classes {shlex.quote(','.join(state.unseen))}")
    if state.run is not None and state.run.outcome is Outcome.FAILED:
        raise typer.Exit(1)


def _conduct(capture: GuidedCapture, pace: float, asks: bool) -> float:
    """Step until it is over; returns the seconds from the start of this process to the first answer of the model."""
    from posture_daemon.labelling.guided_capture_state import Phase
    from posture_daemon.ui.guided_capture_screen import LiveScreen, PlainScreen
    from posture_daemon.ui.keyboard import keyboard, pressed
    from posture_daemon.ui.lesson_keys import LessonKeys

    stop, answered_at = threading.Event(), None
    with keyboard() if asks else nullcontext(), taken_over(stop.set):
        keys = LessonKeys(capture, pressed if asks else None)
        with LiveScreen(console) if console.is_terminal else PlainScreen(console) as screen:
            while not capture.state.over:
                if stop.is_set():
                    capture.stop()
                state = capture.step(time.monotonic() * pace)
                keys.act(state)
                screen.show(state, keys.picture(), keys.marked)
                if answered_at is None and state.phase is Phase.LIVE:
                    answered_at = time.time()
    return (answered_at or time.time()) - float(psutil.Process().create_time())  # what Python takes to start counts too
