"""The live classifier: one frame in, one prediction out, and a swap of the model between two frames."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from posture_daemon.domain import Image, ModelVersion, Prediction
from posture_daemon.errors import ModelError, PostureError
from posture_daemon.ports import Backbone
from posture_daemon.vision.head import Head


@dataclass(frozen=True, eq=False)
class LiveModel:
    """All that answers a frame: the version, its backbone and its head. A base answers with features only."""

    version: ModelVersion
    backbone: Backbone
    head: Head

    def predict(self, image: Image, clock: Callable[[], float] = time.perf_counter) -> Prediction:
        """Classify one BGR image. `latency_s` covers preprocessing, backbone and head."""
        began = clock()
        features = self.backbone.extract(image)
        classes = tuple(c.name for c in self.version.classes)
        probabilities = (
            self.head.probabilities(features.map, self.version.temperature) if classes else np.empty(0, np.float32)
        )
        return Prediction(classes, probabilities, features, self.version.id, self.backbone.sha256, clock() - began)


class LiveClassifier:
    """Holds the model that answers. `predict` and `swap` may be called from different threads.

    A frame in flight finishes on the model it began with; the old model is released when its last frame is done.
    """

    def __init__(self, model: LiveModel) -> None:
        self._model = _warmed_up(model)

    @property
    def version(self) -> ModelVersion:
        """The version that answers now."""
        return self._model.version

    @property
    def backbone(self) -> Backbone:
        """The backbone in use, so that a new head on the same one need not load it again."""
        return self._model.backbone

    def predict(self, image: Image) -> Prediction:
        """Classify one BGR image with the model of this moment."""
        return self._model.predict(image)

    def swap(self, model: LiveModel) -> None:
        """Warm the new model up, then put it in place. Raises `ModelError` and keeps the old one if it cannot answer."""
        self._model = _warmed_up(model)


def _warmed_up(model: LiveModel) -> LiveModel:
    """Make it answer once: the first call is slow, and a model that fails must fail here."""
    if model.version.classes and model.head.class_count != len(model.version.classes):
        raise ModelError(
            f"Model {model.version.id} has {len(model.version.classes)} classes but a head of {model.head.class_count}."
        )
    side = model.backbone.image_size
    try:
        prediction = model.predict(np.zeros((side, side, 3), np.uint8))
    except PostureError:
        raise
    except Exception as error:  # a runtime's own errors share no base class
        raise ModelError(f"Model {model.version.id} cannot answer ({error}); it was not put in place.") from error
    answers = (prediction.features.map, model.head.logits(prediction.features.map), prediction.probabilities)
    if not all(np.isfinite(answer).all() for answer in answers):  # those of a base are its features
        raise ModelError(f"Model {model.version.id} does not answer with numbers; it was not put in place.")
    return model
