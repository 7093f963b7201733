"""Next questions for the owner: reads queued frames, ranks them with `query_strategy.py`, and explains the choice."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import MIN_DOUBT, Floats, ModelVersion, QueuedFrame, Reason
from posture_daemon.errors import ModelError
from posture_daemon.labelling.query_strategy import Question, Waiting, distance_to, doubt_of, questions, rarity_of
from posture_daemon.learning.feature_space import FeatureSpace
from posture_daemon.learning.labelled_pool import labelled_pool
from posture_daemon.live.online_learner import OnlineLearner
from posture_daemon.settings import TrainingSettings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.vision.head import Head, softmax

NOVEL_DISTANCE = 0.5
"""Cosine distance to the nearest labelled frame from which a frame counts as novel."""

SPECIAL_REASONS = frozenset({Reason.WRONG, Reason.DISAGREEMENT, Reason.TRANSITION, Reason.LITTLE_KNOWN, Reason.AUDIT})
"""Reasons whose stored explanation tells more than uncertainty and distance."""


@dataclass(frozen=True)
class Group:
    """One question: near-duplicate frames that one answer labels, the representative first.

    `guess` is the class that the model predicts for them, `None` when it has no classes; `why` is one line for the owner.
    """

    frames: tuple[QueuedFrame, ...]
    guess: str | None
    why: str


class NextQuestions:
    """Chooses questions. Caches head and features between calls; not thread-safe."""

    def __init__(self, store: Store, recipe: Recipe | None = None, today: OnlineLearner | None = None) -> None:
        """`today` is what has learned today's answers already, in the daemon's own process."""
        self._store, self._today = store, today
        self._recipe = recipe or Recipe.of(TrainingSettings())
        self._inputs: tuple[str, FeatureSpace] | None = None
        self._features: dict[int, NDArray[np.float16]] = {}
        self._feature_key = ""

    def groups(self, frames: Sequence[QueuedFrame], limit: int) -> list[Group]:
        """The first `limit` questions, the most informative first; frames without features of the champion's backbone last."""
        champion = self._store.models.champion()
        features = self._pooled(frames, champion)
        ready = [frame for frame in frames if frame.id in features]
        chosen = self._choose(ready, champion, limit) if champion is not None and ready else []
        others = [frame for frame in frames if frame.id not in features][: limit - len(chosen)]
        return chosen + [Group((frame,), frame.predicted, frame.explanation) for frame in others]

    def _choose(self, frames: Sequence[QueuedFrame], champion: ModelVersion, limit: int) -> list[Group]:
        seen = np.array([self._features[frame.id] for frame in frames], np.float32)
        said = None if self._today is None else self._today.say(seen, champion.feature_key)
        names, chances = said or ([c.name for c in champion.classes], self._chances(seen, champion))
        doubt = _doubt(frames) if chances is None else doubt_of(chances)
        least = np.array([MIN_DOUBT.get(frame.reason, 0.0) for frame in frames], np.float32)
        guesses = [frame.predicted for frame in frames] if chances is None else _guesses(chances, names)
        rarity = np.ones(len(frames), np.float32) if chances is None else self._rarity(frames, chances, names)
        labelled = labelled_pool(self._store, champion.feature_key, seen.shape[1], self._recipe)
        waiting = Waiting(
            seen, np.maximum(doubt, least), _numbered(guesses), distance_to(labelled.features, seen), rarity
        )
        groups = []
        for one in questions(waiting, limit):
            picked, alike = one.rows[0], tuple(frames[row] for row in one.rows)
            words = why(alike[0], guesses[picked], float(doubt[picked]), one)
            groups.append(Group(alike, guesses[picked], words))
        return groups

    def _chances(self, seen: Floats, champion: ModelVersion) -> Floats | None:
        """Probabilities of the champion, `float32 (n, classes)`; `None` if its head needs more than pooled features."""
        if champion.is_base:
            return np.empty((len(seen), 0), np.float32)
        inputs = self._inputs_of(champion)
        if inputs is None or not inputs.pooled or inputs.width != seen.shape[1]:
            return None
        names = [c.name for c in champion.classes]
        return softmax(inputs.start(names, names).logits(seen), champion.temperature)

    def _rarity(self, frames: Sequence[QueuedFrame], chances: Floats, names: Sequence[str]) -> Floats:
        """By the answers of the session that the newest frame is of."""
        session = self._store.labels.session_at(max(frame.captured_at for frame in frames))
        there = () if session is None else session.blocks
        answered = Counter(image.class_name for image in self._store.labels.labelled() if image.block_id in there)
        return rarity_of(chances, [answered[name] for name in names])

    def _inputs_of(self, champion: ModelVersion) -> FeatureSpace | None:
        if self._inputs is None or self._inputs[0] != champion.head_sha256:
            try:
                head = Head.from_bytes(self._store.models.read_head(champion.head_sha256))
            except ModelError:  # labelling goes on with the predictions stored when the frames were kept
                return None
            self._inputs = champion.head_sha256, FeatureSpace.of(head, is_base=False)
        return self._inputs[1]

    def _pooled(self, frames: Sequence[QueuedFrame], champion: ModelVersion | None) -> dict[int, NDArray[np.float16]]:
        """Features by frame id; reads only those that are not cached."""
        if champion is None:
            return {}
        if champion.feature_key != self._feature_key:
            self._feature_key, self._features = champion.feature_key, {}
        ids = {frame.id for frame in frames}
        self._features = {id_: row for id_, row in self._features.items() if id_ in ids}
        missing = ids - self._features.keys()
        if missing:
            self._features |= self._store.queue.pooled(missing, self._feature_key)
        widths = {len(row) for row in self._features.values()}
        return self._features if len(widths) <= 1 else {}


def why(frame: QueuedFrame, guess: str | None, doubt: float, question: Question) -> str:
    """One line that tells the owner why a frame is asked."""
    if frame.reason in SPECIAL_REASONS:
        return frame.explanation
    said = "the model has no classes yet" if guess is None else _says(guess, doubt)
    far = question.distance >= NOVEL_DISTANCE
    return f"{said}, and {'nothing like it' if far else 'little like it'} has been labelled or asked before it"


def _says(guess: str, doubt: float) -> str:
    if doubt < 0.5:
        return f"the model is rather sure that this is {guess}"
    return f"the model would say {guess} but is far from sure"


def _guesses(chances: Floats, names: Sequence[str]) -> list[str | None]:
    if chances.shape[1] == 0:
        return [None] * len(chances)
    return [names[row] for row in chances.argmax(axis=1).tolist()]


def _numbered(guesses: Sequence[str | None]) -> NDArray[np.intp]:
    numbers = {name: number for number, name in enumerate(dict.fromkeys(guesses))}
    return np.array([numbers[name] for name in guesses], np.intp)


def _doubt(frames: Sequence[QueuedFrame]) -> Floats:
    """Margin uncertainty (0-1) from the confidence at capture: exact for two classes, an upper bound for more."""
    return np.array([1.0 if f.confidence is None else min(1.0, 2 * (1 - f.confidence)) for f in frames], np.float32)
