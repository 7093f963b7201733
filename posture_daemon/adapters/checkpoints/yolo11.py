"""A YOLO11 classification checkpoint: its layers, weights and classes, and why other files are refused.

The network is recognised by its layers, not by its name; YOLO26-cls is accepted because it has the same layers.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posture_daemon.adapters.checkpoints.archive import Archive, opened_archive
from posture_daemon.adapters.checkpoints.class_rows import names_by_row
from posture_daemon.adapters.checkpoints.network import LAYERS, kind_of, model_in, refuse_other_networks, walk
from posture_daemon.adapters.checkpoints.pickled import STORAGE_TYPES, OddTensor, Shell, StoredTensor
from posture_daemon.adapters.checkpoints.plain_values import plain
from posture_daemon.domain import Floats
from posture_daemon.errors import CheckpointRefused
from posture_daemon.service.plain_text import visible
from posture_daemon.vision.head import BATCH_NORM_EPS

HEAD_LAYER = 10
"""Layers 0–9 are the backbone; `freeze=10` freezes exactly these."""

SCALES = {(16, 256, 1): "n", (32, 512, 1): "s", (64, 512, 1): "m", (64, 512, 2): "l", (96, 768, 2): "x"}
"""(channels of the first layer, of the last, blocks in layer 2) → letter of the size."""

COLOURS = 3
DEFAULT_IMAGE_SIZE, MAX_IMAGE_SIZE = 224, 1280
"""Pixels. The largest for which ultralytics publishes any network is 1280."""

STRIDE = 32


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
    weights: dict[str, Floats]

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


def input_size(asked: int | None, trained: int | None) -> int:
    """The side of the input, pixels: what was asked for, else that of the training, else 224.

    That of a training is rounded up to the stride, as `YOLO.predict` does. Raises `CheckpointRefused`.
    """
    size = asked or -(-(trained or 0) // STRIDE) * STRIDE or DEFAULT_IMAGE_SIZE
    if asked and (asked < STRIDE or asked % STRIDE):
        raise CheckpointRefused(f"The image size must be a multiple of {STRIDE}, not {asked}.")
    if size > MAX_IMAGE_SIZE:
        whose = "asked for is" if asked else "that the checkpoint names as that of its training is"
        raise CheckpointRefused(
            f"The image size {whose} {size} pixels, but {MAX_IMAGE_SIZE} is the most; give a smaller one with --imgsz."
        )
    return size


def read_checkpoint(path: Path) -> Yolo11Checkpoint:
    """Read a `.pt` file of ultralytics. Raises `CheckpointRefused` with one sentence for anything but YOLO11-cls."""
    with opened_archive(path) as archive:
        model = model_in(path, archive.content)
        refuse_other_networks(path, model, archive)
        weights = _weights(path, model, archive)
        names = plain(model.state.get("names"))
        _refuse_names_of_another_type(path, names)
        settings = archive.content if isinstance(archive.content, dict) else {}
        version = settings.get("version")
        return Yolo11Checkpoint(
            path=path,
            scale=_scale(path, weights),
            classes=names_by_row(names, weights["model.10.linear.weight"].shape[0], path),
            image_size=_image_size(settings, model, archive),
            ultralytics_version=visible(version) if isinstance(version, str) else None,
            weights=weights,
        )


def _weights(path: Path, model: Shell, archive: Archive) -> dict[str, Floats]:
    """Collect parameters and batch norm statistics as `float32`, whatever precision they were saved in."""
    weights: dict[str, Floats] = {}
    for prefix, module in walk(model):
        stored = {**(module.state.get("_parameters") or {}), **(module.state.get("_buffers") or {})}
        _refuse_other_numbers(path, prefix, stored)
        tensors = {name: archive.read(one) for name, one in stored.items() if isinstance(one, StoredTensor)}
        tensors.pop("num_batches_tracked", None)
        for name in [name for name in tensors if name.endswith("_mask")]:  # torch.nn.utils.prune multiplies as it runs
            whole = name.removesuffix("_mask")
            tensors[whole] = tensors.pop(f"{whole}_orig") * tensors.pop(name)
        if kind_of(module) == "Linear" and "weight" in tensors:  # one without a bias adds nothing
            tensors.setdefault("bias", np.zeros(tensors["weight"].shape[0], np.float32))
        weights |= {f"{prefix}.{name}": array for name, array in tensors.items()}
        if "running_var" in tensors:  # another epsilon than ours is the same as another variance
            weights[f"{prefix}.running_var"] += np.float32(module.state.get("eps", BATCH_NORM_EPS) - BATCH_NORM_EPS)
    for name, array in weights.items():
        if name.endswith(".conv.weight") and name.replace(".conv.weight", ".bn.weight") not in weights:
            raise CheckpointRefused(f"{path} was fused for inference; import the file that the training saved.")
        if not np.isfinite(array).all():
            raise CheckpointRefused(f"{path} is damaged: {name} holds values that are not finite.")
    _refuse_without_ends(path, weights)
    return weights


def _refuse_other_numbers(path: Path, prefix: str, stored: Mapping[str, Any]) -> None:
    """A weight that is there, but whose numbers cannot be read, is not one that is missing."""
    for name, one in stored.items():
        kind = one.kind if isinstance(one, OddTensor) else None
        if isinstance(one, StoredTensor) and one.storage.dtype not in STORAGE_TYPES:
            kind = f"of a type ({one.storage.dtype}) that is no plain number"
        if kind is not None:
            raise CheckpointRefused(
                f"{path} cannot be imported: its weight {prefix}.{name} is {kind}; save the network with ordinary numbers, "
                "for example after model.float()."
            )


def _refuse_without_ends(path: Path, weights: Mapping[str, Floats]) -> None:
    """The weights by which the network is known must be there, and its input must be a picture in colours."""
    for name in ("model.0.conv.weight", "model.9.cv2.conv.weight", "model.10.linear.weight"):
        if name not in weights or weights[name].ndim < 2:
            raise CheckpointRefused(f"{path} is no whole YOLO11-cls: it lacks the weight {name}.")
    channels = weights["model.0.conv.weight"].shape[1]
    if channels != COLOURS:
        what = "grey pictures" if channels == 1 else f"pictures of {channels} channels"
        raise CheckpointRefused(
            f"{path} was trained on {what}, but a camera gives {COLOURS} colours; train it on pictures in colours."
        )


def _refuse_names_of_another_type(path: Path, names: object) -> None:
    """A nested list in the place of a name could be gigabytes long when it is written out."""
    for name in map(
        plain, names.values() if isinstance(names, dict) else names if isinstance(names, (list, tuple)) else ()
    ):
        if not isinstance(name, str) and not (isinstance(name, int) and abs(name) < 10**9):
            raise CheckpointRefused(f"{path} is damaged: one of its classes has no name.")


def _scale(path: Path, weights: Mapping[str, Floats]) -> str:
    blocks = len({name.split(".")[3] for name in weights if name.startswith("model.2.m.")})
    sizes = (weights["model.0.conv.weight"].shape[0], weights["model.9.cv2.conv.weight"].shape[0], blocks)
    if sizes not in SCALES:
        raise CheckpointRefused(f"{path} is a modified YOLO11-cls: its width and depth are none of n, s, m, l, x.")
    return SCALES[sizes]


def _image_size(content: Mapping[str, Any], model: Shell, archive: Archive) -> int | None:
    """The side of the training's pictures, however it was written; `None` where that is no size of a picture."""
    settings = content.get("train_args") or model.state.get("args")
    settings = settings.state if isinstance(settings, Shell) else settings
    said = plain(settings.get("imgsz"), archive) if isinstance(settings, dict) else None
    sizes = [_pixels(plain(one, archive)) for one in (said if isinstance(said, (list, tuple)) else [said])]
    return max((size for size in sizes if size is not None), default=None)  # as ultralytics trains on the longer side


def _pixels(said: object) -> int | None:
    """A whole number above 0 in whatever type; a training saved a text or a fraction where somebody gave one."""
    if isinstance(said, bool) or not isinstance(said, (int, float, str)) or (isinstance(said, str) and len(said) > 9):
        return None
    try:
        size = float(said)
    except (ValueError, OverflowError):
        return None
    return math.ceil(size) if 0 < size < 10**9 else None
