"""What the linear layer learns from, while everything before it stays fixed.

Two kinds. A head that came with an imported posture model keeps its convolution: the inputs are its 1280 hidden features.
A head that begins from a base (a backbone whose classes were no postures) reads the backbone's pooled features directly:
measured on the real front webcam, softmax regression on them is 7 points better and half as uncertain as on the hidden
features of an untrained convolution (0.924 ± 0.027 against 0.851 ± 0.060 on another day), and five times smaller.

Such a *pooled* head still is an ordinary `Classify`: SiLU(x + 16) = x + 16 to seven digits for the x ≥ -0.28 that a SiLU
gives, so channel i of its convolution passes feature i through, and the 16 goes into the bias.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from posture_daemon.domain import Floats
from posture_daemon.errors import ModelError
from posture_daemon.learning import linear_layer as layers
from posture_daemon.learning.linear_layer import Linear, Penalty
from posture_daemon.vision.head import BATCH_NORM_EPS, HIDDEN, Head

PASS_THROUGH = np.float32(16.0)

POOLED_KEY = "pooled"
"""Names the inputs of a pooled head: the features of the backbone and nothing else."""


@dataclass(frozen=True, eq=False)
class FeatureSpace:
    """The fixed part of a head. `pooled` tells which of the two kinds it is."""

    head: Head
    pooled: bool

    @classmethod
    def of(cls, head: Head, *, is_base: bool) -> FeatureSpace:
        """Inputs for training from this head; the classes of a base are no postures, so its convolution is not kept."""
        if is_base:
            head = pooled_head(head.channels, np.zeros((0, head.channels), np.float32), np.zeros(0, np.float32))
        return cls(head, _passes_through(head))

    @property
    def width(self) -> int:
        """Numbers in one vector."""
        return self.head.channels if self.pooled else HIDDEN

    @property
    def penalty(self) -> Penalty:
        """How freely the linear layer may be fitted to these inputs."""
        return layers.POOLED if self.pooled else layers.HIDDEN

    @property
    def key(self) -> str:
        """Names the fixed part: equal for heads whose vectors are interchangeable."""
        if self.pooled:
            return POOLED_KEY
        parts = (self.head.conv_weight, self.head.bn_weight, self.head.bn_bias, self.head.bn_mean, self.head.bn_var)
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:16]

    def vectors(self, maps: Floats) -> Floats:
        """From feature maps `(n, channels, h, w)` to vectors `float32 (n, width)`."""
        return np.asarray(maps.mean(axis=(2, 3)), dtype=np.float32) if self.pooled else self.head.hidden(maps)

    def start(self, old_classes: Sequence[str], new_classes: Sequence[str]) -> Linear:
        """The incumbent's layer in terms of the vectors, rows in the order of `new_classes`, new rows zero."""
        grown = self.head.grown(old_classes, new_classes)
        if not self.pooled:
            return Linear(grown.linear_weight, grown.linear_bias)
        weight = grown.linear_weight[:, : self.width]
        return Linear(weight, grown.linear_bias + PASS_THROUGH * weight.sum(axis=1))

    def head_with(self, layer: Linear) -> Head:
        """The whole head with this linear layer."""
        if self.pooled:
            return pooled_head(self.width, layer.weight, layer.bias)
        return self.head.with_linear(layer.weight, layer.bias)


def pooled_head(channels: int, weight: Floats, bias: Floats) -> Head:
    """A `Classify` that is a linear layer `weight (classes, channels)`, `bias (classes,)` over the pooled features."""
    if channels > HIDDEN:
        raise ModelError(f"A backbone of {channels} channels is too wide for a head of {HIDDEN}.")
    padded = np.zeros((len(bias), HIDDEN), np.float32)
    padded[:, :channels] = weight
    return Head(
        conv_weight=np.eye(HIDDEN, channels, dtype=np.float32),
        bn_weight=np.ones(HIDDEN, np.float32),
        bn_bias=np.full(HIDDEN, PASS_THROUGH),
        bn_mean=np.zeros(HIDDEN, np.float32),
        bn_var=np.full(HIDDEN, 1 - BATCH_NORM_EPS, np.float32),
        linear_weight=padded,
        linear_bias=np.asarray(bias - PASS_THROUGH * padded.sum(axis=1), np.float32),
    )


def _passes_through(head: Head) -> bool:
    identity = np.eye(HIDDEN, head.channels, dtype=np.float32)
    return bool((head.bn_bias == PASS_THROUGH).all() and np.array_equal(head.conv_weight, identity))
