"""Blocks and splits: what decides for training or holdout, once and for all; and undo."""

import pytest

from posture_daemon.domain import Split, Status
from posture_daemon.store import Store
from posture_daemon.store.answers import BeforeRule, split_for_new_block
from posture_daemon.store.open_step import StepKind
from tests.builders import HOLDOUT_EVERY, add_frame, ensure_classes, label, label_block, new_frame, undo
from tests.checks import blocks_of, classes_of, splits

HOUR = 3600.0


@pytest.mark.parametrize(
    ("times", "blocks"),
    [
        pytest.param([0, 299, 598], 1, id="short pauses"),
        pytest.param([0, 300], 2, id="a long pause"),
        pytest.param([0, 200, 400, 600, 800, 899.9], 1, id="as long as it may be"),
        pytest.param([0, 200, 400, 600, 800, 900], 2, id="too long"),
        pytest.param([0, 100, 50], 1, id="out of order"),
        pytest.param([1000, 500], 2, id="a clock set back"),
    ],
)
def test_camera_frames_fall_into_blocks_by_pause_and_length(store: Store, times: list[float], blocks: int) -> None:
    """A pause of 300 s or a length of 900 s begins a new block."""
    for at in times:
        add_frame(store, at)
    assert len(set(blocks_of(store).values())) == blocks


def test_sources_have_blocks_of_their_own(store: Store) -> None:
    """A camera frame does not join the block of an import that happened between."""
    first = add_frame(store, 0.0)
    store.imports.add_block([(new_frame(b"x", 1.0, source="folder"), None)], None, 1.0, HOLDOUT_EVERY)
    last = add_frame(store, 2.0)
    blocks = blocks_of(store)
    assert blocks[first] == blocks[last]
    assert len(set(blocks.values())) == 2


def test_the_second_block_of_a_class_and_then_every_fifth_is_held_out(store: Store) -> None:
    """A class is in training from its first block, and can be judged from its second."""
    for number in range(12):
        label_block(store, "good", number * HOUR, count=1)
    held_out = [n for n, split in enumerate(splits(store).values()) if split is Split.HOLDOUT]
    assert held_out == [1, 6, 11]
    before = [(0, 0), (1, 0), (0, 1), (1, 1), (5, 1)]  # blocks of the class in training, held out
    assert [split_for_new_block({Split.TRAIN: n, Split.HOLDOUT: m}, 5) for n, m in before] == [
        Split.TRAIN,
        Split.HOLDOUT,
        Split.TRAIN,
        Split.TRAIN,
        Split.HOLDOUT,
    ]


def test_a_block_may_be_told_its_split_once(store: Store) -> None:
    """As a lesson does, whose last round is its exam; a block that has one keeps it."""
    ensure_classes(store, "good")
    for number, split in enumerate((Split.TRAIN, Split.HOLDOUT, Split.TRAIN)):
        frame_id = add_frame(store, number * HOUR)
        store.labels.answer(frame_id, "good", "teach", 0.0, HOLDOUT_EVERY, before_rule=BeforeRule(split))
    frame_id = add_frame(store, 2 * HOUR + 1)
    store.labels.answer(frame_id, "good", "teach", 0.0, HOLDOUT_EVERY, before_rule=BeforeRule(Split.HOLDOUT))
    assert list(splits(store).values()) == [Split.TRAIN, Split.HOLDOUT, Split.TRAIN, Split.TRAIN]


def test_each_class_counts_its_own_blocks(store: Store) -> None:
    """A second class is not pushed into the holdout with its first block because another class had one before."""
    label_block(store, "good", 0, count=1)
    label_block(store, "bad", HOUR, count=1)
    label_block(store, "good", 2 * HOUR, count=1)
    label_block(store, "bad", 3 * HOUR, count=1)
    assert list(splits(store).values()) == [Split.TRAIN, Split.TRAIN, Split.HOLDOUT, Split.HOLDOUT]


def test_the_first_label_decides_for_the_whole_block(store: Store) -> None:
    """Frames of another class in the same block share its split, which the block counts for its first class only."""
    ensure_classes(store, "good", "bad")
    label_block(store, "good", 0, count=1)
    mixed = [add_frame(store, HOUR + second) for second in range(2)]
    label(store, mixed[0], "good")
    label(store, mixed[1], "bad")
    [alone] = label_block(store, "bad", 2 * HOUR, count=1)
    found = splits(store)
    assert [found[frame] for frame in (*mixed, alone)] == [Split.HOLDOUT, Split.HOLDOUT, Split.TRAIN]


def test_every_nth_block_can_be_kept_for_tests(store: Store) -> None:
    """From the third block of a class on, where it is not held out; labels of the owner and imports follow the same rule."""
    train, holdout, test = Split.TRAIN, Split.HOLDOUT, Split.TEST
    ensure_classes(store, "good")
    for hour in range(5):
        store.labels.answer(add_frame(store, hour * HOUR), "good", "owner", 0.0, 5, test_every=3)
    assert list(splits(store).values()) == [train, holdout, test, train, train]
    for hour in range(24, 28):
        store.imports.add_block([(new_frame(b"%d" % hour, hour * HOUR), "good")], None, 0.0, 5, test_every=3)
    assert list(splits(store).values())[5:] == [train, test, train, holdout]


@pytest.mark.parametrize(("shared", "expected"), [(0, Split.HOLDOUT), (HOUR, Split.TRAIN)])
def test_a_class_gets_its_share_also_from_blocks_that_began_with_another(
    store: Store, shared: float, expected: Split
) -> None:
    """`bad` came late into a block of `good`: into training, so its next block is held out; into the holdout, so it trains."""
    ensure_classes(store, "good", "bad")
    for start in (0, HOUR):
        label_block(store, "good", start, count=1)
        if start == shared:
            label(store, add_frame(store, start + 10), "bad")
    [alone] = label_block(store, "bad", 2 * HOUR, count=1)
    assert splits(store)[alone] is expected


def test_the_split_of_a_block_never_changes(store: Store) -> None:
    """Not by relabelling, discarding or undoing its frames, nor by answering the first one anew."""
    ensure_classes(store, "good", "bad")
    label_block(store, "good", 0, count=1)
    [frame] = label_block(store, "good", HOUR, count=1)
    label(store, frame, "bad")
    assert splits(store)[frame] is Split.HOLDOUT
    label(store, frame, None)
    undo(store), undo(store), undo(store)
    assert frame not in splits(store)
    label(store, frame, "bad")
    assert splits(store)[frame] is Split.HOLDOUT


def state_of(store: Store, frame_id: int) -> tuple[Status, str | None]:
    """Status and class."""
    return store.queue.get(frame_id).status, classes_of(store).get(frame_id)


def test_undo_goes_back_answer_by_answer(store: Store) -> None:
    """Label, relabel, discard, relabel: four undos pass through every state and end in the queue; a fifth does nothing."""
    ensure_classes(store, "good", "bad")
    frame = add_frame(store, 1.0)
    seen = []
    for answer in ("good", "bad", None, "good"):
        seen.append(state_of(store, frame))
        label(store, frame, answer)
    for expected in reversed(seen):
        assert undo(store) == frame
        assert state_of(store, frame) == expected
    assert undo(store) is None


def test_undo_takes_the_last_answer_of_any_frame(store: Store) -> None:
    """In the order of the answers; an answer after an undo becomes the next to be undone."""
    ensure_classes(store, "good")
    first, second = add_frame(store, 1.0), add_frame(store, 2.0)
    label(store, second, "good")
    label(store, first, "good")
    assert undo(store) == first
    label(store, first, None)
    assert [undo(store), undo(store), undo(store)] == [first, second, None]
    assert store.labels.total() == 0


def test_a_batch_is_undone_in_one_step(store: Store) -> None:
    """Labels, relabellings and discards of one import go back together; the answers before and after are steps of their own."""
    ensure_classes(store, "good", "bad")
    relabelled, discarded = add_frame(store, 1.0, b"a"), add_frame(store, 2.0, b"b")
    label(store, relabelled, "good")
    step = store.steps.begin(StepKind.IMPORT, "folder", 3.0)
    frames = [(new_frame(picture, 3.0, source="folder"), "bad") for picture in (b"a", b"c", b"d")]
    store.imports.add_block([*frames], None, 3.0, HOLDOUT_EVERY, step=step)
    store.labels.answer(discarded, None, "import", 3.0, HOLDOUT_EVERY, within=step)
    label(store, discarded, "good")
    assert undo(store) == discarded
    assert state_of(store, discarded) == (Status.DISCARDED, None)
    assert undo(store) == relabelled
    assert state_of(store, relabelled) == (Status.LABELLED, "good")
    assert store.queue.counts() == {Status.QUEUED: 1, Status.LABELLED: 1, Status.DISCARDED: 0}
    assert undo(store) == relabelled
    assert undo(store) is None
