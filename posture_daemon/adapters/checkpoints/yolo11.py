"""A YOLO11 classification checkpoint: its layers, weights and classes, and why other files are refused.

The network is recognised by its layers, not by its name; YOLO26-cls is accepted because it has the same layers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posture_daemon.adapters.checkpoints.archive import Array, Shell, read_archive
from posture_daemon.adapters.checkpoints.class_rows import names_by_row
from posture_daemon.domain import Floats
from posture_daemon.errors import CheckpointRefused
from posture_daemon.vision.head import BATCH_NORM_EPS

LAYERS = ("Conv", "Conv", "C3k2", "Conv", "C3k2", "Conv", "C3k2", "Conv", "C3k2", "C2PSA", "Classify")
HEAD_LAYER = 10
"""Layers 0–9 are the backbone; `freeze=10` freezes exactly these."""

SCALES = {(16, 256, 1): "n", (32, 512, 1): "s", (64, 512, 1): "m", (64, 512, 2): "l", (96, 768, 2): "x"}
"""(channels of the first layer, of the last, blocks in layer 2) → letter of the size."""

DEFAULT_IMAGE_SIZE = 224
STRIDE = 32

BLOCKS = ("Bottleneck", "C3k", "PSABlock", "Attention", "Sequential", "ModuleList", "Conv2d", "BatchNorm2d", "SiLU")
KNOWN_MODULES = frozenset((*LAYERS, *BLOCKS, "Identity", "AdaptiveAvgPool2d", "Dropout", "Linear"))
TASKS = {
    "DetectionModel": "a detection model",
    "SegmentationModel": "a segmentation model",
    "PoseModel": "a pose model",
    "OBBModel": "a model for rotated boxes",
}


@dataclass(frozen=True, eq=False)
class Layer:
    """One of the eleven layers. `output_shape` is `(channels, height, width)`, or `(classes,)` for the head."""

    index: int
    module: str
    parameters: int
    output_shape: tuple[int, ...]

    @property
    def is_head(self) -> bool:
        """True for the layer that training changes."""
        return self.index >= HEAD_LAYER


@dataclass(frozen=True, eq=False)
class Yolo11Checkpoint:
    """The parts of a YOLO11-cls `.pt` file that are used here.

    `classes` are in the order of the head's rows, empty where the file names none, and not checked: see `adopted_names`.
    `weights` maps ultralytics' names (`model.0.conv.weight`, …) to `float32` arrays, without the batch norms' counters.
    `image_size` is the side it was trained with, pixels, or `None` when the file does not say.
    """

    path: Path
    scale: str
    classes: tuple[str, ...]
    image_size: int | None
    ultralytics_version: str | None
    weights: Mapping[str, Floats]

    def of_layer(self, index: int) -> dict[str, Floats]:
        """Return the weights of one layer under names relative to it, e.g. `conv.weight`."""
        prefix = f"model.{index}."
        return {name.removeprefix(prefix): w for name, w in self.weights.items() if name.startswith(prefix)}

    def layers(self, image_size: int) -> tuple[Layer, ...]:
        """Return the table of layers for a square input of `image_size` pixels."""
        rows, side = [], image_size
        for index, module in enumerate(LAYERS):
            weights = self.of_layer(index)
            side = -(-side // 2) if module == "Conv" else side  # 3×3 kernel, padding 1, stride 2: half, rounded up
            shape: tuple[int, ...] = (len(self.classes),)
            if index < HEAD_LAYER:
                last = "conv.weight" if module == "Conv" else "cv2.conv.weight"
                shape = (weights[last].shape[0], side, side)
            parameters = sum(w.size for name, w in weights.items() if "running_" not in name)
            rows.append(Layer(index, module, parameters, shape))
        return tuple(rows)


def read_checkpoint(path: Path) -> Yolo11Checkpoint:
    """Read a `.pt` file of ultralytics. Raises `CheckpointRefused` with one sentence for anything but YOLO11-cls."""
    content = read_archive(path)
    model = content.get("ema") or content.get("model")
    if not isinstance(model, Shell):
        raise CheckpointRefused(
            f"{path} is a PyTorch file, but not a checkpoint of ultralytics: it holds no model; give the .pt file of a "
            "training."
        )
    _refuse_other_kinds(path, model)
    _refuse_other_normalisation(path, model)
    weights = _weights(path, model)
    return Yolo11Checkpoint(
        path=path,
        scale=_scale(path, weights),
        classes=names_by_row(model.state.get("names"), weights["model.10.linear.weight"].shape[0], path),
        image_size=_image_size(content, model),
        ultralytics_version=content.get("version") if isinstance(content.get("version"), str) else None,
        weights=weights,
    )


def _refuse_other_kinds(path: Path, model: Shell) -> None:
    """Check the kind of model, the list of layers and every module below them."""
    kind = _kind(model)
    if kind != "ClassificationModel":
        what = TASKS.get(kind, f"a {kind}")
        raise CheckpointRefused(f"{path} is {what}, not a classification model such as yolo11n-cls.pt.")
    layers = _children(model).get("model")
    names = tuple(_kind(layer) for layer in _children(layers).values()) if layers else ()
    if names != LAYERS:
        raise CheckpointRefused(f"{path} is {_other_network(names)}, but posture-daemon needs a YOLO11-cls model.")
    for name, module in _walk(model):
        kind = _kind(module)
        if kind not in KNOWN_MODULES:
            raise CheckpointRefused(f"{path} is a modified YOLO11-cls: {name} is a {kind}.")


def _refuse_other_normalisation(path: Path, model: Shell) -> None:
    """Old versions of ultralytics trained classifiers on normalised colours; our preprocessing does not do that."""
    transforms = model.state.get("transforms")
    steps = transforms.state.get("transforms", []) if isinstance(transforms, Shell) else []
    for step in steps:
        if _kind(step) == "Normalize":
            mean, std = (np.asarray(step.state.get(name, default)) for name, default in (("mean", 0), ("std", 1)))
            if (mean != 0).any() or (std != 1).any():
                raise CheckpointRefused(f"{path} expects normalised colours, as only old versions of ultralytics did.")


def _other_network(layers: tuple[str, ...]) -> str:
    if "C2f" in layers:
        return f"a YOLOv8-cls model ({len(layers)} layers instead of {len(LAYERS)})"
    return f"another network ({len(layers)} layers: {', '.join(layers) or 'none'})"


def _weights(path: Path, model: Shell) -> dict[str, Floats]:
    """Collect parameters and batch norm statistics as `float32`, whatever precision they were saved in."""
    weights = {}
    for prefix, module in _walk(model):
        tensors: dict[str, Array | None] = {**module.state.get("_parameters", {}), **module.state.get("_buffers", {})}
        for name, array in tensors.items():
            if array is not None and name != "num_batches_tracked":
                weights[f"{prefix}.{name}"] = np.ascontiguousarray(array, dtype=np.float32)
        if "running_var" in tensors:  # another epsilon than ours is the same as another variance
            weights[f"{prefix}.running_var"] += np.float32(module.state.get("eps", BATCH_NORM_EPS) - BATCH_NORM_EPS)
    for name, array in weights.items():
        if name.endswith(".conv.weight") and name.replace(".conv.weight", ".bn.weight") not in weights:
            raise CheckpointRefused(f"{path} was fused for inference; import the file that the training saved.")
        if not np.isfinite(array).all():
            raise CheckpointRefused(f"{path} is damaged: {name} holds values that are not finite.")
    return weights


def _scale(path: Path, weights: Mapping[str, Floats]) -> str:
    blocks = len({name.split(".")[3] for name in weights if name.startswith("model.2.m.")})
    sizes = (weights["model.0.conv.weight"].shape[0], weights["model.9.cv2.conv.weight"].shape[0], blocks)
    if sizes not in SCALES:
        raise CheckpointRefused(f"{path} is a modified YOLO11-cls: its width and depth are none of n, s, m, l, x.")
    return SCALES[sizes]


def _image_size(content: Mapping[str, Any], model: Shell) -> int | None:
    settings = content.get("train_args") or model.state.get("args") or {}
    size = settings.get("imgsz") if isinstance(settings, dict) else None
    size = max(size) if isinstance(size, list | tuple) and size else size
    return size if isinstance(size, int) and size > 0 else None


def _kind(module: Any) -> str:
    return module.origin.rpartition(".")[2] if isinstance(module, Shell) else type(module).__name__


def _children(module: Shell) -> Mapping[str, Shell]:
    children = module.state.get("_modules", {})
    return {name: child for name, child in children.items() if isinstance(child, Shell)}


def _walk(module: Shell, prefix: str = "") -> Iterator[tuple[str, Shell]]:
    """Yield every module below `module` with its dotted name, as torch's `named_modules`."""
    for name, child in _children(module).items():
        path = f"{prefix}.{name}" if prefix else name
        yield path, child
        yield from _walk(child, path)
