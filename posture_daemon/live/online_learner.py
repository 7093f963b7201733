"""Today's answers count today: a head that learns each answer within a second, and answers the frames of this session.

The champion is trained and judged at leisure; it knows the days before. This head is fitted on all labels after each answer
(`learning/incremental_head.py`), with those of today lifted, so it knows today. It answers only frames of the session that
its answers are of, and only while they do not speak against it: each answer is first asked of both (*prequential*
evaluation: Dawid 1984; Gama et al. 2013, doi 10.1007/s10994-012-5320-9), and only then learned.

Nothing of it is stored. All follows from the labels, so a restart, an undo and a second process lead to the same head.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from posture_daemon.domain import Floats, ModelVersion, Prediction
from posture_daemon.errors import PostureError
from posture_daemon.learning.feature_space import FeatureSpace
from posture_daemon.learning.linear_layer import Linear
from posture_daemon.live.online_session import OnlineSession, Trust
from posture_daemon.ports import Backbone
from posture_daemon.service.daemon_status import OnlineState
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.store.sessions import LiveSession
from posture_daemon.vision.head import Head, softmax

log = logging.getLogger(__name__)

LOOK_S = 0.25
"""How often it is looked whether the owner has answered, in seconds."""

LOOK_CLOSER_S = 10.0
"""After how long, by the frames' clock, the session and the classes' names are read again though no label has changed."""

RETRY_S = 10.0
"""After how long what went wrong is tried again, in seconds."""


@dataclass(frozen=True, eq=False)
class _Served:
    """What answers the frames of one session; immutable, so that the capture thread reads it without a lock."""

    session: LiveSession
    inputs: FeatureSpace
    backbone_sha256: str
    classes: tuple[str, ...]
    layer: Linear
    temperature: float
    answers: int

    def say(self, prediction: Prediction) -> Prediction:
        features = prediction.features
        vector = features.pooled if self.inputs.pooled else self.inputs.head.hidden(features.map)
        return replace(prediction, classes=self.classes, probabilities=self.chances(vector), answers=self.answers)

    def chances(self, vectors: Floats) -> Floats:
        return softmax(self.layer.logits(vectors), self.temperature)


class OnlineLearner:
    """`look` is for one thread, `answer` for the capture thread."""

    def __init__(
        self,
        store: Store,
        backbone: Callable[[ModelVersion], Backbone],
        recipe: Recipe,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`backbone` opens that of a version, for the views of pictures that were just answered."""
        self._store, self._backbone, self._recipe, self._wall = store, backbone, recipe, wall
        self._seen_at: float | None = None
        self._labels: tuple[object, ...] | None = None
        self._looked: tuple[object, ...] | None = None
        self._looked_at = 0.0
        self._session: OnlineSession | None = None
        self._served: _Served | None = None
        self.state = OnlineState()

    def run(self, stop: threading.Event) -> None:
        """Look again and again. Whatever goes wrong here, the champion answers."""
        pause = LOOK_S
        while not stop.wait(pause):
            pause = RETRY_S
            try:
                self.look()
                pause = LOOK_S
            except PostureError as error:
                self._give_up(str(error))
            except Exception:  # a solver's or a runtime's own errors share no base class; frames must go on
                log.exception("today's answers could not be learned")
                self._give_up("today's answers could not be learned (see the log), so the model answers")

    def look(self) -> bool:
        """Learn what was answered since the last look; False when nothing has changed. Raises `PostureError`."""
        at = self._wall() if self._seen_at is None else self._seen_at
        labels = (*self._store.labels.state(), self._store.models.champion_id())
        if labels == self._labels and abs(at - self._looked_at) < LOOK_CLOSER_S:
            return False
        champion, session = self._store.models.champion(), self._store.labels.session_at(at)
        self._labels, self._looked_at = labels, at
        if champion is None:
            return False
        looked = (labels, champion.id, champion.classes, None if session is None else session.begins)
        if looked == self._looked:
            self._go_on(session)
            return False
        self._looked = looked
        if session is None or not labels[0]:
            self._session, self._served, self.state = None, None, OnlineState()
            return True
        self._learn(champion, session)
        return True

    def answer(self, prediction: Prediction, captured_at: float) -> Prediction:
        """The prediction with today's answers where they are to be trusted, else as it came."""
        self._seen_at = captured_at
        served = self._served
        fits = (
            served is not None
            and served.session.holds(captured_at)
            and served.backbone_sha256 == prediction.backbone_sha256
        )
        return served.say(prediction) if served is not None and fits else prediction

    def say(self, pooled: Floats, backbone_sha256: str) -> tuple[tuple[str, ...], Floats] | None:
        """Classes, and their probabilities `(n, classes)` for `pooled (n, width)` features; `None` where it has no answer."""
        served = self._served
        if served is None or not served.inputs.pooled or served.backbone_sha256 != backbone_sha256:
            return None
        return served.classes, served.chances(pooled)

    def _learn(self, champion: ModelVersion, session: LiveSession) -> None:
        if self._session is None or not self._session.goes_on(champion, session):
            inputs = self._inputs(champion)
            self._session = OnlineSession(self._store, champion, inputs, self._backbone(champion), self._recipe)
        trust = self._session.learn(session)
        self.state = _in_words(trust)
        self._served = self._serve(self._session, session, trust) if self.state.serving else None

    def _go_on(self, session: LiveSession | None) -> None:
        """A session lasts as long as frames of it are kept, answered or not."""
        served = self._served
        if served is not None and session is not None and session.ends != served.session.ends:
            self._served = replace(served, session=session)

    def _inputs(self, champion: ModelVersion) -> FeatureSpace:
        head = Head.from_bytes(self._store.models.read_head(champion.head_sha256))
        return FeatureSpace.of(head, is_base=champion.is_base)

    def _serve(self, online: OnlineSession, session: LiveSession, trust: Trust) -> _Served | None:
        layer = online.layer
        if layer is None:
            return None
        return _Served(
            session=session,
            inputs=online.inputs,
            backbone_sha256=online.backbone_sha256,
            classes=online.names,
            layer=layer,
            temperature=online.temperature,
            answers=trust.answers,
        )

    def _give_up(self, why: str) -> None:
        if self.state.why != why:
            log.error("%s", why)
        self._labels, self._looked, self._session, self._served = None, None, None, None
        self.state = OnlineState(why=why)


def _in_words(trust: Trust) -> OnlineState:
    """What `status` and the page say."""
    count = f"{trust.answers} answer{'' if trust.answers == 1 else 's'} today"
    if not trust.answers:
        return OnlineState()
    if not trust.learned:
        return OnlineState(trust.answers, False, f"{count}, but of one class only so far, so the model answers")
    if trust.holds:
        return OnlineState(trust.answers, True, f"learned from {count}")
    why = (
        f"{count}, but of the last ones the model alone was right on {trust.broken}, what was learned today alone on "
        f"{trust.fixed}: the model answers"
    )
    return OnlineState(trust.answers, False, why)
