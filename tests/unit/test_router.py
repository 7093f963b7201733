"""The router: which frames are kept, why, how many, and never two alike."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from posture_daemon.domain import Prediction, Reason
from posture_daemon.router import Kept, Router
from posture_daemon.settings import QueueSettings
from tests.standins import prediction

SURE, UNSURE = {"good": 0.9, "bad": 0.1}, {"good": 0.55, "bad": 0.45}


def router(seed: int = 0, **changed: object) -> Router:
    """No audit and a generous rate, except for what is changed."""
    settings = {"unsure_below": 0.8, "audit_share": 0.0, "most_per_minute": 1000.0, **changed}
    return Router(QueueSettings(**settings), Random(seed))


def offer(one: Router, frame: Prediction, at: float) -> Kept | None:
    """Route a frame and, if it is to be kept, store it."""
    kept = one.route(frame, at)
    if kept is not None:
        one.stored(frame)
    return kept


def direction(degrees: float) -> tuple[float, float, float]:
    """Features in this direction: the cosine of two is the cosine of the angle between them."""
    return (float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees))), 0.0)


@pytest.mark.parametrize(("confidence", "kept"), [(0.79, True), (0.81, False)])
def test_a_frame_is_kept_below_the_threshold_only(confidence: float, kept: bool) -> None:
    """Unsure frames teach; sure ones are left alone and counted."""
    one = router()
    result = offer(one, prediction({"good": confidence, "bad": 1 - confidence}), 0.0)
    assert (result is not None) is kept
    assert one.counts == {"kept" if kept else "sure": 1}


def test_the_reason_is_told_in_words() -> None:
    """The owner reads what the model thought, and the threshold that it missed."""
    assert offer(router(), prediction(UNSURE), 0.0) == Kept(
        Reason.UNCERTAIN, "the model says good at 55%, below your threshold of 80%"
    )


def test_a_base_keeps_every_distinct_frame() -> None:
    """A model without classes is sure of nothing: its frames are the first to be labelled."""
    one = router()
    kept = offer(one, prediction({}), 0.0)
    assert kept is not None
    assert kept.reason is Reason.NO_CLASSES
    assert offer(one, prediction({}), 1.0) is None
    assert one.counts["near-duplicate"] == 1


def test_a_sure_frame_is_audited_by_the_dice_that_were_passed_in() -> None:
    """About one in four at a share of 0.25; the same seed picks the same frames."""

    def picked(seed: int) -> list[int]:
        one = router(seed, audit_share=0.25, duplicate_cosine=1.0)
        frames = [prediction(SURE, direction(angle)) for angle in np.linspace(0, 90, 200)]
        routed = [offer(one, frame, at) for at, frame in enumerate(frames)]
        assert {kept.reason for kept in routed if kept} == {Reason.AUDIT}
        return [at for at, kept in enumerate(routed) if kept]

    assert picked(1) == picked(1) != picked(2)
    assert 25 < len(picked(1)) < 75


@pytest.mark.parametrize(("degrees", "kept"), [(0.0, False), (9.0, False), (11.0, True)])
def test_a_frame_like_one_that_was_kept_is_refused(degrees: float, kept: bool) -> None:
    """The threshold of 0.985 lies at 9.94 degrees between the features; their length does not matter."""
    one = router(duplicate_cosine=0.985)
    offer(one, prediction(UNSURE, direction(0)), 0.0)
    longer = tuple(7 * x for x in direction(degrees))
    assert (offer(one, prediction(UNSURE, longer), 1.0) is not None) is kept


def test_a_refused_frame_does_not_count_as_kept() -> None:
    """Only kept frames are compared with: a slow turn is sampled again once it is far enough from the last kept one."""
    one = router(duplicate_cosine=0.985)
    kept = [offer(one, prediction(UNSURE, direction(angle)), angle) is not None for angle in (0, 6, 12, 18, 24)]
    assert kept == [True, False, True, False, True]


def test_frames_from_before_a_restart_are_remembered() -> None:
    """`remember` replaces what new frames are compared with, whatever was kept before it."""
    one = router()
    offer(one, prediction(UNSURE, direction(0)), 0.0)
    one.remember([np.array(direction(90), np.float16)])
    assert offer(one, prediction(UNSURE, direction(90)), 1.0) is None
    assert offer(one, prediction(UNSURE, direction(0)), 2.0) is not None


def test_black_features_are_no_division_by_zero() -> None:
    """A map of zeros has no direction: it is like nothing, and nothing is like it."""
    one = router()
    for at in range(2):
        assert offer(one, prediction(UNSURE, (0.0, 0.0, 0.0)), at) is not None


def test_no_more_than_so_many_frames_in_any_minute() -> None:
    """The third within 60 s is refused, however different; a full minute after the first there is room for one again."""
    one = router(most_per_minute=2)
    times = [0.0, 30.0, 59.9, 60.0, 89.9, 90.0]
    kept = [offer(one, prediction(UNSURE, direction(15 * n)), at) is not None for n, at in enumerate(times)]
    assert kept == [True, True, False, True, False, True]
    assert one.counts["over the rate"] == 2


def test_a_clock_that_is_set_back_does_not_stop_the_queue() -> None:
    """Frames kept in what is now the future do not count against the minute."""
    one = router(most_per_minute=1)
    assert offer(one, prediction(UNSURE, direction(0)), 10_000.0) is not None
    assert offer(one, prediction(UNSURE, direction(30)), 100.0) is not None
    assert offer(one, prediction(UNSURE, direction(60)), 101.0) is None


def test_a_frame_that_was_not_stored_may_come_again() -> None:
    """After a full disk the same view is no near-duplicate of anything; the attempt counts against the rate, though."""
    one = router(most_per_minute=2)
    assert one.route(prediction(UNSURE), 0.0) is not None
    assert offer(one, prediction(UNSURE), 1.0) is not None
    assert offer(one, prediction(UNSURE, direction(90)), 2.0) is None
    assert one.counts == {"kept": 1, "over the rate": 1}
