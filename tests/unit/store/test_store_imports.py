"""Imports: labelled, queued, known or relabelled, with splits that were given."""

import pytest

from posture_daemon.domain import LabelledImage, NewFrame, Reason, Split
from posture_daemon.store import Store
from posture_daemon.store.files import sha256_of
from posture_daemon.store.imports import BlockImport
from tests.builders import HOLDOUT_EVERY, ensure_classes, label_block, new_frame
from tests.checks import blocks_of, classes_of, splits

HOUR = 3600.0


def imported(*names: str, at: float = 0.0) -> list[NewFrame]:
    """Frames of a folder; the name is the picture."""
    return [new_frame(name.encode(), at + n, source="folder", reason=Reason.IMPORTED) for n, name in enumerate(names)]


def import_one(store: Store, frame: NewFrame, class_name: str | None, split: Split | None = None) -> BlockImport:
    """Import a block of one frame."""
    return store.imports.add_block([(frame, class_name)], split, 1.0, HOLDOUT_EVERY)


def test_importing_adds_labels_queues_and_counts(store: Store) -> None:
    """A block with a class is labelled, without one it waits; both have one block and come back in order."""
    ensure_classes(store, "good", "bad")
    a, b, c = imported("a", "b", "c")
    done = store.imports.add_block([(a, "good"), (b, None), (c, "bad")], None, 5.0, HOLDOUT_EVERY)
    assert done == BlockImport(added=2, queued=1)
    shas = [sha256_of(x) for x in (b"a", b"c")]
    assert store.labels.labelled() == [
        LabelledImage(1, shas[0], "good", Split.TRAIN),
        LabelledImage(3, shas[1], "bad", Split.TRAIN),
    ]
    assert [frame.id for frame in store.queue.waiting()] == [2]
    assert len(set(blocks_of(store).values())) == 1


def test_importing_again_changes_nothing_but_what_is_new(store: Store) -> None:
    """Known pictures are left alone, new ones join their block; another class relabels; a waiting one is answered."""
    ensure_classes(store, "good", "bad")
    a, b, c = imported("a", "b", "c")
    import_one(store, a, "good")
    import_one(store, b, None)
    again = store.imports.add_block([(a, "good"), (c, "good"), (b, "bad")], None, 9.0, HOLDOUT_EVERY)
    assert again == BlockImport(added=1, known=1, relabelled=1)
    blocks = blocks_of(store)
    assert blocks[1] == blocks[3] != blocks[2]
    assert import_one(store, a, "bad") == BlockImport(relabelled=1)
    assert import_one(store, a, None) == BlockImport(known=1)
    assert classes_of(store) == {1: "bad", 2: "bad", 3: "good"}


def test_the_same_picture_twice_in_one_import_is_added_once(store: Store) -> None:
    """Copies under two names in one folder count once."""
    ensure_classes(store, "good")
    a, copy = imported("a"), imported("a")
    done = store.imports.add_block([(a[0], "good"), (copy[0], "good")], None, 1.0, HOLDOUT_EVERY)
    assert done == BlockImport(added=1)
    assert [image.frame_id for image in store.labels.labelled()] == [1]


@pytest.mark.parametrize("split", list(Split))
def test_a_split_that_is_given_wins_over_the_rule(store: Store, split: Split) -> None:
    """Also for a picture that waits in the queue already and has no split yet."""
    ensure_classes(store, "good")
    a, b = imported("a", "b")
    import_one(store, a, None)
    import_one(store, a, "good", split)
    import_one(store, b, "good", split)
    assert set(splits(store).values()) == {split}


def test_blocks_with_a_given_split_do_not_count_for_the_rule(store: Store) -> None:
    """After an import of test pictures the first block of the camera still goes into training."""
    ensure_classes(store, "good")
    import_one(store, imported("a")[0], "good", Split.TEST)
    [frame] = label_block(store, "good", HOUR, count=1)
    assert splits(store)[frame] is Split.TRAIN


def test_import_results_add_up() -> None:
    """Blocks are imported one by one and reported together."""
    assert BlockImport(1, 2, 3, 4) + BlockImport(10, 20, 30, 40) == BlockImport(11, 22, 33, 44)
