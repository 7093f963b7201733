"""One number that makes confidences mean what they say: the temperature (Guo et al. 2017, arXiv 1706.04599)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Floats
from posture_daemon.head import softmax
from posture_daemon.learning.evaluation import evaluate

LOWEST, HIGHEST = 0.005, 10.0


def fit_temperature(logits: Floats, targets: NDArray[np.intp]) -> float:
    """The temperature that makes `softmax(logits / T)` most probable, between 0.005 and 10; 1 without images.

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

    from scipy.optimize import minimize_scalar  # a third of a second, which the daemon need not spend

    bounds = (float(np.log(LOWEST)), float(np.log(HIGHEST)))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def fit_to(logits: Floats, truth: Sequence[str], names: Sequence[str]) -> float:
    """The temperature for these images; those of a class that is not among `names` (the columns) say nothing about it."""
    known = [i for i, name in enumerate(truth) if name in names]
    return fit_temperature(logits[known], np.array([names.index(truth[i]) for i in known], np.intp))


def calibration(
    logits: Floats, truth: Sequence[str], names: Sequence[str], blocks: Sequence[int]
) -> dict[str, float | int | None]:
    """Expected calibration error (0–1) `before`, at temperature 1, and `after` fitting one, on so many `images`.

    A temperature looks good on the images that it was fitted to. So the time blocks are dealt into two halves, and each
    half is measured at the temperature of the other. With a single block there is no other half: `after` is `None`.
    """
    half = _halves(truth, blocks)
    raw = evaluate(softmax(logits), names, truth).expected_calibration_error
    if len(set(half)) < 2:
        return {"before": raw, "after": None, "images": len(truth)}
    crossed = np.empty_like(logits)
    for side in (0, 1):
        mine, other = np.flatnonzero(half == side), np.flatnonzero(half != side)
        temperature = fit_to(logits[other], [truth[int(i)] for i in other], names)
        crossed[mine] = logits[mine] / np.float32(temperature)
    return {
        "before": raw,
        "after": evaluate(softmax(crossed), names, truth).expected_calibration_error,
        "images": len(truth),
    }


def _halves(truth: Sequence[str], blocks: Sequence[int]) -> NDArray[np.intp]:
    """0 or 1 for each image: whole blocks, each to the half that has fewer of its class so far, or fewer of all."""
    side: dict[int, int] = {}
    dealt: Counter[tuple[str, int]] = Counter()
    for name, block in zip(truth, blocks, strict=True):
        if block not in side:
            side[block] = min(
                (0, 1), key=lambda half: (dealt[name, half], sum(n for (_, h), n in dealt.items() if h == half))
            )
        dealt[name, side[block]] += 1
    return np.array([side[block] for block in blocks], np.intp)
