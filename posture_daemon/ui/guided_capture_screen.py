"""Guided capture in the terminal: instruction, countdown and live picture; plain lines where output is not a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator

from rich.align import Align
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from posture_daemon.domain import Image
from posture_daemon.labelling.guided_capture_state import GuidedCaptureState, Phase
from posture_daemon.ui.lesson_words import counted, live_words
from posture_daemon.ui.picture import HalfBlocks, can_draw

WORDS_LINES = 9
"""Lines kept free for text below the picture."""

PICTURE_COLUMNS = 72
TOLD_EVERY_S = 4.0
"""Between two lines about what is seen live, seconds, where lines are printed."""

DRAW_EVERY_S = 0.2
"""Least time between two redraws, seconds; each sends 50 kB to the terminal."""

COLOURS = {
    Phase.READY: "yellow",
    Phase.HOLD: "green",
    Phase.REVIEW: "yellow",
    Phase.TRAIN: "cyan",
    Phase.LOOK: "cyan",
    Phase.LIVE: "green",
}


class PlainScreen:
    """Prints one line per change; for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: tuple[object, ...] = ()

    def show(self, state: GuidedCaptureState, _picture: Image | None, _marked: Collection[str] = ()) -> None:
        """Print a line if phase, pose or problem has changed; what is seen live every few seconds."""
        live = state.phase is Phase.LIVE and state.says is not None
        news = (state.phase, state.number, state.problem, round(state.seconds_left / TOLD_EVERY_S) if live else None)
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

    def show(self, state: GuidedCaptureState, picture: Image | None, marked: Collection[str] = ()) -> None:
        """Redraw, at most every `DRAW_EVERY_S` within one phase; `marked` are classes whose pictures are to be dropped."""
        moment, now = (state.phase, state.number, state.ask, tuple(marked)), self._monotonic()
        if moment == self._rung and now - self._drawn_at < DRAW_EVERY_S:
            return
        if self._rung and moment[:3] != self._rung[:3]:
            self._console.bell()  # an owner who has left the picture cannot see the screen
        self._rung, self._drawn_at = moment, now
        self._live.update(Group(*self._parts(state, picture, marked)), refresh=True)

    def __enter__(self) -> LiveScreen:
        self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Restore the terminal."""
        self._live.stop()

    def _parts(
        self, state: GuidedCaptureState, picture: Image | None, marked: Collection[str]
    ) -> Iterator[RenderableType]:
        if picture is not None and can_draw(self._console):
            yield HalfBlocks(
                picture, min(self._console.width, PICTURE_COLUMNS), max(4, self._console.height - WORDS_LINES)
            )
        yield Panel(Align.center(Text(_big(state), style="bold")), border_style=COLOURS.get(state.phase, "white"))
        if state.phase is Phase.REVIEW:
            for number, name in enumerate(state.frames, 1):
                yield Text(f"{number} {'[drop]' if name in marked else '[keep]'} {name}, {state.frames[name]} pictures")
        elif state.phase in (Phase.READY, Phase.HOLD) and state.ask is not None:
            whole = state.ask.seconds if state.phase is Phase.HOLD else state.ask.ready_s
            yield _bar(self._console.width, 1 - state.seconds_left / whole)
            yield Text(f"pose {state.number} of {state.of}; kept: {counted(state.frames)}")
        yield Text(state.problem or _keys(state.phase), style="red" if state.problem else "dim")


def _keys(phase: Phase) -> str:
    if phase is Phase.REVIEW:
        return "A number marks what to drop, Enter goes on."
    if phase is Phase.LIVE:
        return "Enter ends it."
    return "Ctrl-C ends it and keeps what there is."


def _bar(columns: int, share: float) -> Text:
    """Progress bar; `share` of the countdown that is over, 0-1."""
    done = round(columns * min(1.0, max(0.0, share)))
    return Text.assemble(("━" * done, "green"), ("━" * (columns - done), "dim"))


def _big(state: GuidedCaptureState) -> str:
    if state.phase is Phase.REVIEW:
        doubts = "\n".join(one.sentence for one in state.doubts)
        return f"{doubts}\nDrop some, or learn from all of them? ({max(0.0, state.seconds_left):.0f})"
    if state.phase is Phase.TRAIN:
        return f"Thank you. Learning from {sum(state.frames.values())} pictures … {state.seconds:.0f} s"
    if state.phase is Phase.LOOK:
        return "The first look of your model …"
    if state.phase is Phase.LIVE:
        return f"{_asked(state)}\n{live_words(state)}"
    if state.ask is None:
        return "Done."
    wait = "get ready" if state.phase is Phase.READY else "hold it"
    return f"{state.ask.sentence}\n{wait}: {max(0.0, state.seconds_left):.0f}"


def _asked(state: GuidedCaptureState) -> str:
    return "Move as you like …" if state.ask is None else state.ask.sentence


def _line(state: GuidedCaptureState) -> str:
    if state.problem and not state.over:
        return state.problem
    if state.phase is Phase.READY and state.ask is not None:
        return f"{state.number}/{state.of} {state.ask.sentence} ({state.ask.posture_class.name})"
    if state.phase is Phase.LIVE:
        return f"{_asked(state)} {live_words(state)}" if state.says is not None else ""
    if state.phase is Phase.REVIEW:
        return " ".join(one.sentence for one in state.doubts)
    return {Phase.TRAIN: f"training on {counted(state.frames)} …", Phase.LOOK: "first look …"}.get(state.phase, "")
