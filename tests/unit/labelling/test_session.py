"""Labelling: what every front end may rely on, over a real SQLite file."""

import numpy as np
import pytest

from posture_daemon.domain import ModelVersion, NewFrame, PostureClass, Reason, Role, Status
from posture_daemon.errors import LabelError
from posture_daemon.labelling.session import Labelling, LabellingProgress
from posture_daemon.settings import LabelSettings
from posture_daemon.store import Store
from posture_daemon.vision import jpeg as pictures

NOW = 1_700_000_000.0


@pytest.fixture
def labelling(store: Store) -> Labelling:
    """Begin a session with the classes `good` and `bad`."""
    labelling = Labelling(store, LabelSettings(), lambda: NOW)
    for name in ("good", "bad"):
        labelling.add_class(name)
    return labelling


def queue(store: Store, count: int) -> list[int]:
    """Let `count` frames wait, a second apart; return their numbers."""
    ids = []
    for number in range(count):
        jpeg = pictures.encode_jpeg(np.full((24, 32, 3), 10 * number, np.uint8), 640, 90)
        frame = NewFrame(jpeg, NOW + number, "camera", Reason.UNCERTAIN, "0.5")
        ids.append(store.queue.add(frame, NOW, 300, 900))
    return [id_ for id_ in ids if id_ is not None]


def test_frames_come_oldest_first_until_all_are_answered(store: Store, labelling: Labelling) -> None:
    """`next` gives the oldest waiting frame; a label or a discard takes it out of the queue."""
    first, second = queue(store, 2)
    assert labelling.next().id == first
    labelling.answer(first, "good")
    labelling.discard(second)
    assert (labelling.next(), labelling.progress()) == (None, LabellingProgress(queued=0, labelled=1, discarded=1))
    assert [image.class_name for image in store.labels.labelled()] == ["good"]


def test_a_skipped_frame_waits_for_the_next_session(store: Store, labelling: Labelling) -> None:
    """Skipped frames are not offered again in this session, but in another one."""
    first, second, third = queue(store, 3)
    labelling.skip(first)
    labelling.skip(second)
    assert labelling.next().id == third
    labelling.skip(third)
    assert (labelling.next(), labelling.progress().queued) == (None, 3)
    assert Labelling(store, LabelSettings(), lambda: NOW).next().id == first


def test_a_skipped_frame_answered_elsewhere_hides_no_other(store: Store, labelling: Labelling) -> None:
    """Another front end may answer what was skipped here."""
    first, second = queue(store, 2)
    labelling.skip(first)
    Labelling(store, LabelSettings(), lambda: NOW).answer(first, "good")
    assert labelling.next().id == second


def test_undo_goes_back_step_by_step_over_answers_discards_and_skips(store: Store, labelling: Labelling) -> None:
    """Each undo returns the frame of the last step, waiting again and offered again."""
    first, second, third = queue(store, 3)
    labelling.answer(first, "good")
    labelling.discard(second)
    labelling.skip(third)
    undone = [labelling.undo() for _ in range(3)]
    assert [(f.id, f.status) for one in undone if one for f in one.frames] == [
        (id_, Status.QUEUED) for id_ in (third, second, first)
    ]
    assert labelling.undo() is None
    assert store.labels.labelled() == []
    assert labelling.next().id == first


def test_a_skip_that_is_undone_is_offered_again(store: Store, labelling: Labelling) -> None:
    """The frame is the next one, as if it had not been skipped."""
    first, _ = queue(store, 2)
    labelling.skip(first)
    labelling.undo()
    assert labelling.next().id == first


def test_undo_after_an_answer_does_not_take_back_an_older_skip(store: Store, labelling: Labelling) -> None:
    """The last step was the answer, so it goes first."""
    first, second = queue(store, 2)
    labelling.skip(first)
    labelling.answer(second, "bad")
    assert labelling.undo().frames[0].id == second


def test_the_picture_is_the_one_that_was_kept(store: Store, labelling: Labelling) -> None:
    """`picture` decodes the stored JPEG to BGR."""
    _, second = queue(store, 2)
    image = labelling.picture(second)
    assert image.shape == (24, 32, 3)
    assert abs(int(image.mean()) - 10) <= 1


@pytest.mark.parametrize("act", ["picture", "discard", "answer"])
def test_a_frame_that_is_gone_is_refused_in_one_sentence(labelling: Labelling, act: str) -> None:
    """The daemon may have evicted it meanwhile."""
    arguments = (99, "good") if act == "answer" else (99,)
    with pytest.raises(LabelError, match=r"^There is no frame 99; .*\.$"):
        getattr(labelling, act)(*arguments)


def test_an_answer_needs_a_class_that_exists(store: Store, labelling: Labelling) -> None:
    """A misspelt class is refused and the frame keeps waiting."""
    (frame_id,) = queue(store, 1)
    with pytest.raises(LabelError, match="no class 'goood'"):
        labelling.answer(frame_id, "goood")
    assert labelling.progress().queued == 1


def test_classes_of_the_champion_are_offered_and_can_be_answered(store: Store, labelling: Labelling) -> None:
    """They become the owner's classes, with the model's roles, after those that are there."""
    known = (PostureClass("bad", Role.NEUTRAL), PostureClass("gone", Role.AWAY))
    version = store.models.add_version(ModelVersion(0, NOW, None, "b" * 64, "c" * 64, known, 1.0, "test"))
    store.models.promote(version.id, NOW)
    (frame_id,) = queue(store, 1)
    labelling.answer(frame_id, "gone")
    assert labelling.classes() == [
        PostureClass("good", Role.GOOD),
        PostureClass("bad", Role.BAD),
        PostureClass("gone", Role.AWAY),
    ]
    assert store.labels.classes() == labelling.classes()


def test_a_new_class_gets_the_role_given_or_the_one_its_name_suggests(labelling: Labelling) -> None:
    """`slouching` is bad unless the owner says otherwise."""
    assert labelling.add_class("slouching").role is Role.BAD
    assert labelling.add_class("slouch_ok", Role.NEUTRAL).role is Role.NEUTRAL
