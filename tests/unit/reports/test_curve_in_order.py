"""What the labels tell before anything is promoted, on a real store and a backbone of colours."""

from dataclasses import replace

import numpy as np
import pytest

from posture_daemon.errors import TrainingError
from posture_daemon.reports.learning_curve import curve_in_order
from posture_daemon.store import Store
from tests.builders import label_block, label_days, training_set


def test_the_curve_follows_what_the_labels_teach(store: Store) -> None:
    """The first blocks of `bad` look like `good`, the last ones like itself: the holdout is right only at the end."""
    label_days(store, "good", "bad")
    misleading = training_set(store)
    found = replace(misleading, training=replace(misleading.training, vectors=misleading.training.vectors.copy()))
    good, bad = (found.training.vectors[found.targets == target] for target in (0, 1))
    found.training.vectors[np.flatnonzero(found.targets == 1)[: len(bad) // 2]] = good[: len(bad) // 2]
    curve = curve_in_order(found, points=20)
    assert [point.labels for point in curve] == sorted({point.labels for point in curve})
    assert curve[-1].labels == len(found.training.images)
    assert curve[0].top1 <= 0.5
    assert curve[-1].top1 == 1.0


def test_classes_come_at_an_even_pace(store: Store) -> None:
    """Imported folder by folder, the second class would otherwise come after all of the first; here it is there at once."""
    label_days(store, "good", "bad")
    assert curve_in_order(training_set(store), points=3)[0].labels == 2


def test_without_a_holdout_there_is_no_curve(store: Store) -> None:
    """One block per class trains; nothing can be measured, and the sentence says what to do."""
    label_block(store, "good", 0.0)
    label_block(store, "bad", 86_400.0)
    with pytest.raises(TrainingError, match=r"no holdout yet.*label frames"):
        curve_in_order(training_set(store))
