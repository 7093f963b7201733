"""Sessions: which blocks are one day at this desk, until when a frame belongs to it, and that its first labels teach."""

import pytest

from posture_daemon.domain import Split
from posture_daemon.store import Store
from posture_daemon.store.answers import BeforeRule
from posture_daemon.store.schema import BlockRow, FrameRow
from posture_daemon.store.sessions import NEAR_S, SESSION_GAP_S, taught_in_session
from tests.builders import HOLDOUT_EVERY, add_frame, ensure_classes, label_block, label_days
from tests.checks import blocks_of, splits

DAY, HOUR = 86_400.0, 3600.0
START = 100 * DAY


def answer(store: Store, at: float, class_name: str = "good", first_teach: int = 12) -> int:
    """A camera frame that the owner answers, as the daemon has it answered; blocks are 300 s apart."""
    ensure_classes(store, class_name)
    frame_id = add_frame(store, at)
    store.labels.answer(
        frame_id, class_name, "owner", at, HOLDOUT_EVERY, before_rule=BeforeRule(first_teach=first_teach)
    )
    return frame_id


def test_without_a_frame_there_is_no_session(store: Store) -> None:
    """Nor with imported pictures of that very hour: they are of another place."""
    assert store.labels.session_at(START) is None
    label_days(store, "good", "bad", start=START)
    assert store.labels.session_at(START + HOUR) is None


def test_a_session_holds_frames_up_to_a_night_away(store: Store) -> None:
    """From six hours before its first frame to six hours after its last; a frame that waits counts as one."""
    add_frame(store, START)
    add_frame(store, START + 2 * HOUR)
    found = store.labels.session_at(START + HOUR)
    assert (found.begins, found.ends) == (START - SESSION_GAP_S, START + 2 * HOUR + SESSION_GAP_S)
    held = {at: found.holds(at) for at in (found.begins - 1, found.begins, START, found.ends - 1, found.ends)}
    assert list(held.values()) == [False, True, True, True, False]
    assert [store.labels.session_at(at) == found for at in held] == list(held.values())


def test_each_day_is_its_own_session(store: Store) -> None:
    """A lunch break of five hours ends none, a night does; the clock set back finds the day that it was."""
    days = [[add_frame(store, START + DAY * day + hour * HOUR) for hour in (0, 3, 8)] for day in range(3)]
    blocks = blocks_of(store)
    for day, frames in enumerate(days):
        found = store.labels.session_at(START + DAY * day + 5 * HOUR)
        assert found.blocks == {blocks[frame_id] for frame_id in frames}
    numbers = store.labels.sessions()
    assert [len({numbers[blocks[frame_id]] for frame_id in frames}) for frames in days] == [1, 1, 1]
    assert len(set(numbers.values())) == 3


def test_a_lesson_is_of_the_session_of_that_morning(store: Store) -> None:
    """Its frames and the camera's are one day at one desk; those of an import are none of it."""
    lesson = add_frame(store, START, source="teach")
    camera = add_frame(store, START + HOUR)
    label_days(store, "good", "bad", start=START)
    blocks, numbers = blocks_of(store), store.labels.sessions()
    assert numbers[blocks[lesson]] == numbers[blocks[camera]]
    assert store.labels.session_at(START).blocks == {blocks[lesson], blocks[camera]}
    imported = {numbers[block] for block in blocks.values()} - {numbers[blocks[camera]]}
    assert len(imported) == 1


def test_a_session_without_a_night_is_whole(store: Store) -> None:
    """Where nobody sleeps it goes on for weeks, beyond the days that are looked at first."""
    count = int(4 * NEAR_S / (5 * HOUR))
    frames = [add_frame(store, START + 5 * HOUR * number) for number in range(count)]
    blocks = blocks_of(store)
    for at in (START, START + 2 * NEAR_S, START + 4 * NEAR_S - 5 * HOUR):
        assert store.labels.session_at(at).blocks == {blocks[frame_id] for frame_id in frames}


def test_the_first_labels_of_a_day_teach(store: Store) -> None:
    """Two blocks of a class in turn, one label each: none of the first twelve is held out, then the counting rule holds."""
    first = [answer(store, START + 400 * number, ("good", "bad")[number % 2]) for number in range(12)]
    found = splits(store)
    assert {found[frame_id] for frame_id in first} == {Split.TRAIN}
    later = [answer(store, START + 400 * number, ("good", "bad")[number % 2]) for number in range(12, 16)]
    found = splits(store)
    assert found[later[0]] is Split.HOLDOUT, "twelve teach, not thirteen"


def test_each_day_has_its_own_first_labels(store: Store) -> None:
    """The second morning begins anew, however many labels there are; with none that teach first, the rule holds at once."""
    for number in range(20):
        answer(store, START + 400 * number)
    second = [answer(store, START + DAY + 400 * number) for number in range(12)]
    assert {splits(store)[frame_id] for frame_id in second} == {Split.TRAIN}
    third = [answer(store, START + 2 * DAY + 400 * number, "away", first_teach=0) for number in range(2)]
    assert [splits(store)[frame_id] for frame_id in third] == [Split.TRAIN, Split.HOLDOUT]


@pytest.mark.parametrize(("source", "held_out"), [("camera", 0), ("teach", 0), ("import:folder", 1)])
def test_imports_are_split_by_the_rule(store: Store, source: str, held_out: int) -> None:
    """Of two imported blocks of a class the second is held out, as ever; those of the camera and of a lesson both teach."""
    ensure_classes(store, "good")
    for number in range(2):
        frame_id = add_frame(store, START + 400 * number, source=source)
        store.labels.answer(frame_id, "good", "owner", START, HOLDOUT_EVERY, before_rule=BeforeRule(first_teach=12))
    assert list(splits(store).values()).count(Split.HOLDOUT) == held_out


def test_what_a_session_has_taught_is_counted_by_label(store: Store) -> None:
    """Six labels of a training block, none of those that are held out, and none of another day."""
    label_block(store, "good", START)
    held_out = label_block(store, "good", START + 2000)
    other_day = label_block(store, "bad", START + DAY)
    counted = []
    with store.labels._database.read() as session:
        for frame_id in (held_out[0], other_day[0]):
            block = session.get_one(BlockRow, session.get_one(FrameRow, frame_id).block_id)
            counted.append(taught_in_session(session, block))
    assert counted == [6, 6]
    assert splits(store)[held_out[0]] is Split.HOLDOUT
