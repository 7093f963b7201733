"""Where somebody sits, from the frames in the store: the newest session counts, and its empty chair is the reference."""

import logging

import cv2
import numpy as np
import pytest

from posture_daemon.domain import Image
from posture_daemon.labelling.region_of_session import newest_picture, propose_region
from posture_daemon.store import Store
from posture_daemon.store.labels import Labels
from posture_daemon.store.queue import Queue
from posture_daemon.vision.jpeg import encode_jpeg
from tests.builders import add_frame, ensure_classes, label, undo

DAY = 86_400.0
LEFT, RIGHT = 160, 480
BLACK, GREY, WHITE = (np.full((36, 64, 3), shade, np.uint8) for shade in (0, 128, 255))


def picture(seed: int, x: int | None) -> bytes:
    """A room, and somebody about column `x` who leans in every other picture; `None`: nobody."""
    room: Image = np.full((360, 640, 3), 120, np.uint8)
    for at in range(0, 640, 80):
        cv2.rectangle(room, (at, at // 4), (at + 50, at // 4 + 120), (60 + at // 5, 90, 140), -1)
    if x is not None:
        lean = 60 * (seed % 2)
        cv2.line(room, (x, 330), (x - lean, 190), (30, 30, 200), 70)
        cv2.circle(room, (x - int(1.4 * lean), 120), 32, (150, 190, 230), -1)
    noise = np.random.default_rng(seed).normal(0, 5, room.shape)
    return encode_jpeg(np.clip(room + noise, 0, 255).astype(np.uint8), 640, 90)


def teach(store: Store, day: int, x: int, empty: int = 4) -> None:
    """A session of a good and a bad pose, and the empty chair."""
    ensure_classes(store, "good", "bad", "away")
    names = [*("good", "bad") * 4, *["away"] * empty]
    for number, name in enumerate(names):
        at = day * DAY + number
        frame = add_frame(store, at, picture(day * 100 + number, None if name == "away" else x))
        label(store, frame, name, at)


def middle(store: Store, since: float = float("-inf")) -> float | None:
    """Where the proposal has its middle, 0-1 from the left."""
    found = propose_region(store, since)
    return None if found is None else found.x + found.width / 2


def test_the_newest_session_says_where(store: Store) -> None:
    """Whoever moved the desk sits elsewhere now."""
    teach(store, 1, LEFT)
    found = middle(store)
    assert found is not None
    assert found < 0.45
    teach(store, 2, RIGHT)
    found = middle(store)
    assert found is not None
    assert found > 0.55


def test_a_session_without_somebody_in_it_says_nothing(store: Store) -> None:
    """Then the one before counts."""
    teach(store, 1, LEFT)
    for number in range(6):
        frame = add_frame(store, 3 * DAY + number, picture(900 + number, None))
        label(store, frame, "away", 3 * DAY + number)
    found = middle(store)
    assert found is not None
    assert found < 0.45


def test_a_lesson_looks_at_its_own_pictures_only(store: Store) -> None:
    """Labels of before are of another place, perhaps."""
    teach(store, 1, LEFT)
    assert middle(store, since=2 * DAY) is None
    teach(store, 2, RIGHT)
    found = middle(store, since=2 * DAY - 1)
    assert found is not None
    assert found > 0.55


def test_frames_that_wait_are_better_than_nothing(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Before the first label; pictures that cannot be read are left out, which the log tells."""
    caplog.set_level(logging.DEBUG, "posture_daemon.labelling.region_of_session")
    assert propose_region(store) is None
    broken = add_frame(store, 1.0, b"no picture")
    for number in range(12):
        add_frame(store, 10.0 + number, picture(number, RIGHT))
    found = middle(store)
    assert found is not None
    assert found > 0.55
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [f"frame {broken} is left out"]
    newest = newest_picture(store)
    assert newest is not None
    assert newest.shape == (360, 640, 3)


def test_the_newest_picture_waits_or_was_labelled_last(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by itself, however many frames there are: the page asks each second."""
    monkeypatch.delattr(Queue, "waiting")
    monkeypatch.delattr(Labels, "labelled")
    ensure_classes(store, "good")
    assert newest_picture(store) is None
    frames = [
        add_frame(store, at, encode_jpeg(shade, 640, 90)) for at, shade in ((2.0, GREY), (3.0, BLACK), (1.0, WHITE))
    ]
    for expected, frame in ((BLACK, frames[1]), (GREY, frames[0]), (WHITE, frames[2])):
        newest = newest_picture(store)
        assert newest is not None
        assert abs(float(newest.mean()) - expected.mean()) < 2
        label(store, frame, "good")
    newest = newest_picture(store)
    assert newest is not None
    assert newest.mean() < 2


def test_one_pose_without_an_empty_chair_says_nothing(store: Store) -> None:
    """What moves then may be anything; with another pose, or with the chair, it is the person."""
    ensure_classes(store, "good", "bad", "away")
    for number in range(8):
        label(store, add_frame(store, DAY + number, picture(number, RIGHT)), "good")
    assert middle(store) is None
    label(store, add_frame(store, DAY + 20, picture(21, RIGHT)), "bad")
    found = middle(store)
    assert found is not None
    assert found > 0.55
    undo(store)
    for number in range(3):
        label(store, add_frame(store, DAY + 30 + number, picture(30 + number, None)), "away")
    found = middle(store)
    assert found is not None
    assert found > 0.55
