"""Whether a camera can see: black, blank and frozen pictures are told from dim, dull and quiet ones."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from posture_daemon.domain import Image
from posture_daemon.fake_desk import FakeDesk
from posture_daemon.vision.frame_quality import DARK_BELOW, LIGHT_FROM, FrameQuality, FrameQualityMonitor

RNG = np.random.default_rng(0)


def noisy(brightness: float, noise: float = 2.0, spread: float = 0.5, side: int = 240) -> Image:
    """A smooth ramp up to `brightness`, with the noise of a sensor."""
    ramp = np.linspace(brightness * (1 - spread), brightness, side)[None, :, None]
    return np.clip(ramp + RNG.normal(0, noise, (side, side, 3)), 0, 255).astype(np.uint8)


def sight_of(image: Image) -> FrameQuality:
    """What a fresh eye says of one picture."""
    return FrameQualityMonitor().look(image, 0.0)


def test_a_lens_cap_is_black_and_a_dim_room_is_not() -> None:
    """Noise does not make light: what counts is the brightest hundredth."""
    assert sight_of(np.zeros((240, 240, 3), np.uint8)) is FrameQuality.BLACK
    assert sight_of(noisy(12, noise=6)) is FrameQuality.BLACK
    assert sight_of(noisy(70)) is FrameQuality.CLEAR


def test_a_lamp_in_a_dark_room_is_something_to_see() -> None:
    """A twentieth of the picture is lit."""
    image = np.zeros((240, 240, 3), np.uint8)
    image[:24, :120] = 200
    assert sight_of(image) is FrameQuality.CLEAR


def test_light_around_the_limit_does_not_flicker() -> None:
    """A dark picture has to become clearly lighter before it counts as seen again."""
    eye, between = FrameQualityMonitor(), noisy((DARK_BELOW + LIGHT_FROM) / 2, noise=0.5, spread=1.0)
    assert eye.look(between, 0.0) is FrameQuality.CLEAR
    assert eye.look(noisy(DARK_BELOW - 5, noise=0.5), 1.0) is FrameQuality.BLACK
    assert eye.look(between, 2.0) is FrameQuality.BLACK
    assert eye.look(noisy(LIGHT_FROM + 10, noise=0.5, spread=1.0), 3.0) is FrameQuality.CLEAR


@pytest.mark.parametrize("colour", [(0, 135, 0), (128, 128, 128), (255, 255, 255), (30, 20, 160)])
def test_a_picture_of_one_colour_is_blank(colour: tuple[int, int, int]) -> None:
    """The green of an empty YUV buffer, a covered lens in daylight: noise does not hide it."""
    image = np.clip(np.array(colour) + RNG.normal(0, 1.5, (240, 240, 3)), 0, 255).astype(np.uint8)
    assert sight_of(image) is FrameQuality.BLANK


def test_the_same_picture_again_is_frozen_and_one_changed_pixel_is_life() -> None:
    """Bit for bit: also where the pixel is not among those that are looked at first."""
    eye, image = FrameQualityMonitor(), noisy(200)
    assert eye.look(image, 0.0) is FrameQuality.CLEAR
    assert eye.look(image.copy(), 1.0) is FrameQuality.FROZEN
    alive = image.copy()
    alive[1, 1, 0] ^= 1
    assert eye.look(alive, 2.0) is FrameQuality.CLEAR


def test_a_recording_may_repeat_a_picture_but_not_be_black() -> None:
    """A replay of one photograph is what its user asked for."""
    eye, image = FrameQualityMonitor(repeats=True), noisy(200)
    assert [eye.look(image, t) for t in (0.0, 10.0)] == [FrameQuality.CLEAR] * 2
    assert eye.look(image // 20, 11.0) is FrameQuality.BLACK


def test_a_camera_is_blind_only_after_a_while_without_a_single_usable_picture() -> None:
    """The black pictures of a warm-up or one repeated frame are no event."""
    eye, black = FrameQualityMonitor(3.0), np.zeros((48, 64, 3), np.uint8)
    blind = []
    for now, image in [(0.0, black), (2.9, black), (3.0, noisy(200)), (4.0, black), (6.9, black), (7.0, black)]:
        eye.look(image, now)
        blind.append(eye.is_blind(now))
    assert blind == [False, False, False, False, False, True]


def test_a_blind_camera_is_opened_anew_ever_more_rarely() -> None:
    """Within 3 s at first, then after 6, 12, 24 …, at last every ten minutes: a dark night is not a broken camera."""
    eye, black = FrameQualityMonitor(3.0), np.zeros((48, 64, 3), np.uint8)
    asked = []
    for now in range(3000):
        eye.look(black, float(now))
        if eye.wants_reopening(float(now)):
            asked.append(now)
    assert asked[:5] == [3, 6, 12, 24, 48]
    assert max(np.diff(asked)) == 600
    eye.look(noisy(200), 3000.0)
    eye.look(black, 3001.0)
    assert [eye.wants_reopening(t) for t in (3003.0, 3004.0)] == [False, True]


@pytest.mark.parametrize("bad", [np.empty((0, 0, 3), np.uint8), np.zeros((8, 8), np.uint8)], ids=["empty", "grey"])
def test_what_is_no_picture_is_left_to_whoever_uses_it(bad: Image) -> None:
    """The capture loop counts it as a bad frame; the reader of the camera must not fail on it."""
    assert sight_of(bad) is FrameQuality.CLEAR


def test_the_fake_desk_is_seen_at_every_hour() -> None:
    """No drawn picture of two days is black or blank, and its noise makes each another one."""
    desk, eye = FakeDesk(seed=11), FrameQualityMonitor()
    moments = [hour * 3600 + tenth / 10 for hour in range(0, 48, 2) for tenth in range(2)]
    assert {eye.look(desk.render(desk.start + t), t) for t in moments} == {FrameQuality.CLEAR}


def real_frames(folder: Path) -> Iterator[tuple[Path, Image]]:
    """All pictures below a folder, in the order in which they were taken."""
    for path in sorted(folder.rglob("*.jpg")):
        image = cv2.imread(str(path))
        assert image is not None
        yield path, np.asarray(image, np.uint8)


@pytest.mark.shared
@pytest.mark.parametrize(("folder", "least"), [("front_webcam", 1500), ("side_webcam", 600), ("rooms", 70)])
def test_no_real_frame_is_taken_for_black_blank_or_frozen(shared_data: Path, folder: str, least: int) -> None:
    """Of 2,258 real pictures none, in half light, too; but in a tenth of the light, where no model sees, all are black."""
    eye, dim, night, seen = FrameQualityMonitor(), FrameQualityMonitor(), FrameQualityMonitor(), 0
    for path, image in real_frames(shared_data / folder):
        seen += 1
        assert eye.look(image, 0.0) is FrameQuality.CLEAR, path
        if "_0000." not in path.name:  # a warm-up, black but for a corner
            assert dim.look(image // 2, 0.0) is FrameQuality.CLEAR, path
        assert night.look(image // 10, 0.0) in (FrameQuality.BLACK, FrameQuality.BLANK), path
    assert seen >= least
