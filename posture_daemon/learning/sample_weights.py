"""How much an image counts, so that a dozen labels of today are heard beside a thousand of long ago.

Images of one session look alike: same light, same clothes, same camera. A thousand of them say little more than a hundred,
yet in a plain mean they drown the twelve that the owner labelled this morning. So every class of every session weighs as much
as the largest such cell, up to a limit that keeps a single slip of the finger from weighing like a day. By cell and not by
session: twelve answers of one class, lifted as a whole, would teach that this day *is* this class. And alike frames that one
key answered say more than one frame but less than so many: n of them count as √n.

Measured over days of a real desk, docs/asking.md, which also has what does not help: to count every image by how densely
images lie around it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Floats

MAX_CELL_WEIGHT = 20.0
"""No class of a session is lifted by more than so much."""

MIN_VIEWS = 2
"""The image itself and one more, by which it is known what makes no difference."""


def views_each(images: int, max_vectors: int) -> int:
    """How many views of each image to learn, with the image itself, where there is room for so many vectors."""
    return max(MIN_VIEWS, max_vectors // max(1, images))


def image_counts(sessions: Sequence[int], groups: Sequence[int | None], classes: Sequence[int]) -> Floats:
    """For how many images each one counts, `float32 (images,)`.

    `sessions` has the number of the session of each, `classes` that of its class, and `groups` that of the key which answered
    it together with others, `None` for one that was answered by itself.
    """
    if not len(sessions):
        return np.empty(0, np.float32)
    own = range(-1, -1 - len(groups), -1)  # a group of one; numbers of real groups are not negative
    _, group, sizes = _numbered([n if g is None else g for g, n in zip(groups, own, strict=True)])
    counts = 1 / np.sqrt(sizes[group])
    _, session, _ = _numbered(sessions)
    _, cell, _ = _numbered(session * (1 + int(max(classes))) + np.asarray(classes, np.intp))
    masses = np.bincount(cell, weights=counts)
    return np.asarray(counts * np.minimum(masses.max() / masses, MAX_CELL_WEIGHT)[cell], dtype=np.float32)


def _numbered(names: Sequence[int] | NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """The distinct names, which of them each one is, and how many are of each."""
    return np.unique(np.asarray(names, np.intp), return_inverse=True, return_counts=True)
