"""A head after every single label, in milliseconds: the fit of `linear_fit.py`, continued from its last solution.

All vectors stay in memory in the coordinates of the last whole fit, so a label adds a few rows and two or three steps. It
answers the frames of today (`live/online_learner.py`), and those that are left out of a fit in order to be asked
(`out_of_fold.py`); what becomes champion goes through a training and its gate.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Floats
from posture_daemon.learning.linear_fit import Doubles, FitSpace
from posture_daemon.learning.linear_layer import Linear, Penalty
from posture_daemon.learning.sample_weights import views_each

REBUILD_AFTER = 1.1
"""Growth from which the coordinates are made anew."""

Weigh = Callable[[NDArray[np.intp]], Floats | None]
"""For how many images each of these rows counts when they are learned together; `None`: each for one."""


def evenly(_rows: NDArray[np.intp]) -> None:
    """Each image counts for one."""


@dataclass(frozen=True, eq=False)
class Fold:
    """The layer without the images of some `parts`, and the numbers of the `classes` that it has still learned from images."""

    parts: NDArray[np.intp]
    layer: Linear
    classes: NDArray[np.intp]

    def asks(self, parts: NDArray[np.intp], targets: NDArray[np.intp]) -> NDArray[np.intp]:
        """The rows that it may be asked about: of the parts left out, and of a class that it can know."""
        return np.flatnonzero(np.isin(parts, self.parts) & np.isin(targets, self.classes))


class IncrementalHead:
    """A linear layer that follows its labels. Not thread-safe."""

    def __init__(
        self,
        views: Floats,
        targets: Sequence[int],
        prior: Linear,
        penalty: Penalty,
        weigh: Weigh = evenly,
        each_step: Callable[[], None] = lambda: None,
        max_vectors: int | None = None,
    ) -> None:
        """Begin with `views (images, views, width)` of images of the classes `targets`; at least one of each of two.

        `each_step` is called between the steps of the solver, now and later; it may wait, or end the fit by raising. Of more
        than `max_vectors` vectors only the first views of each image are learned, at least two of each.
        """
        self._prior, self._penalty, self._weigh, self._each_step = prior, penalty, weigh, each_step
        self._max_vectors = max_vectors
        self._targets = np.array(targets, dtype=np.intp)
        self._scaled = self._rebuild(views)

    @property
    def images(self) -> int:
        """How many labels it has learned."""
        return len(self._targets)

    @property
    def vectors(self) -> int:
        """How many it holds."""
        return self.images * self.views

    @property
    def views(self) -> int:
        """How many of each image it learns, with the image itself."""
        return int(self._scaled.shape[1])

    @property
    def layer(self) -> Linear:
        """The layer now."""
        return self._space.layer(self._solution, self._prior)

    def add(self, views: Floats, target: int) -> Linear:
        """Learn one image, `views (views, width)`; return the new layer."""
        return self.extend(views[None], [target])

    def extend(self, views: Floats, targets: Sequence[int]) -> Linear:
        """Learn more images, `views (images, views, width)`, in one step; return the new layer."""
        self._scaled = np.concatenate([self._scaled, self._space.scaled(views[:, : self.views])])
        self._targets = np.append(self._targets, np.asarray(targets, np.intp))
        if len(self._targets) > REBUILD_AFTER * self._built_with:
            self._scaled = self._rebuild(self._space.unscaled(self._scaled))
        else:
            self._solution = self._solve(np.arange(len(self._targets)))
        return self.layer

    def without(self, left_out: NDArray[np.bool_]) -> Linear:
        """The layer that it would be without these images, a mask `(images,)`: for leave-one-block-out checks."""
        return self._space.layer(self._solve(np.flatnonzero(~left_out)), self._prior)

    def folds(
        self,
        parts: NDArray[np.intp],
        wanted: NDArray[np.intp],
        most: int,
        each: Callable[[], None] = lambda: None,
    ) -> Iterator[Fold]:
        """Leave out each of the `wanted` ones of `parts (images,)`, in `most` fits at most.

        There is no fit where fewer than two classes would stay. Parts that are left out together are far apart, so that each
        part of the time keeps witnesses. `each` is called before each fit; it may wait, or end it all by raising.
        """
        there = np.unique(wanted)
        for first in range(min(most, len(there))):
            each()
            left_out = np.isin(parts, there[first::most])
            classes = np.unique(self._targets[~left_out])
            if len(classes) >= 2:
                yield Fold(there[first::most], self.without(left_out), classes)

    def _solve(self, rows: NDArray[np.intp]) -> Doubles:
        scaled = self._scaled if len(rows) == len(self._scaled) else self._scaled[rows]
        return self._solved(scaled, rows, self._solution)

    def _rebuild(self, views: Floats) -> Floats:
        """Make the coordinates anew; return the vectors in them. Only those are kept: there are megabytes of them."""
        self._built_with = len(self._targets)
        if self._max_vectors is not None:
            views = views[:, : views_each(len(views), self._max_vectors)]
        self._space = FitSpace.of(views, self._penalty)
        scaled = self._space.scaled(views)
        self._solution = self._solved(scaled, np.arange(len(self._targets)))
        return scaled

    def _solved(self, scaled: Floats, rows: NDArray[np.intp], start: Doubles | None = None) -> Doubles:
        counts, targets = self._weigh(rows), self._targets[rows]
        return self._space.solve(scaled, targets, self._prior, start, counts=counts, each_step=self._each_step)
