"""A lesson shows where its owner sits: it is chosen once, told, and never against what was chosen before."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from posture_daemon.bootstrap.region import RegionChoice
from posture_daemon.bootstrap.region_of_lesson import Means, RegionOfLesson
from posture_daemon.domain import Region
from posture_daemon.settings import Settings, values_in
from posture_daemon.store import Store
from posture_daemon.vision.jpeg import encode_jpeg
from tests.builders import add_champion, add_frame, ensure_classes, label


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
        self.told: list[str] = []
        self.choice = RegionChoice(Settings(data_dir=store.folder))
        self.region = RegionOfLesson(store, Means(self.choice, self.told.append), clock=lambda: 50.0)


@pytest.fixture
def lesson(store: Store) -> Lesson:
    """Nothing was shown yet."""
    return Lesson(store)


def test_it_is_chosen_as_soon_as_the_chair_was_empty(store: Store, lesson: Lesson) -> None:
    """So that views are computed of the box only; once, for the camera in use, and said in one sentence."""
    show(store, "good", "bad")
    lesson.region.look()
    assert (lesson.choice(), lesson.told) == (None, [])
    show(store, "away", at=200.0)
    lesson.region.look()
    found = lesson.choice()
    assert found is not None
    assert found.x + found.width / 2 > 0.55
    assert lesson.told == [
        f"From now on only the box {found} (left, top, width, height) of the picture is looked at, where you sit; "
        "posture-daemon region clear undoes that."
    ]
    assert values_in(store.folder / "posture-daemon.toml")["camera.region_camera"] == "0"
    lesson.region.look(last=True)
    assert len(lesson.told) == 1


def test_without_an_empty_chair_the_poses_must_do(store: Store, lesson: Lesson) -> None:
    """At the end of the lesson, and not from a single class."""
    show(store, "good")
    lesson.region.look(last=True)
    assert lesson.choice() is None
    show(store, "bad", at=200.0)
    lesson.region.look(last=True)
    assert lesson.choice() is not None


@pytest.mark.parametrize("chosen", [None, Region(0.1, 0.1, 0.5, 0.5)])
def test_what_was_chosen_before_stays(store: Store, lesson: Lesson, chosen: Region | None) -> None:
    """A box, or the whole picture."""
    lesson.choice.choose(chosen)
    show(store, "good", "bad", "away")
    lesson.region.look(last=True)
    assert (lesson.choice(), lesson.told) == (chosen, [])


def test_a_model_that_has_learned_whole_pictures_is_left_alone(store: Store) -> None:
    """The box would have to beat it first; so it is only said, at the end, and once."""
    add_champion(store, "good", "bad")
    lesson = Lesson(store)
    show(store, "good", "bad", "away")
    lesson.region.look()
    assert lesson.told == []
    lesson.region.look(last=True)
    lesson.region.look(last=True)
    assert lesson.choice() is None
    assert [sentence.partition(";")[2] for sentence in lesson.told] == [
        " posture-daemon region propose --write has the next training try to look at that only."
    ]


def test_a_file_that_cannot_be_written_is_told_and_ends_nothing(
    store: Store, lesson: Lesson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once; then the whole picture is learned."""

    def refuse(_file: Path, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("posture_daemon.bootstrap.settings_file.write_durably", refuse)
    show(store, "good", "bad", "away")
    lesson.region.look()
    lesson.region.look(last=True)
    assert lesson.choice() is None
    assert [sentence.partition(",")[0] for sentence in lesson.told] == ["The whole picture is looked at"]
