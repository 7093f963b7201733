"""Guided capture in the terminal: instruction, countdown and live picture; plain lines where output is not a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from rich.align import Align
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from posture_daemon.domain import Image, Outcome, TrainingRun
from posture_daemon.labelling.guided_capture import GuidedCaptureState, Phase
from posture_daemon.labelling.guided_capture_plan import MIN_FRAMES
from posture_daemon.learning.evaluation import Evaluation
from posture_daemon.training.run_record import RunRecord
from posture_daemon.ui.picture import HalfBlocks, can_draw

WORDS_LINES = 9
"""Lines kept free for text below the picture."""

PICTURE_COLUMNS = 72
DRAW_EVERY_S = 0.2
"""Least time between two redraws, seconds; each sends 50 kB to the terminal."""

COLOURS = {Phase.READY: "yellow", Phase.HOLD: "green", Phase.TRAIN: "cyan", Phase.LOOK: "cyan"}


class PlainScreen:
    """Prints one line per change; for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: tuple[object, ...] = ()

    def show(self, state: GuidedCaptureState, _picture: Image | None) -> None:
        """Print a line if phase, pose or problem has changed."""
        news = (state.phase, state.number, state.problem)
        if news != self._told and (line := _line(state)):
            self._console.print(line, markup=False, soft_wrap=True)
        self._told = news

    def __enter__(self) -> PlainScreen:
        return self

    def __exit__(self, *_error: object) -> None:
        """Nothing to restore."""


class LiveScreen:
    """Redraws picture, instruction, countdown and progress in place; rings the bell when a pose begins and ends."""

    def __init__(self, console: Console, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._console, self._monotonic = console, monotonic
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._rung: tuple[object, ...] = ()
        self._drawn_at = float("-inf")

    def show(self, state: GuidedCaptureState, picture: Image | None) -> None:
        """Redraw, at most every `DRAW_EVERY_S` within one phase."""
        moment, now = (state.phase, state.number), self._monotonic()
        if moment == self._rung and now - self._drawn_at < DRAW_EVERY_S:
            return
        if self._rung and moment != self._rung:
            self._console.bell()  # an owner who has left the picture cannot see the screen
        self._rung, self._drawn_at = moment, now
        self._live.update(Group(*self._parts(state, picture)), refresh=True)

    def __enter__(self) -> LiveScreen:
        self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Restore the terminal."""
        self._live.stop()

    def _parts(self, state: GuidedCaptureState, picture: Image | None) -> Iterator[RenderableType]:
        if picture is not None and can_draw(self._console):
            yield HalfBlocks(
                picture, min(self._console.width, PICTURE_COLUMNS), max(4, self._console.height - WORDS_LINES)
            )
        yield Panel(Align.center(Text(_big(state), style="bold")), border_style=COLOURS.get(state.phase, "white"))
        if state.ask is not None:
            whole = state.ask.seconds if state.phase is Phase.HOLD else state.ask.ready_s
            yield _bar(self._console.width, 1 - state.seconds_left / whole)
            yield Text(f"pose {state.number} of {state.of}; kept: {_counts(state.frames)}")
        yield Text(state.problem or "Ctrl-C ends it and keeps what there is.", style="red" if state.problem else "dim")


def closing_words(state: GuidedCaptureState) -> Iterator[str]:
    """The final report, one sentence per item."""
    if state.problem:
        yield state.problem
    total = sum(state.frames.values())
    yield f"{total} frames are kept with their labels: {_counts(state.frames)}."
    few = [name for name, count in state.frames.items() if count < MIN_FRAMES and state.run is not None]
    if few:
        yield f"Of {', '.join(few)} there is hardly a frame: does the camera hang?"
    if state.run is None:
        yield "Nothing was trained. The next training learns from these frames: posture-daemon train --force."
        return
    yield from _ending(state.run)
    if state.says is not None:
        yield f"What it says now: {state.says[0]}, {state.says[1]:.0%} sure."


def _ending(run: TrainingRun) -> Iterator[str]:
    if run.outcome in (Outcome.PROMOTED, Outcome.KEPT):
        found = RunRecord.of(run.metrics).challenger
        if found is not None and found.images:
            yield (
                f"Holdout accuracy {found.correct / found.images:.0%}: on frames of poses that it did not learn from, model "
                f"{run.challenger_id} is right on {found.correct} of {found.images}{_weakest(found)}."
            )
    if run.outcome is Outcome.PROMOTED:
        yield f"Model {run.challenger_id} is yours, and champion from now on."
    elif run.outcome is Outcome.KEPT:
        yield f"It does not replace model {run.incumbent_id}: {run.reason}."
    elif run.outcome is Outcome.DEFERRED:
        yield f"No training now: {run.reason.rstrip('.')}. The frames are kept, and a later training learns from them."
    else:
        yield f"The training failed: {run.reason.rstrip('.')}. The frames are kept."


def _weakest(found: Evaluation) -> str:
    """The class with the lowest recall, unless all are perfect."""
    classes = found.per_class()
    name = min(classes, key=lambda one: classes[one][0] / classes[one][1])
    right, images = classes[name]
    return "" if right == images else f"; weakest is {name}, {right} of {images}"


def _bar(columns: int, share: float) -> Text:
    """Progress bar; `share` of the countdown that is over, 0-1."""
    done = round(columns * min(1.0, max(0.0, share)))
    return Text.assemble(("━" * done, "green"), ("━" * (columns - done), "dim"))


def _big(state: GuidedCaptureState) -> str:
    if state.phase is Phase.TRAIN:
        return "Thank you. Training …"
    if state.phase is Phase.LOOK:
        return "The first look of your model …"
    if state.ask is None:
        return "Done."
    wait = "get ready" if state.phase is Phase.READY else "hold it"
    return f"{state.ask.sentence}\n{wait}: {max(0.0, state.seconds_left):.0f}"


def _line(state: GuidedCaptureState) -> str:
    if state.problem and not state.over:
        return state.problem
    if state.phase is Phase.READY and state.ask is not None:
        return f"{state.number}/{state.of} {state.ask.sentence} ({state.ask.posture_class.name})"
    return {Phase.TRAIN: f"training on {_counts(state.frames)} …", Phase.LOOK: "first look …"}.get(state.phase, "")


def _counts(frames: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in frames.items())
