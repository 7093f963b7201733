"""A region: how it is written, what is refused, and which pixels of a picture it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posture_daemon.domain import MIN_REGION_SIDE, Image, ModelVersion, Region
from posture_daemon.vision.region import crop


def picture(width: int, height: int) -> Image:
    """Each pixel tells its column and its row."""
    found = np.zeros((height, width, 3), np.uint8)
    found[..., 0], found[..., 1] = np.arange(width)[None, :], np.arange(height)[:, None]
    return found


def test_a_region_is_read_as_it_is_written() -> None:
    """Thousandths, without needless zeros; nothing at all is the whole picture."""
    region = Region.parse(" 0.2, .10,0.6004 ,0.8")
    assert region == Region(0.2, 0.1, 0.6, 0.8)
    assert str(region) == "0.2,0.1,0.6,0.8"
    assert Region.parse(str(region)) == region
    assert Region.parse("") is Region.parse("  ") is None
    assert str(Region(0, 0, 1, 1)) == "0,0,1,1"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0.5,0,0.6,1", "The region 0.5,0,0.6,1 leaves the picture, which goes from 0 to 1 each way."),
        ("-0.1,0,0.6,1", "The region -0.1,0,0.6,1 leaves the picture, which goes from 0 to 1 each way."),
        ("0.5,0.5,0.002,0.003", "The region 0.5,0.5,0.002,0.003 is too small: each side must be at least 0.1"),
        ("nan,0,1,1", "The x of a region must be a number, not nan."),
        ("0,0,inf,1", "The width of a region must be a number, not inf."),
        ("0,0,1", "'0,0,1' is no region: four numbers from 0 to 1 are"),
        ("left", "'left' is no region: four numbers"),
    ],
)
def test_what_is_no_region_is_refused_in_one_sentence(text: str, words: str) -> None:
    """Outside the picture, a few pixels, no numbers, too few of them."""
    with pytest.raises(ValueError, match="region") as caught:
        Region.parse(text)
    assert str(caught.value).startswith(words)


spans = st.integers(0, 900).flatmap(lambda start: st.tuples(st.just(start), st.integers(100, 1000 - start)))


@given(spans, spans, st.integers(32, 700), st.integers(32, 700))
def test_a_crop_is_a_square_that_holds_the_box_as_far_as_it_can(
    across: tuple[int, int], down: tuple[int, int], width: int, height: int
) -> None:
    """Within the picture, and no smaller than the box in either direction unless the picture is."""
    region = Region(across[0] / 1000, down[0] / 1000, across[1] / 1000, down[1] / 1000)
    side, other, _ = crop(np.zeros((height, width, 3), np.uint8), region).shape
    assert side == other
    assert side >= min(width, height, round(region.width * width))
    assert side >= min(width, height, round(region.height * height))


def test_a_crop_is_where_the_box_is() -> None:
    """An upright box grows on both sides; at the edge of the picture it grows to the other side."""
    found = crop(picture(200, 100), Region(0.4, 0, 0.2, 0.8))
    assert found.shape[:2] == (80, 80)
    assert (found[0, 0, 0], found[0, -1, 0]) == (60, 139)
    assert (found[0, 0, 1], found[-1, 0, 1]) == (0, 79)
    found = crop(picture(200, 100), Region(0, 0.2, 0.1, 0.8))
    assert (found.shape[:2], found[0, 0].tolist()[:2]) == ((80, 80), [0, 20])


def test_a_flat_box_wider_than_the_picture_is_high_keeps_its_middle() -> None:
    """As whole pictures do, of which the network sees the middle square."""
    found = crop(picture(200, 100), Region(0, 0.4, 1, 0.2))
    assert (found.shape[:2], found[0, 0].tolist()[:2]) == ((100, 100), [50, 0])


def test_without_a_region_a_picture_stays_as_it_is() -> None:
    """The very same array."""
    whole = picture(60, 40)
    assert crop(whole, None) is whole


def test_features_are_of_a_backbone_and_a_region() -> None:
    """Models on the same backbone that look at different parts have features that cannot be compared."""

    def key(region: Region | None) -> str:
        return ModelVersion(1, 0.0, None, "b" * 64, "h" * 64, (), 1.0, "test", region=region).feature_key

    assert key(None) == "b" * 64
    assert key(Region(0, 0, 0.5, MIN_REGION_SIDE)) == f"{'b' * 64}@0,0,0.5,0.1"
