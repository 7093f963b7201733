"""What every backbone promises, real or stand-in: the `Backbone` Protocol of `ports.py`."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from posture_daemon.adapters.backbone.on_demand import BackboneOnDemand
from posture_daemon.adapters.backbone.onnx import OnnxBackbone
from posture_daemon.adapters.backbone.region import looking_at
from posture_daemon.domain import Image, Region
from posture_daemon.ports import Backbone
from posture_daemon.store import Store
from posture_daemon.vision.region import crop
from tests.builders import colour_backbone, coloured_frame
from tests.fakes.backbone import StandInBackbone

REGION = Region(0.25, 0.25, 0.5, 0.5)

IMAGES = [coloured_frame("good", 1), coloured_frame("bad", 2, 20), coloured_frame("away", 3)[:, :30]]
"""Of three sizes: larger and smaller than the input, and not square."""


def onnx(store: Store) -> Backbone:
    """A real ONNX file in ONNX Runtime."""
    sha256 = colour_backbone(store, store.folder)
    return OnnxBackbone(store.models.backbone_folder(sha256) / "backbone.onnx", expected_sha256=sha256)


def on_demand(store: Store) -> Backbone:
    """The same, opened when it is first needed."""
    sha256 = colour_backbone(store, store.folder)
    return BackboneOnDemand(store.models.backbone_folder(sha256) / "backbone.onnx", sha256)


def stand_in(store: Store) -> Backbone:
    """What most tests use."""
    return StandInBackbone()


def region(store: Store) -> Backbone:
    """A part of each picture."""
    return looking_at(onnx(store), REGION)


def region_on_demand(store: Store) -> Backbone:
    """The same, opened when it is first needed."""
    sha256 = colour_backbone(store, store.folder)
    return BackboneOnDemand(store.models.backbone_folder(sha256) / "backbone.onnx", sha256, REGION)


@pytest.fixture(params=[onnx, on_demand, stand_in, region, region_on_demand], ids=lambda maker: maker.__name__)
def backbone(request: pytest.FixtureRequest, store: Store) -> Backbone:
    """Each of them in turn."""
    maker: Callable[[Store], Backbone] = request.param
    return maker(store)


def test_it_knows_its_file_and_its_input(backbone: Backbone) -> None:
    """A SHA-256, which use does not change, the region it looks at, and the side of a square in pixels."""
    before = backbone.sha256
    assert re.fullmatch("[0-9a-f]{64}" + ("" if backbone.region is None else f"@{backbone.region}"), before)
    assert backbone.image_size == 32
    backbone.extract(IMAGES[0])
    assert backbone.sha256 == before


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: "x".join(map(str, image.shape)))
def test_a_picture_of_any_size_gives_one_feature_map(backbone: Backbone, image: Image) -> None:
    """`float32 (channels, h, w)`, finite, the same each time; the picture is left as it is."""
    before = image.copy()
    found = backbone.extract(image).map
    assert (found.shape, found.dtype) == ((3, 4, 4), np.float32)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(backbone.extract(image).map, found)
    np.testing.assert_array_equal(image, before)


def test_a_batch_gives_what_single_pictures_give(backbone: Backbone) -> None:
    """`float32 (n, channels, h, w)`, in the order of the pictures, which are of any sizes; a batch may be empty.

    They are cut to the region already.
    """
    batch = backbone.extract_batch([crop(image, backbone.region) for image in IMAGES])
    assert (batch.shape, batch.dtype) == ((3, 3, 4, 4), np.float32)
    for image, features in zip(IMAGES, batch, strict=True):
        np.testing.assert_allclose(features, backbone.extract(image).map, atol=1e-5)
    assert backbone.extract_batch([]).shape[:2] == (0, 3)


def test_what_is_outside_the_region_does_not_count(backbone: Backbone) -> None:
    """Within it every part does."""
    dark, rest = np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 200, np.uint8)
    inside = crop(rest, backbone.region)
    inside[:] = 0
    same = np.allclose(backbone.extract(rest).map, backbone.extract(dark).map, atol=1e-5)
    assert same
    inside[: len(inside) // 2] = 90
    assert not np.allclose(backbone.extract(rest).map, backbone.extract(dark).map, atol=1e-5)


def test_a_loaded_network_can_be_turned_to_another_part(store: Store) -> None:
    """And back; it is not loaded again, and the part that counts is the last."""
    whole = onnx(store)
    turned = looking_at(looking_at(whole, REGION), Region(0, 0, 0.5, 0.5))
    assert turned.sha256 == f"{whole.sha256}@0,0,0.5,0.5"
    assert looking_at(turned, None) is whole


def test_pictures_that_differ_have_features_that_differ(backbone: Backbone) -> None:
    """Else nothing could be learned from them."""
    pooled = [backbone.extract(image).pooled for image in IMAGES]
    assert not any(np.allclose(pooled[a], pooled[b], atol=0.05) for a, b in ((0, 1), (0, 2), (1, 2)))


def test_threads_may_share_it(backbone: Backbone) -> None:
    """The daemon and the page ask the same one."""
    alone = [backbone.extract(image).map for image in IMAGES]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda image: backbone.extract(image).map, IMAGES * 4))
    for n, found in enumerate(together):
        np.testing.assert_array_equal(found, alone[n % 3])
