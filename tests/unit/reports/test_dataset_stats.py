"""`dataset stats`: counts per class, split and time block, and what it warns of."""

import json

import numpy as np

from posture_daemon.domain import Split
from posture_daemon.reports.dataset_stats import DatasetStats, dataset_stats
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.json_values import as_json
from tests.builders import (
    HOLDOUT_EVERY,
    add_champion,
    add_frame,
    ensure_classes,
    label,
    label_block,
    label_days,
    new_frame,
)
from tests.fakes.backbone import StandInBackbone

HOUR = 3600.0


def stats(store: Store) -> DatasetStats:
    """With the default settings."""
    return dataset_stats(store, Settings(data_dir=store.folder))


def add(store: Store, at: float, class_name: str, direction: list[float]) -> int:
    """A labelled camera frame with these pooled features, in a block of its own."""
    ensure_classes(store, class_name)
    pooled = np.array(direction, np.float16)
    frame_id = add_frame(store, at, pooled=pooled, backbone_sha256=StandInBackbone().sha256)
    label(store, frame_id, class_name)
    return frame_id


def test_images_and_blocks_are_counted_per_class_and_split(store: Store) -> None:
    """Three blocks of six images each, of which the second is held out; JSON says the same."""
    label_days(store, "good", "bad")
    found = stats(store)
    for c in found.classes:
        assert c.images == {Split.TRAIN: 12, Split.HOLDOUT: 6, Split.TEST: 0}
        assert c.blocks == {Split.TRAIN: 2, Split.HOLDOUT: 1, Split.TEST: 0}
    [good, _] = json.loads(json.dumps(as_json(found)))["classes"]
    assert good == {
        "name": "good",
        "role": "good",
        "images": {"train": 12, "holdout": 6, "test": 0},
        "blocks": {"train": 2, "holdout": 1, "test": 0},
    }


def test_held_out_images_like_training_images_are_leaks(store: Store) -> None:
    """By the cosine of their features, from the limit that makes frames near-duplicates; the closest pair is named."""
    add_champion(store, "good", "bad")
    trained = add(store, 0.0, "good", [1.0, 0.0, 0.0])
    alike = add(store, HOUR, "good", [1.0, 0.01, 0.0])
    add(store, 2 * HOUR, "bad", [0.0, 0.0, 1.0])
    add(store, 3 * HOUR, "bad", [0.0, 1.0, 0.0])
    found = stats(store)
    assert [(leak.held_out, leak.training) for leak in found.leaks] == [(alike, trained)]
    assert found.compared == 4
    assert any(f"frame {alike} and frame {trained}" in warning for warning in found.warnings)
    assert not any("no stored features" in warning for warning in found.warnings)


def test_images_without_features_are_not_searched_and_that_is_said(store: Store) -> None:
    """Imported pictures have none; features of another backbone do not count."""
    add_champion(store, "good", "bad", backbone=StandInBackbone("another"))
    add(store, 0.0, "good", [1.0, 0.0, 0.0])
    label_block(store, "bad", HOUR, count=2)
    found = stats(store)
    assert (found.leaks, found.compared) == ((), 0)
    assert "3 of 3 images have no stored features and were not searched for leaks" in found.warnings


def test_imbalance_single_blocks_and_missing_holdouts_are_warned_of(store: Store) -> None:
    """Each in one line that names the class; a class without labels too."""
    label_block(store, "good", 0.0, count=11)
    label_block(store, "good", HOUR, count=12)
    label_block(store, "bad", 2 * HOUR, count=2)
    ensure_classes(store, "away")
    warnings = "\n".join(stats(store).warnings)
    assert "'good' has 11 training images, 'bad' only 2" in warnings
    assert "'bad' comes from a single time block" in warnings
    assert "'away' has no labels" in warnings
    assert "the holdout only has 'good'" in warnings
    label_block(store, "bad", 3 * HOUR, count=12)
    label_block(store, "bad", 4 * HOUR, count=1)
    assert "'bad'" not in "\n".join(w for w in stats(store).warnings if "stored features" not in w)


def test_few_held_out_or_test_images_of_a_class_are_warned_of(store: Store) -> None:
    """Below the number from which a class may veto a promotion; a test set is not asked for, only judged if there."""
    label_days(store, "good", "bad")
    assert "few held-out images (below 10): 'good' 6, 'bad' 6" in stats(store).warnings
    assert not any("test" in warning for warning in stats(store).warnings)
    test = new_frame(b"test picture", 9e6, source="folder")
    store.imports.add_block([(test, "good")], Split.TEST, 9e6, HOLDOUT_EVERY)
    assert "few test images (below 10): 'good' 1" in stats(store).warnings


def test_advice_is_part_of_it(store: Store) -> None:
    """The same sentences as everywhere, in JSON too; `test_advice.py` says which."""
    label_days(store, "good", "bad")
    found = stats(store)
    assert found.advice[0].startswith("Teach it the empty chair")
    assert as_json(found)["advice"] == list(found.advice)
