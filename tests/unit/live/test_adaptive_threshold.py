"""How sure is sure enough: a threshold that mistakes raise and right answers lower, and what the model knows least."""

from collections.abc import Sequence

import numpy as np
import pytest

from posture_daemon.live.adaptive_threshold import HIGHEST, MIN_FRAMES, STEP, WINDOW_FRAMES, AdaptiveThreshold

LOWEST, WRONG_SHARE = 0.8, 0.02


def after(checks: Sequence[bool], lowest: float = LOWEST) -> float:
    """The limit after these checks."""
    one = AdaptiveThreshold(lowest, WRONG_SHARE)
    one.learn(checks)
    return one.limit


def test_it_begins_at_what_the_owner_set() -> None:
    """Before the first check."""
    assert AdaptiveThreshold(LOWEST, WRONG_SHARE).limit == after([]) == LOWEST


def test_a_mistake_raises_it_and_right_answers_lower_it_slowly() -> None:
    """It takes 49 right checks to make up for one mistake, where one in fifty may be wrong."""
    raised = after([False, False])
    assert raised == pytest.approx(LOWEST + 2 * STEP * (1 - WRONG_SHARE))
    assert after([False, False, True]) == pytest.approx(raised - STEP * WRONG_SHARE)
    assert after([False, False] + [True] * 49) == pytest.approx(after([False]))


@pytest.mark.parametrize(
    ("checks", "lowest", "limit"),
    [
        ([True] * 500, LOWEST, LOWEST),
        ([False] * 50, LOWEST, HIGHEST),
        ([False] * 50, 0.999, 0.999),
        ([True] * 500 + [False], LOWEST, LOWEST + STEP * (1 - WRONG_SHARE)),
    ],
    ids=["never below", "never so high that nothing is sure", "unless the owner wants that", "luck is not saved up"],
)
def test_it_stays_within_bounds(checks: list[bool], lowest: float, limit: float) -> None:
    """Between what the owner set and just under certainty, so that the next check counts at once."""
    assert after(checks, lowest) == pytest.approx(limit)


def test_the_same_checks_give_the_same_limit() -> None:
    """Nothing is kept from before: a restart, and each look at the labels, begins with all checks."""
    checks = [False, True, False, True, True]
    one = AdaptiveThreshold(LOWEST, WRONG_SHARE)
    for _ in range(3):
        one.learn(iter(checks))
    assert one.limit == after(checks)


@pytest.mark.parametrize("times", [1.0, 2.0], ids=["over-confident", "very"])
def test_in_the_long_run_few_sure_frames_are_wrong(times: float) -> None:
    """A model that is wrong at 15 or 30 % of what it is more than 70 % sure of: of what passes unasked it comes to 5 %.

    At confidence c it is wrong with a probability of 1 - c, so many times; each check of a sure frame moves the limit.
    """
    random, share = np.random.default_rng(0), 0.05
    one, checks = AdaptiveThreshold(0.7, share), []
    wrong_above = [random.random() < times * (1 - confidence) for confidence in random.uniform(0.7, 1.0, 2000)]
    assert np.mean(wrong_above) > 2.5 * share, "a limit that stays where it is would not do"
    for confidence in random.uniform(0.5, 1.0, 8000):
        if confidence >= one.limit:
            checks.append(bool(random.random() >= times * (1 - confidence)))
            one.learn(checks)
    settled = checks[len(checks) // 2 :]
    assert len(settled) > 200
    assert 1 - np.mean(settled) == pytest.approx(share, abs=0.02)


def fed(worths: Sequence[float], start: float = 0.0) -> AdaptiveThreshold:
    """One that has seen a frame a second with these worths."""
    one = AdaptiveThreshold(LOWEST, WRONG_SHARE)
    for second, worth in enumerate(worths):
        one.little_known(worth, start + second)
    return one


def test_what_is_worth_most_of_the_last_minute_is_little_known() -> None:
    """Worths from 0 to 1: the highest fifth is, the rest is not."""
    worths = np.random.default_rng(0).permutation(np.linspace(0, 1, WINDOW_FRAMES)).tolist()
    assert [fed(worths).little_known(worth, 100.0) for worth in (0.1, 0.5, 0.75, 0.85, 1.0)] == [False] * 3 + [True] * 2


def test_a_handful_of_frames_says_nothing() -> None:
    """Before ten of them nothing is little known, whatever it is worth."""
    assert not fed([0.0] * (MIN_FRAMES - 1)).little_known(1.0, 100.0)
    assert fed([0.0] * MIN_FRAMES).little_known(1.0, 100.0)


def test_only_the_last_minute_counts() -> None:
    """After a minute of worthless frames what was common before is worth most."""
    assert not fed([0.9] * WINDOW_FRAMES).little_known(0.5, 100.0)
    assert fed([0.9] * WINDOW_FRAMES + [0.1] * WINDOW_FRAMES).little_known(0.5, 200.0)


def test_a_fast_camera_does_not_shorten_the_minute() -> None:
    """Thirty frames in one second are one sample."""
    one = fed([0.0] * (MIN_FRAMES - 1))
    for frame in range(30):
        assert not one.little_known(1.0, MIN_FRAMES - 2 + frame / 31)


def test_a_clock_that_is_set_back_does_no_harm() -> None:
    """Frames go on to be sampled, and the last minute is of the new time."""
    one = fed([0.9] * WINDOW_FRAMES, start=10_000.0)
    for second in range(WINDOW_FRAMES):
        one.little_known(0.1, 50.0 + second)
    assert one.little_known(0.5, 200.0)
