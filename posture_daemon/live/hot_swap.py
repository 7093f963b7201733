"""The end of the road: the model that answers follows the champion of the database, between two frames."""

import logging
from collections.abc import Callable

from posture_daemon.domain import ModelVersion
from posture_daemon.errors import PostureError
from posture_daemon.live.classifier import LiveClassifier, LiveModel
from posture_daemon.store.models import Models

log = logging.getLogger(__name__)


class ChampionFollower:
    """Loads, warms up and swaps when the database names another champion than the version that answers.

    This is how a training, `train --force`, `models rollback`, `classes rename` and a calibration all reach the frames,
    whichever process made them. A version that cannot be loaded is reported once, and the old one goes on answering.
    """

    def __init__(self, live: LiveClassifier, models: Models, load_model: Callable[[ModelVersion], LiveModel]) -> None:
        self._live, self._models, self._load_model = live, models, load_model
        self._refused_version: int | None = None

    def follow(self) -> None:
        """Look once, and swap if need be."""
        version, live = self._models.champion(), self._live.version
        if version is None or version.id == self._refused_version:
            return
        if (version.id, version.classes, version.temperature) == (live.id, live.classes, live.temperature):
            return
        try:
            self._live.swap(self._load_model(version))
        except PostureError as error:
            self._refused_version = version.id
            log.error("model %d stays out, model %d goes on: %s", version.id, live.id, error)
            return
        self._refused_version = None
        log.info("model %d answers from now on", version.id)
