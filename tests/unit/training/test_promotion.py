"""Promotion: who is better in the same moments, how sure that is, and which class may veto."""

from collections.abc import Sequence

import pytest

from posture_daemon.domain import Decision
from posture_daemon.learning.evaluation import Answers, Moment
from posture_daemon.settings import PromotionSettings
from posture_daemon.store.json_values import as_json, from_json
from posture_daemon.training.promotion import PROVISIONAL, TIE, gain, is_provisional, judge

SETTINGS = PromotionSettings(min_probability=0.6, max_recall_loss=0.1, min_class_images=10)
OLD = ("good", "bad")
AS_BEFORE = {"good": (8, 0, 0, 0), "bad": (9, 0, 0, 0)}

Counts = tuple[int, int, int, int]
"""Moments of one class that both get right, that were fixed, that were broken, that both get wrong."""


def moment(truth: str, now: float, before: float | None, session: int = 1) -> Moment:
    """One moment in which each is right when it gives the class more than half."""
    was = None if before is None else float(before > 0.5)
    return Moment(session, truth, 1, float(now > 0.5), now, was, before)


def moments(session: int = 1, **classes: Counts) -> list[Moment]:
    """Moments with these counts; who is right gives its class 0.9, who is wrong 0.1."""
    return [
        moment(name, now, before, session)
        for name, (both, fixed, broken, neither) in classes.items()
        for before, now, number in ((0.9, 0.9, both), (0.1, 0.9, fixed), (0.9, 0.1, broken), (0.1, 0.1, neither))
        for _ in range(number)
    ]


def decide(found: Sequence[Moment], knows: Sequence[str] = OLD, behind: str | None = None) -> Decision:
    """Judge under the settings of this file."""
    return judge(found, knows, OLD, SETTINGS, behind=behind)


@pytest.mark.parametrize(
    ("counts", "promoted"),
    [
        pytest.param({"good": (8, 2, 0, 0), "bad": (9, 0, 0, 0)}, True, id="better"),
        pytest.param({"good": (20, 9, 3, 0), "bad": (9, 0, 0, 0)}, True, id="much better than it is worse"),
        pytest.param({"good": (90, 21, 20, 0), "bad": (9, 0, 0, 0)}, False, id="noise"),
        pytest.param({"good": (8, 0, 2, 0), "bad": (9, 0, 0, 0)}, False, id="worse"),
        pytest.param({"good": (8, 0, 0, 2), "bad": (9, 0, 0, 0)}, False, id="the same answers"),
        pytest.param({"good": (8, 3, 3, 0), "bad": (9, 0, 0, 0)}, False, id="tie"),
        pytest.param({"good": (9, 20, 0, 0), "bad": (12, 0, 8, 0)}, False, id="worst class surely falls"),
        pytest.param(
            {"good": (9, 20, 0, 0), "bad": (19, 0, 1, 0)}, True, id="worst class falls no further than it may"
        ),
        pytest.param({"good": (9, 20, 0, 0), "bad": (5, 0, 4, 0)}, True, id="too few moments for a veto"),
        pytest.param({"good": (9, 11, 0, 0)}, False, id="evidence of one class"),
    ],
)
def test_the_challenger_must_be_better_and_no_class_may_surely_lose_too_much(
    counts: dict[str, Counts], promoted: bool
) -> None:
    """Better on the whole; ties to the incumbent; a veto for every class with enough moments that surely loses."""
    assert decide(moments(**counts)).passed is promoted


def test_who_gives_the_right_class_more_chance_is_better_though_both_are_right() -> None:
    """A dozen answers tell more than who is right in them."""
    surer = [moment(name, 0.9, 0.6) for name in OLD for _ in range(6)]
    assert decide(surer).passed
    assert not decide([moment(name, 0.6, 0.9) for name in OLD for _ in range(6)]).passed


def test_a_new_day_is_not_drowned_by_the_holdout_of_old_days() -> None:
    """Six of twelve moments of today fixed, eight of ninety old ones broken: what makes the new day right is let in."""
    old, today = moments(1, good=(37, 0, 8, 0), bad=(45, 0, 0, 0)), moments(2, good=(3, 3, 0, 0), bad=(3, 3, 0, 0))
    assert gain([*old, *today]).mean == pytest.approx(0.9 * (6 / 12 - 8 / 90) / 2)
    assert decide([*old, *today]).passed
    assert not decide([*moments(1, good=(0, 0, 45, 0), bad=(45, 0, 0, 0)), *moments(2, good=(5, 1, 0, 0))]).passed


def test_a_provisional_champion_is_replaced_as_easily_as_it_came() -> None:
    """It has shown next to nothing: who is about as good and has seen more replaces it, but nobody who is worse."""
    about_as_good = moments(good=(20, 3, 4, 0), bad=(9, 0, 0, 0))
    assert not decide(about_as_good).passed
    assert decide(about_as_good, behind=PROVISIONAL).passed
    assert not decide(moments(good=(8, 3, 3, 0), bad=(9, 0, 0, 0)), behind=PROVISIONAL).passed, "the very same"
    assert not decide(moments(good=(4, 0, 6, 0), bad=(9, 0, 0, 0)), behind=PROVISIONAL).passed


@pytest.mark.parametrize(
    ("counts", "promoted"),
    [
        pytest.param(AS_BEFORE, True, id="no moment of it, old classes as before"),
        pytest.param({**AS_BEFORE, "good": (8, 1, 1, 0)}, True, id="no moment of it, old classes tie"),
        pytest.param({**AS_BEFORE, "good": (4, 0, 4, 0)}, False, id="no moment of it, old classes worse"),
        pytest.param({**AS_BEFORE, "new": (0, 1, 0, 0)}, True, id="its only moment is right"),
        pytest.param({**AS_BEFORE, "new": (0, 0, 0, 1)}, False, id="its only moment is wrong"),
        pytest.param({**AS_BEFORE, "good": (8, 0, 1, 0), "new": (0, 9, 0, 0)}, True, id="it gains more than it costs"),
        pytest.param({"good": (8, 0, 0, 0), "new": (0, 1, 0, 0)}, True, id="two classes are enough"),
    ],
)
def test_a_new_class_is_judged_fairly(counts: dict[str, Counts], promoted: bool) -> None:
    """Let in when its own moments are recognised and the old classes are not surely worse off."""
    assert decide(moments(**counts), knows=(*OLD, "new")).passed is promoted


@pytest.mark.parametrize(
    ("difference", "promoted"),
    [(0.0, True), (-TIE / 5, True), (TIE / 5, True), (-2 * TIE, False), (-0.1, False)],
    ids=["a tie", "a rounding loss", "a rounding gain", "a small loss", "a loss"],
)
def test_a_tie_of_the_old_classes_lets_a_new_one_in(difference: float, promoted: bool) -> None:
    """As the settings are unless changed: at even odds nobody is probably worse off, and a loss is not one before it shows."""
    old = [moment(name, 0.9 + 2 * difference, 0.9) for name in OLD for _ in range(20)]
    decision = judge(old, (*OLD, "new"), OLD, PromotionSettings())
    assert decision.passed is promoted
    assert ("knows 'new', which the champion cannot" in decision.reason) is promoted
    assert "-0 " not in decision.reason
    assert "-0.0 " not in decision.reason


def test_a_new_class_without_moments_says_why_it_may_enter() -> None:
    """The reason tells what was not shown."""
    reason = decide(moments(**AS_BEFORE), knows=(*OLD, "new")).reason
    assert "knows 'new', which the champion cannot (no moment of it to ask about yet)" in reason


def test_the_reason_gives_the_scores_and_how_sure_that_is() -> None:
    """Of a clear promotion; of one that is not, with the labels that would tell more; and the class that pays for it."""
    better = decide(moments(good=(13, 14, 3, 0), bad=(40, 0, 0, 0)))
    assert "right in 67 of 70 moments in 1 session that neither had learned, the champion in 56" in better.reason
    worse = decide(moments(good=(18, 0, 1, 1), bad=(3, 0, 0, 0))).reason
    assert "so the champion stays" in worse
    assert "first of 'bad' (3 moments)" in worse
    assert "recall of 'bad' falls from 20 to 8 of 20" in decide(moments(good=(9, 30, 0, 0), bad=(8, 0, 12, 0))).reason


def test_evidence_of_one_class_asks_for_the_others() -> None:
    """However well the challenger does on it."""
    reason = decide(moments(good=(0, 20, 0, 0))).reason
    assert "all 20 moments are of 'good'" in reason
    assert "first of 'bad' (no moments)" in reason


def test_without_evidence_nothing_is_promoted() -> None:
    """Nothing can be shown without answers that it has not learned; the labels that would help are named."""
    decision = decide([])
    assert not decision.passed
    assert "'good' (no moments), 'bad' (no moments)" in decision.reason


@pytest.mark.parametrize(("right", "promoted"), [(0, False), (1, True)])
def test_against_a_base_one_right_answer_is_enough_but_provisional(right: int, promoted: bool) -> None:
    """A champion that knows no classes loses to anything that is right at least once, but not to a model that never is.

    Evidence of one class is enough there: nobody's answers get worse.
    """
    found = [moment("good", 0.9 if number < right else 0.1, None) for number in range(8)]
    decision = judge(found, OLD, (), SETTINGS)
    assert decision.passed is promoted
    assert "knows no posture classes" in decision.reason
    assert "so it is provisional" in decision.reason


def test_answers_survive_json_and_refuse_lists_of_different_lengths() -> None:
    """Half an answer sheet must not be judged."""
    found = Answers((1, 2), ("good", "bad"), ("good", "good"), ("bad", "bad"))
    assert from_json(Answers, as_json(found)) == found
    with pytest.raises(ValueError, match="not of the same images"):
        from_json(Answers, {**as_json(found), "challenger": ["good"]})


def test_half_of_what_counts_is_being_right() -> None:
    """Six moments set right at even odds outweigh eight that stay right with less chance, as the owner sees only the former."""
    fixed, doubted = [moment("good", 0.55, 0.45)] * 6, [moment("bad", 0.6, 0.95)] * 8
    found = gain([*fixed, *doubted])
    assert found.mean == pytest.approx((6 * (1 + 0.1) - 8 * 0.35) / 2 / 14)
    assert decide([*fixed, *doubted]).passed


@pytest.mark.parametrize(("count", "least", "most"), [(3, 0.6, 0.75), (300, 0.99, 1.0)])
def test_a_few_moments_that_agree_make_nobody_certain(count: int, least: float, most: float) -> None:
    """Each is a little better, all by as much: as if moments had differed before, so it takes many of them to be sure."""
    assert least < gain([moment("good", 0.9, 0.8)] * count).probability <= most


@pytest.mark.parametrize(("broken", "promoted"), [(2, True), (4, True), (5, False)])
def test_a_class_has_its_veto_only_where_its_loss_is_no_accident(broken: int, promoted: bool) -> None:
    """A fifth of its moments may be chance when they are two of ten; from five moments on, and none gained, it is not."""
    found = decide(moments(good=(9, 30, 0, 0), bad=(10 - broken, 0, broken, 0)))
    assert found.passed is promoted
    assert ("recall of 'bad' falls" in found.reason) is not promoted


def test_ten_moments_are_no_longer_few() -> None:
    """On nine a model is provisional, the first one as well."""
    assert [is_provisional(count) for count in (9, 10)] == [True, False]
    firsts = [judge([moment("good", 0.9, None)] * count, OLD, (), SETTINGS).reason for count in (9, 10)]
    assert ["provisional" in reason for reason in firsts] == [True, False]
