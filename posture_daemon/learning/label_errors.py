"""Is a label wrong? It is doubted only when that is likelier than not, and who cannot tell says so.

Each labelled image is asked of a fit that has not learned its session, or its time block where there is a single session
(`out_of_fold.py`). Where the answer is another class,
either the owner slipped or the fit errs, and on a hard desk it errs ten times as often. So both rates are estimated from the
same answers, and a label is doubted when the slip is the likelier of the two:

1. how sure an answer may be (a temperature) and how often labels slip are fitted together: a fit that is never sure of itself
   needs no slips to explain what it gets wrong, one that is sure and nearly always right leaves only slips (the noise model
   of Mnih & Hinton 2012, "Learning to Label Aerial Images from Noisy Data", with a prior, as typists slip in a few per cent);
2. fits err by sessions and moments, owners by keys. So the rate of errors is taken near the image: among other keys of its
   session, then of its time block, at which the fit calls the same class about as surely. Each level is a beta-binomial
   whose mean is the level before it.

Confident learning (Northcutt, Jiang & Chuang 2021, arXiv 1911.00068), which stood here before, takes the first source of
disagreement for none: on desks where one answer in three is wrong, four of five doubts were right labels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Floats, LabelledImage, Split
from posture_daemon.learning.calibration import MAX_TEMPERATURE, MIN_TEMPERATURE
from posture_daemon.learning.features import Vectors
from posture_daemon.learning.linear_fit import Doubles
from posture_daemon.learning.out_of_fold import OutOfFold, by_session, out_of_fold
from posture_daemon.learning.training_set import TrainingSet
from posture_daemon.vision.head import softmax

LIKELIER = 0.5
"""Probability that a label is wrong, above which it is doubted."""

PRIOR_SLIPS = (2.0, 48.0)
"""Beta prior of how often a key is a slip, before any is seen: 4 % on average, hardly ever above 10 %."""

SLIPS = np.array([0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2])
TEMPERATURES = np.geomspace(MIN_TEMPERATURE, MAX_TEMPERATURE, 48)
"""What is tried, all with all."""

NEAR = 2.0
"""For how many keys of a session the rate of errors elsewhere counts, and for how many of a block that of its session."""

ALIKE = 0.9
"""Chance of the called class that parts sure answers from unsure ones: each kind is judged by its own."""


@dataclass(frozen=True)
class Doubt:
    """A frame whose label is `wrong` with this probability, 0.5–1, and the class that it more likely is."""

    frame_id: int
    label: str
    instead: str
    wrong: float
    split: Split


@dataclass(frozen=True)
class LabelCheck:
    """What the labels say of each other.

    `checked` of `labels` are seen so clearly that a slip would have been doubted; `agreement`, 0–1, is the share of labels
    that are answered as they are; `slips`, 0–1, how often labels are estimated to be wrong. The surest doubt comes first.
    """

    doubts: tuple[Doubt, ...]
    labels: int
    checked: int
    agreement: float
    slips: float


@dataclass(frozen=True, eq=False)
class _Answers:
    """What images whose class is known to the fit are called and labelled; every array has a row for each of them."""

    classes: int
    labels: NDArray[np.intp]
    called: NDArray[np.intp]
    sure: Floats  # the chance of the called class
    weights: Doubles  # images that were answered with one key count as one
    keys: NDArray[np.intp]
    sessions: NDArray[np.intp]
    blocks: NDArray[np.intp]
    slips: float

    @property
    def least_errors(self) -> float:
        """The lowest rate of errors that so few answers can show (the rule of succession)."""
        return float(1 / (self.weights.sum() + 2))


def ask(data: TrainingSet, held_out: Vectors) -> OutOfFold:
    """All images, each asked of what has not learned its session; its block, where more can be asked so."""
    sessions = by_session(data, held_out)
    if len(sessions.images) == len(data.training.images) + len(held_out.images):
        return sessions
    blocks = out_of_fold(data, held_out)
    return sessions if len(sessions.images) >= len(blocks.images) else blocks


def check_labels(asked: OutOfFold, sessions: Mapping[int, int], keys: Mapping[int, int]) -> LabelCheck:
    """Doubt the labels of these images that are likelier wrong than right.

    `sessions` has the session of each time block, `keys` a number for each answer of the owner, by frame: frames that were
    answered with one key slip together, and a frame without one was answered by itself. A label of a class that nothing was
    learned of is not asked about.
    """
    images = [image for image in asked.images if image.class_name in asked.names]
    if not images or len(asked.names) < 2:
        return LabelCheck((), 0, 0, 0.0, 0.0)
    known = [row for row, image in enumerate(asked.images) if image.class_name in asked.names]
    answers = _answers(images, asked.logits[known], asked.names, sessions, keys)
    wrong = _wrong(answers)
    doubts = [
        Doubt(image.frame_id, image.class_name, asked.names[said], float(chance), image.split)
        for image, said, chance in zip(images, answers.called.tolist(), wrong, strict=True)
        if asked.names[said] != image.class_name and chance > LIKELIER
    ]
    return LabelCheck(
        doubts=tuple(sorted(doubts, key=lambda doubt: -doubt.wrong)),
        labels=len(images),
        checked=int((wrong > LIKELIER).sum()),
        agreement=float((answers.called == answers.labels).mean()),
        slips=answers.slips,
    )


def _answers(
    images: Sequence[LabelledImage],
    logits: Floats,
    names: Sequence[str],
    sessions: Mapping[int, int],
    keys: Mapping[int, int],
) -> _Answers:
    labels = np.array([names.index(image.class_name) for image in images], np.intp)
    of_key = np.array([keys.get(image.frame_id, -1 - image.frame_id) for image in images], np.intp)
    _, which, sizes = np.unique(of_key, return_inverse=True, return_counts=True)
    weights = 1 / sizes[which]
    slips, chances = fit_slips(logits, labels, weights)
    return _Answers(
        classes=len(names),
        labels=labels,
        called=np.asarray(chances.argmax(axis=1), np.intp),
        sure=chances.max(axis=1),
        weights=weights,
        keys=of_key,
        sessions=np.array([sessions.get(image.block_id, -1) for image in images], np.intp),
        blocks=np.array([image.block_id for image in images], np.intp),
        slips=slips,
    )


def fit_slips(logits: Floats, labels: NDArray[np.intp], weights: Doubles) -> tuple[float, Floats]:
    """How often labels slip, 0–1, and the chances of what is truly seen, `(images, classes)`: means over the posterior.

    A label is what is seen, but for slips, to any other class alike. `weights (images,)` says for how many each image counts.
    """
    others, rows = logits.shape[1] - 1, np.arange(len(labels))
    before, after = PRIOR_SLIPS
    prior = (before - 1) * np.log(SLIPS) + (after - 1) * np.log1p(-SLIPS) + np.log(np.gradient(SLIPS))
    likely = np.empty((len(TEMPERATURES), len(SLIPS)))
    for row, temperature in enumerate(TEMPERATURES):
        right = softmax(logits, temperature)[rows, labels].astype(np.float64)[:, None]
        likely[row] = prior + weights @ np.log((1 - SLIPS) * right + SLIPS * (1 - right) / others)
    posterior = np.exp(likely - likely.max())
    posterior /= posterior.sum()
    chances = np.zeros(logits.shape)
    for share, temperature in zip(posterior.sum(axis=1), TEMPERATURES, strict=True):
        chances += share * softmax(logits, temperature)
    return float(posterior.sum(axis=0) @ SLIPS), np.asarray(chances, np.float32)


def _wrong(answers: _Answers) -> Doubles:
    """Probability that a label other than the called class is wrong, `(images,)`; of the others too, had they slipped.

    Where the fit errs, the label is taken for right: which of several classes it errs between is not believed of its tails.
    """
    others = answers.classes - 1
    errs = np.array([_errs(answers, row) for row in range(len(answers.labels))])
    slipped, right = answers.slips / others * (1 - errs), (1 - answers.slips) * errs
    return np.asarray(slipped / (slipped + right))


def _errs(answers: _Answers, row: int) -> float:
    """How often the fit errs where it answers as it does about this image: from all, then its session, then its block."""
    called, sure = answers.called[row], float(answers.sure[row])
    alike = (
        (answers.called == called) & ((answers.sure >= ALIKE) == (sure >= ALIKE)) & (answers.keys != answers.keys[row])
    )
    differs = answers.called != answers.labels
    rate = max(1 - sure, answers.least_errors)
    for places in (answers.sessions, answers.blocks):
        near = alike & (places == places[row])
        count = float(answers.weights[near].sum())
        erred = max(float(answers.weights[near & differs].sum()) - answers.slips * count, 0.0)
        rate = (NEAR * rate + erred) / (NEAR + count)
    return max(rate, answers.least_errors)
