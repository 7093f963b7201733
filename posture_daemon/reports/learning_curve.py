"""A learning curve from random subsets of the labels: what the holdout would say with fewer of them.

Whole time blocks are drawn, never single frames: half of the frames of every block know nearly as much as all of them, so
the curve would be flat from the start and flatter. Each draw adds block after block, the classes at an even pace.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import LabelledImage
from posture_daemon.learning.evaluation import Evaluation
from posture_daemon.learning.incremental_head import IncrementalHead
from posture_daemon.learning.linear_fit import fit
from posture_daemon.learning.linear_layer import Linear
from posture_daemon.learning.scoring import Candidate
from posture_daemon.learning.training_set import TrainingSet

DRAWS, STEPS = 8, 6
RESAMPLES = 1000
Z = 1.96
"""Standard deviations of a 95 % interval."""


@dataclass(frozen=True)
class CurvePoint:
    """After so many `labels` (mean over draws): top-1 on the holdout, mean and standard deviation, mean recalls, all 0–1."""

    labels: float
    top1: float
    spread: float
    recalls: Mapping[str, float]


@dataclass(frozen=True)
class Curve:
    """The steps from few labels to all of them, and how much the holdout can tell.

    `held_out` are holdout images by class, `blocks` their time blocks, `training_blocks` those that were drawn from; `likely`
    is the 95 % interval of the last top-1 over all holdouts like this one (see `likely_top1`).
    """

    steps: tuple[CurvePoint, ...]
    draws: int
    seed: int
    held_out: Mapping[str, int]
    blocks: int
    training_blocks: int
    likely: tuple[float, float]


def block_curve(data: TrainingSet, draws: int = DRAWS, seed: int = 0, steps: int = STEPS) -> Curve:
    """Draw `draws` times, with the seeds `seed`, `seed + 1`, …. Raises `TrainingError` without a holdout."""
    holdout = data.holdout
    data.need_holdout()
    full, right = _examine(data, np.arange(len(data.targets)))
    looks: list[list[tuple[int, Evaluation]]] = [[] for _ in range(steps - 1)]
    for draw in range(draws):
        order = _draw(data, np.random.default_rng(seed + draw))
        for look, rows in zip(looks, _prefixes(data, order, steps), strict=True):
            look.append((len(rows), _examine(data, rows)[0]))
    return Curve(
        steps=(*(_step(look) for look in looks if look), _step([(len(data.targets), full)])),
        draws=draws,
        seed=seed,
        held_out=dict(Counter(holdout.truth)),
        blocks=len({image.block_id for image in holdout.images}),
        training_blocks=len({image.block_id for image in data.training.images}),
        likely=likely_top1(right, holdout.images),
    )


def likely_top1(right: NDArray[np.bool_], images: Sequence[LabelledImage]) -> tuple[float, float]:
    """A 95 % interval, 0–1, for the share of `right` images, of which those of one time block resemble each other.

    The wider end of two: Wilson's score interval (1927), which takes images for independent but knows that twenty right answers
    out of twenty are no proof, and percentiles of a bootstrap over whole blocks, which knows that neighbours fail together.
    """
    number, share = len(right), float(right.mean())
    centre = (share + Z**2 / (2 * number)) / (1 + Z**2 / number)
    half = Z * np.sqrt(share * (1 - share) / number + Z**2 / (4 * number**2)) / (1 + Z**2 / number)
    low, high = np.percentile(_resampled(right, images), [2.5, 97.5])
    return float(min(low, centre - half)), float(max(high, min(1.0, centre + half)))


def _resampled(right: NDArray[np.bool_], images: Sequence[LabelledImage]) -> NDArray[np.float64]:
    """Shares in holdouts of as many blocks, drawn with replacement among those of one class (which most of a block is of)."""
    rng = np.random.default_rng(0)
    blocks = np.array([image.block_id for image in images])
    correct, all_ = np.zeros(RESAMPLES), np.zeros(RESAMPLES)
    for of_class in _blocks_by_class(images).values():
        drawn = rng.integers(len(of_class), size=(RESAMPLES, len(of_class)))
        correct += np.array([right[blocks == block].sum() for block in of_class])[drawn].sum(axis=1)
        all_ += np.array([(blocks == block).sum() for block in of_class])[drawn].sum(axis=1)
    return correct / all_


def _draw(data: TrainingSet, rng: np.random.Generator) -> list[int]:
    """Time blocks in a random order in which each class is at the same share of its blocks."""
    paced = [
        ((place + rng.random()) / len(blocks), block)
        for blocks in _blocks_by_class(data.training.images).values()
        for place, block in enumerate(rng.permutation(blocks).tolist())
    ]
    return [block for _, block in sorted(paced)]


def _blocks_by_class(images: Sequence[LabelledImage]) -> dict[str, list[int]]:
    """Time blocks by the class that most of a block is of."""
    names: dict[int, Counter[str]] = {}
    for image in images:
        names.setdefault(image.block_id, Counter())[image.class_name] += 1
    found: dict[str, list[int]] = {}
    for block, counted in names.items():
        found.setdefault(counted.most_common(1)[0][0], []).append(block)
    return found


def _prefixes(data: TrainingSet, order: Sequence[int], steps: int) -> list[NDArray[np.intp]]:
    """Rows of the first blocks, so many that they hold 1, 2, … `steps` - 1 of `steps` parts of the labels, and two classes."""
    place = {block: number for number, block in enumerate(order)}
    places = np.array([place[image.block_id] for image in data.training.images], np.intp)
    sizes = np.cumsum(np.bincount(places))
    beginnings = sorted(int(places[data.targets == c].min()) for c in np.unique(data.targets))
    second_class = beginnings[:2][-1]
    ends = [int(np.searchsorted(sizes, sizes[-1] * part / steps)) for part in range(1, steps)]
    return [np.flatnonzero(places <= max(end, second_class)) for end in ends]


def _examine(data: TrainingSet, rows: NDArray[np.intp]) -> tuple[Evaluation, NDArray[np.bool_]]:
    """What a fit to these training images gets right of the holdout, in sum and image by image."""
    views, targets = data.training.vectors[rows], data.targets[rows]
    fitted = Candidate(fit(views, targets, data.prior, data.inputs.penalty), data.names, 1.0)
    right = np.array([a == b for a, b in zip(fitted.called(data.holdout), data.holdout.truth, strict=True)])
    return fitted.evaluate(data.holdout), right


def _step(looks: Sequence[tuple[int, Evaluation]]) -> CurvePoint:
    """One point of the curve from what each draw saw there."""
    top1 = [float(seen.top1 or 0.0) for _, seen in looks]
    recalls = [{name: right / all_ for name, (right, all_) in seen.per_class().items()} for _, seen in looks]
    return CurvePoint(
        labels=float(np.mean([labels for labels, _ in looks])),
        top1=float(np.mean(top1)),
        spread=float(np.std(top1)),
        recalls={name: float(np.mean([one[name] for one in recalls])) for name in recalls[0]},
    )


@dataclass(frozen=True)
class Point:
    """Holdout top-1, 0–1, after so many training labels."""

    labels: int
    top1: float


def curve_in_order(data: TrainingSet, points: int = 12) -> list[Point]:
    """Learn label after label with the incremental head, and look at the holdout `points` times.

    It shows one order, the one that was; `block_curve` draws many. Each class comes in the order of its capture, all classes
    at an even pace, as folders are imported one by one. Raises `TrainingError` without a holdout.
    """
    data.need_holdout()
    order = _even_pace(data.targets)
    targets, views = data.targets[order], data.training.vectors[order]
    first = int(np.argmax(targets != targets[0])) + 1  # the first label of a second class
    looks = set(np.linspace(first, len(targets), points).round().astype(int).tolist())
    head = IncrementalHead(views[:first], targets[:first].tolist(), data.prior, data.inputs.penalty)
    curve = [_point(data, head)]
    for image, target in zip(views[first:], targets[first:].tolist(), strict=True):
        layer = head.add(image, target)
        if head.images in looks:
            curve.append(_point(data, head, layer))
    return curve


def _even_pace(targets: NDArray[np.intp]) -> NDArray[np.intp]:
    """Rows in an order in which each class is at the same share of its images at any time."""
    share = np.empty(len(targets))
    for target in np.unique(targets):
        rows = np.flatnonzero(targets == target)
        share[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return np.argsort(share, kind="stable")


def _point(data: TrainingSet, head: IncrementalHead, layer: Linear | None = None) -> Point:
    top1 = Candidate(layer or head.layer, data.names, 1.0).evaluate(data.holdout).top1
    return Point(head.images, float(top1 or 0.0))
