"""An imported model answers a picture on the road of every frame before anybody may use it."""

import numpy as np

from posture_daemon.adapters.backbone.onnx import OnnxBackbone
from posture_daemon.adapters.checkpoints import READING_MB, ImportedCheckpoint
from posture_daemon.domain import Image, ModelVersion, PostureClass, Role
from posture_daemon.errors import CheckpointRefused, ModelError
from posture_daemon.live.classifier import LiveClassifier, LiveModel
from posture_daemon.vision.head import Head

WIDTH, HEIGHT = 640, 480


def refuse_without_an_answer(imported: ImportedCheckpoint) -> None:
    """Load the two parts and answer one picture. Raises `CheckpointRefused` when they cannot, or answer no numbers."""
    head = Head.from_bytes(imported.head_path.read_bytes())
    classes = tuple(PostureClass(name, Role.NEUTRAL) for name in imported.classes)
    version = ModelVersion(
        0, 0.0, None, imported.backbone_sha256, imported.head_sha256, classes, 1.0, f"imported from {imported.source}"
    )
    try:
        backbone = OnnxBackbone(imported.backbone_path, expected_sha256=imported.backbone_sha256)
        LiveClassifier(LiveModel(version, backbone, head)).predict(desk())
    except (ModelError, MemoryError) as error:
        if any("alloc" in str(one) or isinstance(one, MemoryError) for one in (error, error.__cause__)):
            raise CheckpointRefused(
                f"{imported.source} needs more than {READING_MB} MB of memory to answer a picture of {imported.image_size} "
                "pixels; give a smaller --imgsz, or a smaller network."
            ) from error
        raise CheckpointRefused(
            f"{imported.source} cannot answer a picture of {imported.image_size} pixels, so it was not imported: "
            f"{_why(error)}."
        ) from error


def _why(error: BaseException) -> str:
    """The reason in the words of whoever found it, in one line."""
    said = str(error.__cause__ or "what it answers is no numbers")
    return " ".join(said.split())[:200].rstrip(".")


def desk() -> Image:
    """A picture as a camera gives it, BGR `uint8 (480, 640, 3)`: light from one side, something dark before it, and noise."""
    across, down = np.meshgrid(np.linspace(0, 1, WIDTH), np.linspace(0, 1, HEIGHT))
    light = 60 + 150 * (1 - across) * (1 - 0.5 * down)
    light[((across - 0.5) / 0.2) ** 2 + ((down - 0.6) / 0.4) ** 2 < 1] *= 0.4
    noise = np.random.default_rng(0).normal(0, 6, (HEIGHT, WIDTH, 3))
    return np.clip(light[..., None] * (0.9, 1.0, 1.05) + noise, 0, 255).astype(np.uint8)
