"""The owner's pauses, and the history of postures."""

from posture_daemon.store import Store
from tests.history import seconds_by_posture


def test_the_owners_pause_ends_by_itself_by_hand_or_when_the_clock_proves_wrong(store: Store) -> None:
    """In the database, so it outlives a restart; a second one takes the place of the first."""
    assert store.pauses.current(0.0) is None
    store.pauses.begin(100.0, until=200.0)
    assert [store.pauses.current(now) is not None for now in (99.0, 100.0, 199.9, 200.0)] == [False, True, True, False]
    endless = store.pauses.begin(100.0)
    assert store.pauses.current(1e12) == endless
    assert [store.pauses.end(), store.pauses.end()] == [True, False]
    assert store.pauses.current(150.0) is None


def test_history_does_not_record_negative_time(store: Store) -> None:
    """After a clock is set back a period may end before it began; it must not eat up the others."""
    store.history.add("good", 0, 100)
    store.history.add("good", 1000, 50)
    assert seconds_by_posture(store) == {"good": 100}
