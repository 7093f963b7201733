"""The owner's pauses, and the history of postures."""

from __future__ import annotations

from posture_daemon.store import Store


def test_the_owners_pause_ends_by_itself_by_hand_or_when_the_clock_proves_wrong(store: Store) -> None:
    """In the database, so it outlives a restart; a second one takes the place of the first."""
    assert store.pauses.current(0.0) is None
    store.pauses.begin(100.0, until=200.0)
    assert [store.pauses.current(now) is not None for now in (99.0, 100.0, 199.9, 200.0)] == [False, True, True, False]
    endless = store.pauses.begin(100.0)
    assert store.pauses.current(1e12) == endless
    assert [store.pauses.end(), store.pauses.end()] == [True, False]
    assert store.pauses.current(150.0) is None


def test_history_adds_up_seconds_since_a_time(store: Store) -> None:
    """A period that began before is counted from that time on only; one that ended before not at all."""
    for posture, began, ended in (("good", 0, 100), ("bad", 100, 130), ("good", 130, 200)):
        store.history.add(posture, began, ended)
    assert store.history.seconds_by_posture(0) == {"good": 170, "bad": 30}
    assert store.history.seconds_by_posture(90) == {"good": 80, "bad": 30}
    assert store.history.seconds_by_posture(130) == {"good": 70}


def test_history_does_not_record_negative_time(store: Store) -> None:
    """After a clock is set back a period may end before it began; it must not eat up the others."""
    store.history.add("good", 0, 100)
    store.history.add("good", 1000, 50)
    assert store.history.seconds_by_posture(0) == {"good": 100}
