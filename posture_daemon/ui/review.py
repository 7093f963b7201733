"""Review of suspected label errors (`dataset doubts`) in the terminal, with an extra key to confirm a label."""

import tempfile
from pathlib import Path

from rich.console import Console

from posture_daemon.domain import QueuedFrame
from posture_daemon.labelling.label_error_review import Review
from posture_daemon.ui.keyboard import Keys
from posture_daemon.ui.terminal import COMMANDS, KEEP, TerminalSession


def run_review(review: Review, console: Console, keys: Keys) -> None:
    """Show suspected label errors and carry out keys until `q` or the end of the input."""
    with tempfile.TemporaryDirectory(prefix="posture-daemon-") as folder:
        _ReviewSession(review, console, keys, Path(folder) / "frame.jpg").run()
    console.print(f"Labels changed: {review.changed}, kept: {review.kept}, left to look at: {len(review.left())}.")


class _ReviewSession(TerminalSession):
    """A terminal session over suspected label errors."""

    commands = {KEEP: "keep your label", **COMMANDS}  # noqa: RUF012 - never changed

    def __init__(self, review: Review, console: Console, keys: Keys, file: Path) -> None:
        super().__init__(review, console, keys, file)
        self._review = review

    def _answer(self, frame: QueuedFrame, key: str) -> QueuedFrame | None:
        if key != KEEP:
            return super()._answer(frame, key)
        self._review.keep(frame.id)
        self._notice = "Kept; you will not be asked again."
        return self._review.next()

    def _guess_line(self, frame: QueuedFrame) -> str:
        doubt = self._review.doubt_about(frame.id)
        if doubt is None:  # an answer from before this review that was undone
            return super()._guess_line(frame)
        return f"Your label: {doubt.label}. It is wrong with a chance of {doubt.wrong:.0%}; more likely it is {doubt.instead}."

    def _progress_line(self) -> str:
        return f"{len(self._review.left())} doubted labels left"
