"""The linear layer of the head, fitted on cached views: softmax regression whose penalty knows what a view may change.

Multinomial logistic regression, so the objective is convex: no learning rate, no epochs, no seed. Three things pull on the
weights W, seen from the prior W₀ (what the model knew before the owner's first label; zero for a base):

    cross-entropy + ½ Σ_c (w_c − w₀_c)ᵀ (λI + κN) (w_c − w₀_c) + ½ β |b − b₀|²

λ and β let few labels change little and many decide alone; the features are scaled to a total variance of 1.

N is the scatter of an image's views about their own mean, so κ forbids what tells two views of one moment apart, as they show
the same posture. That is ridge regression in Tikhonov's general form, and the limit of training on endlessly many such views
(Bishop 1995, "Training with noise is equivalent to Tikhonov regularization"). Measured on the real webcams, docs/learning.md:
it is worth one point on another day and ten on a new person seen from the side.

The bias is pulled too: were it free, a class without an image in the training set would be pushed out of every answer.

Solved by L-BFGS (Liu & Nocedal 1989; SciPy) in coordinates in which the Hessian is about the identity, by a Cholesky factor of
its upper bound (Böhning 1992): ten steps instead of two hundred.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize

from posture_daemon.domain import Floats
from posture_daemon.learning.linear_layer import Linear, Penalty

Doubles = NDArray[np.float64]

PRIOR_IMAGES = 10.0
"""How many labelled images the prior is worth."""

MAX_ITERATIONS = 100

WHOLE_FTOL, CONTINUED_FTOL = 2.2e-9, 1e-6
"""Share by which the objective must still fall in a step, else the fit ends: SciPy's own, and enough after an answer."""


@dataclass(frozen=True, eq=False)
class Offset:
    """From the prior, in `float64`: `weight (classes, width)`, `bias (classes,)`."""

    weight: Doubles
    bias: Doubles


def fit(
    views: Floats,
    targets: NDArray[np.intp],
    prior: Linear,
    penalty: Penalty,
    *,
    prior_images: float = PRIOR_IMAGES,
    counts: Floats | None = None,
) -> Linear:
    """Fit the layer to the `views (images, views, width)` of images whose class numbers are `targets (images,)`.

    `counts (images,)` says for how many images each one counts, 1 unless given (see `sample_weights.py`). Classes weigh alike,
    except that none is lifted to more than five times its share.
    """
    space = FitSpace.of(views, penalty, prior_images)
    scaled = space.scaled(views)
    return space.layer(space.solve(scaled, targets, prior, counts=counts), prior)


@dataclass(frozen=True, eq=False)
class FitSpace:
    """Coordinates in which the fit is quick, and the penalties in them; all made from one set of views."""

    mean: Floats  # (width,)
    scale: np.float32  # total variance 1, so that the penalties mean the same for every backbone
    penalty: Doubles  # (width, width)
    factor: Doubles  # (width, width), lower triangle: L Lᵀ bounds the Hessian
    bias_pull: float

    @classmethod
    def of(cls, views: Floats, penalty: Penalty, prior_images: float = PRIOR_IMAGES) -> FitSpace:
        """Made for `views (images, views, width)`."""
        images, _, width = views.shape
        mean = views.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
        centred = views - mean
        scale = np.float32(np.sqrt(np.square(centred).sum() / (centred.size / width)) or 1.0)
        centred /= scale
        within = _within(centred)
        matrix = penalty.invariance * within + (penalty.ridge + prior_images / images / width) * np.eye(width)
        hessian = matrix + (within + _scatter(centred.mean(axis=1))) / 4
        return cls(mean, scale, matrix, cholesky(hessian, lower=True), prior_images / images)

    def scaled(self, views: Floats) -> Floats:
        """The same vectors in these coordinates."""
        return np.asarray((views - self.mean) / self.scale, dtype=np.float32)

    def unscaled(self, scaled: Floats) -> Floats:
        """The way back."""
        return np.asarray(scaled * self.scale + self.mean, dtype=np.float32)

    def solve(
        self,
        scaled: Floats,
        targets: NDArray[np.intp],
        prior: Linear,
        start: Doubles | None = None,
        counts: Floats | None = None,
        each_step: Callable[[], None] = lambda: None,
    ) -> Doubles:
        """The best step away from the prior, as a flat vector; `start` is another such, near it.

        `each_step` is called between the steps of the solver; it may wait, or end the fit by raising.
        """
        _, views_each, width = scaled.shape
        problem = _Problem(
            space=self,
            vectors=scaled.reshape(-1, width),
            targets=np.repeat(targets, views_each),
            weights=np.repeat(_weights(targets, len(prior.bias), counts) / views_each, views_each).astype(np.float32),
            prior=Linear(prior.weight * self.scale, prior.logits(self.mean)),
        )
        first = np.zeros(len(prior.bias) * (width + 1)) if start is None else start
        options = {"maxiter": MAX_ITERATIONS, "ftol": WHOLE_FTOL if start is None else CONTINUED_FTOL}
        solved = minimize(
            problem, first, jac=True, method="L-BFGS-B", options=options, callback=lambda _step: each_step()
        )
        return np.asarray(solved.x)

    def layer(self, flat: Doubles, prior: Linear) -> Linear:
        """The layer at the end of a step, in the features' own units."""
        step = self.step(flat, len(prior.bias))
        moved = step.weight / self.scale
        bias = prior.bias + step.bias - moved @ self.mean
        return Linear((prior.weight + moved).astype(np.float32), bias.astype(np.float32))

    def step(self, flat: Doubles, classes: int) -> Offset:
        """From the coordinates in which the Hessian is about the identity, `u = Lᵀ w`."""
        measured = flat.reshape(classes, -1)
        return Offset(solve_triangular(self.factor, measured[:, :-1].T, lower=True, trans=1).T, measured[:, -1])


@dataclass(frozen=True, eq=False)
class _Problem:
    """The objective and its gradient in the coordinates of `space`."""

    space: FitSpace
    vectors: Floats  # (n, width), scaled
    targets: NDArray[np.intp]  # (n,)
    weights: Floats  # (n,), summing to 1
    prior: Linear  # for scaled vectors

    def __call__(self, flat: Doubles) -> tuple[float, Doubles]:
        """Value and gradient at a step."""
        space, step = self.space, self.space.step(flat, len(self.prior.bias))
        loss, slope = self._cross_entropy(step)
        pulled = step.weight @ space.penalty
        gradient = slope.T @ self.vectors + pulled
        measured = solve_triangular(space.factor, gradient.T, lower=True).T
        bias_gradient = slope.sum(axis=0) + space.bias_pull * step.bias
        pull = float((step.weight * pulled).sum() + space.bias_pull * (step.bias**2).sum()) / 2
        return loss + pull, np.column_stack([measured, bias_gradient]).ravel()

    def _cross_entropy(self, step: Offset) -> tuple[float, Floats]:
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


def _weights(targets: NDArray[np.intp], classes: int, counts: Floats | None = None) -> Floats:
    """Weight of each image, summing to 1: classes weigh alike, but no class is lifted more than fivefold."""
    counts = np.ones(len(targets), np.float32) if counts is None else counts
    of_class = np.bincount(targets, weights=counts, minlength=classes)
    present = np.count_nonzero(of_class)
    weights = counts * np.minimum(counts.sum() / (present * of_class[targets]), 5.0)
    return np.asarray(weights / weights.sum(), dtype=np.float32)
