"""Labelling in the terminal: with keys from a list, and with a real pseudo-terminal."""

import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from posture_daemon.domain import PostureClass, Role, Status
from posture_daemon.errors import LabelError
from posture_daemon.labelling.session import Labelling, LabellingProgress
from posture_daemon.settings import LabelSettings
from posture_daemon.store import Store
from posture_daemon.ui.keyboard import END, Keys, keyboard, read_key
from posture_daemon.ui.picture import HalfBlocks, can_draw
from posture_daemon.ui.terminal import run_terminal
from posture_daemon.vision import jpeg as pictures
from tests.builders import add_frame, ensure_classes
from tests.waiting import LIMIT_S, wait_until

NOW = 1_700_000_000.0


@pytest.fixture
def store(store: Store) -> Store:
    """Let three frames wait: the model guesses `bad` for the first two; classes are `bad` and `good`."""
    ensure_classes(store, "bad", "good")
    for number, guess in enumerate((("bad", 0.52), ("bad", 0.52), ("unknown", 0.0))):
        data = pictures.encode_jpeg(np.full((48, 64, 3), 20 * number, np.uint8), 640, 90)
        known = dict(zip(("predicted", "confidence"), guess, strict=True))
        add_frame(store, NOW + number, data, explanation="bad 0.52 [b]", **known)
    return store


@pytest.fixture
def labelling(store: Store) -> Labelling:
    """Begin a session."""
    return Labelling(store, LabelSettings(), lambda: NOW)


def console(**options: object) -> Console:
    """Make a terminal of 60×30 characters that writes into memory."""
    defaults = {"file": io.StringIO(), "width": 60, "height": 30, "force_terminal": True, "color_system": "truecolor"}
    return Console(**(defaults | options), _environ={})  # type: ignore[arg-type]


def typed(keys: Iterable[str]) -> Keys:
    """Press these keys, then Ctrl-D."""
    rest = iter(keys)
    return lambda: next(rest, END)


def shown(screen: Console) -> str:
    """What was printed, without colours and control sequences."""
    assert isinstance(screen.file, io.StringIO)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.file.getvalue())


def answers(store: Store) -> list[tuple[int, str]]:
    """Labelled frames with their class."""
    return [(image.frame_id, image.class_name) for image in store.labels.labelled()]


def test_a_number_labels_and_enter_accepts_the_guess(store: Store, labelling: Labelling) -> None:
    """`2` is the second class; Enter takes the model's word."""
    assert run_terminal(labelling, console(), typed("2\r")) == LabellingProgress(queued=1, labelled=2, discarded=0)
    assert answers(store) == [(1, "good"), (2, "bad")]


def test_enter_without_a_guess_labels_nothing(store: Store, labelling: Labelling) -> None:
    """The third frame has none: the key is explained instead."""
    screen = console()
    run_terminal(labelling, screen, typed("ss\n"))
    assert answers(store) == []
    assert "There is no guess to accept" in shown(screen)


def test_discard_skip_undo_and_quit(store: Store, labelling: Labelling) -> None:
    """Discard 1, skip 2, undo the skip, label 2, undo that, quit."""
    progress = run_terminal(labelling, console(), typed("dsu1uq1"))
    assert progress == LabellingProgress(queued=2, labelled=0, discarded=1)
    assert store.queue.get(1).status is Status.DISCARDED


def test_the_screen_tells_guess_reason_keys_and_progress(labelling: Labelling) -> None:
    """Everything that is needed for an answer; brackets in texts are no markup."""
    screen = console(width=100)
    run_terminal(labelling, screen, typed(""))
    text = shown(screen)
    for words in (
        "The model's guess: bad, 52% sure",
        "kept as: uncertain (bad 0.52 [b])",
        "1 bad  2 good  Enter accept the guess  d discard  s skip  u undo  U redo  n new class  q quit",
        "3 waiting, 0 labelled, 0 discarded",
        "0 frames are labelled, 3 wait, 0 were discarded.",
    ):
        assert words in text


def test_a_new_class_is_created_and_given_to_the_frame(store: Store, labelling: Labelling) -> None:
    """Name with a correction by Backspace, then the role."""
    run_terminal(labelling, console(), typed("nstandd\x7fing\rn"))
    assert answers(store) == [(1, "standing")]
    assert labelling.classes()[-1] == PostureClass("standing", Role.NEUTRAL)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("nBAD\rb", "There is already a class 'bad'; choose another name."),
        ("n\r", "No new class."),
        ("nxy\x1b", "No new class."),
        ("nxy", "No new class."),
    ],
)
def test_a_new_class_may_be_refused_or_given_up(store: Store, labelling: Labelling, keys: str, words: str) -> None:
    """The frame stays on the screen and keeps waiting."""
    screen = console()
    run_terminal(labelling, screen, typed([*keys, END, "z"]))
    assert answers(store) == []
    assert [c.name for c in labelling.classes()] == ["bad", "good"]
    assert words in shown(screen)


def test_an_empty_queue_can_be_undone_and_looked_at_again(store: Store, labelling: Labelling) -> None:
    """After the last answer the session goes on, because the last answer may have been a slip."""
    screen = console()
    progress = run_terminal(labelling, screen, typed("111xu2"))
    assert progress.queued == 0
    assert answers(store) == [(1, "bad"), (2, "bad"), (3, "good")]
    assert "No more frames are waiting." in shown(screen)


def test_a_frame_that_is_evicted_meanwhile_does_not_end_the_session(store: Store, labelling: Labelling) -> None:
    """The daemon may delete what is on the screen; the next frame comes, with one sentence."""

    def keys() -> str:
        if store.queue.counts()[Status.QUEUED] == 3:
            store.queue.evict(1, 10**9)
            return "1"
        return END

    screen = console()
    run_terminal(labelling, screen, keys)
    assert "There is no frame 1; it may have been evicted" in shown(screen)
    assert answers(store) == []


# --- the picture -----------------------------------------------------------------------------------------------------


def test_the_picture_is_drawn_in_its_proportions_and_colours() -> None:
    """Twice as many pixels in height as rows; the upper half is the foreground, RGB."""
    image = np.zeros((100, 200, 3), np.uint8)
    image[:50] = (10, 120, 250)  # BGR: orange above black
    drawn = HalfBlocks(image, 40, 30)
    assert drawn.size == (40, 10)
    screen = console()
    screen.print(drawn)
    lines = screen.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 10
    assert "38;2;250;120;10;48;2;250;120;10" in lines[0]
    assert "38;2;0;0;0;48;2;0;0;0" in lines[-1]


@pytest.mark.parametrize(("columns", "rows"), [(40, 30), (200, 6), (1, 1)])
def test_the_picture_fits(columns: int, rows: int) -> None:
    """Never wider or higher than asked."""
    width, height = HalfBlocks(np.zeros((720, 1280, 3), np.uint8), columns, rows).size
    assert 1 <= width <= columns
    assert 1 <= height <= rows


def test_256_colours_are_used_where_there_are_no_more(labelling: Labelling) -> None:
    """Rich chooses the nearest ones."""
    screen = console(color_system="256")
    run_terminal(labelling, screen, typed(""))
    assert "38;5;" in screen.file.getvalue()  # type: ignore[attr-defined]
    assert "38;2;" not in screen.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("options", [{"no_color": True}, {"color_system": None}, {"color_system": "standard"}])
def test_without_colours_the_picture_is_a_file(labelling: Labelling, options: dict[str, object]) -> None:
    """Its path is printed; it can be opened while the frame is on the screen, and is gone afterwards."""
    screen = console(**options)
    found: list[Path] = []

    def keys() -> str:
        match = re.search(r"Picture: (\S+)", shown(screen))
        assert match is not None
        found.append(Path(match[1]))
        assert pictures.decode(found[0].read_bytes()).shape == (48, 64, 3)
        return END

    assert not can_draw(screen)
    run_terminal(labelling, screen, keys)
    assert "▀" not in shown(screen)
    assert not found[0].exists()


# --- a real terminal -------------------------------------------------------------------------------------------------

CHILD = """
import fcntl, sys, termios
from pathlib import Path
from rich.console import Console
from posture_daemon.labelling.session import Labelling
from posture_daemon.settings import LabelSettings
from posture_daemon.service.signals import raised
from posture_daemon.store import Store
from posture_daemon.ui.keyboard import keyboard
from posture_daemon.ui.terminal import run_terminal

fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C reaches this process
store = Store(Path(sys.argv[1]))
with raised(), keyboard() as keys:
    run_terminal(Labelling(store, LabelSettings(), lambda: 1.7e9), Console(), keys)
"""


class RealTerminal:
    """A pseudo-terminal with a labelling session in it."""

    def __init__(self, folder: Path) -> None:
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 60, 0, 0))  # rows, columns
        self.before = termios.tcgetattr(self.slave)
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        environment.pop("NO_COLOR", None)
        ends = dict.fromkeys(("stdin", "stdout", "stderr"), self.slave)
        command = [sys.executable, "-c", CHILD, str(folder)]
        self.process = subprocess.Popen(command, **ends, start_new_session=True, env=environment)
        self.output = b""

    def wait_for(self, words: str) -> None:
        """Read what the session prints until `words` come, then forget it."""
        wait_until(lambda: words.encode() in self.read(), repr(words), every_s=0)
        self.output = b""

    def read(self) -> bytes:
        """What it has printed, with what comes within a moment; it would wait for ever to get rid of that."""
        if select.select([self.master], [], [], 0.05)[0]:
            self.output += os.read(self.master, 65536)
        return self.output

    def wait_for_end(self) -> int:
        """Its exit code."""
        wait_until(lambda: self.read() is not None and self.process.poll() is not None, "its end", every_s=0)
        return self.process.returncode

    def close(self) -> None:
        """End what is still there."""
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def terminal(store: Store) -> Iterator[RealTerminal]:
    """Start a session in a real terminal and wait until it shows the first frame."""
    terminal = RealTerminal(store.folder)
    yield terminal
    terminal.close()


def test_keys_in_a_real_terminal(store: Store, terminal: RealTerminal) -> None:
    """Single keys without Enter, arrow keys that do nothing, an umlaut in a name; then the terminal is as before."""
    terminal.wait_for("3 waiting")
    for keys, answer in (("2", "2 waiting"), ("\x1b[A", "no meaning"), ("nschräg\r", "What does"), ("b", "1 waiting"),
                         ("q", "2 frames are labelled, 1 wait")):  # fmt: skip
        os.write(terminal.master, keys.encode())
        terminal.wait_for(answer)
    assert terminal.wait_for_end() == 0
    assert answers(store) == [(1, "good"), (2, "schräg")]
    assert termios.tcgetattr(terminal.slave) == terminal.before


@pytest.mark.parametrize("how", ["ctrl-c", "SIGTERM", "SIGHUP"])
def test_the_terminal_is_restored_when_the_session_is_interrupted(terminal: RealTerminal, how: str) -> None:
    """Echo and lines are back after Ctrl-C, SIGTERM and SIGHUP."""
    terminal.wait_for("3 waiting")
    assert termios.tcgetattr(terminal.slave) != terminal.before
    if how == "ctrl-c":
        os.write(terminal.master, b"\x03")
    else:
        terminal.process.send_signal(signal.Signals[how])
    assert terminal.wait_for_end() != 0
    assert termios.tcgetattr(terminal.slave) == terminal.before


def test_without_a_terminal_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a pipe or under cron the folder export is offered instead."""
    (tmp_path / "empty").touch()
    with (tmp_path / "empty").open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        with pytest.raises(LabelError, match=r"not a terminal; use label --export DIR.*\.$"), keyboard():
            pass


def test_keys_are_read_one_by_one_from_bytes() -> None:
    """Letters of several bytes, arrows, and the end of the input."""
    source, sink = os.pipe()
    os.write(sink, "aä\x1b[A".encode())
    assert [read_key(source) for _ in range(3)] == ["a", "ä", ""]
    os.write(sink, b"\x1b")
    assert read_key(source) == "\x1b"
    os.close(sink)
    assert read_key(source) == END
    os.close(source)


def test_a_signal_that_does_not_interrupt_the_wait_for_a_key_is_acted_on_without_one() -> None:
    """One that comes just before the wait is noted by Python and left there; here another thread receives it, for the same."""

    def leave(*_: object) -> None:
        raise InterruptedError

    def signal_then_key() -> None:
        left.wait(0.2)  # the main thread waits for a key by now
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        if not left.wait(LIMIT_S):
            os.write(sink, b"x")  # instead of waiting for ever

    left, (source, sink) = threading.Event(), os.pipe()
    before = signal.signal(signal.SIGUSR1, leave)
    other = threading.Thread(target=signal_then_key)
    began = time.monotonic()
    try:
        other.start()
        with pytest.raises(InterruptedError):
            read_key(source)
        assert time.monotonic() - began < LIMIT_S
    finally:
        left.set()
        other.join()
        signal.signal(signal.SIGUSR1, before)
        os.close(source)
        os.close(sink)


def test_undo_of_another_sitting_is_asked_about_and_redo_does_it_again(store: Store, labelling: Labelling) -> None:
    """`u` and no: nothing; `u` and yes: taken back; `U`: as it was."""
    other = Labelling(store, LabelSettings(), time.time)
    other.answer(1, "good")
    screen = console(width=200)
    run_terminal(labelling, screen, typed("unq"))
    assert "That takes back the answer to 1 picture of " in shown(screen)
    assert "Nothing was taken back." in shown(screen)
    assert answers(store) == [(1, "good")]
    run_terminal(labelling, console(), typed("uyq"))
    assert answers(store) == []
    run_terminal(labelling, console(), typed("Uq"))
    assert answers(store) == [(1, "good")]
