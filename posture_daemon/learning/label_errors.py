"""Is a label wrong? Confident learning (Northcutt, Jiang & Chuang 2021, arXiv 1911.00068) over time blocks.

Each labelled image is asked of a fit that has not learned its time block (`out_of_fold.py`). A class is *confidently*
seen in an image when its probability reaches that class's threshold: the mean of what the images so labelled are given
for it (the paper's eq. 2). So a class that is seldom sure of itself needs less, and an uncalibrated model does no harm.
An image whose likeliest confident class is not its label is an off-diagonal count of the paper's confident joint, and its
label is doubted. Two things are ours: no threshold is above `SURE_PROBABILITY`, and the other class must also be likelier
than the label.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Floats, Split
from posture_daemon.learning.out_of_fold import OutOfFold

SURE_PROBABILITY = 0.9
"""Probability from which a class is confidently seen, however sure it is of itself elsewhere.

Where all images are alike and sure, half of them lie below their mean by next to nothing. On clean real labels a cap of 0.8
doubts five times as many right ones.
"""


@dataclass(frozen=True)
class Doubt:
    """A frame whose label the labels of other times speak against, and the class that they say, each with its probability."""

    frame_id: int
    label: str
    instead: str
    probability: float
    of_label: float
    split: Split

    @property
    def margin(self) -> float:
        """How much likelier the other class is, 0–1: the order of the list."""
        return self.probability - self.of_label


def doubtful_labels(asked: OutOfFold) -> list[Doubt]:
    """The labels that are doubted, the surest first. A label of a class that nothing was learned of is not asked about."""
    known = [row for row, image in enumerate(asked.images) if image.class_name in asked.names]
    images, chances = [asked.images[row] for row in known], asked.chances[known]
    labels = np.array([asked.names.index(image.class_name) for image in images], np.intp)
    said = confident_classes(chances, labels)
    doubts = [
        Doubt(image.frame_id, image.class_name, asked.names[other], float(row[other]), float(row[label]), image.split)
        for image, row, label, other in zip(images, chances, labels.tolist(), said.tolist(), strict=True)
        if other >= 0 and row[other] > row[label]
    ]
    return sorted(doubts, key=lambda doubt: -doubt.margin)


def confident_classes(chances: Floats, labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """The likeliest of the classes that reach their threshold in each image, -1 where none does.

    `chances (images, classes)` are out of sample. A class without a label has no threshold and is never confident.
    """
    if not len(labels):
        return labels
    means = [chances[labels == c, c].mean() if (labels == c).any() else np.inf for c in range(chances.shape[1])]
    thresholds = [min(mean, SURE_PROBABILITY) if np.isfinite(mean) else mean for mean in means]
    confident = np.where(chances >= np.array(thresholds), chances, -1.0)
    return np.where(confident.max(axis=1) < 0, -1, confident.argmax(axis=1))
