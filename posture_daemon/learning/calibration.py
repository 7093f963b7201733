"""One number that makes confidences mean what they say: the temperature (Guo et al. 2017, arXiv 1706.04599)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from posture_daemon.domain import Floats

LOWEST, HIGHEST = 0.25, 10.0


def fit_temperature(logits: Floats, targets: NDArray[np.intp]) -> float:
    """The temperature that makes `softmax(logits / T)` most probable, between 0.25 and 10; 1 without images.

    A small holdout without a single error would drive the temperature to 0 and make every frame look sure. As in Platt
    (1999) the targets are therefore softened as if every class had been seen once more: (n_right + 1) / (n + classes).
    """
    count, classes = logits.shape
    if count == 0 or classes < 2:
        return 1.0
    soft = np.full((count, classes), 1 / (count + classes))
    soft[np.arange(count), targets] = (count + 1) / (count + classes)

    def loss(log_temperature: float) -> float:
        scaled = logits.astype(np.float64) / np.exp(log_temperature)
        scaled -= scaled.max(axis=1, keepdims=True)
        logs = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        return float(-(soft * logs).sum() / count)

    bounds = (float(np.log(LOWEST)), float(np.log(HIGHEST)))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))
