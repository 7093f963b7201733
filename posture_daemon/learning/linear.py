"""The linear layer of the head, fitted on cached views: softmax regression whose penalty knows what a view may change.

Multinomial logistic regression, so the objective is convex: no learning rate, no epochs, no seed. Three things pull on the
weights W, seen from the prior W₀ (what the model knew before the owner's first label; zero for a base):

    cross-entropy + ½ Σ_c (w_c − w₀_c)ᵀ (λI + κN) (w_c − w₀_c) + ½ β |b − b₀|²

λ and β let few labels change little and many decide alone; the features are scaled to a total variance of 1.

N is the scatter of an image's views about their own mean, so κ forbids what tells two views of one moment apart, as they show
the same posture. That is ridge regression in Tikhonov's general form, and the limit of training on endlessly many such views
(Bishop 1995, "Training with noise is equivalent to Tikhonov regularization"). Measured on the real webcams, docs/learning.md:
it is worth 2 to 5 points on another day, and four views with it are better than eight without.

The bias is pulled too: were it free, a class without an image in the training set would be pushed out of every answer.

Solved by L-BFGS (Liu & Nocedal 1989; SciPy) in coordinates in which the Hessian is about the identity, by a Cholesky factor of
its upper bound (Böhning 1992): ten steps instead of two hundred.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize

from posture_daemon.domain import Floats

Doubles = NDArray[np.float64]

RIDGE = 8e-4
"""λ in units of the features' total variance. From 4e-4 to 2e-3 both real sets change by less than two points."""

INVARIANCE = 10.0
"""κ. From 5 to 20 both real sets change by less than two points; 0 costs five on another day."""

PRIOR_IMAGES = 10.0
"""How many labelled images the prior is worth."""

MOST_ITERATIONS = 100


@dataclass(frozen=True, eq=False)
class Linear:
    """`weight float32 (classes, width)`, `bias float32 (classes,)`."""

    weight: Floats
    bias: Floats

    def logits(self, vectors: Floats) -> Floats:
        """Of vectors `(n, width)`: `float32 (n, classes)`."""
        return np.asarray(vectors @ self.weight.T + self.bias, dtype=np.float32)


def fit(views: Floats, targets: NDArray[np.intp], prior: Linear, *, prior_images: float = PRIOR_IMAGES) -> Linear:
    """Fit the layer to the `views (images, views, width)` of images whose class numbers are `targets (images,)`.

    Classes weigh alike, except that no image counts more than five times the average.
    """
    images, views_each, width = views.shape
    mean = views.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
    centred = (views - mean).reshape(-1, width)
    scale = np.float32(np.sqrt(np.square(centred).sum() / len(centred)) or 1.0)
    centred /= scale  # total variance 1, so that the penalties mean the same in every space
    within = _within(centred.reshape(views.shape))
    penalty = INVARIANCE * within + (RIDGE + prior_images / images / width) * np.eye(width)
    between = _scatter(centred.reshape(views.shape).mean(axis=1))
    problem = _Problem(
        vectors=centred,
        targets=np.repeat(targets, views_each),
        weights=np.repeat(_weights(targets, len(prior.bias)) / views_each, views_each).astype(np.float32),
        prior=Linear(prior.weight * scale, prior.logits(mean)),
        penalty=penalty,
        factor=cholesky(penalty + (within + between) / 4, lower=True),
        bias_pull=prior_images / images,
    )
    found = problem.solve()
    weight = prior.weight + found.weight / scale
    return Linear(weight.astype(np.float32), np.asarray(prior.logits(mean) + found.bias - weight @ mean, np.float32))


@dataclass(frozen=True, eq=False)
class _Step:
    """From the prior, in `float64`: `weight (classes, width)`, `bias (classes,)`."""

    weight: Doubles
    bias: Doubles


@dataclass(frozen=True, eq=False)
class _Problem:
    """The objective in the step away from the prior, whose weights are measured as `factor.T @ step`."""

    vectors: Floats  # (n, width), centred
    targets: NDArray[np.intp]  # (n,)
    weights: Floats  # (n,), summing to 1
    prior: Linear
    penalty: Doubles  # (width, width)
    factor: Doubles  # (width, width), lower triangle
    bias_pull: float

    def solve(self) -> _Step:
        """The best step."""
        start = np.zeros(self.prior.weight.size + self.prior.bias.size)
        result = minimize(self, start, jac=True, method="L-BFGS-B", options={"maxiter": MOST_ITERATIONS})
        return self._step(result.x)

    def __call__(self, flat: Doubles) -> tuple[float, Doubles]:
        """Value and gradient."""
        step = self._step(flat)
        loss, slope = self._cross_entropy(step)
        pulled = step.weight @ self.penalty
        gradient = slope.T.astype(np.float64) @ self.vectors + pulled
        flat_gradient = np.column_stack(
            [
                solve_triangular(self.factor, gradient.T, lower=True).T,
                slope.sum(axis=0) + self.bias_pull * step.bias,
            ]
        ).ravel()
        return loss + float((step.weight * pulled).sum() + self.bias_pull * (step.bias**2).sum()) / 2, flat_gradient

    def _step(self, flat: Doubles) -> _Step:
        measured = flat.reshape(len(self.prior.bias), -1)
        return _Step(solve_triangular(self.factor, measured[:, :-1].T, lower=True, trans=1).T, measured[:, -1])

    def _cross_entropy(self, step: _Step) -> tuple[float, Floats]:
        """Of all views, and its gradient in their logits."""
        layer = Linear(
            (self.prior.weight + step.weight).astype(np.float32), (self.prior.bias + step.bias).astype(np.float32)
        )
        logits = layer.logits(self.vectors)
        logits -= logits.max(axis=1, keepdims=True)
        powers = np.exp(logits)
        sums = powers.sum(axis=1)
        rows = np.arange(len(self.targets))
        loss = float(self.weights @ (np.log(sums) - logits[rows, self.targets]))
        powers /= sums[:, None]
        powers[rows, self.targets] -= 1
        powers *= self.weights[:, None]
        return loss, powers


def _within(views: Floats) -> Doubles:
    """Mean scatter of the views of an image about their mean, `(width, width)`; zero with a single view."""
    around = views - views.mean(axis=1, keepdims=True)
    return _scatter(around.reshape(-1, views.shape[2]))


def _scatter(vectors: Floats) -> Doubles:
    return np.asarray(vectors.T @ vectors, dtype=np.float64) / len(vectors)


def _weights(targets: NDArray[np.intp], classes: int) -> Floats:
    """Weight of each image, summing to 1: classes weigh alike, but no image more than five times the average."""
    counts = np.bincount(targets, minlength=classes)
    present = np.count_nonzero(counts)
    weights = np.minimum(len(targets) / (present * counts[targets]), 5.0)
    return np.asarray(weights / weights.sum(), dtype=np.float32)
