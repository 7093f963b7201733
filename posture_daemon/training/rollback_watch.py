"""After a swap: is the new champion really no worse than the one before? If it is worse, go back, once.

The holdout can be lucky; the days after the swap are not. Frames that were labelled since, and that neither model learned
from, are put to both: the rule of `promotion`, the other way round. Confidence is compared too, but only reported: when
its owner moves to another desk, a good model is unsure as well.

Most frames that wait for a label are those that the champion was unsure of, so this looks at its weak side. That is why a
rollback asks for more certainty than a promotion does.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from posture_daemon.domain import LabelledImage, ModelVersion, Split, TrainingRun, Watch
from posture_daemon.learning.sign_test import probability_better
from posture_daemon.learning.version_diff import Predicted, differ
from posture_daemon.settings import Settings, WatchSettings
from posture_daemon.store import Store
from posture_daemon.store.confidence_histograms import BUCKETS
from posture_daemon.store.json_values import known_from_json
from posture_daemon.training.lineage import Lineage
from posture_daemon.training.promotion import percent

log = logging.getLogger(__name__)

Ask = Callable[[ModelVersion, Sequence[LabelledImage]], Mapping[int, Predicted]]
"""What a version predicts for labelled images, by frame; see `learning.version_diff.predict`."""

MIN_UNSURE_RISE = 0.3
"""Rise of the share of unsure frames from which it is worth a word."""

MIN_FRAMES = 1000
"""Live frames of either model below which their confidence is not compared: at ten a second, less than two minutes."""


class Conclusion(Enum):
    """What to do about the champion."""

    WAIT = "wait"
    KEEP = "keep"
    ROLL_BACK = "roll back"


@dataclass(frozen=True)
class Evidence:
    """Since the swap: seconds, frames labelled, and how many of them only the champion or only the previous one is right on."""

    seconds: float
    labels: int
    only_champion: int
    only_previous: int


def conclude(seen: Evidence, settings: WatchSettings) -> tuple[Conclusion, str]:
    """What the evidence is enough for, and why in words."""
    worse = probability_better(seen.only_previous, seen.only_champion)
    text = (
        f"of {seen.labels} frames labelled since the swap, only the new model is right on {seen.only_champion} and only the "
        f"one before on {seen.only_previous}"
    )
    if seen.only_previous > seen.only_champion and worse >= settings.min_probability:
        return Conclusion.ROLL_BACK, f"{text}: {percent(worse)} sure that the new one is worse"
    if seen.labels >= settings.labels or seen.seconds >= settings.hours * 3600:
        return Conclusion.KEEP, f"{text}: it stays"
    return Conclusion.WAIT, text


def collapse(before: Sequence[int], after: Sequence[int], unsure_below: float) -> str | None:
    """A sentence when the share of unsure live frames has risen by far; the tallies are frames per bucket of confidence."""
    if min(sum(before), sum(after)) < MIN_FRAMES:
        return None
    limit = round(unsure_below * BUCKETS)
    shares = [sum(tally[:limit]) / sum(tally) for tally in (before, after)]
    if shares[1] - shares[0] < MIN_UNSURE_RISE:
        return None
    return f"it is unsure of {shares[1]:.0%} of the frames, the one before was of {shares[0]:.0%}"


class RollbackWatch:
    """Looks after the open watch. Everything that counts is in the database, so a restart changes nothing."""

    def __init__(self, store: Store, ask: Ask, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._store, self._ask, self._settings, self._clock = store, ask, settings, clock
        self._last: tuple[int, list[LabelledImage], tuple[int, int]] | None = None

    def check(self) -> TrainingRun | None:
        """Look now. Returns the record of a rollback, when there was one. Raises `PostureError` when a model cannot answer."""
        watch = self._store.watches.current()
        if watch is None or not self._settings.watch.enabled:
            return None
        champion, previous = (self._store.models.get(i) for i in (watch.version_id, watch.previous_id))
        evidence = self._evidence(watch, champion, previous)
        conclusion, reason = conclude(evidence, self._settings.watch)
        before, after = (self._store.confidences.of(version.id) for version in (previous, champion))
        fallen = collapse(before, after, self._settings.queue.unsure_below)
        reason += f"; {fallen}" if fallen else ""
        return self._act(watch, conclusion, reason)

    def _act(self, watch: Watch, conclusion: Conclusion, reason: str) -> TrainingRun | None:
        if conclusion is Conclusion.ROLL_BACK:
            reason = f"model {watch.version_id} was rolled back to model {watch.previous_id}: {reason}"
            log.warning("%s", reason)
            return self._store.watches.roll_back(watch, reason, self._clock())
        if conclusion is Conclusion.KEEP:
            log.info("the watch over model %d is over: %s", watch.version_id, reason)
            self._store.watches.keep(watch, reason, self._clock())
        else:
            self._store.watches.note(watch, reason)
        return None

    def _evidence(self, watch: Watch, champion: ModelVersion, previous: ModelVersion) -> Evidence:
        images = self._fresh(watch, champion, previous)
        if self._last is None or self._last[:2] != (watch.id, images):  # models are asked only when there is news
            self._last = (watch.id, images, self._compare(champion, previous, images))
        return Evidence(self._clock() - watch.began_at, len(images), *self._last[2])

    def _fresh(self, watch: Watch, champion: ModelVersion, previous: ModelVersion) -> list[LabelledImage]:
        """Labelled since the swap, learned by neither, and not kept for tests, which decide nothing."""
        learned = {i for version in (champion, previous) for i in _learned(version)}
        labelled = self._store.labels.labelled(since=watch.began_at)
        return [image for image in labelled if image.split is not Split.TEST and image.frame_id not in learned]

    def _compare(
        self, champion: ModelVersion, previous: ModelVersion, images: Sequence[LabelledImage]
    ) -> tuple[int, int]:
        """Images that only the champion, and only the previous one, is right on."""
        if not images:
            return 0, 0
        found = differ(images, self._ask(previous, images), self._ask(champion, images))
        return found.fixed, found.broken


def _learned(version: ModelVersion) -> Sequence[int]:
    """The frames that a version learned from, as far as that was written down."""
    return known_from_json(Lineage, version.lineage).labels.frame_ids or ()
