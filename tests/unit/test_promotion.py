"""Promotion: who wins on the same holdout, and which class may veto."""

from __future__ import annotations

import pytest

from posture_daemon.promotion import Score, judge
from posture_daemon.settings import PromotionSettings

SETTINGS = PromotionSettings(max_recall_loss=0.1, min_class_images=10)

Counts = dict[str, tuple[int, int]]


@pytest.mark.parametrize(
    ("before", "after", "promoted"),
    [
        pytest.param({"good": (15, 20)}, {"good": (16, 20)}, True, id="better"),
        pytest.param({"good": (15, 20)}, {"good": (14, 20)}, False, id="worse"),
        pytest.param({"good": (15, 20)}, {"good": (15, 20)}, False, id="tie"),
        pytest.param({"good": (9, 20), "bad": (20, 20)}, {"good": (20, 20), "bad": (17, 20)}, False, id="class falls"),
        pytest.param({"good": (9, 20), "bad": (20, 20)}, {"good": (20, 20), "bad": (18, 20)}, True, id="at the limit"),
        pytest.param({"good": (9, 20), "bad": (9, 9)}, {"good": (20, 20), "bad": (0, 9)}, True, id="too few to veto"),
        pytest.param({"good": (9, 20), "bad": (10, 10)}, {"good": (20, 20), "bad": (8, 10)}, False, id="just enough"),
        pytest.param({"good": (9, 20), "new": (0, 20)}, {"good": (9, 20), "new": (1, 20)}, True, id="class learned"),
        pytest.param({"good": (0, 30), "bad": (10, 10)}, {"good": (30, 30)}, False, id="class lost altogether"),
    ],
)
def test_the_challenger_must_be_better_and_no_class_may_lose_too_much(
    before: Counts, after: Counts, promoted: bool
) -> None:
    """More right answers than the incumbent, ties to the incumbent, and a veto for every class with enough images."""
    assert judge(Score(after), Score(before), SETTINGS).passed is promoted


def test_the_reason_gives_both_scores_and_names_the_class_that_falls() -> None:
    """A kept challenger tells why: here it is better over all, but one class pays for it."""
    decision = judge(Score({"good": (20, 20), "bad": (12, 20)}), Score({"good": (9, 20), "bad": (20, 20)}), SETTINGS)
    assert decision.reason == "recall of 'bad' falls from 20 to 12 of 20"
    assert judge(Score({"good": (3, 4)}), Score({"good": (2, 4)}), SETTINGS).reason == (
        "top-1 on the holdout 0.500 (2 of 4) → 0.750 (3 of 4)"
    )


def test_without_a_holdout_nothing_is_promoted() -> None:
    """Nothing can be shown without images, also against a base."""
    for incumbent in (None, Score({})):
        decision = judge(Score({}), incumbent, SETTINGS)
        assert not decision.passed
        assert "no holdout images" in decision.reason


@pytest.mark.parametrize(("right", "promoted"), [(0, False), (1, True)])
def test_against_a_base_one_right_answer_is_enough(right: int, promoted: bool) -> None:
    """A champion that knows no classes loses to anything that is right at least once, but not to a model that never is."""
    decision = judge(Score({"good": (right, 20)}), None, SETTINGS)
    assert decision.passed is promoted
    assert "knows no posture classes" in decision.reason
