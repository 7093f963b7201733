from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from posture_daemon.adapters.backbone.onnx import OnnxBackbone
from posture_daemon.adapters.backbone.preprocess import centre_square, to_input
from posture_daemon.adapters.checkpoints import ImportedCheckpoint
from posture_daemon.domain import Floats, Image
from posture_daemon.errors import ModelError
from posture_daemon.ports import Backbone
from posture_daemon.vision.head import Head

Images = NDArray[np.uint8]
"""`(n, height, width, 3)`, BGR."""


def gradient(height: int, width: int) -> Image:
    """A picture whose blue grows to the right, green downwards, and whose red is 200."""
    blue = np.linspace(0, 255, width)[None, :].repeat(height, 0)
    green = np.linspace(0, 255, height)[:, None].repeat(width, 1)
    return np.stack([blue, green, np.full((height, width), 200.0)], axis=2).astype(np.uint8)


def test_input_is_rgb_between_0_and_1() -> None:
    """Planes come in the order red, green, blue, as float32."""
    planes = to_input(gradient(300, 400), 64)
    assert (planes.shape, planes.dtype) == ((1, 3, 64, 64), np.float32)
    np.testing.assert_allclose(planes[0, 0], 200 / 255, atol=1e-6)
    assert planes.min() >= 0
    assert planes.max() <= 1


def test_only_the_middle_of_a_wide_picture_is_seen() -> None:
    """A 16:9 picture loses both sides: blue runs from about 0.22 to 0.78, green over the whole range."""
    _, green, blue = to_input(gradient(360, 640), 224)[0]
    assert blue[0, 0] == pytest.approx(140 / 640, abs=0.01)
    assert blue[0, -1] == pytest.approx(500 / 640, abs=0.01)
    assert green[0, 0] < 0.01
    assert green[-1, 0] > 0.99


def test_a_square_of_the_right_size_is_not_touched() -> None:
    """No filter blurs what needs no resizing."""
    image = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    np.testing.assert_array_equal(centre_square(image, 96), image)


SHAPES = [(720, 1280), (544, 960), (480, 640), (640, 480), (100, 120), (500, 500), (1080, 1921)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [224, 640])
def test_resizing_equals_torchvision_but_for_rounding(shape: tuple[int, int], size: int) -> None:
    """Resizing only what the crop keeps gives torchvision's pixels, at most one level of 255 apart."""
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    height, width = (size * side // min(shape) for side in shape)
    resized = Pillow.fromarray(image).resize((width, height), Pillow.Resampling.BILINEAR)
    left, top = round((resized.width - size) / 2), round((resized.height - size) / 2)
    expected = np.asarray(resized.crop((left, top, left + size, top + size)))
    assert np.abs(expected.astype(int) - centre_square(image, size)).max() <= 1


@pytest.fixture(scope="module")
def backbone(imported_base: ImportedCheckpoint) -> OnnxBackbone:
    """The real backbone at 224 pixels."""
    return OnnxBackbone(imported_base.backbone_path, expected_sha256=imported_base.backbone_sha256)


@pytest.mark.shared
def test_it_is_a_backbone(backbone: OnnxBackbone, imported_base: ImportedCheckpoint) -> None:
    """It fulfils the Protocol and knows its own digest, input and output."""
    as_protocol: Backbone = backbone
    assert as_protocol.sha256 == imported_base.backbone_sha256
    assert (backbone.image_size, backbone.channels) == (224, 256)
    features = backbone.extract(gradient(480, 640))
    assert (features.map.shape, features.map.dtype) == ((256, 7, 7), np.float32)


@pytest.mark.shared
def test_a_changed_file_is_refused(imported_base: ImportedCheckpoint) -> None:
    """The recorded digest protects a device from a damaged or exchanged backbone."""
    with pytest.raises(ModelError, match="is damaged"):
        OnnxBackbone(imported_base.backbone_path, expected_sha256="0" * 64)


def test_other_files_are_refused(tmp_path: Path) -> None:
    """A missing file and a text file give one sentence each."""
    with pytest.raises(ModelError, match="cannot be read"):
        OnnxBackbone(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(ModelError, match="damaged or not an ONNX model"):
        OnnxBackbone(tmp_path / "text.onnx")


def every(folder: Path, step: int) -> list[Image]:
    """Read every `step`-th picture below `folder`."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
    return [image for path in paths[::step] if (image := cv2.imread(str(path))) is not None]


@pytest.fixture(scope="module")
def judged(
    shared_data: Path,
    shared_weights: Path,
    run_ultralytics: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[Images, Floats]]:
    """Real frames, as they are and as a 1280×720 camera would give them, and what `YOLO.predict` says: `(n, classes)`."""
    folder, side = tmp_path_factory.mktemp("answers"), every(shared_data / "side_webcam", 12)
    frames = {
        "front": np.stack(every(shared_data / "front_webcam", 8)),
        "side": np.stack(side),
        "large": np.stack([cv2.resize(image, (1280, 720)) for image in side[::3]]),
    }
    np.savez(folder / "images.npz", **frames)
    run_ultralytics("predict", shared_weights, 224, folder / "images.npz", folder / "answers.npz")
    answers = np.load(folder / "answers.npz")
    return {name: (images, answers[name]) for name, images in frames.items()}


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.shared
@pytest.mark.parametrize("sample", ["front", "side", "large"])
def test_real_frames_get_the_answers_of_yolo_predict(
    judged: dict[str, tuple[Images, Floats]], backbone: OnnxBackbone, imported_base: ImportedCheckpoint, sample: str
) -> None:
    """Top-1 agrees on at least 99.5 % of the frames; the median frame's probabilities differ by 0.02 at most."""
    head = Head.from_bytes(imported_base.head_path.read_bytes())
    images, theirs = judged[sample]
    ours = head.probabilities(np.stack([backbone.extract(image).map for image in images]))
    assert (ours.argmax(axis=1) == theirs.argmax(axis=1)).mean() >= 0.995
    assert np.median(np.abs(ours - theirs).max(axis=1)) <= 0.02
