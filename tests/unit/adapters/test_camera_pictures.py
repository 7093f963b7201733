"""Pictures of a camera, one by one."""

import io

import numpy as np
import pytest
from PIL import Image as PillowImage

from posture_daemon.adapters.cameras.picture_stream import decode_jpeg


def jpeg(image: PillowImage.Image, orientation: int = 1) -> bytes:
    """As a phone writes it: the picture as the sensor lies, and how it is to be turned."""
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95, exif=exif)
    return file.getvalue()


def with_white_top() -> PillowImage.Image:
    """Wider than high, black below."""
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:24] = 255
    return PillowImage.fromarray(pixels)


@pytest.mark.parametrize(("orientation", "quarters"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_a_phone_that_lies_on_its_side_shows_an_upright_owner(orientation: int, quarters: int) -> None:
    """Its stills are turned as every browser turns them, and as an import of the same file does."""
    found = decode_jpeg(jpeg(with_white_top(), orientation))
    assert found is not None
    assert np.abs(found.astype(int) - np.rot90(np.array(with_white_top()), quarters)).max() < 10


def test_colours_stay_in_their_places() -> None:
    """Blue comes first; grey has three equal channels."""
    blue = decode_jpeg(jpeg(PillowImage.new("RGB", (32, 32), (0, 0, 254))))
    grey = decode_jpeg(jpeg(PillowImage.new("L", (32, 32), 90)))
    assert blue is not None
    assert grey is not None
    assert blue[0, 0].tolist() == [254, 0, 0]
    assert grey[0, 0].tolist() == [90, 90, 90]


@pytest.mark.parametrize("cut", [0, 20, 300])
def test_a_damaged_picture_is_none(cut: int) -> None:
    """The next one may be whole."""
    assert decode_jpeg(jpeg(with_white_top())[:cut]) is None
