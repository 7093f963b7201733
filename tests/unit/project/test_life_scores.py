"""The pure parts of the bench of lives: the order and pace of a day, where keys are pressed, scores and verdicts."""

from collections import Counter
from pathlib import Path

import pytest

from posture_daemon.domain import UNKNOWN, Role
from posture_daemon.errors import DatasetError
from tests.bench.life_days import (
    MAX_IDLE_S,
    SPACING_S,
    UNTIMED_S,
    Picture,
    evenly,
    in_order,
    key_places,
    paced,
    read_days,
)
from tests.bench.life_records import Choice, LivedDay, Shown
from tests.bench.life_scores import (
    Bar,
    Row,
    by_answers,
    called_good,
    contradicted,
    named_posture_right,
    part,
    posture_right,
    posture_unknown,
    sure_and_wrong,
    top1,
)


def picture(class_name: str, name: str, at: float | None = None) -> Picture:
    """A file of this name."""
    return Picture(Path("day", class_name, name), class_name, at)


def shown(moment: int, truth: str, label: str, confidence: float = 0.9, answers: int = 0, **more: object) -> Shown:
    """One frame."""
    return Shown(moment, truth, label, confidence, answers, **more)  # type: ignore[arg-type]


def lived(*frames: Shown) -> LivedDay:
    """A day of these frames and nothing else."""
    return LivedDay("day", len(frames), frames, (), (), 0, 0, None, None, 0, ())


def test_a_day_with_times_is_in_their_order() -> None:
    """Whatever the names and the classes say."""
    found = in_order([picture("good", "1.jpg", 30.0), picture("bad", "2.jpg", 10.0), picture("good", "3.jpg", 20.0)])
    assert [one.path.name for one in found] == ["2.jpg", "3.jpg", "1.jpg"]


def test_a_day_without_times_shows_its_classes_side_by_side() -> None:
    """Each in natural order and at an even pace; one picture without a time makes all times useless."""
    names = ["1.jpg", "2.jpg", "10.jpg", "11.jpg"]
    found = in_order(
        [*(picture("good", name, 5.0) for name in names), picture("bad", "7.jpg"), picture("bad", "8.jpg")]
    )
    assert [one.path.name for one in found if one.class_name == "good"] == names
    assert [one.class_name for one in found] == ["good", "bad", "good", "good", "bad", "good"]
    assert all(one.taken_at is None for one in found)


def test_pauses_are_compressed_and_pictures_never_crowd() -> None:
    """Known gaps are kept between the least and the longest; unknown ones are all alike."""
    assert paced([0.0, 1.0, 61.0, 10_000.0]) == [0.0, SPACING_S, SPACING_S + 60, SPACING_S + 60 + MAX_IDLE_S]
    assert paced([None, None, None]) == [0.0, UNTIMED_S, 2 * UNTIMED_S]
    assert paced([]) == []


def test_an_even_selection_keeps_both_ends() -> None:
    """0 keeps all."""
    assert evenly(range(11), 3) == [0, 5, 10]
    assert evenly(range(3), 0) == evenly(range(3), 5) == [0, 1, 2]


def test_keys_are_spread_over_the_part_of_the_day_that_they_may_take() -> None:
    """One after each part, the last at its end; on a short day several may come at once, but none is lost."""
    assert key_places(24, 12) == Counter(range(2, 25, 2))
    assert max(key_places(24, 12, 0.5)) == 12
    assert sum(key_places(5, 12, 0.25).values()) == 12
    assert min(key_places(5, 12, 0.25)) == 1
    assert not key_places(24, 0)


@pytest.mark.parametrize("days", [0, 1])
def test_a_folder_that_is_no_days_says_what_is_missing(tmp_path: Path, days: int) -> None:
    """No folder, or too few days in it."""
    with pytest.raises(DatasetError, match="needs two days" if days else "There is no folder"):
        read_days(tmp_path if days else tmp_path / "none")


def test_what_is_shown_is_scored_frame_by_frame() -> None:
    """`unknown` is never right and never surely wrong; neither is what the product says it does not know."""
    frames = [
        shown(0, "good", "good"),
        shown(1, "good", "bad", 0.81),
        shown(2, "good", "bad", 0.8),
        shown(3, "good", UNKNOWN, 0.0),
        shown(4, "good", "bad", 0.99, familiar=False),
    ]
    assert top1(frames) == pytest.approx(1 / 5)
    assert sure_and_wrong(frames) == pytest.approx(1 / 5)
    assert top1(part(frames, 0, 1)) == 1
    assert top1([]) is None


def test_postures_count_once_they_are_settled() -> None:
    """Frames before that have no state."""
    frames = [shown(0, "good", "bad"), shown(0, "good", "bad", state="good"), shown(1, "good", "good", state=UNKNOWN)]
    assert posture_right(frames) == posture_unknown(frames) == 0.5
    assert named_posture_right(frames) == 1.0, "of the one that names a class"
    assert named_posture_right([one for one in frames if one.state == UNKNOWN]) is None


def test_scores_by_the_number_of_answers_so_far() -> None:
    """Each step up to the next; one that has no frames says nothing."""
    frames = [
        shown(0, "a", "b"),
        shown(1, "a", "a", answers=1),
        shown(2, "a", "b", answers=3),
        shown(3, "a", "a", answers=9),
    ]
    assert by_answers(frames, (0, 1, 4, 7)) == {"0": 0, "1-3": 0.5, "4-6": None, "7 or more": 1}


def test_who_sits_badly_is_called_good_by_role() -> None:
    """By any class whose role is good; surely only where it was sure."""
    day = lived(
        shown(0, "bad", "upright", 0.7), shown(1, "bad", "upright", 0.9), shown(2, "bad", "bad"), shown(3, "bad", "x")
    )
    roles = {"upright": Role.GOOD, "bad": Role.BAD}
    assert called_good(day, roles, only_surely=False) == 0.5
    assert called_good(day, roles, only_surely=True) == 0.25


def test_a_decision_is_contradicted_by_more_than_two_points() -> None:
    """Refusals of what is better, promotions of what is worse; what could not be judged does not count."""
    choices = [
        Choice(False, 0, "", rest=(0.5, 0.53), next_day=None),
        Choice(False, 0, "", rest=(0.5, 0.52), next_day=(0.5, 0.9)),
        Choice(True, 0, "", rest=(0.5, 0.4), next_day=None),
        Choice(True, 0, "", rest=(0.5, 0.49), next_day=None),
    ]
    assert str(contradicted(choices, promoted=False, next_day=False)) == "1 of 2"
    assert str(contradicted(choices, promoted=True, next_day=False)) == "1 of 2"
    assert contradicted(choices, promoted=False, next_day=True).share == 1
    assert contradicted(choices, promoted=True, next_day=True).share is None


def test_days_weigh_alike_and_the_spread_is_over_the_seeds() -> None:
    """However many seeds a day had."""
    row = Row("x", {("0", "monday"): 0.6, ("1", "monday"): 0.8, ("0", "tuesday"): 0.1})
    assert row.value == pytest.approx(0.4)
    assert row.by(0) == pytest.approx({"0": 0.35, "1": 0.8})
    assert row.spread == pytest.approx(0.45 / 2**0.5)
    assert row.verdict == ""


@pytest.mark.parametrize(
    ("bar", "holds", "misses"),
    [
        (Bar("at least", 0.8), 0.8, 0.79),
        (Bar("at most", 3), 3.0, 3.1),
        (Bar("within", 4), -4.0, -4.1),
        (Bar("at least", -2, of="worst"), -2.0, -2.1),
    ],
)
def test_a_bar_is_met_or_missed(bar: Bar, holds: float, misses: float) -> None:
    """Its very limit is enough; what nobody measured is missed; of a `worst` bar the least run counts."""
    assert Row("x", {("0", "a"): holds, ("0", "b"): holds}, bar).verdict == "pass"
    assert Row("x", {("0", "a"): misses, ("0", "b"): misses}, bar).verdict == "FAIL"
    assert Row("x", {}, bar).verdict == "FAIL"
    assert Row("x", {("0", "a"): 100.0, ("0", "b"): -100.0}, Bar("at least", -2, of="worst")).verdict == "FAIL"


def test_a_row_as_json_says_all_of_it() -> None:
    """Value, spread, range, bar and verdict."""
    said = Row("x", {("0", "a"): 0.9, ("0", "b"): 0.7}, Bar("at least", 0.75), note="why").as_json()
    assert said["value"] == pytest.approx(0.8)
    assert said["range_over_days"] == [0.7, 0.9]
    assert (said["bar"], said["verdict"], said["runs"], said["note"]) == ("≥ 0.75", "pass", 2, "why")
