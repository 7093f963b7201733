"""Promotion: who wins on the same holdout, how sure that is, and which class may veto."""

from collections.abc import Sequence

import pytest
from scipy.stats import beta

from posture_daemon.domain import Decision
from posture_daemon.learning.evaluation import Answers
from posture_daemon.settings import PromotionSettings
from posture_daemon.store.json_values import as_json, from_json
from posture_daemon.training.promotion import judge, probability_better

SETTINGS = PromotionSettings(min_probability=0.8, max_recall_loss=0.1, min_class_images=10)
OLD = ("good", "bad")
WRONG = "something else"
AS_BEFORE = {"good": (8, 0, 0, 0), "bad": (9, 0, 0, 0)}

Counts = tuple[int, int, int, int]
"""Images of one class that both get right, that were fixed, that were broken, that both get wrong."""


def answers(**classes: Counts) -> Answers:
    """Answers of both models with these counts."""
    rows = [
        (name, name if now else WRONG, name if before else WRONG)
        for name, (both, fixed, broken, neither) in classes.items()
        for before, now, number in ((1, 1, both), (0, 1, fixed), (1, 0, broken), (0, 0, neither))
        for _ in range(number)
    ]
    truth, challenger, incumbent = zip(*rows, strict=True) if rows else ((), (), ())
    return Answers(tuple(range(len(rows))), truth, challenger, incumbent)


def decide(found: Answers, knows: Sequence[str] = OLD, knew: Sequence[str] = OLD) -> Decision:
    """Judge under the settings of this file."""
    return judge(found, knows, knew, SETTINGS)


@pytest.mark.parametrize(
    ("counts", "promoted"),
    [
        pytest.param({"good": (8, 2, 0, 0), "bad": (9, 0, 0, 0)}, True, id="better"),
        pytest.param({"good": (20, 9, 3, 0), "bad": (9, 0, 0, 0)}, True, id="much better than it is worse"),
        pytest.param({"good": (8, 1, 0, 0), "bad": (9, 0, 0, 0)}, False, id="too little to be sure"),
        pytest.param({"good": (90, 6, 5, 0), "bad": (9, 0, 0, 0)}, False, id="noise"),
        pytest.param({"good": (8, 0, 2, 0), "bad": (9, 0, 0, 0)}, False, id="worse"),
        pytest.param({"good": (8, 0, 0, 2), "bad": (9, 0, 0, 0)}, False, id="the same answers"),
        pytest.param({"good": (8, 3, 3, 0), "bad": (9, 0, 0, 0)}, False, id="tie"),
        pytest.param({"good": (9, 11, 0, 0), "bad": (17, 0, 3, 0)}, False, id="worst class falls"),
        pytest.param({"good": (9, 11, 0, 0), "bad": (18, 0, 2, 0)}, True, id="worst class falls just as far as it may"),
        pytest.param({"good": (9, 11, 0, 0), "bad": (5, 0, 4, 0)}, True, id="too few images for a veto"),
        pytest.param({"good": (9, 11, 0, 0), "bad": (6, 0, 4, 0)}, False, id="just enough images for a veto"),
        pytest.param({"good": (9, 11, 0, 0)}, False, id="holdout of one class"),
    ],
)
def test_the_challenger_must_surely_be_better_and_no_class_may_lose_too_much(
    counts: dict[str, Counts], promoted: bool
) -> None:
    """More fixed than broken, by more than luck explains; ties to the incumbent; a veto for every class with enough images."""
    assert decide(answers(**counts)).passed is promoted


@pytest.mark.parametrize(
    ("counts", "promoted"),
    [
        pytest.param(AS_BEFORE, True, id="no holdout image of it, old classes as before"),
        pytest.param({**AS_BEFORE, "good": (8, 1, 1, 0)}, True, id="no holdout image of it, old classes tie"),
        pytest.param({**AS_BEFORE, "good": (8, 0, 1, 0)}, False, id="no holdout image of it, old classes worse"),
        pytest.param({**AS_BEFORE, "new": (0, 1, 0, 0)}, True, id="its only image is right"),
        pytest.param({**AS_BEFORE, "new": (0, 0, 0, 1)}, False, id="its only image is wrong"),
        pytest.param({**AS_BEFORE, "good": (8, 0, 1, 0), "new": (0, 9, 0, 0)}, True, id="it gains more than it costs"),
        pytest.param({**AS_BEFORE, "good": (8, 0, 2, 0), "new": (0, 9, 0, 0)}, False, id="an old class pays for it"),
        pytest.param({"good": (8, 0, 0, 0), "new": (0, 1, 0, 0)}, True, id="two classes held out are enough"),
    ],
)
def test_a_new_class_is_judged_fairly(counts: dict[str, Counts], promoted: bool) -> None:
    """Its images count as fixed; with few or none it may enter as long as the old classes get no worse."""
    assert decide(answers(**counts), knows=(*OLD, "new")).passed is promoted


def test_a_new_class_without_holdout_images_says_why_it_may_enter() -> None:
    """The reason tells what was not shown."""
    reason = decide(answers(**AS_BEFORE), knows=(*OLD, "new")).reason
    assert (
        "knows 'new', which the champion cannot (no holdout image of it yet), and the old classes get no worse"
        in reason
    )


def test_the_reason_gives_the_scores_what_changed_and_how_sure_that_is() -> None:
    """Of a clear promotion; of one that is not, with the labels that would tell more; and the class that pays for it."""
    assert decide(answers(good=(9, 11, 0, 0), bad=(15, 0, 5, 0))).reason == "recall of 'bad' falls from 20 to 15 of 20"
    assert decide(answers(good=(13, 14, 3, 0), bad=(40, 0, 0, 0))).reason == (
        "top-1 on the holdout 0.800 (56 of 70) → 0.957 (67 of 70): fixed 14, broke 3 of 70, 99.6 % sure that it is better"
    )
    assert decide(answers(good=(18, 1, 0, 1), bad=(3, 0, 0, 0))).reason == (
        "top-1 on the holdout 0.913 (21 of 23) → 0.957 (22 of 23): fixed 1, broke 0 of 23, only 75.0 % sure that it is "
        "better (at least 80.0 %); labels of another day or hour would tell more, first of 'bad' (3 held out)"
    )


def test_a_holdout_of_one_class_asks_for_the_others() -> None:
    """However well the challenger does on it."""
    reason = decide(answers(good=(0, 20, 0, 0))).reason
    assert "all 20 holdout images are of 'good'" in reason
    assert "first of 'bad' (none held out)" in reason


@pytest.mark.parametrize("knew", [(), OLD])
def test_without_a_holdout_nothing_is_promoted(knew: tuple[str, ...]) -> None:
    """Nothing can be shown without images, also against a base; the labels that would help are named."""
    decision = judge(Answers((), (), (), () if knew else None), OLD, knew, SETTINGS)
    assert not decision.passed
    assert "no holdout images" in decision.reason
    assert "'good' (none held out), 'bad' (none held out)" in decision.reason


@pytest.mark.parametrize(("right", "promoted"), [(0, False), (1, True)])
def test_against_a_base_one_right_answer_is_enough(right: int, promoted: bool) -> None:
    """A champion that knows no classes loses to anything that is right at least once, but not to a model that never is."""
    found = answers(good=(0, right, 0, 20 - right))
    decision = judge(Answers(found.frame_ids, found.truth, found.challenger, None), OLD, (), SETTINGS)
    assert decision.passed is promoted
    assert "knows no posture classes" in decision.reason


@pytest.mark.parametrize(("fixed", "broken"), [(0, 0), (1, 0), (0, 3), (14, 3), (700, 650)])
def test_the_probability_is_that_of_the_beta_distribution(fixed: int, broken: int) -> None:
    """The share of fixed images among those that changed is above one half; SciPy computes the same from its integral."""
    assert probability_better(fixed, broken) == pytest.approx(beta(fixed + 1, broken + 1).sf(0.5))


def test_answers_survive_json_and_refuse_lists_of_different_lengths() -> None:
    """Half an answer sheet must not be judged."""
    found = answers(good=(2, 1, 0, 0), bad=(1, 0, 1, 0))
    assert from_json(Answers, as_json(found)) == found
    with pytest.raises(ValueError, match="not of the same images"):
        from_json(Answers, {**as_json(found), "challenger": ["good"]})
