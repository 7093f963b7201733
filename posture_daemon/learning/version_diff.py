"""The predictions of a version for labelled images, whatever its backbone, and where those of two versions differ."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from posture_daemon.domain import Floats, LabelledImage, ModelVersion
from posture_daemon.errors import ModelError
from posture_daemon.learning.feature_space import FeatureSpace
from posture_daemon.learning.features import FeatureSource, Vectors
from posture_daemon.learning.scoring import Candidate
from posture_daemon.ports import Backbone
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.vision.head import Head, softmax

OpenBackbone = Callable[[ModelVersion], Backbone]


@dataclass(frozen=True)
class Predicted:
    """What a version calls one image, and its calibrated confidence, 0–1."""

    name: str
    confidence: float


@dataclass(frozen=True)
class Changed:
    """An image that two versions call differently."""

    frame_id: int
    truth: str
    before: Predicted
    after: Predicted


@dataclass(frozen=True)
class Difference:
    """Two versions on the same images: how many there are, and those whose answer changed."""

    images: int
    changed: tuple[Changed, ...]

    @property
    def fixed(self) -> int:
        """Images that only the second is right about."""
        return sum(one.before.name != one.truth == one.after.name for one in self.changed)

    @property
    def broken(self) -> int:
        """Images that only the first is right about."""
        return sum(one.before.name == one.truth != one.after.name for one in self.changed)


def predict(
    store: Store, version: ModelVersion, images: Sequence[LabelledImage], open_backbone: OpenBackbone, recipe: Recipe
) -> dict[int, Predicted]:
    """The prediction for each readable image, by frame. Features come from the cache, or from the picture.

    Raises `ModelError` for a base, which has no answers, and when a file of the model is missing or damaged.
    """
    names = [c.name for c in version.classes]
    found, logits = scores(store, version, images, open_backbone, recipe)
    chances = softmax(logits, version.temperature)
    return {
        image.frame_id: Predicted(names[int(row.argmax())], float(row.max()))
        for image, row in zip(found.images, chances, strict=True)
    }


def scores(
    store: Store, version: ModelVersion, images: Sequence[LabelledImage], open_backbone: OpenBackbone, recipe: Recipe
) -> tuple[Vectors, Floats]:
    """The readable images and their scores before temperature, `(images, classes)`. Raises as `predict` does."""
    if version.is_base:
        raise ModelError(f"Model {version.id} is a base without classes, so it has no answers to compare; train first.")
    inputs = FeatureSpace.of(Head.from_bytes(store.models.read_head(version.head_sha256)), is_base=False)
    names = [c.name for c in version.classes]
    found = FeatureSource(store, open_backbone(version), inputs, recipe).load(images, views=0)
    return found, Candidate(inputs.start(names, names), names, version.temperature).logits(found)


def differ(
    images: Sequence[LabelledImage], before: Mapping[int, Predicted], after: Mapping[int, Predicted]
) -> Difference:
    """Compare answers to the images that both could read."""
    both = [image for image in images if image.frame_id in before and image.frame_id in after]
    pairs = [Changed(i.frame_id, i.class_name, before[i.frame_id], after[i.frame_id]) for i in both]
    return Difference(len(both), tuple(pair for pair in pairs if pair.before.name != pair.after.name))
