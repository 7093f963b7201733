"""Learning from the backbone's features is `freeze=10`: ultralytics' own trainer and ours, side by side, step by step.

Ultralytics trains in a process of its own with its own loader, loss, clipping and optimiser (`ultralytics_zoo.py train`). Ours
sees the same pictures through `backbone.onnx`, and begins at the same head.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from posture_daemon.adapters.backbone.onnx import OnnxBackbone
from posture_daemon.adapters.backbone.preprocess import centre_square
from posture_daemon.adapters.checkpoints import export_checkpoint, import_checkpoint
from posture_daemon.domain import Floats, Image
from posture_daemon.fake_desk import AWAY, BAD, GOOD
from posture_daemon.fake_desk.sessions import Session
from posture_daemon.store.model_copies import STARTER
from posture_daemon.vision.head import TENSOR_NAMES, Head
from tests import classify_gradient as gradient
from tests.classify_gradient import AdamW, GradientTraining, Optimizer, Sgd

CLASSES = (BAD, GOOD, AWAY)  # alphabetical, as ultralytics numbers folders
BATCH, STEPS = 8, 3
RATE, MOMENTUM, DECAY = 0.002, 0.9, 0.05
SETTINGS = {"batch": BATCH, "nbs": BATCH, "lrf": 1.0, "momentum": MOMENTUM, "weight_decay": DECAY}
OPTIMIZERS: dict[str, type[AdamW] | type[Sgd]] = {"AdamW": AdamW, "SGD": Sgd}

MAX_DIFFERENCE = 1e-4

STARTER_HEAD = Head.from_bytes((STARTER / "head.safetensors").read_bytes())

pytestmark = pytest.mark.torch


@dataclass(frozen=True, eq=False)
class Reference:
    """What ultralytics did in `STEPS` steps. `heads` has one more: the start."""

    images: NDArray[np.uint8]  # (steps, n, size, size, 3), BGR
    targets: NDArray[np.intp]  # (steps, n)
    losses: Floats
    heads: list[Head]

    @classmethod
    def read(cls, path: Path) -> Reference:
        """Read what `ultralytics_zoo.py train` wrote."""
        record = dict(np.load(path))
        images, targets, losses = (record.pop(name) for name in ("images", "targets", "losses"))
        heads = [Head.from_tensors({name: array[i] for name, array in record.items()}) for i in range(STEPS + 1)]
        return cls(images, targets, losses, heads)


@pytest.fixture(scope="module")
def pictures() -> list[tuple[str, Image]]:
    """Three batches of labelled pictures from the fake desk."""
    session = Session("equivalence", room=2, person=3, hour=10.0, seed=4)
    return list(session.pictures(CLASSES, BATCH * STEPS // len(CLASSES), 320))


def write_dataset(folder: Path, pictures: list[tuple[str, Image]], size: int) -> Path:
    """Square pictures in ultralytics' layout, so that its loader has nothing to resize or crop."""
    for number, (name, picture) in enumerate(pictures):
        for split in ("train", "val"):
            (folder / split / name).mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(folder / split / name / f"{number:02d}.png"), centre_square(picture, size))
    return folder


def ours(reference: Reference, backbone: OnnxBackbone, optimizer: Optimizer) -> tuple[list[Head], list[float]]:
    """The heads after each step, and the losses, on the same batches from the same start."""
    training = GradientTraining(reference.heads[0], optimizer)
    heads, losses = [], []
    for images, targets in zip(reference.images, reference.targets, strict=True):
        losses.append(training.step(backbone.extract_batch(list(images)), targets))
        heads.append(training.head)
    return heads, losses


def differences(found: Head, expected: Head, start: Head) -> dict[str, float]:
    """For each tensor, how far we are from ultralytics, as a share of the way that ultralytics has gone.

    Ways are sums of absolute values, not of squares: AdamW's first step keeps only the sign of a gradient, and the sign of
    the few that are nearly 0 is rounding noise.
    """

    def way(a: Head, b: Head, name: str) -> float:
        return float(np.abs(getattr(a, name) - getattr(b, name)).sum(dtype=np.float64))

    return {name: way(found, expected, name) / way(expected, start, name) for name in TENSOR_NAMES}


Train = Callable[..., Reference]


@pytest.fixture
def ultralytics_trains(run_ultralytics: Callable[..., None], tmp_path: Path) -> Train:
    """Call it with a checkpoint, pictures, their size in pixels, an optimiser's name and its rate."""

    def train(
        model: Path, pictures: list[tuple[str, Image]], size: int, optimizer: str, rate: float = RATE
    ) -> Reference:
        dataset, out = write_dataset(tmp_path / "dataset", pictures, size), tmp_path / "steps.npz"
        settings = {**SETTINGS, "imgsz": size, "optimizer": optimizer, "lr0": rate}
        run_ultralytics("train", model, dataset, out, json.dumps(settings))
        return Reference.read(out)

    return train


def assert_same_steps(
    reference: Reference,
    backbone: OnnxBackbone,
    optimizer: str,
    rate: float = RATE,
    limit: float = MAX_DIFFERENCE,
) -> None:
    """Every tensor, after every step; and every loss."""
    heads, losses = ours(reference, backbone, OPTIMIZERS[optimizer](rate, momentum=MOMENTUM, decay=DECAY))
    np.testing.assert_allclose(losses, reference.losses, rtol=1e-4)
    for found, expected in zip(heads, reference.heads[1:], strict=True):
        far = differences(found, expected, reference.heads[0])
        assert max(far.values()) <= limit, far


@pytest.mark.slow
def test_a_step_on_features_is_a_step_of_ultralytics(
    ultralytics_trains: Train, pictures: list[tuple[str, Image]], tmp_path: Path
) -> None:
    """From the shipped posture model, with AdamW: convolution, batch norm, its running statistics, linear layer."""
    export_checkpoint(STARTER, STARTER_HEAD, CLASSES, tmp_path / "starter.pt")
    reference = ultralytics_trains(tmp_path / "starter.pt", pictures, 160, "AdamW")
    assert_same_steps(reference, OnnxBackbone(STARTER / "backbone.onnx"), "AdamW")


@pytest.mark.slow
def test_a_long_gradient_is_clipped_as_ultralytics_does(
    ultralytics_trains: Train, pictures: list[tuple[str, Image]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model ten times too sure meets wrong labels: its gradient is longer than 10, and unclipped we would part ways."""
    export_checkpoint(STARTER, STARTER_HEAD, CLASSES, tmp_path / "sure.pt", temperature=0.1)
    wrong = {name: CLASSES[i - 1] for i, name in enumerate(CLASSES)}
    mislabelled = [(wrong[name], picture) for name, picture in pictures]
    reference = ultralytics_trains(tmp_path / "sure.pt", mislabelled, 160, "SGD")
    backbone = OnnxBackbone(STARTER / "backbone.onnx")
    assert_same_steps(reference, backbone, "SGD")
    monkeypatch.setattr(gradient, "MAX_NORM", np.inf)
    unclipped, _ = ours(reference, backbone, Sgd(RATE, momentum=MOMENTUM, decay=DECAY))
    assert max(differences(unclipped[0], reference.heads[1], reference.heads[0]).values()) > 0.1


@pytest.mark.slow
def test_new_classes_on_another_backbone_learn_alike(
    ultralytics_trains: Train, zoo: Path, pictures: list[tuple[str, Image]], tmp_path: Path
) -> None:
    """A wider backbone with random weights, and a linear layer that ultralytics has just drawn for three classes.

    A random network's gradients are small: hence a rate whose steps are far above rounding, and not AdamW, which would
    divide noise by noise. Its features hardly tell pictures apart, so rounding weighs more: 7e-5 was measured.
    """
    imported = import_checkpoint(zoo / "yolo11s-cls.pt", tmp_path / "model", image_size=64)
    reference = ultralytics_trains(zoo / "yolo11s-cls.pt", pictures, 64, "SGD", rate=0.1)
    assert reference.heads[0].class_count == len(CLASSES) != len(imported.classes)
    assert_same_steps(reference, OnnxBackbone(imported.backbone_path), "SGD", rate=0.1, limit=1e-3)
