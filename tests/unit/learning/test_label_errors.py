"""Is a label wrong? Out-of-sample answers over time blocks, confident learning, and a review that is remembered."""

from pathlib import Path

import numpy as np
import pytest

from posture_daemon.domain import LabelledImage, Split
from posture_daemon.learning.label_errors import Doubt, confident_classes, doubtful_labels
from posture_daemon.learning.out_of_fold import OutOfFold, out_of_fold
from posture_daemon.store import Store
from tests.builders import label, label_days, make_store, training_set


@pytest.fixture
def store(store: Store) -> Store:
    """Six blocks of eight images of two classes, of which two blocks each are held out."""
    label_days(store, "good", "bad", blocks=6, count=8)
    return store


def doubts(store: Store) -> list[Doubt]:
    """Of training and holdout."""
    learned = training_set(store)
    return doubtful_labels(out_of_fold(learned, learned.holdout))


def image(store: Store, split: Split, class_name: str = "good") -> LabelledImage:
    """The first one of a split."""
    return next(i for i in store.labels.labelled() if (i.split, i.class_name) == (split, class_name))


@pytest.mark.parametrize("split", [Split.TRAIN, Split.HOLDOUT])
def test_a_slip_of_the_finger_is_doubted_and_nothing_else(store: Store, split: Split) -> None:
    """One `good` frame is called `bad`, in training or in the holdout: it is named, with what it should be."""
    slip = image(store, split)
    label(store, slip.frame_id, "bad")
    [found] = doubts(store)
    assert (found.frame_id, found.label, found.instead, found.split) == (slip.frame_id, "bad", "good", split)
    assert found.probability > 0.5 > found.of_label


def test_right_labels_are_not_doubted(store: Store) -> None:
    """The classes are easy to tell apart, so the list is empty."""
    assert doubts(store) == []


def test_a_whole_block_that_is_wrong_is_doubted(store: Store) -> None:
    """Its images do not vouch for each other: they are asked of what has not learned their block."""
    slip = image(store, Split.TRAIN)
    wrong = [i.frame_id for i in store.labels.labelled() if i.block_id == slip.block_id]
    for frame_id in wrong:
        label(store, frame_id, "bad")
    found = doubts(store)
    assert set(wrong) >= {doubt.frame_id for doubt in found}
    assert len(found) >= len(wrong) / 2


def test_only_some_frames_can_be_asked(store: Store) -> None:
    """The answers are those that they get among all; frames of other blocks cost no fit."""
    learned = training_set(store)
    whole = out_of_fold(learned, learned.holdout)
    some = [learned.training.images[3], learned.holdout.images[0]]
    part = out_of_fold(learned, learned.holdout, only=[i.frame_id for i in some])
    assert [i.frame_id for i in part.images] == [i.frame_id for i in some]
    named = dict(zip((i.frame_id for i in whole.images), whole.called, strict=True))
    assert list(part.called) == [named[i.frame_id] for i in some]


def test_what_leaves_one_class_behind_is_not_asked(tmp_path: Path) -> None:
    """With a single block a class, leaving it out leaves nothing to tell apart."""
    store = make_store(tmp_path)
    label_days(store, "good", "bad", blocks=1)
    learned = training_set(store)
    assert out_of_fold(learned).images == []
    assert doubtful_labels(out_of_fold(learned)) == []
    store.close()


def test_a_class_that_is_seldom_sure_needs_less(store: Store) -> None:
    """Thresholds are the mean self-confidence of each class (Northcutt et al., eq. 2): 0.9 for one, 0.4 for the other."""
    chances = np.array([[0.95, 0.05], [0.85, 0.15], [0.6, 0.4], [0.6, 0.4], [0.58, 0.42]], np.float32)
    assert confident_classes(chances, np.array([0, 0, 1, 1, 0])).tolist() == [0, 0, 1, 1, 1]


def test_a_class_without_labels_is_never_confident(store: Store) -> None:
    """It has no threshold; an image that reaches none is of no confident class."""
    chances = np.array([[0.1, 0.0, 0.9], [0.3, 0.6, 0.1], [0.5, 0.4, 0.1]], np.float32)
    assert confident_classes(chances, np.array([0, 1, 0])).tolist() == [-1, 1, 0]


def test_a_confident_class_that_is_less_likely_than_the_label_is_no_doubt() -> None:
    """The owner's word counts until something speaks louder; a class that nothing was learned of is not asked about."""
    images = [LabelledImage(i, "", name, Split.TRAIN, i) for i, name in enumerate(("a", "b", "a", "c"))]
    logits = np.log(np.array([[0.99, 0.01], [0.7, 0.3], [0.65, 0.35], [0.5, 0.5]], np.float32))
    found = doubtful_labels(OutOfFold(images, logits, ("a", "b")))
    assert [doubt.frame_id for doubt in found] in ([], [1])


def test_doubts_are_sorted_by_how_much_likelier_the_other_class_is(store: Store) -> None:
    """The surest comes first."""
    for slip in [i for i in store.labels.labelled() if i.class_name == "good"][:30:10]:
        label(store, slip.frame_id, "bad")
    margins = [doubt.margin for doubt in doubts(store)]
    assert len(margins) >= 2
    assert margins == sorted(margins, reverse=True)
