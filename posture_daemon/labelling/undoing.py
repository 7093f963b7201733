"""Undo and redo as the owner meets them: in words, and no further back than this sitting without being asked.

A sitting is what one session of a front end did without a pause of an hour. Everything else, such as the answers of yesterday,
of another front end, a lesson or an import, is taken back only by whoever was told what it is.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from posture_daemon.domain import QueuedFrame
from posture_daemon.errors import LabelError
from posture_daemon.store import Store
from posture_daemon.store.lock import TRAINING_LOCK, exclusive
from posture_daemon.store.open_step import Sitting, StepKind
from posture_daemon.store.steps import Step

SITTING_GAP_S = 3600.0
"""Pause after which a sitting is over."""

MAX_CLASSES_NAMED = 4


@dataclass(frozen=True)
class Ahead:
    """What an undo would take back, in words that follow a verb, and whether the owner is to be asked."""

    step: int
    words: str
    asks: bool


@dataclass(frozen=True)
class TakenBack:
    """What was undone or done again, in words, and the frames of it that are there."""

    words: str
    frames: tuple[QueuedFrame, ...]


class Undoing:
    """Undo and redo of one session of a front end, over the steps that all share."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        """`clock` returns seconds since the epoch."""
        self._store, self._clock = store, clock
        self.sitting = Sitting(uuid.uuid4().hex)
        self._undone: list[int] = []

    def ahead(self, kind: StepKind | None = None) -> Ahead | None:
        """What the next undo takes back, or the last step of a kind; `None` when there is nothing."""
        step = self._store.steps.last(kind)
        if step is None:
            return None
        now = self._clock()
        asks = step.sitting != self.sitting.name or abs(now - step.at) > SITTING_GAP_S
        return Ahead(step.id, words_of(step, now), asks)

    def undo(self, step_id: int | None = None) -> TakenBack | None:
        """Take back the newest step, or this one; `None` when there is none.

        Raises `LabelError` when it was taken back meanwhile, or is an import while a training runs.
        """
        step = self._store.steps.last() if step_id is None else self._store.steps.get(step_id)
        if step is None:
            return None
        if step.kind is not StepKind.IMPORT:
            return self._undo(step.id)
        with exclusive(self._store.folder / TRAINING_LOCK) as alone:
            if not alone:
                raise LabelError(
                    "A training is running that may learn from this import; take it back when it has ended."
                )
            return self._undo(step.id)

    def _undo(self, step_id: int) -> TakenBack | None:
        taken = self._store.steps.undo(self._clock(), step_id)
        if taken is None:
            return None
        self._undone.append(taken.id)
        return TakenBack(words_of(taken, self._clock()), self._frames(taken))

    def redo(self) -> TakenBack | None:
        """Do again what was undone last here; `None` when there is nothing, or something else was done since."""
        if not self._undone:
            return None
        step = self._store.steps.redo(self._undone[-1])
        if step is None:
            self._undone.clear()
            return None
        self._undone.pop()
        return TakenBack(words_of(step, self._clock()), self._frames(step))

    def _frames(self, step: Step) -> tuple[QueuedFrame, ...]:
        found = []
        for frame_id in step.frames:
            try:
                found.append(self._store.queue.get(frame_id))
            except LabelError:  # evicted meanwhile
                continue
        return tuple(found)


def words_of(step: Step, now: float) -> str:
    """Such as `the import of /home/a/pictures of today, 14:03 (24 pictures, classes good and bad)`."""
    when = _when(step.at, now)
    number = step.added + len(step.frames)
    if step.kind is StepKind.IMPORT:
        parts = [_pictures(number), *([f"classes {_listed(step.classes)}"] if step.classes else [])]
        since = f"; {_pictures(step.since)} that were answered again since go with it" if step.since else ""
        return f"the import of {step.title or 'a folder'} of {when} ({', '.join(parts)}{since})"
    if step.kind is StepKind.LESSON:
        return f"the pose {step.title} of the lesson of {when} ({_pictures(number)})"
    if step.kind is StepKind.CLASS:
        return f"the new class {step.title} of {when}"
    given = _listed([("discarded" if name is None else name) for name in step.answers])
    with_class = f", and the new class {_listed(step.classes)}" if step.classes else ""
    return f"the answer to {_pictures(number)} of {when} ({given}{with_class})" if given else f"the answer of {when}"


def _pictures(number: int) -> str:
    return f"{number} {'picture' if number == 1 else 'pictures'}"


def _listed(names: list[str] | tuple[str, ...]) -> str:
    more = len(names) - MAX_CLASSES_NAMED
    return ", ".join(names[:MAX_CLASSES_NAMED]) + (f" and {more} more" if more > 0 else "")


def _when(at: float, now: float) -> str:
    time, today = datetime.fromtimestamp(at), datetime.fromtimestamp(now)
    return f"today, {time:%H:%M}" if time.date() == today.date() else f"{time:%Y-%m-%d, %H:%M}"
