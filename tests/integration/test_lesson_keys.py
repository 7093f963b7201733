"""Keys of a lesson in the terminal, and its contact sheet."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from posture_daemon.labelling.guided_capture_state import GuidedCaptureState, Phase
from posture_daemon.ui.contact_sheet import COLUMNS, HEIGHT_PX, WIDTH_PX, contact_sheet
from posture_daemon.ui.lesson_keys import LessonKeys
from tests.builders import COLOURS, coloured_jpeg

REVIEW = GuidedCaptureState(Phase.REVIEW, None, 4, 4, frames={"good": 9, "bad": 8})


def lesson(phase: Phase = Phase.REVIEW) -> Any:
    """Stands in for a guided capture; `gone_on` is what it was told."""
    found = SimpleNamespace(state=GuidedCaptureState(phase, None, 4, 4, frames=REVIEW.frames), gone_on=[], looks=0)
    found.go_on = lambda drop=(): found.gone_on.append(sorted(drop))
    found.picture = lambda: "what the camera sees"

    def sheet(most: int) -> dict[str, list[bytes]]:
        found.looks += 1
        return {name: [coloured_jpeg(name, n) for n in range(most)] for name in REVIEW.frames}

    found.sheet = sheet
    return found


def test_numbers_mark_and_enter_drops_what_is_marked() -> None:
    """A second press takes the mark back; other keys do nothing."""
    capture, keys = lesson(), iter("2x129\n")
    hands = LessonKeys(capture, lambda: next(keys))
    for _ in range(6):
        hands.act(capture.state)
    assert capture.gone_on == [["good"]]


def test_without_a_keyboard_the_pictures_are_learned_from_at_once() -> None:
    """And nobody waits for a minute; the live look lasts its time."""
    capture, live = lesson(), lesson(Phase.LIVE)
    LessonKeys(capture, None).act(capture.state)
    LessonKeys(live, None).act(live.state)
    assert (capture.gone_on, live.gone_on) == ([[]], [])


def test_the_contact_sheet_shows_a_row_a_class() -> None:
    """Drawn once for as long as it is looked at; then the camera again."""
    capture = lesson()
    hands = LessonKeys(capture, lambda: None)
    sheet = hands.picture()
    assert hands.picture() is sheet
    assert capture.looks == 1
    assert isinstance(sheet, np.ndarray)
    assert sheet.shape == (2 * HEIGHT_PX, COLUMNS * WIDTH_PX, 3)
    assert np.abs(sheet[HEIGHT_PX // 2, WIDTH_PX // 2].astype(int) - COLOURS["good"]).max() < 60
    assert np.abs(sheet[-HEIGHT_PX // 2, -WIDTH_PX // 2].astype(int) - COLOURS["bad"]).max() < 60
    capture.state = GuidedCaptureState(Phase.TRAIN, None, 4, 4)
    assert hands.picture() == "what the camera sees"


def test_a_class_without_pictures_has_an_empty_row() -> None:
    """Grey, and not the row of another."""
    assert (contact_sheet({"good": []}) == 90).all()
