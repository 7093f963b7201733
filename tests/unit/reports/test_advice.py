"""What should I show it next? The most useful sentences first, at most three."""

from datetime import datetime

from posture_daemon.domain import PostureClass, Reason, Role
from posture_daemon.learning.evaluation import Evaluation
from posture_daemon.reports.advice import advice
from posture_daemon.reports.status import overview
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.json_values import as_json
from tests.builders import (
    add_champion,
    add_frame,
    add_version,
    ensure_classes,
    label,
    label_block,
    label_days,
    random_head,
)

HOUR, DAY = 3600.0, 86_400.0
MORNING = datetime(2026, 5, 1, 9).timestamp()


def said(store: Store) -> list[str]:
    """With the default settings."""
    return advice(store, Settings(data_dir=store.folder))


def champion_that_saw(store: Store, *confusion: tuple[int, ...]) -> None:
    """A champion with this confusion matrix of good, bad, away on its holdout."""
    seen = Evaluation(("good", "bad", "away"), confusion, 0.1)
    version = add_version(store, random_head(3), "sha", "good", "bad", "away", metrics={"challenger": as_json(seen)})
    store.models.promote(version.id, 0.0)


def test_a_new_owner_is_told_to_begin(store: Store) -> None:
    """With classes, but without any label, or without either; one sentence is enough."""
    assert said(store) == ["Label a few frames of each posture, and of the empty chair."]
    ensure_classes(store, "good", "bad")
    assert len(said(store)) == 1


def test_what_cannot_be_learned_comes_before_what_cannot_be_judged(store: Store) -> None:
    """A class of the champion's without a label, then one whose only block trains."""
    add_champion(store, "good", "bad", "standing")
    label_block(store, "good", 0.0)
    label_block(store, "good", HOUR)
    label_block(store, "bad", 2 * HOUR)
    first, second, third = said(store)
    assert "any images of 'standing'" in first
    assert second.startswith("Show it 'bad' at another hour or day")
    assert third.startswith("Teach it the empty chair")


def test_the_empty_chair_is_asked_for_by_its_role_and_not_by_its_name(store: Store) -> None:
    """A class `nobody` that means away will do."""
    label_days(store, "good", "bad")
    assert any("empty chair" in line for line in said(store))
    store.labels.ensure_class(PostureClass("nobody", Role.AWAY), 0.0)
    assert not any("empty chair" in line for line in said(store))


def test_a_class_that_is_confused_is_named_with_the_other_one(store: Store) -> None:
    """From the champion's own holdout; a class with few images there, or that is known well, says nothing."""
    label_days(store, "good", "bad", "away")
    champion_that_saw(store, (20, 0, 0), (7, 12, 1), (1, 0, 1))
    assert said(store) == [
        "Label more of 'bad' and 'good' where they look alike: it takes 7 of 20 held-out images of 'bad' for 'good'."
    ]


def test_camera_frames_of_one_day_ask_for_another_day(store: Store) -> None:
    """Of a class with many of them; the made-up times of imported pictures do not count."""
    label_days(store, "good", "bad", "away")
    for block in range(4):
        label_block(store, "good", MORNING + HOUR * block)
    assert said(store) == ["Show it 'good' on another day: all 24 labelled frames are of one day."]


def test_camera_frames_of_one_time_of_day_ask_for_another_light(store: Store) -> None:
    """Four mornings are one light; an evening in between ends the advice."""
    label_days(store, "good", "bad", "away")
    for block in range(4):
        label_block(store, "good", MORNING + DAY * block + 600 * block)
    assert said(store) == [
        "Show it 'good' at another time of day: all 24 labelled frames were taken between 9 and 10 o'clock."
    ]
    label_block(store, "good", MORNING + 11 * HOUR)
    assert not any("time of day" in line for line in said(store))


def test_the_question_that_waits_most_often_is_named(store: Store) -> None:
    """Of frames that the model is unsure of; few of them, or random audits, are no news."""
    label_days(store, "good", "bad", "away")
    for number in range(7):
        add_frame(store, MORNING + number, predicted="bad" if number < 5 else "good", confidence=0.5)
        add_frame(store, MORNING + HOUR + number, predicted="good", confidence=0.99, reason=Reason.AUDIT)
    assert said(store) == ["Answer what waits: it is unsure of 7 frames, most often (5) whether it is 'bad'."]


def test_never_more_than_three_and_never_none(store: Store) -> None:
    """When all is well, the class with the least to judge it by is named."""
    label_days(store, "good", "bad", "away")
    label(store, add_frame(store, MORNING), "good")
    assert said(store) == ["Most useful next: images of 'bad' from other sessions."]
    ensure_classes(store, *(f"pose{number}" for number in range(5)))
    assert len(said(store)) == 3


def test_status_says_it_too_and_changes_nothing(store: Store) -> None:
    """Classes that only the champion knows do not become the owner's by looking."""
    add_champion(store, "good", "bad")
    assert list(overview(store, Settings(data_dir=store.folder), 0.0).advice) == said(store)
    assert store.labels.classes() == []
