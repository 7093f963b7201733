"""What is asked first: pure functions on made-up features."""

import time

import numpy as np
import pytest

from posture_daemon.domain import Floats
from posture_daemon.labelling.query_strategy import (
    MAX_QUESTION_FRAMES,
    Waiting,
    distance_to,
    doubt_of,
    questions,
    rarity_of,
)
from tests.waiting import allowed_s


def directions(*degrees: float) -> Floats:
    """Features in these directions of a plane."""
    return np.array([(np.cos(np.radians(d)), np.sin(np.radians(d))) for d in degrees], np.float32)


def waiting(features: Floats, doubt: list[float], guess: list[int] | None = None) -> Waiting:
    """Frames far from any label."""
    numbers = np.array(guess or [0] * len(doubt), np.intp)
    return Waiting(
        features, np.array(doubt, np.float32), numbers, np.ones(len(doubt), np.float32), np.ones(len(doubt), np.float32)
    )


def test_doubt_is_what_the_margin_leaves() -> None:
    """Between the two best of several; a model that knows fewer than two classes doubts everything."""
    chances = np.array([[0.5, 0.4, 0.1], [0.0, 1.0, 0.0]], np.float32)
    np.testing.assert_allclose(doubt_of(chances), [0.9, 0.0], atol=1e-6)
    assert doubt_of(np.empty((3, 0), np.float32)).tolist() == [1, 1, 1]
    assert doubt_of(np.ones((2, 1), np.float32)).tolist() == [1, 1]


def test_distance_is_to_the_nearest_label_about_the_mean_of_the_waiting() -> None:
    """0 for what is labelled, 2 for the opposite, 1 where nothing is labelled."""
    seen = directions(0, 180)
    np.testing.assert_allclose(distance_to(directions(0), seen), [0, 2], atol=1e-5)
    assert distance_to(np.empty((0, 2), np.float32), seen).tolist() == [1, 1]
    assert distance_to(seen, np.empty((0, 2), np.float32)).tolist() == []


def test_the_doubtful_come_first_and_then_what_is_unlike_them() -> None:
    """The second most doubtful frame looks like the first one, so a surer one that looks otherwise is asked before it."""
    features = directions(0, 20, 180)
    asked = questions(waiting(features, [0.9, 0.8, 0.7]), 3)
    assert [one.rows for one in asked] == [(0,), (2,), (1,)]


def test_what_is_like_a_label_is_asked_last() -> None:
    """However doubtful: the answer would repeat what is known."""
    features = directions(0, 90, 180)
    known = Waiting(
        features,
        np.array([0.9, 0.2, 0.9], np.float32),
        np.zeros(3, np.intp),
        distance_to(features[:1], features),
        np.ones(3, np.float32),
    )
    assert [one.rows for one in questions(known, 3)][-1] == (0,)


def test_alike_frames_of_one_guess_share_a_question() -> None:
    """From a cosine of 0.99, which is 8.1 degrees, to the one that was chosen; another guess is another question."""
    features = directions(0, 4, 8, 9, 2)
    asked = questions(waiting(features, [0.9, 0.1, 0.1, 0.1, 0.1], [0, 0, 0, 0, 1]), 5)
    assert asked[0].rows == (0, 1, 2)
    assert sorted(row for one in asked for row in one.rows) == [0, 1, 2, 3, 4]


def test_a_question_is_bounded() -> None:
    """More alike frames than can be looked over make several questions."""
    asked = questions(waiting(directions(*[0.0] * (MAX_QUESTION_FRAMES + 3)), [0.5] * (MAX_QUESTION_FRAMES + 3)), 9)
    assert [len(one.rows) for one in asked] == [MAX_QUESTION_FRAMES, 3]


@pytest.mark.parametrize("features", [np.zeros((3, 2), np.float32), np.ones((3, 2), np.float32)])
def test_frames_without_a_direction_are_all_asked(features: Floats) -> None:
    """Black ones, and a queue in which all look the same."""
    asked = questions(waiting(features, [0.0, 0.5, 0.0]), 9)
    assert sorted(row for one in asked for row in one.rows) == [0, 1, 2]


def test_nothing_waits_nothing_is_asked() -> None:
    """No warning about a mean of nothing either."""
    assert questions(waiting(np.empty((0, 2), np.float32), []), 5) == []


def test_the_order_is_the_same_each_time_and_quick_with_ten_thousand_frames() -> None:
    """Well under a second; a limit takes the front of the same order."""
    rng = np.random.default_rng(0)
    features = rng.random((10_000, 256), np.float32)
    many = Waiting(
        features, rng.random(10_000, np.float32), np.zeros(10_000, np.intp), *np.ones((2, 10_000), np.float32)
    )
    began = time.perf_counter()
    first = questions(many, 20)
    assert time.perf_counter() - began < allowed_s(2.0), "0.04 s on a quiet machine"
    assert questions(many, 20) == first
    assert questions(many, 5) == first[:5]


def test_a_class_that_was_seldom_answered_today_is_asked_first() -> None:
    """Of two frames alike in doubt and distance, the one that is probably of the rare class; none while they are even."""
    chances = np.array([[0.7, 0.3], [0.3, 0.7]], np.float32)
    assert rarity_of(chances, [2, 2]).tolist() == pytest.approx([1, 1])
    rarity = rarity_of(chances, [5, 0])
    assert rarity[1] > rarity[0]
    seen = Waiting(directions(0, 90), np.ones(2, np.float32), np.arange(2), np.ones(2, np.float32), rarity)
    assert questions(seen, 1)[0].rows == (1,)
