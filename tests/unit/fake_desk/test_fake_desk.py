"""The fake desk: same arguments give the same picture, the day flows, and the camera runs in real time."""

import runpy
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from posture_daemon.adapters.cameras import open_camera
from posture_daemon.domain import Image
from posture_daemon.errors import CameraError, SettingsError
from posture_daemon.fake_desk import (
    AWAY,
    BAD,
    CLASSES,
    DEFAULT_START,
    GOOD,
    STANDING,
    Day,
    FakeDesk,
    FakeDeskCamera,
    people,
)
from posture_daemon.fake_desk.day import day_number
from posture_daemon.ports import Camera
from tests.conftest import REPOSITORY
from tests.fakes.clock import Clock

HOUR_S = 3600.0


def difference(a: Image, b: Image) -> float:
    """Mean difference of two pictures, grey levels, on every eighth pixel."""
    return float(np.abs(a[::8, ::8].astype(int) - b[::8, ::8]).mean())


def camera(clock: Clock, **options: object) -> FakeDeskCamera:
    """Open a camera on `clock`."""
    opened = FakeDeskCamera(monotonic=clock.monotonic, sleep=clock.sleep, **options)  # type: ignore[arg-type]
    opened.open()
    return opened


def first_moment(day: Day, posture: str) -> float:
    """Find a time (Unix s) at which `posture` is held, not just reached."""
    times = (DEFAULT_START + 5.0 * step for step in range(100_000))
    return next(t for t in times if day.truth_at(t) == posture and not day.transition_at(t))


def test_frames_are_bgr_of_720p() -> None:
    """A frame is `uint8 (720, 1280, 3)`."""
    image = FakeDesk(seed=1).render(DEFAULT_START)
    assert (image.dtype, image.shape) == (np.uint8, (720, 1280, 3))


def test_same_arguments_give_the_same_pixels() -> None:
    """Two desks of one seed agree bit for bit, in whatever order their frames are drawn."""
    one, other = FakeDesk(seed=3), FakeDesk(seed=3)
    times = [DEFAULT_START + 0.1, DEFAULT_START + 7 * HOUR_S, DEFAULT_START + 40 * HOUR_S]
    forwards = [one.render(t) for t in times]
    backwards = [other.render(t) for t in reversed(times)]
    assert all(np.array_equal(a, b) for a, b in zip(forwards, reversed(backwards), strict=True))


def test_drawing_leaves_numpys_global_chance_alone() -> None:
    """Nothing reads or moves numpy's global random state."""
    before = np.random.get_state()[1].tolist()  # type: ignore[index]
    FakeDesk(seed=2).render(DEFAULT_START)
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index]


@pytest.mark.parametrize("change", [{"seed": 5}, {"person": 9}])
def test_seed_and_person_change_the_picture(change: dict[str, int]) -> None:
    """Another room or another person gives another picture."""
    arguments = {"seed": 4, "person": 8} | change
    usual = FakeDesk(seed=4, person=8).render_pose(GOOD, 1, DEFAULT_START)
    assert difference(usual, FakeDesk(**arguments).render_pose(GOOD, 1, DEFAULT_START)) > 2.0


def test_hour_and_day_change_the_picture() -> None:
    """Night differs from day by its light, tomorrow from today by the clothes."""
    desk = FakeDesk(seed=4)
    noon = desk.render_pose(GOOD, 1, DEFAULT_START + 4 * HOUR_S)
    assert difference(noon, desk.render_pose(GOOD, 1, DEFAULT_START + 14 * HOUR_S)) > 10.0
    assert difference(noon, desk.render_pose(GOOD, 1, DEFAULT_START + 28 * HOUR_S)) > 3.0


def test_pictures_of_different_classes_differ() -> None:
    """Every class looks unlike every other at the same desk and hour."""
    desk = FakeDesk(seed=6)
    pictures = {name: desk.render_pose(name, 4, DEFAULT_START) for name in CLASSES}
    pairs = [(a, b) for a in CLASSES for b in CLASSES if a < b]
    assert min(difference(pictures[a], pictures[b]) for a, b in pairs) > 4.0


@pytest.mark.parametrize("name", CLASSES)
def test_the_person_is_in_the_picture_unless_away(name: str) -> None:
    """Every class occurs on the day; another person changes its picture except that of the empty chair."""
    desk, other = FakeDesk(seed=7, person=1), FakeDesk(seed=7, person=2)
    t = first_moment(desk.day, name)
    pictures = [each.render_pose(name, 1, t) for each in (desk, other)]
    assert np.array_equal(*pictures) == (name == AWAY)


def test_everybody_can_be_drawn_in_every_garment() -> None:
    """Eight people, each with another haircut, look different, on days that together show all their garments."""
    noon = [DEFAULT_START + 86_400.0 * day + 4 * HOUR_S for day in range(3)]
    desks = [FakeDesk(seed=1, person=number) for number in range(8)]
    garments = {people.clothes(desk.person.number, day_number(t)).garment for desk in desks for t in noon}
    pictures = [desk.render_pose(GOOD, 2, t) for t in noon for desk in desks]
    assert garments == set(people.GARMENTS)
    assert all(not np.array_equal(a, b) for a, b in pairwise(pictures))


def test_shares_of_classes_in_the_long_run() -> None:
    """Over twenty days: about 40 % good, 30 % bad, 15 % away, 15 % standing."""
    day = Day(seed=1)
    count = Counter(day.truth_at(DEFAULT_START + 181.0 * step) for step in range(20 * 24 * 20))
    shares = {name: count[name] / count.total() for name in CLASSES}
    wanted = {GOOD: 0.40, BAD: 0.30, AWAY: 0.15, STANDING: 0.15}
    assert all(abs(shares[name] - wanted[name]) < 0.05 for name in CLASSES), shares


@pytest.mark.parametrize("classes", [(GOOD, BAD), (GOOD, BAD, AWAY), (STANDING,)])
def test_classes_can_be_left_out(classes: tuple[str, ...]) -> None:
    """Only the named classes occur, and each of them does."""
    day = Day(seed=2, classes=classes)
    assert {day.truth_at(DEFAULT_START + 60.0 * step) for step in range(3000)} == set(classes)


def test_truth_covers_all_times() -> None:
    """There is one truth for every time: before the epoch, across the turn of days, and far ahead."""
    day = Day(seed=3)
    turn = DEFAULT_START - 4 * HOUR_S
    times = [-1e6, 0.0, turn - 0.001, turn, turn + 0.001, 5e9]
    assert all(day.truth_at(t) in CLASSES for t in times)


def test_truth_does_not_depend_on_what_was_asked_before() -> None:
    """Days are made one by one: asking for a late day first changes nothing."""
    asked, fresh = Day(seed=4), Day(seed=4)
    asked.truth_at(DEFAULT_START + 900 * HOUR_S)
    times = [DEFAULT_START + 97.0 * step for step in range(500)]
    assert [asked.truth_at(t) for t in times] == [fresh.truth_at(t) for t in times]


def test_stays_last_from_seconds_to_tens_of_minutes() -> None:
    """Stays in one class are of very different lengths, as on a real day."""
    day = Day(seed=5)
    changes = [t for t in range(8, 3 * 86_400, 8) if day.truth_at(t) != day.truth_at(t - 8)]
    lengths = np.diff(changes)
    assert lengths.min() < 30
    assert lengths.max() > 20 * 60


def test_movement_between_classes_takes_one_to_three_seconds() -> None:
    """The body is on its way for 1–3 s, and the truth changes half-way."""
    day = Day(seed=6)
    change = next(t for t in range(int(DEFAULT_START), int(DEFAULT_START) + 86_400) if day.transition_at(t))
    moving = [t for t in np.arange(change - 4, change + 4, 0.01) if day.transition_at(t)]
    assert 0.9 < moving[-1] - moving[0] < 3.1
    truths = [day.truth_at(t) for t in moving]
    assert truths[0] != truths[-1]
    assert truths.index(truths[-1]) == pytest.approx(len(truths) / 2, abs=2)


def test_the_picture_flows_without_cuts() -> None:
    """A held pose hardly changes from second to second, and even a change of class has no jump in a twentieth of it."""
    desk = FakeDesk(seed=9)
    held = first_moment(desk.day, GOOD)
    assert 0.1 < difference(desk.render(held), desk.render(held + 1.0)) < 4.0
    change = next(t for t in np.arange(held, held + HOUR_S, 0.5) if desk.transition_at(t))
    frames = [desk.render(change - 0.5 + 0.12 * step) for step in range(30)]
    steps = [difference(a, b) for a, b in pairwise(frames)]
    assert max(steps) < 0.5 * difference(frames[0], frames[-1]) + 2.0


def test_unknown_class_is_refused() -> None:
    """A class that cannot be drawn is named in one sentence."""
    with pytest.raises(CameraError, match="'lying'"):
        FakeDeskCamera(classes="good_posture,lying")


def test_camera_waits_for_the_next_frame() -> None:
    """Frames come `1/fps` apart in real time, and `speed` times that on the desk's clock."""
    clock = Clock()
    source: Camera = camera(clock, fps=4.0, speed=60.0)
    frames = [source.read() for _ in range(3)]
    assert [frame.sequence for frame in frames if frame] == [0, 1, 2]
    assert [frame.captured_at - DEFAULT_START for frame in frames if frame] == [0.0, 15.0, 30.0]
    assert clock.slept == pytest.approx([0.25, 0.25])


def test_camera_skips_rather_than_lags() -> None:
    """After a slow reader's three seconds the next frame is the present one, without a backlog."""
    clock = Clock()
    source = camera(clock, fps=10.0)
    source.read()
    clock.now += 3.0
    late, following = source.read(), source.read()
    assert (late.sequence, following.sequence) == (30, 31)
    assert late.captured_at == pytest.approx(DEFAULT_START + 3.0)


def test_camera_ends_after_its_duration() -> None:
    """A finite film gives its frames and then `None`, again and again."""
    source = camera(Clock(), fps=1.0, speed=10.0, duration=30.0)
    assert [frame is None for frame in (source.read() for _ in range(5))] == [False] * 3 + [True] * 2


def test_camera_goes_on_after_reopening() -> None:
    """Closing twice is safe; reading a closed camera is an error; time has gone on when it opens again."""
    clock = Clock()
    source = camera(clock)
    source.read()
    source.close()
    source.close()
    with pytest.raises(CameraError):
        source.read()
    clock.now += 60.0
    source.open()
    assert source.read().captured_at == pytest.approx(DEFAULT_START + 60.0)


def test_camera_is_named_as_it_was_chosen() -> None:
    """The name has the seed and whatever is not as usual, and makes the same camera again."""
    assert FakeDeskCamera(seed=7).name == "fake:desk?seed=7"
    name = "fake:desk?seed=7&speed=60&start=2026-06-01T22:15"
    assert open_camera(name).name == name


@pytest.mark.parametrize("query", ["sped=60", "seed=x", "fps=0", "speed=nan", "start=noon"])
def test_wrong_parameters_are_refused(query: str) -> None:
    """A misspelt name or an impossible value is refused."""
    with pytest.raises((CameraError, SettingsError)):
        open_camera(f"fake:desk?{query}")


def test_contact_sheet_is_a_jpeg_that_fits_in_the_docs(tmp_path: Path) -> None:
    """The sheet can be drawn, and the one in `docs` has at most 400 KB."""
    path = tmp_path / "images" / "sheet.jpg"
    runpy.run_path(str(REPOSITORY / ".ci" / "contact_sheet.py"))["write_contact_sheet"](path, columns=((1, 10.0),))
    assert path.read_bytes()[:3] == b"\xff\xd8\xff"
    assert (REPOSITORY / "docs" / "images" / "fake-desk.jpg").stat().st_size <= 400_000
