"""The linear layer of the head, fitted on hidden features: softmax regression pulled towards the incumbent.

Multinomial logistic regression by L-BFGS (Liu & Nocedal 1989; SciPy). The objective is convex: no learning rate, no epochs,
no seed. The penalty is the distance to the incumbent's weights (L2-SP, Li et al. 2018, arXiv 1802.01483) in units of each
feature's spread, so that few labels change little, old classes keep what they know, and many labels decide alone. The bias
is pulled too: were it free, a class without an image in the training set would be pushed out of every answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from posture_daemon.domain import Floats

MOST_ITERATIONS = 200

PULL = 10.0
"""Strength of the incumbent, in labelled images. Measured on the real front webcam: 2 to 100 differ by less than a point."""


@dataclass(frozen=True, eq=False)
class Linear:
    """`weight float32 (classes, width)`, `bias float32 (classes,)`."""

    weight: Floats
    bias: Floats


def fit(vectors: Floats, targets: NDArray[np.intp], image_count: int, start: Linear, pull: float = PULL) -> Linear:
    """Fit the layer to `vectors (n, width)` with class numbers `targets (n,)`, beginning at `start`.

    `image_count` is the number of distinct images behind the `n` vectors (each has several views). Classes weigh alike,
    except that no image counts more than five times the average. Columns that never vary are left as they are.
    """
    mean, spread = vectors.mean(axis=0), vectors.std(axis=0)
    used = spread > 1e-4
    scaled = (vectors[:, used] - mean[used]) / spread[used]
    offset = start.bias + start.weight @ mean  # the bias at the middle of the data
    first = np.column_stack(
        [start.weight[:, used] * spread[used], offset]
    )  # in units of the spread, like all that follows
    problem = _Problem(scaled, targets, _weights(targets, len(start.bias)), first, pull / image_count)
    result = minimize(
        problem, first.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": MOST_ITERATIONS}
    )  # fmt: skip
    solution = result.x.reshape(len(start.bias), -1)
    weight = np.array(start.weight, dtype=np.float64)
    weight[:, used] = solution[:, :-1] / spread[used]
    bias = solution[:, -1] - weight @ mean
    return Linear(weight.astype(np.float32), bias.astype(np.float32))


@dataclass(frozen=True, eq=False)
class _Problem:
    """Weighted cross-entropy plus the pull towards `first` (weights, and the bias as last column): value and gradient."""

    vectors: Floats
    targets: NDArray[np.intp]
    weights: Floats
    first: Floats
    pull: float

    def __call__(self, flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        parameters = flat.reshape(len(self.first), -1).astype(np.float32)
        weight, bias = parameters[:, :-1], parameters[:, -1]
        logits = self.vectors @ weight.T + bias
        logits -= logits.max(axis=1, keepdims=True)
        powers = np.exp(logits)
        sums = powers.sum(axis=1)
        rows = np.arange(len(self.targets))
        loss = float(self.weights @ (np.log(sums) - logits[rows, self.targets]))
        slope = powers / sums[:, None]
        slope[rows, self.targets] -= 1
        slope *= self.weights[:, None]
        moved = parameters - self.first
        gradient = np.column_stack([slope.T @ self.vectors, slope.sum(axis=0)]) + self.pull * moved
        return loss + self.pull / 2 * float((moved**2).sum()), gradient.ravel().astype(np.float64)


def _weights(targets: NDArray[np.intp], classes: int) -> Floats:
    """Weight of each vector, summing to 1: classes weigh alike, but no vector more than five times the average."""
    counts = np.bincount(targets, minlength=classes)
    present = np.count_nonzero(counts)
    weights = np.minimum(len(targets) / (present * counts[targets]), 5.0)
    return np.asarray(weights / weights.sum(), dtype=np.float32)
