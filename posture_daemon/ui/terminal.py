"""Labelling in the terminal: the frame, the prediction of the model, one key per class."""

import tempfile
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from posture_daemon.domain import UNKNOWN, QueuedFrame, Role
from posture_daemon.errors import DatasetError, LabelError
from posture_daemon.labelling.class_names import MAX_NAME_LENGTH
from posture_daemon.labelling.session import Labelling, LabellingProgress
from posture_daemon.ui.keyboard import END, Keys
from posture_daemon.ui.picture import HalfBlocks, can_draw
from posture_daemon.vision import jpeg

REDO = "U"
COMMANDS = {"d": "discard", "s": "skip", "u": "undo", REDO: "redo", "n": "new class", "q": "quit"}
KEEP = "k"
"""Used only by `review.py`, and never the key of a class."""
CLASS_KEYS = [key for key in "123456789abcdefghijklmnopqrstuvwxyz" if key not in (*COMMANDS, KEEP)]
ROLE_KEYS = {role.value[0]: role for role in Role}
ENTER, BACKSPACE, ESCAPE = ("\r", "\n"), ("\x7f", "\b"), "\x1b"
TEXT_LINES = 9
"""Lines kept free for words below the picture."""


def run_terminal(labelling: Labelling, console: Console, keys: Keys) -> LabellingProgress:
    """Show queued frames and carry out keys until `q` or the end of the input; return the final numbers.

    `keys` waits for a key and returns it (see `keyboard`). If the terminal cannot draw, the frame is written to a file.
    """
    with tempfile.TemporaryDirectory(prefix="posture-daemon-") as folder:
        TerminalSession(labelling, console, keys, Path(folder) / "frame.jpg").run()
    progress = labelling.progress()
    words = f"{progress.labelled} frames are labelled, {progress.queued} wait, {progress.discarded} were discarded."
    console.print(words, highlight=False)
    return progress


class TerminalSession:
    """One labelling session in the terminal."""

    commands = COMMANDS

    def __init__(self, labelling: Labelling, console: Console, keys: Keys, file: Path) -> None:
        self._labelling, self._console, self._keys, self._file = labelling, console, keys, file
        self._notice = ""

    def run(self) -> None:
        """Loop: show a frame, wait for a key, carry it out."""
        frame = self._labelling.next()
        while True:
            try:
                self._show(frame)
                key = self._keys()
                if key in ("q", END):
                    return
                frame = self._act(frame, key)
            except LabelError as error:  # e.g. the daemon evicted the frame meanwhile
                self._notice = str(error)
                frame = self._labelling.next()

    def _act(self, frame: QueuedFrame | None, key: str) -> QueuedFrame | None:
        """Carry out a key; return the frame to show next."""
        if key in ("u", REDO):
            return self._undo(frame) if key == "u" else self._redo(frame)
        if frame is None:
            return self._labelling.next()
        return self._answer(frame, key)

    def _answer(self, frame: QueuedFrame, key: str) -> QueuedFrame | None:
        class_name = self._new_class() if key == "n" else self._class_of(frame, key)
        if class_name is not None:
            self._labelling.answer(frame.id, class_name)
            self._notice = f"Labelled as {class_name}."
        elif key == "d":
            self._labelling.discard(frame.id)
            self._notice = "Discarded."
        elif key == "s":
            self._labelling.skip(frame.id)
            self._notice = "Skipped; it comes again next time."
        else:
            self._notice = self._notice or "This key has no meaning here."
            return frame
        return self._labelling.next()

    def _undo(self, frame: QueuedFrame | None) -> QueuedFrame | None:
        """Take back the last step; ask first when it is not of this sitting."""
        ahead = self._labelling.before_undo()
        if ahead is not None and ahead.asks:
            self._print(f"That takes back {ahead.words}. Take it back? y: yes, any other key: no")
            if self._keys() not in ("y", "Y"):
                self._notice = "Nothing was taken back."
                return frame
        taken = self._labelling.undo(ahead.step if ahead is not None else None)
        if taken is None:
            self._notice = "There is nothing to undo."
            return frame
        self._notice = f"Taken back: {taken.words}. {REDO} does it again."
        return taken.frames[0] if taken.frames else self._labelling.next()

    def _redo(self, frame: QueuedFrame | None) -> QueuedFrame | None:
        done = self._labelling.redo()
        self._notice = "There is nothing to do again." if done is None else f"Done again: {done.words}."
        return frame if done is None else self._labelling.next()

    def _class_of(self, frame: QueuedFrame, key: str) -> str | None:
        by_key = self._classes_by_key()
        if key in ENTER:
            if frame.predicted in by_key.values():
                return frame.predicted
            self._notice = "There is no guess to accept; press the key of a class."
        return by_key.get(key)

    def _classes_by_key(self) -> dict[str, str]:
        return {key: c.name for key, c in zip(CLASS_KEYS, self._labelling.classes(), strict=False)}

    def _new_class(self) -> str | None:
        """Ask for name and role of a new class; `None` when cancelled or invalid."""
        name = self._read_line("Name of the new class (Enter alone: none): ")
        if not name:
            self._notice = "No new class."
            return None
        roles = ", ".join(f"{key} {role.value}" for key, role in ROLE_KEYS.items())
        self._console.print(f"What does {name} mean to you? {roles}, any other key: as its name says", markup=False)
        key = self._keys()
        try:
            return self._labelling.name_class(name, ROLE_KEYS.get(key)).name
        except LabelError as error:
            self._notice = str(error)
            return None

    def _read_line(self, prompt: str) -> str:
        """Read a line key by key, with Backspace; empty after Escape or the end of the input."""
        self._console.print(prompt, end="", markup=False)
        typed = ""
        while (key := self._keys()) not in ENTER:
            if key in (ESCAPE, END):
                typed = ""
                break
            if key in BACKSPACE and typed:
                typed = typed[:-1]
                self._console.out("\b \b", end="")
            elif key.isprintable() and len(typed) < MAX_NAME_LENGTH:
                typed += key
                self._console.out(key, end="", highlight=False)
        self._console.print()
        return typed

    def _show(self, frame: QueuedFrame | None) -> None:
        self._console.clear()
        if frame is not None:
            self._show_picture(frame)
            self._print(self._guess_line(frame), style="bold")
            self._print(_reason_line(frame))
        self._print(self._key_line(frame))
        self._print(self._progress_line())
        if self._notice:
            self._print(self._notice, style="italic")
        self._notice = ""

    def _show_picture(self, frame: QueuedFrame) -> None:
        try:
            image = self._labelling.picture(frame.id)
        except DatasetError as error:  # a damaged picture can still be discarded
            self._print(str(error))
            return
        if can_draw(self._console):
            self._console.print(HalfBlocks(image, self._console.width, max(4, self._console.height - TEXT_LINES)))
        else:
            self._file.write_bytes(jpeg.encode_jpeg(image, max(image.shape), 95))
            self._print(f"Picture: {self._file}", soft_wrap=True)

    def _key_line(self, frame: QueuedFrame | None) -> str:
        if frame is None:
            return "No more frames are waiting.  u undo  U redo  q quit  any other key: look again"
        classes = self._classes_by_key()
        guess = {"Enter": "accept the guess"} if frame.predicted in classes.values() else {}
        return "  ".join(f"{key} {meaning}" for key, meaning in {**classes, **guess, **self.commands}.items())

    def _guess_line(self, frame: QueuedFrame) -> str:
        if frame.predicted in (None, UNKNOWN):
            return "The model has no guess."
        sure = "" if frame.confidence is None else f", {frame.confidence:.0%} sure"
        return f"The model's guess: {frame.predicted}{sure}"

    def _progress_line(self) -> str:
        progress = self._labelling.progress()
        return f"{progress.queued} waiting, {progress.labelled} labelled, {progress.discarded} discarded"

    def _print(self, line: str, style: str = "", soft_wrap: bool = False) -> None:
        """Print text without markup, since class names and paths may contain brackets."""
        self._console.print(Text(line, style=style), soft_wrap=soft_wrap)


def _reason_line(frame: QueuedFrame) -> str:
    time = datetime.fromtimestamp(frame.captured_at).strftime("%Y-%m-%d %H:%M:%S")
    return f"Frame {frame.id} of {time}, kept as: {frame.reason} ({frame.explanation})"
