"""What a teaching shows in the terminal, and what it says at the end."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from posture_daemon.domain import Image, Outcome, PostureClass, Role, TrainingRun
from posture_daemon.labelling.guided_capture_plan import live_plan, plan
from posture_daemon.labelling.guided_capture_state import GuidedCaptureState, Phase, PoseResult
from posture_daemon.labelling.pose_likeness import PoseDoubt
from posture_daemon.ui.guided_capture_screen import LiveScreen, PlainScreen
from posture_daemon.ui.lesson_words import closing_words

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


SEEN = (PoseResult("good", 6, 6), PoseResult("bad", 5, 6, "good"))
UNSEEN = (PoseResult("bad", 6, 6), PoseResult("good", 0, 6, "bad"))


def run(outcome: Outcome, reason: str = "top-1 went up") -> TrainingRun:
    """A run that ended so."""
    return TrainingRun(7, "teach", 0.0, 6.0, outcome, reason, {}, 1, 2)


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


def test_a_log_gets_what_is_seen_live_every_few_seconds() -> None:
    """In the words of the role of the class that the model names."""
    console = screen()
    bad = PostureClass("slumping", Role.BAD)
    ask = live_plan([GOOD], [GOOD, bad])[0]
    live = GuidedCaptureState(Phase.LIVE, ask, 2, 2, seconds_left=20.0, classes=(GOOD, bad), says=("good", 0.92))
    with PlainScreen(console) as plain:
        for state in (live, replace(live, seconds_left=19.9), replace(live, seconds_left=15.9, says=("slumping", 0.8))):
            plain.show(state, None)
    assert shown(console).splitlines() == ["Sit well … I see: good (92%)", "Sit well … I see: bad (80%)"]


def test_doubtful_pictures_are_shown_with_what_can_be_dropped() -> None:
    """By number; what is marked is told apart by a word, not by a colour."""
    doubt = PoseDoubt("'good' and 'bad' look the same to the camera here.", ("good", "bad"))
    review = GuidedCaptureState(
        Phase.REVIEW, None, 2, 2, seconds_left=50, frames={"good": 9, "bad": 8}, doubts=(doubt,)
    )
    console = screen(force_terminal=True, color_system="truecolor", width=90)
    with LiveScreen(console) as live:
        live.show(review, PICTURE, {"bad"})
    for words in (doubt.sentence, "1 [keep] good, 9 pictures", "2 [drop] bad, 8 pictures", "Enter goes on"):
        assert words in shown(console)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome.PROMOTED, "Model 2 is yours"),
        (Outcome.KEPT, "Model 1 goes on answering; what was learned just now does not replace it: top-1 went up."),
        (Outcome.DEFERRED, "No training now: top-1 went up. The pictures are kept"),
        (Outcome.FAILED, "The training failed: top-1 went up. The pictures are kept"),
    ],
)
def test_each_ending_is_told_in_words(outcome: Outcome, words: str) -> None:
    """With the reason, and with what becomes of the pictures."""
    examined = SEEN if outcome in (Outcome.PROMOTED, Outcome.KEPT) else ()
    done = replace(HOLD, phase=Phase.DONE, frames={"good": 20}, run=run(outcome), exam=examined)
    told = " ".join(closing_words(done))
    assert words in told
    assert "20 pictures are kept with their labels: good 20." in told
    assert ("11 of 12 right (92%): good 6 of 6, bad 5 of 6." in told) is bool(examined)


def test_what_it_cannot_see_is_said_first_and_nobody_is_congratulated() -> None:
    """However good the sum is."""
    done = replace(HOLD, phase=Phase.DONE, run=run(Outcome.PROMOTED), exam=UNSEEN)
    told = list(closing_words(done))
    assert told[0] == "It cannot see 'good' yet: in the exam it is right on 0 of 6 and says 'bad' instead."
    assert not any("yours" in one for one in told)
    assert any("show 'good' once more" in one for one in told)


def test_a_model_that_was_not_promoted_comes_with_what_would_help() -> None:
    """The pose to show once more, else another hour or day."""
    for exam, words in ((SEEN, "another lesson at another hour or day"), (UNSEEN, "show 'good' once more")):
        told = " ".join(closing_words(replace(HOLD, phase=Phase.DONE, run=run(Outcome.KEPT), exam=exam)))
        assert f"What would help: {words}" in told


def test_the_live_look_is_told() -> None:
    """By pose; where it was left out, the last answer."""
    done = replace(HOLD, phase=Phase.DONE, run=run(Outcome.PROMOTED), says=("good", 0.934), exam=SEEN)
    assert "What it says now: good, 93% sure." in list(closing_words(done))
    lived = replace(done, lived=(PoseResult("good", 40, 50), PoseResult("bad", 50, 50)))
    assert "Live it saw good in 40 of 50 pictures, bad in 50 of 50 pictures." in list(closing_words(lived))


def test_a_stop_says_what_is_kept_and_that_nothing_was_trained() -> None:
    """With the reason where there is one."""
    told = list(closing_words(replace(HOLD, phase=Phase.STOPPED, problem="The camera has come to its end.")))
    assert told == [
        "The camera has come to its end.",
        "3 pictures are kept with their labels: good 3.",
        "Nothing was trained. The next training learns from these pictures: posture-daemon train --force.",
    ]


def test_a_stop_before_the_first_picture_promises_nothing() -> None:
    """There is nothing to learn from."""
    assert list(closing_words(replace(HOLD, phase=Phase.STOPPED, frames={"good": 0}))) == ["Nothing was kept."]


def test_a_class_with_hardly_a_frame_is_named() -> None:
    """A camera that hangs gives the same bytes again and again; what was dropped is named as dropped."""
    done = replace(
        HOLD, phase=Phase.DONE, frames={"good": 1, "bad": 30, "gone": 0}, run=run(Outcome.PROMOTED), dropped=("gone",)
    )
    told = list(closing_words(done))
    assert "Of good there is hardly a picture: does the camera hang?" in told
    assert "The pictures of 'gone' were dropped, as you asked." in told
