"""Where somebody sits, from drawn rooms in which it is known."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from posture_daemon.domain import Image, Region
from posture_daemon.fake_desk import FakeDesk
from posture_daemon.vision.region import crop
from posture_daemon.vision.region_proposal import MIN_SIDE, propose

WIDTH, HEIGHT = 640, 360


def room(seed: int = 0) -> Image:
    """Furniture: rectangles of many greys."""
    rng = np.random.default_rng(seed)
    picture = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    for _ in range(40):
        x, y = rng.integers(0, WIDTH), rng.integers(0, HEIGHT)
        cv2.rectangle(picture, (int(x), int(y)), (int(x) + 90, int(y) + 60), rng.integers(40, 220, 3).tolist(), -1)
    return picture


def somebody(seed: int, x: int = 480, lean: int = 0) -> Image:
    """The room with a head and a trunk about column `x`, leaning to the left by so many pixels; noise on all of it."""
    picture = room()
    cv2.line(picture, (x, 330), (x - lean, 190), (30, 30, 200), 70)
    cv2.circle(picture, (x - int(1.4 * lean), 120), 32, (150, 190, 230), -1)
    return noisy(picture, seed)


def noisy(picture: Image, seed: int, light: float = 1.0) -> Image:
    """As a camera gives it, in another light."""
    noise = np.random.default_rng(seed).normal(0, 6, picture.shape)
    return np.clip(picture * light + noise, 0, 255).astype(np.uint8)


def leaning(count: int = 12) -> list[Image]:
    """Upright and bent in turn."""
    return [somebody(seed, lean=60 * (seed % 2)) for seed in range(count)]


def within(region: Region, left: int, top: int, right: int, bottom: int) -> bool:
    """Whether this part of the picture is in the region, pixels."""
    return (
        region.x * WIDTH <= left
        and region.y * HEIGHT <= top
        and right <= (region.x + region.width) * WIDTH
        and bottom <= (region.y + region.height) * HEIGHT
    )


@pytest.mark.parametrize("empty", [0, 3])
@pytest.mark.parametrize("count", [5, 12, 60])
def test_the_box_holds_who_sits_there(count: int, empty: int) -> None:
    """Head and chest in every pose, with pictures of the empty chair and without, from five pictures on."""
    found = propose(leaning(count), [noisy(room(), seed) for seed in range(100, 100 + empty)])
    assert found is not None
    assert within(found, 400, 90, 500, 240)
    assert found.width * WIDTH == pytest.approx(found.height * HEIGHT, abs=2)
    assert MIN_SIDE <= found.width < 0.6
    side = crop(somebody(0), found).shape[0]
    assert side == pytest.approx(found.height * HEIGHT, abs=2)


def test_another_light_is_no_change() -> None:
    """The empty chair may be seen after a cloud has gone."""
    bright = [noisy(room(), seed, light=1.25) for seed in range(4)]
    found = propose(leaning(), bright)
    assert found is not None
    assert within(found, 400, 90, 500, 240)


def in_light(pictures: list[Image], contrast: float, brighter: int) -> list[Image]:
    """The same, darker or paler."""
    return [np.clip(contrast * picture + brighter, 0, 255).astype(np.uint8) for picture in pictures]


def test_a_pale_room_is_looked_at_as_closely() -> None:
    """Against the sun all is bright and little differs: what counts is the change beside the picture's own contrast."""
    pale, empty = (in_light(pictures, 0.4, 140) for pictures in (leaning(), [noisy(room(), seed) for seed in range(4)]))
    for found in (propose(pale, empty), propose(pale)):
        assert found is not None
        assert within(found, 400, 90, 500, 240)


@pytest.mark.parametrize("light", [1.0, 0.3], ids=["by day", "in the evening"])
def test_a_screen_far_off_stays_out(light: float) -> None:
    """Its pictures change more than anything else, in a small place, and most of all where the room is dark."""
    pictures = in_light(leaning(), light, 0)
    for number, picture in enumerate(pictures):
        picture[40:90, 20:90] = 255 * (number % 2)
    for empty in ([], in_light([noisy(room(), seed) for seed in range(4)], light, 0)):
        found = propose(pictures, empty)
        assert found is not None
        assert found.x * WIDTH > 90


def nowhere() -> Iterator[list[Image]]:
    """Nobody; somebody who keeps still; too few pictures; a camera that was moved; a person who fills the picture."""
    yield [noisy(room(), seed) for seed in range(12)]
    yield [somebody(seed) for seed in range(12)]
    yield leaning(4)
    yield [np.roll(noisy(room(), seed), 40 * (seed % 2), axis=1) for seed in range(12)]
    yield [cv2.resize(somebody(seed, 350, 60 * (seed % 2))[60:, 150:490], (WIDTH, HEIGHT)) for seed in range(12)]


@pytest.mark.parametrize("pictures", list(nowhere()), ids=["nobody", "still", "few", "moved camera", "close"])
def test_nothing_is_proposed_where_nothing_can_be_gained(pictures: list[Image]) -> None:
    """Then the whole picture is looked at, as ever."""
    assert propose(pictures) is None


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 4, 5])
def test_the_person_at_the_fake_desk_is_found(seed: int) -> None:
    """By what differs from the empty chair; nothing is proposed where the middle of the picture is as good."""
    desk = FakeDesk(seed)
    at = desk.start + 3600
    poses = [desk.render_pose(name, way, at + 60 * way) for name in ("good_posture", "bad_posture") for way in range(4)]
    found = propose(poses, [desk.render_pose("na", way, at + 900 + 60 * way) for way in range(4)])
    assert (found is not None) or seed != 2
    if found is not None:
        assert (found.x < 0.45, found.x + found.width > 0.6) == (True, True)
