"""A linear layer, and how freely it may be fitted.

Apart from the fit (`linear_fit.py`), which needs SciPy: that takes a third of a second to import, and the daemon never fits.
"""

from dataclasses import dataclass

import numpy as np

from posture_daemon.domain import Floats


@dataclass(frozen=True, eq=False)
class Linear:
    """`weight float32 (classes, width)`, `bias float32 (classes,)`."""

    weight: Floats
    bias: Floats

    def logits(self, vectors: Floats) -> Floats:
        """Of vectors `(n, width)`: `float32 (n, classes)`."""
        return np.asarray(vectors @ self.weight.T + self.bias, dtype=np.float32)


@dataclass(frozen=True)
class Penalty:
    """λ, in units of the features' total variance, and κ."""

    ridge: float
    invariance: float


POOLED = Penalty(1e-4, 1.0)
"""For the pooled features of a general backbone. Stronger is better on another day, weaker in the same room and at keeping what
was learned of another person; see docs/learning.md for the numbers."""

HIDDEN = Penalty(2.5e-5, 0.3)
"""For the hidden features of a head that was trained on postures: they are made to tell postures apart, and the prior is worth
something, so there is less to guard against. On the fake desk POOLED underfits by fourteen points."""
