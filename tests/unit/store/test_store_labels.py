"""Classes, labels, and which of them are new since a training."""

import pytest

from posture_daemon.domain import Outcome, PostureClass, Reason, Role, Split
from posture_daemon.store import Store
from tests.builders import add_frame, decided, ensure_classes, label, label_block, undo

HOUR = 3600.0


def test_classes_keep_the_order_of_their_creation(store: Store) -> None:
    """And their first role: a class is created once."""
    ensure_classes(store, "good", "bad", "away")
    assert not store.labels.ensure_class(PostureClass("bad", Role.GOOD), 9.0)
    assert store.labels.classes() == [
        PostureClass("good", Role.GOOD),
        PostureClass("bad", Role.BAD),
        PostureClass("away", Role.AWAY),
    ]


def test_counts_per_class_and_split(store: Store) -> None:
    """Classes without any image are there with zeros."""
    ensure_classes(store, "away")
    label_block(store, "good", 0, count=3)
    label_block(store, "good", HOUR, count=2)
    zero = dict.fromkeys(Split, 0)
    assert store.labels.counts() == {"away": zero, "good": {**zero, Split.TRAIN: 3, Split.HOLDOUT: 2}}
    assert store.labels.total() == 5


def trained(store: Store, outcome: Outcome = Outcome.KEPT, now: float = 0.0) -> None:
    """A training that saw all labels there are."""
    store.runs.finish(store.runs.begin("test", decided(), None, now), outcome, "", now)


def test_new_labels_are_those_given_after_a_training_whatever_the_clock_says(store: Store) -> None:
    """In their order, with their times; here the clock was a year ahead when the training ran."""
    label_block(store, "good", 0, count=3)
    assert store.labels.new() == [("good", 0.0), ("good", 1.0), ("good", 2.0)]
    trained(store, now=365 * 24 * HOUR)
    assert store.labels.new(store.runs.labels_learned()) == []
    label_block(store, "bad", HOUR, count=2)
    assert store.labels.new(store.runs.labels_learned()) == [("bad", HOUR), ("bad", HOUR + 1)]


def test_a_label_that_is_changed_or_taken_back_to_another_is_new(store: Store) -> None:
    """The next training has something to learn from it; one that is gone has not, and its number is not given again."""
    first, second = label_block(store, "good", 0, count=2)
    label(store, first, "bad") if store.labels.ensure_class(PostureClass("bad", Role.BAD), 0.0) else None
    trained(store)
    seen = store.runs.labels_learned()
    undo(store)
    assert [name for name, _ in store.labels.new(seen)] == ["good"]
    label(store, second, None)
    label(store, second, "bad")
    assert [name for name, _ in store.labels.new(seen)] == ["good", "bad"]


def test_a_session_is_new_while_no_label_of_it_is_old(store: Store) -> None:
    """With all its images; another label of a learned day makes it no new one, and a changed one counts as new."""
    early = label_block(store, "good", 0, count=2)
    assert [image.frame_id for image in store.labels.of_new_sessions(0)] == early
    trained(store)
    seen = store.runs.labels_learned()
    label_block(store, "bad", HOUR, count=2)
    assert store.labels.of_new_sessions(seen) == []
    late = label_block(store, "bad", 24 * HOUR, count=2)
    assert [image.frame_id for image in store.labels.of_new_sessions(seen)] == late
    for frame_id in early:
        label(store, frame_id, "bad")
    assert [image.frame_id for image in store.labels.of_new_sessions(seen)][:2] == early
    assert len(store.labels.of_new_sessions(seen)) == 6


@pytest.mark.parametrize("outcome", [Outcome.DEFERRED, Outcome.FAILED])
def test_a_training_that_came_to_nothing_has_learned_nothing(store: Store, outcome: Outcome) -> None:
    """Its labels are still new."""
    label_block(store, "good", 0, count=3)
    trained(store, outcome)
    assert len(store.labels.new(store.runs.labels_learned())) == 3


def test_every_answer_and_every_undo_changes_the_state(store: Store) -> None:
    """Also one that takes the place of another: as many labels, and the same highest number of a step."""
    ensure_classes(store, "good", "bad")
    frame_id = add_frame(store, 0.0)
    seen = [store.labels.state()]
    for act in (lambda: label(store, frame_id, "good"), lambda: undo(store), lambda: label(store, frame_id, "bad")):
        act()
        seen.append(store.labels.state())
    assert len(set(seen)) == 4
    assert seen[1][:2] == seen[3][:2]


def test_checks_are_the_answers_to_frames_of_which_the_model_was_sure(store: Store) -> None:
    """Picked at random, or called wrong: whether it was right in each, in the order of the answers. Other frames are none."""
    ensure_classes(store, "good", "bad")
    audited, wrong, unsure, unsaid, later = (
        add_frame(store, float(at), reason=reason, predicted=predicted)
        for at, (reason, predicted) in enumerate(
            [
                (Reason.AUDIT, "good"),
                (Reason.WRONG, "good"),
                (Reason.UNCERTAIN, "good"),
                (Reason.AUDIT, None),
                (Reason.AUDIT, "bad"),
            ]
        )
    )
    assert store.labels.checks() == []
    for frame_id, class_name in ((later, "bad"), (wrong, "bad"), (unsure, "bad"), (unsaid, "bad"), (audited, "good")):
        label(store, frame_id, class_name)
    assert store.labels.checks() == [True, False, True]
    label(store, later, "good")
    assert store.labels.checks() == [False, True, False]
    label(store, wrong, None)
    assert store.labels.checks() == [True, False]


def test_a_check_that_is_taken_back_is_none(store: Store) -> None:
    """As if it had not been answered."""
    ensure_classes(store, "good", "bad")
    label(store, add_frame(store, 1.0, reason=Reason.AUDIT, predicted="good"), "bad")
    assert store.labels.checks() == [False]
    undo(store)
    assert store.labels.checks() == []
