"""The head: the part of a YOLO11 classifier that is trained, stored and swapped.

It is layer 10 of the network, ultralytics' `Classify`, in plain numpy: a 1×1 convolution from the backbone's channels
to 1280, batch norm, SiLU, an average over the picture, and a linear layer to the classes. Heads are immutable:
training makes a new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike
from safetensors import SafetensorError
from safetensors.numpy import load as parse_safetensors
from safetensors.numpy import save as format_safetensors

from posture_daemon.domain import Floats
from posture_daemon.errors import ModelError

HIDDEN = 1280
"""Width of `Classify`'s hidden layer, the same in every size of YOLO11."""

BATCH_NORM_EPS = 1e-5
"""Torch's default. (Ultralytics sets 1e-3 in its detection models only; measured on real classifiers.)"""

TENSOR_NAMES = {
    "conv_weight": "conv.conv.weight",
    "bn_weight": "conv.bn.weight",
    "bn_bias": "conv.bn.bias",
    "bn_mean": "conv.bn.running_mean",
    "bn_var": "conv.bn.running_var",
    "linear_weight": "linear.weight",
    "linear_bias": "linear.bias",
}
"""Field of `Head` → name of the tensor in ultralytics' `Classify` and in our safetensors file."""


@dataclass(frozen=True, eq=False)
class Head:
    """Seven `float32` arrays. Anything array-like and finite is accepted; the arrays kept are contiguous and read-only.

    Raises `ModelError` with one sentence when a shape does not fit the others or a value is not a finite number.
    """

    conv_weight: Floats  # (1280, channels)
    bn_weight: Floats  # (1280,), like the next three
    bn_bias: Floats
    bn_mean: Floats
    bn_var: Floats  # >= 0
    linear_weight: Floats  # (classes, 1280)
    linear_bias: Floats  # (classes,)
    _kernel: Floats = field(init=False, repr=False)  # convolution and batch norm in one, (channels, 1280)
    _offset: Floats = field(init=False, repr=False)  # (1280,)

    def __post_init__(self) -> None:
        """Check every array, then fold the batch norm into the convolution once, for speed."""
        for name in TENSOR_NAMES:
            self._keep(name, getattr(self, name))
        self._check_shapes()
        scale = self.bn_weight / np.sqrt(self.bn_var + np.float32(BATCH_NORM_EPS))
        self._keep("_kernel", (self.conv_weight * scale[:, None]).T)
        self._keep("_offset", self.bn_bias - self.bn_mean * scale)

    def _keep(self, name: str, value: ArrayLike) -> None:
        array = np.array(value, dtype=np.float32, order="C")
        if not np.isfinite(array).all():
            raise ModelError(f"The head is damaged: {TENSOR_NAMES.get(name, name)} holds values that are not finite.")
        array.flags.writeable = False
        object.__setattr__(self, name, array)

    def _check_shapes(self) -> None:
        channels, classes = self.conv_weight.shape[1:2] or (1,), self.linear_weight.shape[:1]
        expected = {
            "conv_weight": (HIDDEN, *channels),
            **dict.fromkeys(("bn_weight", "bn_bias", "bn_mean", "bn_var"), (HIDDEN,)),
            "linear_weight": (*classes, HIDDEN),
            "linear_bias": classes,
        }
        for name, shape in expected.items():
            found = getattr(self, name).shape
            if found != shape:
                raise ModelError(f"The head does not fit: {TENSOR_NAMES[name]} has shape {found} instead of {shape}.")
        if (self.bn_var < 0).any():
            raise ModelError("The head is damaged: conv.bn.running_var holds negative variances.")

    @property
    def channels(self) -> int:
        """Channels of the feature map that it reads."""
        return int(self.conv_weight.shape[1])

    @property
    def class_count(self) -> int:
        """Rows of the linear layer."""
        return int(self.linear_bias.shape[0])

    def hidden(self, maps: Floats) -> Floats:
        """Turn feature maps `(channels, h, w)` or `(n, channels, h, w)` into the linear layer's input, `(…, 1280)`."""
        if maps.ndim not in (3, 4) or maps.shape[-3] != self.channels:
            wanted = f"(…, {self.channels}, h, w)"
            raise ModelError(f"The backbone and the head do not fit: the features are {maps.shape}, not {wanted}.")
        if maps.ndim == 4:  # one image at a time: a matrix of h·w × 1280 stays in the processor's cache
            rows = [self.hidden(one) for one in maps]
            return np.stack(rows) if rows else np.empty((0, HIDDEN), np.float32)
        # Positions are the rows: OpenBLAS is up to nine times slower on 1280 × 49 than on 49 × 1280.
        x = maps.reshape(self.channels, -1).T @ self._kernel
        x += self._offset
        return np.asarray(_silu(x).mean(axis=0))

    def logits(self, maps: Floats) -> Floats:
        """Return the class scores before softmax, `float32 (…, classes)`, of feature maps `(…, channels, h, w)`."""
        return np.asarray(self.hidden(maps) @ self.linear_weight.T + self.linear_bias)

    def probabilities(self, maps: Floats, temperature: float = 1.0) -> Floats:
        """Return calibrated probabilities, `float32 (…, classes)`, of feature maps `(…, channels, h, w)`."""
        return softmax(self.logits(maps), temperature)

    def with_linear(self, weight: Floats, bias: Floats) -> Head:
        """Return the same convolution under another linear layer: `weight (classes, 1280)`, `bias (classes,)`."""
        return replace(self, linear_weight=weight, linear_bias=bias)

    def grown(self, old_classes: Sequence[str], new_classes: Sequence[str]) -> Head:
        """Return a head for `new_classes`, in their order, as a starting point for training.

        A class that `old_classes` (the names of the present rows) already has keeps its row, whatever its new place; a
        class unknown so far starts with a row of zeros and bias 0, which favours nothing and learns from the start.
        `old_classes` may be empty, as for a base whose classes are no postures: then every row starts at zero.
        """
        if old_classes and len(old_classes) != self.class_count:
            raise ModelError(f"The head has {self.class_count} rows but {len(old_classes)} class names.")
        row_of = {name: row for row, name in enumerate(old_classes)}
        weight = np.zeros((len(new_classes), HIDDEN), np.float32)
        bias = np.zeros(len(new_classes), np.float32)
        for new_row, name in enumerate(new_classes):
            if name in row_of:
                weight[new_row] = self.linear_weight[row_of[name]]
                bias[new_row] = self.linear_bias[row_of[name]]
        return self.with_linear(weight, bias)

    def tensors(self) -> dict[str, Floats]:
        """Return the arrays under ultralytics' names and in its shapes: the convolution is `(1280, channels, 1, 1)`."""
        named = {tensor: np.array(getattr(self, name)) for name, tensor in TENSOR_NAMES.items()}
        named[TENSOR_NAMES["conv_weight"]] = self.conv_weight[:, :, None, None].copy()
        return named

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Floats]) -> Head:
        """Build a head from tensors named as in `tensors()`, ignoring others. Raises `ModelError` if one is missing."""
        missing = [tensor for tensor in TENSOR_NAMES.values() if tensor not in tensors]
        if missing:
            raise ModelError(f"The head lacks the tensor {missing[0]}.")
        arrays = {name: tensors[tensor] for name, tensor in TENSOR_NAMES.items()}
        if arrays["conv_weight"].shape[2:] == (1, 1):
            arrays["conv_weight"] = arrays["conv_weight"][:, :, 0, 0]
        return cls(**arrays)

    def to_bytes(self) -> bytes:
        """Write a safetensors file of `tensors()`; the same head always gives the same bytes."""
        return format_safetensors(self.tensors())

    @classmethod
    def from_bytes(cls, data: bytes) -> Head:
        """Read what `to_bytes` wrote. Raises `ModelError` for anything else."""
        try:
            tensors = parse_safetensors(data)
        except (SafetensorError, KeyError, ValueError) as error:  # numbers or shapes that NumPy does not have
            raise ModelError(f"The head cannot be read as a safetensors file: {error}.") from error
        return cls.from_tensors(tensors)


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """Turn scores `(…, classes)` into `float32` probabilities over the last axis; `temperature` > 0 divides them."""
    if temperature <= 0:
        raise ModelError(f"The temperature of a model must be above 0, not {temperature}.")
    if logits.shape[-1] == 0:
        return logits
    scaled = logits / np.float32(temperature)
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float32)


def _silu(x: Floats) -> Floats:
    """Compute x · sigmoid(x) in place, written with tanh because exp(-x) overflows for very negative x."""
    half = x * np.float32(0.5)
    np.tanh(half, out=x)
    x += np.float32(1)
    x *= half
    return x
