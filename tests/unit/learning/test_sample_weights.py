"""How much an image counts: each class of each session alike, up to a limit; alike frames of one key as their root."""

import numpy as np
import pytest

from posture_daemon.learning.linear_fit import fit
from posture_daemon.learning.linear_layer import POOLED, Linear
from posture_daemon.learning.sample_weights import MAX_CELL_WEIGHT, image_counts
from posture_daemon.store import Store
from tests.builders import add_frame, ensure_classes, label


def test_one_class_of_one_session_counts_as_ever() -> None:
    """Then nothing is balanced."""
    assert image_counts([7, 7, 7], [None] * 3, [0] * 3).tolist() == [1, 1, 1]
    assert image_counts([], [], []).tolist() == []


def test_each_class_of_each_session_weighs_as_much_as_the_largest() -> None:
    """Six old images, two new ones: each new one counts for three; and so does the one of the rare class for six."""
    counts = image_counts([1] * 6 + [2] * 3, [None] * 9, [0] * 6 + [0, 0, 1])
    np.testing.assert_allclose(counts, [1] * 6 + [3, 3, 6])


def test_a_one_sided_day_is_not_lifted_as_a_whole() -> None:
    """Eleven answers of one class today do not outweigh the other class's one: both weigh as the largest cell of old."""
    counts = image_counts([1] * 40 + [2] * 12, [None] * 52, [0] * 20 + [1] * 20 + [0] * 11 + [1])
    assert counts[40:51].sum() == pytest.approx(counts[51])


def test_a_single_label_never_counts_for_more_than_the_limit() -> None:
    """A slip of the finger must not weigh like a day."""
    assert image_counts([1] * 1000 + [2], [None] * 1001, [0] * 1001)[-1] == pytest.approx(MAX_CELL_WEIGHT)


def test_alike_frames_of_one_key_count_as_their_root() -> None:
    """Four together as two, beside one by itself; the session's weight is balanced after that."""
    np.testing.assert_allclose(image_counts([1] * 5, [3, 3, 3, 3, None], [0] * 5), [0.5] * 4 + [1])
    balanced = image_counts([1] * 4 + [2], [3, 3, 3, 3, 4], [0] * 5)
    assert balanced[:4].sum() == pytest.approx(balanced[4])


def test_counts_of_one_change_nothing_in_the_fit_and_others_pull() -> None:
    """An image that counts for twenty pulls the layer to its side."""
    rng = np.random.default_rng(0)
    views = rng.normal(size=(40, 3, 6)).astype(np.float32)
    targets = np.arange(40) % 2
    views[:, :, 0] += targets[:, None]
    views[0, :, 1] += 5
    nothing = Linear(np.zeros((2, 6), np.float32), np.zeros(2, np.float32))
    plain = fit(views, targets, nothing, POOLED)
    same = fit(views, targets, nothing, POOLED, counts=np.ones(40, np.float32))
    np.testing.assert_array_equal(plain.weight, same.weight)
    heavy = np.ones(40, np.float32)
    heavy[0] = 20
    pulled = fit(views, targets, nothing, POOLED, counts=heavy)
    margin = [np.diff(layer.logits(views[0])).mean() for layer in (plain, pulled)]
    assert margin[1] < margin[0], "the first image is of class 0"


def test_a_session_ends_with_a_night_or_an_import(store: Store) -> None:
    """A lunch break does not end it, a lesson is of the same day; imported folders are sessions of their own."""
    times = [("camera", 0.0), ("camera", 7200.0), ("camera", 40_000.0), ("import:a", 7300.0), ("teach 1", 90.0)]
    frames = [add_frame(store, at, f"{source}{at}".encode(), source=source) for source, at in times]
    ensure_classes(store, "good")
    for frame in frames:
        label(store, frame, "good")
    sessions = store.labels.sessions()
    found = [sessions[image.block_id] for image in sorted(store.labels.labelled(), key=lambda i: i.frame_id)]
    assert found[0] == found[1] == found[4]
    assert len(set(found)) == 3


def test_frames_of_one_key_are_one_step(store: Store) -> None:
    """What was imported is no answer of the owner's."""
    ensure_classes(store, "good")
    frames = [add_frame(store, float(at)) for at in range(3)]
    store.labels.answer_waiting(frames[:2], "good", "owner", 0.0, 5)
    label(store, frames[2], "good")
    steps = store.labels.steps()
    assert steps[frames[0]] == steps[frames[1]] != steps[frames[2]]
