"""A lesson shows where its owner sits: it is told at its end, and never against what was chosen before."""

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import cv2
import numpy as np
import pytest

from posture_daemon.bootstrap.guided_capture import TRIGGER, attach_guided_capture
from posture_daemon.bootstrap.region import RegionChoice
from posture_daemon.bootstrap.region_of_lesson import Means, advise_region
from posture_daemon.domain import Outcome, PostureClass, Region, Role, TrainingRun
from posture_daemon.errors import DatabaseDamaged
from posture_daemon.labelling.guided_capture_plan import plan
from posture_daemon.labelling.guided_capture_state import Phase
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.vision.jpeg import encode_jpeg
from tests.builders import add_frame, ensure_classes, label


def picture(seed: int, name: str) -> bytes:
    """A room with somebody at the right who sits well or leans, or with nobody."""
    room = np.full((360, 640, 3), 120, np.uint8)
    for at in range(0, 640, 80):
        cv2.rectangle(room, (at, at // 4), (at + 50, at // 4 + 120), (60 + at // 5, 90, 140), -1)
    lean = 60 if name == "bad" else 0
    if name != "away":
        cv2.line(room, (480, 330), (480 - lean, 190), (30, 30, 200), 70)
        cv2.circle(room, (480 - int(1.4 * lean), 120), 32, (150, 190, 230), -1)
    noise = np.random.default_rng(seed).normal(0, 5, room.shape)
    return encode_jpeg(np.clip(room + noise, 0, 255).astype(np.uint8), 640, 90)


def show(store: Store, *names: str, at: float = 100.0) -> None:
    """Four pictures of each pose."""
    ensure_classes(store, "good", "bad", "away")
    for number, name in enumerate(name for name in names for _ in range(4)):
        frame = add_frame(store, at + number, picture(int(at) + number, name))
        label(store, frame, name, at + number)


class Lesson:
    """A lesson that began at 50."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.told: list[str] = []
        self.choice = RegionChoice(Settings(data_dir=store.folder))
        self.means = Means(self.choice, self.told.append)

    def end(self) -> None:
        """It is over."""
        advise_region(self.store, self.means, 50.0)


@pytest.fixture
def lesson(store: Store) -> Lesson:
    """Nothing was shown yet."""
    return Lesson(store)


OFFER = " posture-daemon region propose --write has the next training try to look at that only."
TOMORROW = time.time() + 86_400.0
ASKS = plan([PostureClass("good", Role.GOOD), PostureClass("bad", Role.BAD)])


def test_it_is_offered_when_all_is_shown(store: Store, lesson: Lesson) -> None:
    """In one sentence; it is the owner's to choose, and nothing is written."""
    show(store, "good", "bad", "away")
    lesson.end()
    assert [sentence.partition(";")[2] for sentence in lesson.told] == [OFFER]
    assert (lesson.choice(), (store.folder / "posture-daemon.toml").exists()) == (None, False)


def test_without_an_empty_chair_the_poses_must_do(store: Store, lesson: Lesson) -> None:
    """But not those of a single class."""
    show(store, "good")
    lesson.end()
    assert lesson.told == []
    show(store, "bad", at=200.0)
    lesson.end()
    assert len(lesson.told) == 1


@pytest.mark.parametrize("chosen", [None, Region(0.1, 0.1, 0.5, 0.5)])
def test_what_was_chosen_before_stays(store: Store, lesson: Lesson, chosen: Region | None) -> None:
    """A box, or the whole picture."""
    lesson.choice.choose(chosen)
    show(store, "good", "bad", "away")
    lesson.end()
    assert (lesson.choice(), lesson.told) == (chosen, [])


def test_what_the_store_refuses_is_no_error_of_the_lesson(
    store: Store, lesson: Lesson, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It was learned from already; the log tells."""

    def refuse() -> None:
        raise DatabaseDamaged("The database is damaged.")

    monkeypatch.setattr(store.labels, "classes", refuse)
    lesson.end()
    assert lesson.told == []
    assert "no part of the picture is proposed: The database is damaged." in caplog.text


@pytest.mark.parametrize("trained", [True, False])
def test_no_training_waits_for_it(store: Store, lesson: Lesson, monkeypatch: pytest.MonkeyPatch, trained: bool) -> None:
    """It is told once the lesson is over, and not to who stopped it before."""
    run = TrainingRun(1, TRIGGER, TOMORROW, TOMORROW + 2, Outcome.KEPT, "so", {}, 1, 2)
    retrainer = SimpleNamespace(run=lambda *_, **__: run)
    monkeypatch.setattr("posture_daemon.bootstrap.guided_capture.build_retrainer", lambda *_, **__: retrainer)
    settings, unused = Settings(data_dir=store.folder), cast("Any", None)
    with attach_guided_capture(store, settings, unused, unused, ASKS, lesson.means) as capture:
        show(store, "good", "bad", "away", at=TOMORROW)
        if trained:
            assert capture._parts.train() is run
            capture.state = replace(capture.state, phase=Phase.DONE, run=run)
        assert lesson.told == []
    assert len(lesson.told) == trained
