"""What a teaching shows in the terminal, and what it says at the end."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from posture_daemon.domain import Image, Outcome, PostureClass, Role, TrainingRun
from posture_daemon.labelling.guided_capture import GuidedCaptureState, Phase
from posture_daemon.labelling.guided_capture_plan import plan
from posture_daemon.learning.evaluation import Evaluation
from posture_daemon.store.json_values import as_json
from posture_daemon.ui.guided_capture_screen import LiveScreen, PlainScreen, closing_words

GOOD = PostureClass("good", Role.GOOD)
ASK = plan([GOOD])[0]
HOLD = GuidedCaptureState(Phase.HOLD, ASK, 1, 2, seconds_left=4.6, frames={"good": 3})
PICTURE: Image = np.full((48, 64, 3), 90, np.uint8)


def screen(**options: object) -> Console:
    """A console that writes into memory."""
    return Console(**({"file": io.StringIO(), "width": 70, "height": 30} | options), _environ={})  # type: ignore[arg-type]


def shown(console: Console) -> str:
    """What was printed, without control sequences."""
    assert isinstance(console.file, io.StringIO)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())


def drawn(*states: GuidedCaptureState, **options: object) -> str:
    """What a live screen printed of these, on a terminal."""
    console = screen(**({"force_terminal": True, "color_system": "truecolor"} | options))
    with LiveScreen(console) as live:
        for state in states:
            live.show(state, PICTURE)
    return shown(console)


def run(outcome: Outcome, correct: int = 9, reason: str = "top-1 went up") -> TrainingRun:
    """A run whose challenger is right on so many of ten holdout images."""
    confusion = ((correct - 4, 10 - correct), (0, 4))
    metrics = {"challenger": as_json(Evaluation(("good", "bad"), confusion, 0.1))}
    return TrainingRun(7, "teach", 0.0, 6.0, outcome, reason, metrics, 1, 2)


def test_the_terminal_shows_sentence_countdown_counts_and_picture() -> None:
    """All of it at once, drawn anew in place."""
    text = drawn(HOLD)
    for words in ("Sit well: upright", "hold it: 5", "pose 1 of 2; kept: good 3", "Ctrl-C", "▀▀▀"):
        assert words in text


def test_a_bell_rings_when_a_pose_begins_and_when_it_is_over() -> None:
    """Whoever has left the picture hears when to come back; between, it is quiet."""
    ready, next_one = replace(HOLD, phase=Phase.READY), replace(HOLD, phase=Phase.READY, number=2)
    assert drawn(ready, HOLD, replace(HOLD, seconds_left=2.0), next_one).count("\x07") == 2


def test_it_draws_no_more_often_than_one_can_see() -> None:
    """A camera of sixty pictures a second costs no more than one of five; a new pose is drawn at once."""
    console, now = screen(force_terminal=True, color_system="truecolor"), [0.0]
    with LiveScreen(console, lambda: now[0]) as live:
        for step in range(30):
            now[0] = step / 60
            live.show(replace(HOLD, seconds_left=7 - now[0]), PICTURE)
        live.show(replace(HOLD, number=2), PICTURE)
    assert shown(console).count("pose 1 of 2") == 3


@pytest.mark.parametrize("options", [{"color_system": None}, {"color_system": "truecolor", "no_color": True}])
def test_a_terminal_without_colours_gets_the_words(options: dict[str, object]) -> None:
    """Everything but the picture."""
    text = drawn(HOLD, **options)
    assert "hold it: 5" in text
    assert "▀" not in text


def test_a_log_gets_a_line_a_pose_and_a_line_a_problem() -> None:
    """Nothing is repeated, and no countdown fills it."""
    console = screen()
    with PlainScreen(console) as plain:
        ready = replace(HOLD, phase=Phase.READY)
        for state in (
            ready,
            replace(ready, seconds_left=1.0),
            HOLD,
            replace(HOLD, problem="Waiting for a picture: [it] is gone."),
            replace(HOLD, seconds_left=1.0),
            replace(HOLD, phase=Phase.TRAIN, ask=None),
        ):
            plain.show(state, None)
    assert shown(console).splitlines() == [
        "1/2 Sit well: upright, the way you want to sit. (good)",
        "Waiting for a picture: [it] is gone.",
        "training on good 3 …",
    ]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome.PROMOTED, "Model 2 is yours"),
        (Outcome.KEPT, "It does not replace model 1: top-1 went up."),
        (Outcome.DEFERRED, "No training now: top-1 went up. The frames are kept"),
        (Outcome.FAILED, "The training failed: top-1 went up. The frames are kept."),
    ],
)
def test_each_ending_is_told_in_words(outcome: Outcome, words: str) -> None:
    """With the reason, and with what becomes of the frames."""
    told = " ".join(closing_words(replace(HOLD, phase=Phase.DONE, frames={"good": 20}, run=run(outcome))))
    assert words in told
    assert "20 frames are kept with their labels: good 20." in told
    assert ("Holdout accuracy 90%" in told) is (outcome in (Outcome.PROMOTED, Outcome.KEPT))


def test_the_holdout_accuracy_names_the_weakest_class() -> None:
    """Where all are perfect there is none."""
    done = replace(HOLD, phase=Phase.DONE, run=run(Outcome.PROMOTED))
    assert "right on 9 of 10; weakest is good, 5 of 6." in " ".join(closing_words(done))
    assert "weakest" not in " ".join(closing_words(replace(done, run=run(Outcome.PROMOTED, 10))))


def test_the_first_answer_is_told() -> None:
    """The class and how sure the model is."""
    done = replace(HOLD, phase=Phase.DONE, run=run(Outcome.PROMOTED), says=("good", 0.934))
    assert list(closing_words(done))[-1] == "What it says now: good, 93% sure."


def test_a_stop_says_what_is_kept_and_that_nothing_was_trained() -> None:
    """With the reason where there is one."""
    told = list(closing_words(replace(HOLD, phase=Phase.STOPPED, problem="The camera has come to its end.")))
    assert told == [
        "The camera has come to its end.",
        "3 frames are kept with their labels: good 3.",
        "Nothing was trained. The next training learns from these frames: posture-daemon train --force.",
    ]


def test_a_class_with_hardly_a_frame_is_named() -> None:
    """A camera that hangs gives the same bytes again and again."""
    done = replace(HOLD, phase=Phase.DONE, frames={"good": 1, "bad": 30}, run=run(Outcome.PROMOTED))
    assert "Of good there is hardly a frame: does the camera hang?" in list(closing_words(done))
