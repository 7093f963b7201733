"""Checkpoints of ultralytics: import, export, inspect, fetch.

Import and export run in a child process (`child.py`), so that this process never imports torch or ultralytics and never
holds a whole model in memory. Reading order: `archive` (a `.pt` file as data), `yolo11` (is it the
network we know?), `graph` (its backbone as ONNX), `importing` and `exporting` (the child's work), `fetch` (download).
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from posture_daemon.adapters.checkpoints.parent import run_child
from posture_daemon.adapters.checkpoints.yolo11 import DEFAULT_IMAGE_SIZE, Layer, read_checkpoint
from posture_daemon.errors import ModelError
from posture_daemon.store.json_values import from_json
from posture_daemon.vision.head import Head

IMPORT_TIMEOUT_S = 120.0
EXPORT_TIMEOUT_S = 300.0  # importing torch from a slow SD card takes most of it


@dataclass(frozen=True)
class ImportedCheckpoint:
    """A checkpoint split into backbone and head files, with its origin.

    `classes` is in the order of the head's rows. `image_size` is the side of the backbone's input in pixels. `source` is the
    file's name.
    """

    backbone_path: Path
    backbone_sha256: str
    head_path: Path
    head_sha256: str
    classes: tuple[str, ...]
    image_size: int
    scale: str
    source: str


@dataclass(frozen=True)
class Inspection:
    """Result of `models inspect`. Output shapes are for one square image of `image_size` pixels."""

    path: Path
    scale: str
    layers: tuple[Layer, ...]
    classes: tuple[str, ...]
    image_size: int
    ultralytics_version: str | None

    @property
    def backbone_parameters(self) -> int:
        """Parameters of layers 0–9, which stay frozen."""
        return sum(layer.parameters for layer in self.layers if not layer.is_head)

    @property
    def head_parameters(self) -> int:
        """Parameters of layer 10, the ones that `freeze=10` leaves trainable."""
        return sum(layer.parameters for layer in self.layers if layer.is_head)

    @property
    def trainable_share(self) -> float:
        """Share of the parameters that are trained with the backbone frozen, 0–1."""
        return self.head_parameters / (self.head_parameters + self.backbone_parameters)


def import_checkpoint(path: Path, out_dir: Path, image_size: int | None = None) -> ImportedCheckpoint:
    """Write the two parts of a YOLO11-cls checkpoint and their JSON descriptions into `out_dir`.

    `image_size` is a multiple of 32, in pixels; by default the size of the checkpoint's own training, else 224.
    Importing a file twice gives the same backbone and head, byte for byte. Raises `CheckpointRefused` for other files.
    """
    request = {"source": str(path.absolute()), "out_dir": str(out_dir.absolute()), "image_size": image_size}
    return from_json(ImportedCheckpoint, run_child("import", request, IMPORT_TIMEOUT_S))


def export_checkpoint(
    backbone_dir: Path, head: Head, classes: Sequence[str], out: Path, *, temperature: float = 1.0, force: bool = False
) -> None:
    """Write an ordinary ultralytics checkpoint that `YOLO(out)` loads and that gives the same probabilities.

    `backbone_dir` holds `backbone.onnx` and `backbone.json`. The `temperature` is folded into the linear layer, so that
    the plain softmax of ultralytics gives our calibrated probabilities. Raises `ModelError` when `out` exists and not
    `force`.
    """
    if out.suffix != ".pt":
        raise ModelError(f"{out} must end in .pt, as ultralytics expects of a checkpoint.")
    if out.exists() and not force:
        raise ModelError(f"{out} already exists; choose another name or use --force.")
    if head.class_count != len(classes) or not classes:
        raise ModelError(
            f"The head has {head.class_count} rows but {len(classes)} class names; a base cannot be exported."
        )
    calibrated = head.with_linear(head.linear_weight / temperature, head.linear_bias / temperature)
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        file.write(calibrated.to_bytes())
        file.flush()
        request = {"head": file.name, "classes": list(classes), "out": str(out.absolute())}
        run_child("export", {**request, "backbone_dir": str(backbone_dir.absolute())}, EXPORT_TIMEOUT_S)


def inspect_checkpoint(path: Path, image_size: int | None = None) -> Inspection:
    """Read the layers, sizes and classes of a checkpoint, without torch and without running anything in it."""
    checkpoint = read_checkpoint(path)
    size = image_size or checkpoint.image_size or DEFAULT_IMAGE_SIZE
    return Inspection(
        path=path,
        scale=checkpoint.scale,
        layers=checkpoint.layers(size),
        classes=checkpoint.classes,
        image_size=size,
        ultralytics_version=checkpoint.ultralytics_version,
    )
