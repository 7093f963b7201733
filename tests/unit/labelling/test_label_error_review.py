"""A second look at doubted labels: what was kept is not asked again, and every step can be undone."""

import io

import pytest
from rich.console import Console

from posture_daemon.domain import Split, Status
from posture_daemon.errors import LabelError
from posture_daemon.labelling.label_error_review import Review
from posture_daemon.labelling.session import Labelling
from posture_daemon.learning.label_errors import Doubt
from posture_daemon.settings import LabelSettings
from posture_daemon.store import Store
from posture_daemon.ui.keyboard import END
from posture_daemon.ui.review import run_review
from tests.builders import label_block
from tests.checks import classes_of

NOW = 5_000.0


@pytest.fixture
def store(store: Store) -> Store:
    """Frames 1 to 3 are good, 4 to 6 bad."""
    label_block(store, "good", 0.0, count=3)
    label_block(store, "bad", 9_000.0, count=3)
    return store


def review(store: Store, *frame_ids: int) -> Review:
    """A session of its own, with doubts about frames that are called good."""
    doubts = [Doubt(i, "good", "bad", 0.97, Split.TRAIN) for i in frame_ids]
    return Review(store, LabelSettings(), lambda: NOW, doubts)


def asked(session: Review) -> int | None:
    """The frame that is asked about now."""
    frame = session.next()
    return None if frame is None else frame.id


def test_only_doubted_labels_are_asked_with_the_other_class_as_the_guess(store: Store) -> None:
    """In the order of the doubts; skipped ones come again in another session."""
    session = review(store, 3, 1)
    frame = session.next()
    assert (frame.id, frame.predicted, frame.confidence) == (3, "bad", 0.97)
    session.skip(3)
    assert asked(session) == 1
    session.skip(1)
    assert asked(session) is None
    assert asked(review(store, 3, 1)) == 3


def test_what_was_kept_is_not_asked_again(store: Store) -> None:
    """Not in this session and not in another one; the label is no new label."""
    before = store.labels.frames_after(0), store.labels.new(2)
    session = review(store, 1, 2)
    session.keep(1)
    assert asked(session) == 2
    assert asked(review(store, 1)) is None
    assert store.labels.kept() == {1}
    assert (store.labels.frames_after(0), store.labels.new(2)) == before
    assert (session.kept, session.changed) == (1, 0)


def test_the_key_of_the_label_itself_keeps_it(store: Store) -> None:
    """Answering with the same class is the same as keeping."""
    review(store, 1).answer(1, "good")
    assert store.labels.kept() == {1}
    assert classes_of(store)[1] == "good"


def test_relabelled_and_discarded_frames_leave_the_list(store: Store) -> None:
    """They are ordinary answers, so the next training sees them as new."""
    session = review(store, 1, 2, 3)
    session.answer(1, "bad")
    session.discard(2)
    assert asked(session) == 3
    assert classes_of(store) == {1: "bad", 3: "good", 4: "bad", 5: "bad", 6: "bad"}
    assert session.changed == 2


def test_each_step_is_undone_in_turn(store: Store) -> None:
    """A discard, a keep, a relabel; the frame is asked again with its doubt."""
    session = review(store, 1, 2, 3)
    session.answer(1, "bad")
    session.keep(2)
    session.discard(3)
    for frame_id in (3, 2, 1):
        [frame] = session.undo().frames
        assert (frame.id, frame.predicted) == (frame_id, "bad")
    assert store.labels.kept() == set()
    assert classes_of(store) == {1: "good", 2: "good", 3: "good", 4: "bad", 5: "bad", 6: "bad"}
    assert store.queue.get(3).status is Status.LABELLED
    assert len(session.left()) == 3


def test_another_label_ends_what_was_kept_and_undo_brings_it_back(store: Store) -> None:
    """Kept as good, called bad later: then it may be doubted again; taken back, it is kept as before."""
    review(store, 1).keep(1)
    labelling = Labelling(store, LabelSettings(), lambda: NOW)
    labelling.answer(1, "bad")
    assert store.labels.kept() == set()
    labelling.undo()
    assert classes_of(store)[1] == "good"
    assert store.labels.kept() == {1}


def test_a_label_that_was_changed_elsewhere_is_not_asked(store: Store) -> None:
    """Another front end was faster."""
    session = review(store, 1, 2)
    Labelling(store, LabelSettings(), lambda: NOW).answer(1, "bad")
    assert asked(session) == 2


def test_only_a_label_can_be_kept(store: Store) -> None:
    """A discarded frame has none, an unknown one neither."""
    Labelling(store, LabelSettings(), lambda: NOW).discard(1)
    for frame_id in (1, 99):
        with pytest.raises(LabelError, match=f"Frame {frame_id} has no label"):
            store.labels.keep(frame_id, NOW)


def at_the_keyboard(session: Review, keys: str) -> str:
    """Press the keys, then Ctrl-D; return everything that was shown."""
    console = Console(file=io.StringIO(), width=110, height=30, force_terminal=True, color_system=None, _environ={})
    rest = iter(keys)
    run_review(session, console, lambda: next(rest, END))
    return console.file.getvalue()


def test_keep_accept_discard_undo_and_quit(store: Store) -> None:
    """K keeps, Enter takes the other class, d discards, u takes that back."""
    shown = at_the_keyboard(review(store, 1, 2, 3), "k\rduq")
    assert store.labels.kept() == {1}
    assert classes_of(store)[2] == "bad"
    assert store.queue.get(3).status is Status.LABELLED
    assert "Your label: good. It is wrong with a chance of 97%; more likely it is bad." in shown
    assert "k keep your label" in shown
    assert "3 doubted labels left" in shown
    assert "Labels changed: 1, kept: 1, left to look at: 1." in shown


def test_k_is_never_the_key_of_a_class(store: Store) -> None:
    """However many there are."""
    labelling = Labelling(store, LabelSettings(), lambda: NOW)
    for number in range(25):
        labelling.add_class(f"pose{number}")
    at_the_keyboard(review(store, 1), "k")
    assert store.labels.kept() == {1}
