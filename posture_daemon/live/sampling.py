"""Uncertainty sampling: should this frame be kept for the owner, and why? Pure state, driven by the frames' own clock."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import MIN_DOUBT, Features, Floats, Prediction, Reason
from posture_daemon.live.adaptive_threshold import AdaptiveThreshold
from posture_daemon.settings import QueueSettings
from posture_daemon.vision.novelty import NoveltyIndex, novel_below

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0


STRANGE_FRAMES, MIN_STRANGE, STRANGE_SHARE = 60, 5, 0.5
"""A session is strange while so large a share of the last frames, at least so many, is unlike anything labelled."""


LEAST_DOUBT = 0.1
"""How doubtful the surest frame is, for what an answer is worth: else a model that is sure of all would ask nothing."""


@dataclass(frozen=True)
class Kept:
    """The reason, one line that explains it to the owner, and how useful (0-1) an answer is likely to be."""

    reason: Reason
    explanation: str
    usefulness: float = 1.0


@dataclass(frozen=True)
class FrameContext:
    """What is known beside a frame: from which posture to which it has just `changed`, and what the `other` model says."""

    changed: tuple[str, str] | None = None
    other: tuple[str, float] | None = None


NO_CONTEXT = FrameContext()


class FrameSampler:
    """Keeps frames that teach, at a bounded rate a reason, never two alike. `counts` tells what became of the rest."""

    def __init__(self, settings: QueueSettings, rng: Random) -> None:
        self._settings = settings
        self._rng = rng
        self._seen, self._labelled = NoveltyIndex(), NoveltyIndex()
        self._novel_below: float | None = None
        self.threshold = AdaptiveThreshold(settings.unsure_below, settings.max_wrong_share)
        self._all = _Rate(MINUTE_S, settings.max_per_minute)
        self._a_day = _Rate(DAY_S, settings.max_per_day)
        self._rates = {
            Reason.UNCERTAIN: _Rate(HOUR_S, settings.max_uncertain_per_hour),
            Reason.DISAGREEMENT: _Rate(HOUR_S, settings.max_disagreement_per_hour),
            Reason.NOVEL: _Rate(HOUR_S, settings.max_novel_per_hour),
            Reason.TRANSITION: _Rate(HOUR_S, settings.max_transition_per_hour),
            Reason.LITTLE_KNOWN: _Rate(HOUR_S, settings.max_little_known_per_hour),
            Reason.AUDIT: _Rate(HOUR_S, settings.max_audit_per_hour),
        }
        self._near: tuple[Features, float, float] | None = None
        self._strange: deque[bool] = deque(maxlen=STRANGE_FRAMES)
        self.counts: Counter[str] = Counter()

    def remember(self, pooled: Iterable[NDArray[np.float16]]) -> None:
        """Replace what a frame may be too like: pooled features of frames that were kept before, by the present backbone."""
        self._seen.replace(pooled)
        self._near = None

    def learn(self, pooled: Floats, blocks: NDArray[np.intp]) -> None:
        """Replace what counts as labelled: pooled features `(n, width)` by the present backbone, and their time blocks."""
        self._labelled.replace(pooled)
        self._near = None
        self._novel_below = novel_below(pooled, blocks, self._settings.novel_share)

    def recognise(self, prediction: Prediction) -> Prediction:
        """Note whether a session looks like labelled ones: what the model says of one that does not is worth nothing yet.

        A session with answers is known, whatever it looks like.
        """
        self._strange.append(self._is_novel(prediction))
        strange = len(self._strange) >= MIN_STRANGE and sum(self._strange) >= STRANGE_SHARE * len(self._strange)
        return replace(prediction, familiar=False) if strange and not prediction.answers else prediction

    def route(self, prediction: Prediction, at: float, context: FrameContext = NO_CONTEXT) -> Kept | None:
        """Decide about one frame. One to keep counts against the rates; once it is stored, tell `stored`."""
        reasons = list(self._reasons(prediction, at, context))
        if not reasons:
            self.counts["sure"] += 1
            return None
        allowed = [kept for kept in reasons if self._within_rates(kept.reason, at)]
        if not allowed:
            self.counts["over the rate"] += 1
            return None
        if self._is_duplicate(prediction):
            self.counts["near-duplicate"] += 1
            return None
        self._count(allowed[0].reason, at)
        return allowed[0]

    def wrong(self, prediction: Prediction) -> Kept:
        """The owner says that this is wrong: always kept."""
        said = f"{prediction.label} at {prediction.confidence:.0%}" if prediction.classes else "no class"
        return Kept(Reason.WRONG, f"you said that this was wrong: {said}")

    def stored(self, prediction: Prediction) -> None:
        """The frame lies in the queue: what looks like it is a near-duplicate from here on."""
        self._seen.add(prediction.features.pooled)
        self._near = None
        self.counts["kept"] += 1

    def _reasons(self, prediction: Prediction, at: float, context: FrameContext) -> Iterator[Kept]:
        """All that speaks for a frame, the most telling first."""
        if not prediction.classes:
            yield Kept(Reason.NO_CLASSES, "the model has not learned any of your classes yet")
            return
        said, doubt = f"{prediction.label} at {prediction.confidence:.0%}", _doubt(prediction.probabilities)
        name, confidence = context.other or (prediction.label, 0.0)
        if name != prediction.label:
            words = f"the model says {said}, the one before it {name} at {confidence:.0%}"
            yield _kept(Reason.DISAGREEMENT, words, doubt)
        if context.changed is not None:
            words = f"the posture shown has just changed from {context.changed[0]} to {context.changed[1]}"
            yield _kept(Reason.TRANSITION, words, doubt)
        if prediction.confidence < self.threshold.limit:
            limit = f"{self.threshold.limit:.0%}"
            yield _kept(Reason.UNCERTAIN, f"the model says {said}, below your threshold of {limit}", doubt)
        if not prediction.familiar:
            yield Kept(Reason.NOVEL, f"this session is unlike every one that you have labelled; the model says {said}")
        if self._is_novel(prediction):
            yield _kept(Reason.NOVEL, f"it looks unlike every frame you have labelled; the model says {said}", doubt)
        if self.threshold.little_known(self._worth(prediction, doubt), at):
            yield _kept(Reason.LITTLE_KNOWN, f"of the last minutes what the model knows least; it says {said}", doubt)
        if self._rng.random() < self._settings.audit_share:
            yield _kept(Reason.AUDIT, f"picked at random to check a sure answer: {said}", doubt)

    def _worth(self, prediction: Prediction, doubt: float) -> float:
        """How much an answer would tell: the score of `labelling/query_strategy.py`, with some doubt in any case."""
        distance = 1 - max(self._nearest(prediction))
        return float((LEAST_DOUBT + doubt) * np.sqrt(max(distance, 0.0)))

    def _nearest(self, prediction: Prediction) -> tuple[float, float]:
        """The highest cosine to frames that were kept, and to labelled ones: four questions about a frame, one look."""
        features = prediction.features
        if self._near is None or self._near[0] is not features:
            pooled = features.pooled
            self._near = features, self._seen.nearest(pooled), self._labelled.nearest(pooled)
        return self._near[1:]

    def _is_novel(self, prediction: Prediction) -> bool:
        limit = self._novel_below
        return limit is not None and self._nearest(prediction)[1] < limit

    def _is_duplicate(self, prediction: Prediction) -> bool:
        return max(self._nearest(prediction)) >= self._settings.duplicate_cosine

    def _within_rates(self, reason: Reason, at: float) -> bool:
        rate = self._rates.get(reason)
        return self._all.allows(at) and self._a_day.allows(at) and (rate is None or rate.allows(at))

    def _count(self, reason: Reason, at: float) -> None:
        self._all.count(at)
        self._a_day.count(at)
        if reason in self._rates:
            self._rates[reason].count(at)


class _Rate:
    """At most `most` in any span of `span_s` seconds. A clock that jumps back starts a new span."""

    def __init__(self, span_s: float, most: float) -> None:
        self._span_s, self._most = span_s, most
        self._at: deque[float] = deque()

    def allows(self, at: float) -> bool:
        while self._at and not at - self._span_s < self._at[0] <= at:
            self._at.popleft()
        return len(self._at) < self._most

    def count(self, at: float) -> None:
        self._at.append(at)


def _kept(reason: Reason, explanation: str, doubt: float) -> Kept:
    return Kept(reason, explanation, max(doubt, MIN_DOUBT.get(reason.value, 0.0)))


def _doubt(chances: Floats) -> float:
    """1 less the margin between the two most probable classes."""
    best = np.sort(chances)[-2:]
    return float(1 - best[-1] + best[0]) if len(best) == 2 else 0.0
