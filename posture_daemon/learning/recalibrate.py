"""The champion's confidence, refitted as labels come: one number on the answers of later sessions, and nothing is trained.

A temperature is fitted when a version is made, on the answers of sessions that were left out (`evidence.py`). Labels of days
that came after it say better how far its confidence can be trusted, also when no training follows for weeks. The holdout does
not: most of it is of the days that were learned, and there every model is right.
"""

import logging
import time
from collections.abc import Callable, Sequence

from posture_daemon.domain import Calibration, LabelledImage, ModelVersion, Split
from posture_daemon.learning.calibration import calibration, fit_to
from posture_daemon.learning.version_diff import OpenBackbone, scores
from posture_daemon.settings import Settings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store

log = logging.getLogger(__name__)

MIN_IMAGES = 30
"""Images of later sessions, of the champion's classes below which one number is not worth fitting again."""

MIN_GAIN = 0.005
"""By how much the expected calibration error must fall, on images that were not fitted to: less is noise."""


class Recalibrator:
    """Looks whether another temperature would be better now. One per daemon."""

    def __init__(
        self, store: Store, open_backbone: OpenBackbone, settings: Settings, clock: Callable[[], float] = time.time
    ) -> None:
        self._store, self._open_backbone, self._clock = store, open_backbone, clock
        self._recipe = Recipe.of(settings.training)
        self._seen: tuple[int, float, list[LabelledImage]] | None = None

    def check(self) -> Calibration | None:
        """Look now. Returns the refit, when there was one. Raises `PostureError` when the champion cannot answer.

        A base has no confidence. Nothing is computed while champion and holdout are those of the last look; after a restart
        that look is repeated, which then finds nothing better.
        """
        champion = self._store.models.champion()
        if champion is None or champion.is_base:
            return None
        images = self._later(champion)
        seen = (champion.id, champion.temperature, images)
        if len(images) < MIN_IMAGES or seen == self._seen:
            return None
        found = self._refit(champion, images)
        self._seen = seen
        if found is None or not self._store.calibrations.apply(found):
            return None
        self._seen = (champion.id, found.temperature, images)
        log.info(
            "model %d has the temperature %.3f instead of %.3f: the expected calibration error on %d images of later days "
            "falls from %.3f to %.3f",
            *(found.version_id, found.temperature, found.temperature_before),
            *(found.images, found.error_before, found.error),
        )
        return found

    def _later(self, champion: ModelVersion) -> list[LabelledImage]:
        """Of sessions that it has learned nothing of, and of classes that it knows: others say nothing about its confidence."""
        known = {c.name for c in champion.classes}
        later = self._store.labels.of_new_sessions(self._store.runs.labels_seen_by(champion))
        return [image for image in later if image.split is not Split.TEST and image.class_name in known]

    def _refit(self, champion: ModelVersion, images: Sequence[LabelledImage]) -> Calibration | None:
        """The refit if it is worth it: better by `MIN_GAIN`, as each half of the time blocks judges that of the other."""
        found, logits = scores(self._store, champion, images, self._open_backbone, self._recipe)
        if len(found.images) < MIN_IMAGES:
            return None
        names, blocks = [c.name for c in champion.classes], [image.block_id for image in found.images]
        errors = calibration(logits, found.truth, names, blocks, champion.temperature)
        before, after = errors.before, errors.after
        if before is None or after is None or before - after <= MIN_GAIN:
            return None
        temperature = fit_to(logits, found.truth, names)
        number = len(found.images)
        return Calibration(
            champion.id, self._clock(), champion.temperature, temperature, number, float(before), float(after)
        )
