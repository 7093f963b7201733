"""One number that makes confidences mean what they say: the temperature (Guo et al. 2017, arXiv 1706.04599)."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Floats
from posture_daemon.learning.evaluation import CalibrationErrors, evaluate
from posture_daemon.vision.head import softmax

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.005, 10.0

PRIOR_SESSIONS = 4
"""How many sessions it takes until half of the sharpness (in logarithms) that they ask for is believed."""

STEPS = 36
"""Halvings of the range of a factor of 2000: the last one is 1e-10 wide. Not SciPy, which the daemon need not load."""


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

    return 1 / _bisect(
        lambda sharpness: _slope(logits.astype(np.float64), soft, sharpness), 1 / MAX_TEMPERATURE, 1 / MIN_TEMPERATURE
    )


def _slope(logits: NDArray[np.float64], soft: NDArray[np.float64], sharpness: float) -> float:
    """Of the cross-entropy in the sharpness 1 / T, in which it is convex: the score expected minus the score wanted."""
    scaled = logits * sharpness
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    expected = powers / powers.sum(axis=1, keepdims=True)
    return float(((expected - soft) * logits).sum())


def _bisect(slope: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function crosses zero, to nine digits; the nearer end when it does not. Positive ends, halved by ratio."""
    for _ in range(STEPS):
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return low


def fit_to(logits: Floats, truth: Sequence[str], names: Sequence[str]) -> float:
    """The temperature for these images; those of a class that is not among `names` (the columns) say nothing about it."""
    known = [i for i, name in enumerate(truth) if name in names]
    return fit_temperature(logits[known], np.array([names.index(truth[i]) for i in known], np.intp))


def shrunk(temperature: float, sessions: int) -> float:
    """A temperature below 1 drawn to 1, the more the fewer sessions it was fitted on: to look surer must be earned."""
    return temperature if temperature >= 1 else float(temperature ** (sessions / (sessions + PRIOR_SESSIONS)))


def for_a_new_day(temperature: float, sessions: int) -> float:
    """The temperature for a session that was not seen, from one that was fitted on so many that were left out.

    Sessions differ, and few of them say little about how much: so it is raised by 1 + 1/n, as a prediction interval is wider
    than a confidence interval. With a single session nothing is known of another.
    """
    return shrunk(temperature, sessions) * (1 + 1 / max(1, sessions))


def calibration(
    logits: Floats, truth: Sequence[str], names: Sequence[str], blocks: Sequence[int], temperature: float = 1.0
) -> CalibrationErrors:
    """Expected calibration error (0–1) `before`, at this temperature, and `after` fitting one, on so many `images`.

    A temperature looks good on the images that it was fitted to. So the time blocks are dealt into two halves, and each
    half is measured at the temperature of the other. With a single block there is no other half: `after` is `None`.
    """
    half = _halves(truth, blocks)
    raw = evaluate(softmax(logits, temperature), names, truth).expected_calibration_error
    if len(set(half)) < 2:
        return CalibrationErrors(raw, None, len(truth))
    crossed = np.empty_like(logits)
    for side in (0, 1):
        mine, other = np.flatnonzero(half == side), np.flatnonzero(half != side)
        fitted = fit_to(logits[other], [truth[int(i)] for i in other], names)
        crossed[mine] = logits[mine] / np.float32(fitted)
    return CalibrationErrors(raw, evaluate(softmax(crossed), names, truth).expected_calibration_error, len(truth))


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
