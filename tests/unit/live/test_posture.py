"""The posture that is shown: a glance does not count, an unsure model shows `unknown`."""

from dataclasses import replace

import pytest

from posture_daemon.domain import UNKNOWN, PostureState
from posture_daemon.live.posture import PostureTracker
from posture_daemon.settings import PostureSettings
from tests.builders import prediction

GOOD, BAD, AWAY = ({name: 0.9, "other": 0.1} for name in ("good", "bad", "away"))
UNSURE = {"good": 0.55, "bad": 0.45}


def test_before_the_first_frame_there_is_no_posture() -> None:
    """Afterwards the state is what was announced."""
    tracker = PostureTracker(PostureSettings(unsure_below=0.6, hold_s=3.0))
    assert tracker.state is None
    tracker.step(prediction(GOOD), 5.0)
    assert tracker.state == PostureState("good", 5.0)


@pytest.mark.parametrize(
    ("steps", "shown"),
    [
        pytest.param([(5, GOOD)], [("good", 5)], id="the first posture at once"),
        pytest.param(
            [(0, GOOD), (1, BAD), (3.9, BAD), (4, GOOD), (5, BAD), (7.9, BAD), (8, GOOD)], [("good", 0)], id="no glance"
        ),
        pytest.param(
            [(0, GOOD), (10, BAD), (12.9, BAD), (13.0, BAD), (14, BAD)],
            [("good", 0), ("bad", 10)],
            id="what lasts, once",
        ),
        pytest.param(
            [(0, GOOD), (1, BAD), (3, AWAY), (5, AWAY), (6, AWAY)], [("good", 0), ("away", 3)], id="a third counts anew"
        ),
        pytest.param([(0, {"good": 0.59, "bad": 0.41})], [(UNKNOWN, 0)], id="no class of an unsure model"),
        pytest.param([(0, {"good": 0.61, "bad": 0.39})], [("good", 0)], id="the class of a model just sure enough"),
        pytest.param(
            [(0, GOOD), (1, UNSURE), (2, GOOD), (5, UNSURE), (8, UNSURE)],
            [("good", 0), (UNKNOWN, 5)],
            id="unknown must last as well",
        ),
        pytest.param([(0, {})], [(UNKNOWN, 0)], id="a base has nothing to show"),
        pytest.param(
            [(1000, GOOD), (1001, BAD), (10, BAD), (12.9, BAD), (13, BAD)],
            [("good", 1000), ("bad", 10)],
            id="a clock that is set back restarts the three seconds",
        ),
    ],
)
def test_a_posture_is_shown_from_its_first_frame_once_it_has_lasted(
    steps: list[tuple[float, dict[str, float]]], shown: list[tuple[str, float]]
) -> None:
    """Three seconds to hold, sure from 0.6 on; each change is announced once, with the time at which it began."""
    tracker = PostureTracker(PostureSettings(unsure_below=0.6, hold_s=3.0))
    changes = [tracker.step(prediction(probabilities), at) for at, probabilities in steps]
    assert [change for change in changes if change is not None] == [PostureState(*one) for one in shown]


def test_a_session_unlike_any_labelled_one_shows_unknown() -> None:
    """However sure the model is; once it has answers, the posture is shown as soon as it has lasted."""
    tracker = PostureTracker(PostureSettings(unsure_below=0.6, hold_s=3.0))
    strange = replace(prediction(GOOD), familiar=False)
    assert tracker.step(strange, 0.0) == PostureState(UNKNOWN, 0.0)
    assert tracker.step(strange, 10.0) is None
    assert tracker.step(replace(prediction(GOOD), answers=1), 11.0) is None
    assert tracker.step(replace(prediction(GOOD), answers=1), 14.0) == PostureState("good", 11.0)
    assert [tracker.step(strange, at) for at in (20.0, 23.0)] == [None, PostureState(UNKNOWN, 20.0)]
