"""The posture that is shown: a glance does not count, an unsure model shows `unknown`."""

import pytest

from posture_daemon.domain import UNKNOWN
from posture_daemon.live.posture import PostureState, PostureTracker
from posture_daemon.settings import PostureSettings
from tests.builders import prediction

GOOD, BAD, AWAY = ({name: 0.9, "other": 0.1} for name in ("good", "bad", "away"))
UNSURE = {"good": 0.55, "bad": 0.45}


def tracker() -> PostureTracker:
    """Three seconds to hold, sure from 0.6 on."""
    return PostureTracker(PostureSettings(unsure_below=0.6, hold_s=3.0))


def walk(one: PostureTracker, *steps: tuple[float, dict[str, float]]) -> list[PostureState]:
    """Feed predictions at their times; the changes that were announced."""
    changes = [one.step(prediction(probabilities), at) for at, probabilities in steps]
    return [change for change in changes if change is not None]


def test_the_first_posture_is_shown_at_once() -> None:
    """After a start there is nothing to be calm about: the first answer counts."""
    one = tracker()
    assert one.state is None
    assert walk(one, (5.0, GOOD)) == [PostureState("good", 5.0)]
    assert one.state == PostureState("good", 5.0)


def test_a_glance_does_not_count() -> None:
    """Less than three seconds of another posture change nothing, however often."""
    one = tracker()
    walk(one, (0, GOOD), (1, BAD), (3.9, BAD), (4, GOOD), (5, BAD), (7.9, BAD), (8, GOOD))
    assert one.state == PostureState("good", 0)


def test_a_posture_that_lasts_counts_from_its_first_frame() -> None:
    """At three seconds it is announced, once, with the time at which it began."""
    one = tracker()
    assert walk(one, (0, GOOD), (10, BAD), (12.9, BAD), (13.0, BAD), (14, BAD)) == [
        PostureState("good", 0),
        PostureState("bad", 10),
    ]


def test_a_third_posture_begins_to_count_anew() -> None:
    """The seconds of one candidate are not credited to the next."""
    one = tracker()
    walk(one, (0, GOOD), (1, BAD), (3, AWAY), (5, AWAY))
    assert one.state == PostureState("good", 0)
    assert walk(one, (6, AWAY)) == [PostureState("away", 3)]


@pytest.mark.parametrize(("confidence", "shown"), [(0.59, UNKNOWN), (0.61, "good")])
def test_an_unsure_model_shows_unknown(confidence: float, shown: str) -> None:
    """Below the threshold no class is claimed."""
    one = tracker()
    assert walk(one, (0, {"good": confidence, "bad": 1 - confidence})) == [PostureState(shown, 0)]


def test_unknown_must_last_like_any_other_posture() -> None:
    """A moment of doubt does not interrupt a posture; lasting doubt does."""
    one = tracker()
    walk(one, (0, GOOD), (1, UNSURE), (2, GOOD))
    assert one.state == PostureState("good", 0)
    assert walk(one, (5, UNSURE), (8, UNSURE)) == [PostureState(UNKNOWN, 5)]


def test_a_base_shows_unknown() -> None:
    """A model without classes has nothing to show."""
    assert walk(tracker(), (0, {})) == [PostureState(UNKNOWN, 0)]


def test_a_clock_that_is_set_back_restarts_the_three_seconds() -> None:
    """The candidate's beginning lies in the future then; waiting for it could take for ever."""
    one = tracker()
    walk(one, (1000, GOOD), (1001, BAD))
    assert walk(one, (10, BAD), (12.9, BAD), (13, BAD)) == [PostureState("bad", 10)]
