"""What any version says of labelled images now: different backbones, cached features, unreadable pictures."""

import numpy as np
import pytest

from posture_daemon.domain import LabelledImage, ModelVersion
from posture_daemon.errors import ModelError
from posture_daemon.learning.feature_space import pooled_head
from posture_daemon.learning.version_diff import Predicted, differ, predict
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from tests.builders import add_champion, add_version, label_days, version_of
from tests.fakes.backbone import StandInBackbone

RECIPE = Recipe(seed=0, views=2, flip=True, min_images_per_class=2)


@pytest.fixture
def store(store: Store) -> Store:
    """A store with labels."""
    label_days(store, "good", "bad", blocks=2, count=3)
    return store


class Backbones:
    """Opens the stand-in backbone of a version, and keeps those that it opened."""

    def __init__(self) -> None:
        self.opened: dict[str, StandInBackbone] = {}

    def __call__(self, version: ModelVersion) -> StandInBackbone:
        """Backbones differ by name only."""
        found = {b.sha256: b for b in (StandInBackbone("one"), StandInBackbone("two"))}[version.backbone_sha256]
        return self.opened.setdefault(found.sha256, found)


def colour_head(store: Store, backbone: str, *names: str) -> ModelVersion:
    """A version that calls green pictures by its first class, and red ones by its second."""
    weight = np.array([[0, 9, 0], [0, 0, 9]], np.float32)
    return add_version(store, pooled_head(3, weight, np.zeros(2, np.float32)), StandInBackbone(backbone).sha256, *names)


def test_versions_on_different_backbones_are_compared_image_by_image(store: Store) -> None:
    """Here the second confuses its classes: every answer changes, with both confidences."""
    images, backbones = store.labels.labelled(), Backbones()
    right = predict(store, colour_head(store, "one", "good", "bad"), images, backbones, RECIPE)
    wrong = predict(store, colour_head(store, "two", "bad", "good"), images, backbones, RECIPE)
    found = differ(images, right, wrong)
    assert (found.images, found.fixed, found.broken, len(found.changed)) == (12, 0, 12, 12)
    assert (differ(images, wrong, right).fixed, differ(images, right, right).changed) == (12, ())
    assert {(one.truth, one.before.name, one.after.name) for one in found.changed} == {
        ("good", "good", "bad"),
        ("bad", "bad", "good"),
    }
    assert all(0.5 < one.before.confidence < 1 for one in found.changed)


def test_features_are_computed_once_and_another_backbone_does_not_push_them_out(store: Store) -> None:
    """The cache serves the second time, for both."""
    images, backbones = store.labels.labelled(), Backbones()
    versions = [colour_head(store, name, "good", "bad") for name in ("one", "two", "one")]
    for version in versions:
        predict(store, version, images, backbones, RECIPE)
    assert [backbone.seen for backbone in backbones.opened.values()] == [12, 12]


def test_a_picture_that_cannot_be_read_is_left_out(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """It counts for neither side."""
    images = [*store.labels.labelled(), LabelledImage(999, "f" * 64, "good", store.labels.labelled()[0].split)]
    said = predict(store, colour_head(store, "one", "good", "bad"), images, Backbones(), RECIPE)
    assert len(said) == 12
    assert differ(images, said, {**said, 999: Predicted("good", 1.0)}).images == 12


def test_a_base_has_no_answers(store: Store) -> None:
    """The sentence says what to do; a head file that is gone is named."""
    with pytest.raises(ModelError, match="is a base without classes"):
        predict(store, add_champion(store), store.labels.labelled(), Backbones(), RECIPE)
    lost = version_of(pooled_head(3, np.zeros((2, 3), np.float32), np.ones(2, np.float32)), "sha", "good", "bad")
    with pytest.raises(ModelError, match="cannot be read"):
        predict(store, lost, store.labels.labelled(), Backbones(), RECIPE)
