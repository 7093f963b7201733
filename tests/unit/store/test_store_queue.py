"""The queue: frames come back as they were put in, and the surest leave first."""

import os

import numpy as np
import pytest

from posture_daemon.domain import Reason, Status
from posture_daemon.errors import LabelError
from posture_daemon.store import Store
from tests.builders import GAP_S, LENGTH_S, add_champion, add_frame, ensure_classes, label, new_frame, undo
from tests.checks import sentence


def test_a_frame_comes_back_as_it_was_put_in(store: Store) -> None:
    """Picture, features and what was known of it; the features only to those who ask for the same backbone."""
    version = add_champion(store, "good", "bad")
    pooled = np.array([0.5, -0.25, 2.0], np.float16)
    known = {"predicted": "good", "confidence": 0.55, "version_id": version.id, "backbone_sha256": "abc"}
    frame_id = add_frame(store, 12.5, b"picture", pooled=pooled, **known)
    frame = store.queue.get(frame_id)
    assert (frame.captured_at, frame.status, frame.predicted, frame.confidence) == (12.5, Status.QUEUED, "good", 0.55)
    assert (frame.reason, frame.explanation) == (Reason.UNCERTAIN.value, "unsure")
    assert store.queue.jpeg(frame_id) == b"picture"
    assert store.queue.find(b"picture") == frame
    assert store.queue.find(b"another") is None
    np.testing.assert_array_equal(store.queue.pooled([frame_id], "abc")[frame_id], pooled)
    assert store.queue.pooled([frame_id], "other") == store.queue.pooled([frame_id + 1], "abc") == {}


def test_the_very_same_picture_is_kept_once(store: Store) -> None:
    """A camera that freezes does not fill the queue."""
    add_frame(store, 1.0, b"same")
    assert store.queue.add(new_frame(b"same", 2.0), 2.0, GAP_S, LENGTH_S) is None
    assert len(store.queue.waiting()) == 1


def test_waiting_frames_come_oldest_first(store: Store) -> None:
    """In the order of capture, not of arrival; labelled and discarded ones are not among them."""
    ensure_classes(store, "good")
    ids = [add_frame(store, at) for at in (30.0, 10.0, 20.0, 40.0, 50.0)]
    label(store, ids[3], "good")
    label(store, ids[4], None)
    assert [frame.captured_at for frame in store.queue.waiting()] == [10.0, 20.0, 30.0]
    assert [frame.captured_at for frame in store.queue.waiting(limit=2)] == [10.0, 20.0]
    assert store.queue.counts() == {Status.QUEUED: 3, Status.LABELLED: 1, Status.DISCARDED: 1}


def test_the_newest_frame_of_each_status_is_found(store: Store) -> None:
    """By capture, and among equals the one that came last."""
    ensure_classes(store, "good")
    assert store.queue.newest(Status.QUEUED) is None
    ids = [add_frame(store, at, f"picture {number}".encode()) for number, at in enumerate((30.0, 10.0, 30.0, 40.0))]
    label(store, ids[3], "good")
    found = [store.queue.newest(status) for status in (Status.QUEUED, Status.LABELLED, Status.DISCARDED)]
    assert found == [store.queue.get(ids[2]), store.queue.get(ids[3]), None]


def test_frames_that_are_not_there_are_said_in_one_sentence(store: Store) -> None:
    """Asked for, pictured or answered."""
    for ask in (store.queue.get, store.queue.jpeg, lambda number: label(store, number, None)):
        with pytest.raises(LabelError, match="no frame 77") as error:
            ask(77)
        sentence(error.value)


def test_recent_features_are_those_of_the_newest_frames(store: Store) -> None:
    """For the recognition of near-duplicates after a restart: the newest of this backbone, oldest first."""
    for at in (1.0, 3.0, 2.0):
        add_frame(store, at, pooled=np.array([at], np.float16), backbone_sha256="abc")
    add_frame(store, 9.0, pooled=np.array([9], np.float16), backbone_sha256="other")
    assert [float(one[0]) for one in store.queue.recent_pooled("abc", limit=2)] == [2.0, 3.0]


def test_eviction_takes_the_surest_frames_and_never_a_labelled_one(store: Store) -> None:
    """Least is lost with a sure frame, among equals with an old one; frames of a base count as unsure."""
    ensure_classes(store, "good")
    sure_but_labelled = add_frame(store, 0.0, confidence=1.0)
    label(store, sure_but_labelled, "good")
    discarded = add_frame(store, 0.5, confidence=1.0)
    label(store, discarded, None)
    for at, confidence in ((1.0, 0.7), (2.0, 0.9), (3.0, 0.9), (4.0, None), (5.0, 0.5)):
        add_frame(store, at, confidence=confidence)
    assert store.queue.evict(max_frames=3, max_bytes=10**9) == 2
    assert [frame.captured_at for frame in store.queue.waiting()] == [1.0, 4.0, 5.0]
    assert store.queue.evict(3, 10**9) == 0
    assert store.queue.evict(0, 10**9) == 3
    assert {store.queue.get(kept).status for kept in (sure_but_labelled, discarded)} == {
        Status.LABELLED,
        Status.DISCARDED,
    }


def test_eviction_goes_by_usefulness_where_it_is_known(store: Store) -> None:
    """A sure frame of which the models disagree is worth more than an unsure one; without a number confidence decides."""
    for at, usefulness, confidence in ((1.0, 0.6, 0.99), (2.0, 0.2, 0.5), (3.0, None, 0.7), (4.0, 0.25, 0.8)):
        add_frame(store, at, usefulness=usefulness, confidence=confidence)
    assert store.queue.evict(3, 10**9) == 1
    assert [frame.captured_at for frame in store.queue.waiting()] == [1.0, 3.0, 4.0]
    assert store.queue.evict(1, 10**9) == 2
    assert [frame.captured_at for frame in store.queue.waiting()] == [1.0]


def test_eviction_also_keeps_the_limit_in_bytes(store: Store) -> None:
    """Pictures and features both count; it stops as soon as the rest fits."""
    for at in (1.0, 2.0, 3.0):
        add_frame(store, at, os.urandom(1000), pooled=np.zeros(50, np.float16), backbone_sha256="abc")
    assert [store.queue.evict(100, max_bytes) for max_bytes in (3300, 3299, 2200, 2199)] == [0, 1, 0, 1]


def test_a_frame_with_undone_answers_can_be_evicted(store: Store) -> None:
    """The lines for undo go with it, and undo then goes on with the answer before."""
    ensure_classes(store, "good")
    kept, gone = add_frame(store, 1.0), add_frame(store, 2.0, confidence=0.9)
    label(store, kept, "good")
    label(store, gone, "good")
    assert undo(store) == gone
    assert store.queue.evict(0, 0) == 1
    assert undo(store) == kept
