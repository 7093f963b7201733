"""Gradient steps on the whole head, from feature maps: what ultralytics does with `freeze=10`, without the backbone.

With layers 0–9 frozen, batch norms included, the backbone is a fixed function, so a training step needs only its output.
One step here changes the head as one step of ultralytics' own trainer does, running statistics of the batch norm included:
the same loss (mean cross-entropy), the same clipping, the same two optimisers, the same tensors with weight decay
(`tests/integration/test_equivalence.py` holds both side by side).

Shapes: n images, p positions of a feature map, c channels of the backbone, k classes. All arrays are `float32`.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Floats
from posture_daemon.vision.head import BATCH_NORM_EPS, TENSOR_NAMES, Head, softmax

Tensors = dict[str, Floats]
"""Arrays under the names of the fields of `Head`."""

MAX_NORM = 10.0
"""Ultralytics scales a longer gradient, taken over all tensors together, down to this length."""

BATCH_NORM_MOMENTUM = 0.1
"""Share of the newest batch in the running statistics. Torch's default, like the epsilon."""

SQUARES_MOMENTUM = 0.999
"""AdamW's second beta, which ultralytics leaves as it is."""

DECAYED = ("conv_weight", "linear_weight")
"""Ultralytics decays weights, but neither biases nor anything of a batch norm."""


class Optimizer(Protocol):
    """Turns gradients into a change of the parameters. Keeps its own memory, so it serves one training."""

    def update(self, parameters: Tensors, gradients: Tensors) -> None:
        """Change, in place, every parameter that has a gradient."""


class GradientTraining:
    """A head on its way. Each `step` is one batch; `head` is how far it has come."""

    def __init__(self, head: Head, optimizer: Optimizer) -> None:
        self._tensors: Tensors = {name: getattr(head, name).copy() for name in TENSOR_NAMES}
        self._optimizer = optimizer

    @property
    def head(self) -> Head:
        """A copy of the head as it is now."""
        return Head(**self._tensors)

    def step(self, maps: Floats, targets: NDArray[np.intp]) -> float:
        """Learn from feature maps `(n, c, h, w)` of the classes `targets (n,)`; return the loss before the change."""
        batch = _forward(self._tensors, maps)
        loss, slope = _cross_entropy(batch.logits, targets)
        gradients = _backward(self._tensors, batch, slope)
        _clip(gradients)
        self._optimizer.update(self._tensors, gradients)
        _follow(self._tensors, batch)
        return loss


@dataclass(frozen=True, eq=False)
class _Batch:
    """What the way back needs of the way forward."""

    inputs: Floats  # (n·p, c)
    mean: Floats  # (1280,), of the convolution's output over the n·p positions, like the variance (not Bessel's)
    variance: Floats
    normal: Floats  # (n·p, 1280), with mean 0 and variance 1
    scaled: Floats  # (n·p, 1280), after the batch norm's weight and bias
    hidden: Floats  # (n, 1280)
    logits: Floats  # (n, k)


def _forward(head: Tensors, maps: Floats) -> _Batch:
    images, channels = maps.shape[:2]
    inputs = maps.reshape(images, channels, -1).transpose(0, 2, 1).reshape(-1, channels)
    outputs = inputs @ head["conv_weight"].T
    mean, variance = outputs.mean(axis=0), outputs.var(axis=0)
    normal = (outputs - mean) / np.sqrt(variance + np.float32(BATCH_NORM_EPS))
    scaled = normal * head["bn_weight"] + head["bn_bias"]
    hidden = (scaled * _sigmoid(scaled)).reshape(images, -1, scaled.shape[1]).mean(axis=1)
    logits = hidden @ head["linear_weight"].T + head["linear_bias"]
    return _Batch(inputs, mean, variance, normal, scaled, hidden, logits)


def _cross_entropy(logits: Floats, targets: NDArray[np.intp]) -> tuple[float, Floats]:
    """The mean loss and its slope by the logits, `(n, k)`."""
    rows = np.arange(len(targets))
    slope = softmax(logits)
    loss = -float(np.log(slope[rows, targets]).mean())
    slope[rows, targets] -= 1
    return loss, slope / np.float32(len(targets))


def _backward(head: Tensors, batch: _Batch, slope: Floats) -> Tensors:
    """The gradient of every learned tensor, from the slope of the loss by the logits, `(n, k)`."""
    positions = len(batch.inputs) // len(slope)
    by_hidden = np.repeat(slope @ head["linear_weight"] / np.float32(positions), positions, axis=0)  # (n·p, 1280)
    gate = _sigmoid(batch.scaled)
    by_scaled = by_hidden * gate * (1 + batch.scaled * (1 - gate))
    by_bias, by_weight = by_scaled.sum(axis=0), (by_scaled * batch.normal).sum(axis=0)
    # The mean and the variance move with every output, which takes its own share out of the slope.
    centred = by_scaled - (by_bias + batch.normal * by_weight) / np.float32(len(batch.inputs))
    by_outputs = centred * (head["bn_weight"] / np.sqrt(batch.variance + np.float32(BATCH_NORM_EPS)))
    return {
        "conv_weight": by_outputs.T @ batch.inputs,
        "bn_weight": by_weight,
        "bn_bias": by_bias,
        "linear_weight": slope.T @ batch.hidden,
        "linear_bias": slope.sum(axis=0),
    }


def _clip(gradients: Tensors) -> None:
    """Shorten all gradients together, in place, as `torch.nn.utils.clip_grad_norm_` does."""
    norm = math.sqrt(sum(float(np.vdot(gradient, gradient)) for gradient in gradients.values()))
    if norm > MAX_NORM:
        for name in gradients:
            gradients[name] *= np.float32(MAX_NORM / norm)


def _follow(head: Tensors, batch: _Batch) -> None:
    """Move the running statistics towards this batch's; the variance with Bessel's correction, as torch does."""
    count, share = len(batch.inputs), np.float32(BATCH_NORM_MOMENTUM)
    head["bn_mean"] += share * (batch.mean - head["bn_mean"])
    head["bn_var"] += share * (batch.variance * np.float32(count / (count - 1)) - head["bn_var"])


class Sgd:
    """Stochastic gradient descent with Nesterov's momentum, as `torch.optim.SGD(nesterov=True)`."""

    def __init__(self, rate: float, *, momentum: float = 0.9, decay: float = 0.0) -> None:
        self._rate, self._momentum, self._decay = np.float32(rate), np.float32(momentum), np.float32(decay)
        self._velocities: Tensors = {}

    def update(self, parameters: Tensors, gradients: Tensors) -> None:
        """One step; the decay is part of the gradient."""
        for name, gradient in gradients.items():
            slope = gradient + self._decay * parameters[name] if name in DECAYED else gradient
            velocity = self._velocities[name] = slope + self._momentum * self._velocities.get(name, np.float32(0))
            parameters[name] -= self._rate * (slope + self._momentum * velocity)


class AdamW:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv 1711.05101), as `torch.optim.AdamW`."""

    def __init__(self, rate: float, *, momentum: float = 0.9, decay: float = 0.0) -> None:
        self._rate, self._momentum, self._decay = rate, momentum, decay
        self._steps = 0
        self._means: Tensors = {}
        self._squares: Tensors = {}

    def update(self, parameters: Tensors, gradients: Tensors) -> None:
        """One step; the decay shrinks the parameter itself."""
        self._steps += 1
        first, second = 1 - self._momentum**self._steps, 1 - SQUARES_MOMENTUM**self._steps  # both averages begin at 0
        for name, gradient in gradients.items():
            mean = self._means[name] = _blend(self._means.get(name), gradient, self._momentum)
            square = self._squares[name] = _blend(self._squares.get(name), gradient**2, SQUARES_MOMENTUM)
            if name in DECAYED:
                parameters[name] *= np.float32(1 - self._rate * self._decay)
            size = np.sqrt(square) / np.float32(math.sqrt(second)) + np.float32(1e-8)
            parameters[name] -= np.float32(self._rate / first) * mean / size


def _blend(old: Floats | None, new: Floats, momentum: float) -> Floats:
    share = np.float32(1 - momentum) * new
    return share if old is None else np.asarray(np.float32(momentum) * old + share)


def _sigmoid(x: Floats) -> Floats:
    """Written with tanh because exp(-x) overflows for very negative x."""
    result: Floats = (np.tanh(x * np.float32(0.5)) + np.float32(1)) * np.float32(0.5)
    return result
