"""A challenger after every single label, in milliseconds: the fit of `linear_fit.py`, continued from its last solution.

All vectors stay in memory in the coordinates of the last whole fit, so a label adds a few rows and two or three steps. It is
for looking ahead (learning curves, doubtful labels, which question to ask next); what becomes champion goes through a
training and its gate.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Floats
from posture_daemon.learning.linear_fit import Doubles, FitSpace
from posture_daemon.learning.linear_layer import Linear, Penalty

REBUILD_AFTER = 1.1
"""Growth from which the coordinates are made anew."""


class IncrementalHead:
    """A linear layer that follows its labels. Not thread-safe."""

    def __init__(self, views: Floats, targets: Sequence[int], prior: Linear, penalty: Penalty) -> None:
        """Begin with `views (images, views, width)` of images of the classes `targets`; at least one of each of two."""
        self._prior, self._penalty = prior, penalty
        self._views = np.array(views, dtype=np.float32)
        self._targets = np.array(targets, dtype=np.intp)
        self._scaled = self._rebuild()

    @property
    def images(self) -> int:
        """How many labels it has learned."""
        return len(self._targets)

    @property
    def layer(self) -> Linear:
        """The layer now."""
        return self._space.layer(self._solution, self._prior)

    def add(self, views: Floats, target: int) -> Linear:
        """Learn one image, `views (views, width)`; return the new layer."""
        self._views = np.concatenate([self._views, views[None].astype(np.float32)])
        self._scaled = np.concatenate([self._scaled, self._space.scaled(views[None])])
        self._targets = np.append(self._targets, target)
        if len(self._targets) > REBUILD_AFTER * self._built_with:
            self._scaled = self._rebuild()
        else:
            self._solution = self._solve(np.ones(len(self._targets), np.bool_))
        return self.layer

    def without(self, left_out: NDArray[np.bool_]) -> Linear:
        """The layer that it would be without these images, a mask `(images,)`: for leave-one-block-out checks."""
        return self._space.layer(self._solve(~left_out), self._prior)

    def _solve(self, used: NDArray[np.bool_]) -> Doubles:
        scaled = self._scaled if used.all() else self._scaled[used]
        return self._space.solve(scaled, self._targets[used], self._prior, self._solution)

    def _rebuild(self) -> Floats:
        """Make the coordinates anew; return the vectors in them."""
        self._built_with = len(self._targets)
        self._space = FitSpace.of(self._views, self._penalty)
        scaled = self._space.scaled(self._views)
        self._solution = self._space.solve(scaled, self._targets, self._prior)
        return scaled
