"""Is a label wrong? Out-of-sample answers over time blocks, and whether a slip or an error of the fit is the likelier."""

from pathlib import Path

import numpy as np
import pytest

from posture_daemon.domain import LabelledImage, Split
from posture_daemon.learning.label_errors import LabelCheck, ask, check_labels, fit_slips
from posture_daemon.learning.out_of_fold import OutOfFold, out_of_fold
from posture_daemon.store import Store
from tests.builders import label, label_days, make_store, training_set


@pytest.fixture
def store(store: Store) -> Store:
    """Six blocks of eight images of two classes, of which two blocks each are held out."""
    label_days(store, "good", "bad", blocks=6, count=8)
    return store


def check(store: Store) -> LabelCheck:
    """Of training and holdout."""
    learned = training_set(store)
    return check_labels(ask(learned, learned.holdout), learned.sessions, learned.groups)


def image(store: Store, split: Split, class_name: str = "good") -> LabelledImage:
    """The first one of a split."""
    return next(i for i in store.labels.labelled() if (i.split, i.class_name) == (split, class_name))


@pytest.mark.parametrize("split", [Split.TRAIN, Split.HOLDOUT])
def test_a_slip_of_the_finger_is_doubted_and_nothing_else(store: Store, split: Split) -> None:
    """One `good` frame is called `bad`, in training or in the holdout: it is named, with what it should be."""
    slip = image(store, split)
    label(store, slip.frame_id, "bad")
    [found] = check(store).doubts
    assert (found.frame_id, found.label, found.instead, found.split) == (slip.frame_id, "bad", "good", split)
    assert found.wrong > 0.5


def test_right_labels_are_not_doubted(store: Store) -> None:
    """The classes are easy to tell apart, so the list is empty, and every slip would have shown."""
    found = check(store)
    assert found.doubts == ()
    assert (found.checked, found.labels, found.agreement) == (96, 96, 1.0)
    assert found.slips < 0.04


def test_a_whole_block_is_one_slip_or_many_errors(store: Store) -> None:
    """Answered with one key, its images are no witnesses for each other; nobody slips eight keys in a row: the fit errs."""
    slip = image(store, Split.TRAIN)
    wrong = [i.frame_id for i in store.labels.labelled() if i.block_id == slip.block_id]
    for frame_id in wrong:
        label(store, frame_id, "bad")
    learned = training_set(store)
    asked = ask(learned, learned.holdout)
    one_key = check_labels(asked, learned.sessions, dict.fromkeys(wrong, 1))
    assert {doubt.frame_id for doubt in one_key.doubts} == set(wrong)
    assert check_labels(asked, learned.sessions, learned.groups).doubts == ()


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
    assert check(store) == LabelCheck((), 0, 0, 0.0, 0.0)
    store.close()


def answers(logits: list[float], labels: str, block: int = 10) -> OutOfFold:
    """Answers `a` or `b` by the sign of a logit, and what the images are labelled; so many images are a block."""
    images = [LabelledImage(i, "", name, Split.TRAIN, i // block) for i, name in enumerate(labels)]
    return OutOfFold(images, np.array([[-one, one] for one in logits], np.float32), ("a", "b"))


def test_where_the_fit_errs_often_nothing_is_doubted() -> None:
    """It is as sure as ever, and wrong about a third: a label that it contradicts is no news."""
    wrong = [number % 3 == 0 for number in range(120)]
    asked = answers(
        [4.0 if number < 60 else -4.0 for number in range(120)],
        "".join("ab"[(number < 60) != one] for number, one in enumerate(wrong)),
    )
    found = check_labels(asked, {}, {})
    assert (found.doubts, found.checked) == ((), 0)
    assert found.agreement == pytest.approx(2 / 3)


def test_errors_in_one_session_spoil_no_other() -> None:
    """It errs all through one session and nowhere else: there it is not believed, and a slip elsewhere is found."""
    labels = list("b" * 200)
    labels[150:190] = "a" * 40
    labels[20] = "a"
    asked = answers([4.0] * 200, "".join(labels))
    found = check_labels(asked, {block: int(block >= 15) for block in range(20)}, {})
    assert [doubt.frame_id for doubt in found.doubts] == [20]


def test_unsure_answers_doubt_nothing() -> None:
    """Sure answers are right; of the unsure ones some are wrong, which is what unsure means."""
    sure, unsure = [6.0] * 90, [0.2] * 10
    found = check_labels(answers(sure + unsure, "b" * 97 + "a" * 3, block=1), {}, {})
    assert found.doubts == ()
    assert found.checked == 90


def test_few_answers_prove_little() -> None:
    """Eleven of twelve: the twelfth may be the error that such a fit makes."""
    assert check_labels(answers([6.0] * 12, "b" * 11 + "a"), {}, {}).doubts == ()


def test_a_fit_that_is_never_sure_needs_no_slips_to_explain_its_errors() -> None:
    """The rate of slips rises only where sure answers are contradicted."""
    labels = np.array([1] * 90 + [0] * 10, np.intp)
    unsure = np.array([[0.0, 1.0]] * 80 + [[0.0, 0.1]] * 20, np.float32)
    sure = np.array([[0.0, 9.0]] * 100, np.float32) * np.linspace(0.5, 1.5, 100, dtype=np.float32)[:, None]
    ones = np.ones(100)
    assert fit_slips(sure, labels, ones)[0] > 2 * fit_slips(unsure, labels, ones)[0]


def test_a_class_that_nothing_was_learned_of_is_not_asked_about() -> None:
    """It has no column."""
    asked = answers([4.0] * 50, "b" * 49 + "c")
    assert check_labels(asked, {}, {}).labels == 49


def test_doubts_are_sorted_by_how_probably_they_are_wrong(store: Store) -> None:
    """The surest comes first."""
    for slip in [i for i in store.labels.labelled() if i.class_name == "good"][:30:10]:
        label(store, slip.frame_id, "bad")
    wrong = [doubt.wrong for doubt in check(store).doubts]
    assert len(wrong) >= 2
    assert wrong == sorted(wrong, reverse=True)
