"""What the label page asks of `labelling`, as plain values for JSON; safe to call from the server's threads.

The page is optimistic: it shows the next question at once and sends the answer afterwards. So an answer may arrive twice (the
reply was lost), late (the server was down) or for a frame that was answered elsewhere. Every change carries an idempotency
key made by the page; a repeated key gets the same reply again and changes nothing.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from itertools import chain, repeat
from typing import Any

from posture_daemon.domain import UNKNOWN, QueuedFrame, Role, Status
from posture_daemon.errors import LabelError
from posture_daemon.labelling.next_questions import Group
from posture_daemon.labelling.session import Labelling
from posture_daemon.service.daemon_status import camera_trouble, learned_today
from posture_daemon.settings import Settings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.training.starter_root import drawn_people_warning

MAX_REMEMBERED = 1000
"""Most replies held. Even for older ones an answered frame is not answered again, by its status."""

MAX_SHOWN_AGAIN = 1000
"""Frames of one undone step that are asked about at once; of a larger one the others come with the next questions."""

CLASS_KEYS = "123456789abcefghijklmoprtvwy"
"""Keys in the order of the classes, as in the terminal; missing letters are commands. Further classes have a button only."""

Reply = dict[str, Any]
Seen = tuple[int, float]
"""A frame's id and capture time (s since the epoch), since SQLite may reuse the id of an evicted frame."""


class LabelPageSession:
    """The labelling session shared by all open pages. Thread-safe."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        clock: Callable[[], float],
        new_labelling: Callable[..., Labelling] = Labelling,
    ) -> None:
        """`clock` returns seconds since the epoch."""
        self._clock = clock
        self._store, self._settings = store, settings
        self._new: Callable[[], Labelling] = partial(
            new_labelling, store, settings.labels, clock, Recipe.of(settings.training)
        )
        self._labelling = self._new()
        self._changing = threading.Lock()
        self._asking = threading.Lock()  # separate, so that answers do not wait while questions are chosen
        self._replies: OrderedDict[str, Reply] = OrderedDict()
        self._skips: list[list[int]] = []  # that undo would take back
        self._skipped: set[int] = set()

    def state(self) -> Reply:
        """Classes in the order of their keys, counts, labels until the next training, who answers today, the camera's error."""
        progress, needed = self._labelling.progress(), self._settings.training.min_new_labels
        return {
            "classes": [
                {"name": c.name, "role": c.role.value, "key": key}
                for c, key in zip(self._labelling.classes(), chain(CLASS_KEYS, repeat("")), strict=False)
            ],
            "queued": progress.queued,
            "labelled": progress.labelled,
            "discarded": progress.discarded,
            "until_training": self._labelling.labels_until_training(needed),
            "training_needs": needed,
            "today": learned_today(self._store.folder),
            "camera": camera_trouble(self._store.folder, self._clock()),
        }

    def incidents(self) -> list[str]:
        """Incidents that were not acknowledged, newest first, each with its date."""
        found = self._store.incidents.unseen()
        return [f"{datetime.fromtimestamp(one.happened_at):%Y-%m-%d}: {one.text}" for one in found]

    def warning(self) -> str | None:
        """That the champion has only ever seen drawn people, where it meets real ones."""
        return drawn_people_warning(self._store, self._store.models.champion(), self._settings.camera.address)

    def groups(self, limit: int) -> Reply:
        """The next questions, and the number of skipped frames, which are not among them."""
        with self._asking:
            groups = self._labelling.groups(limit)
            return {"groups": [_group(group) for group in groups], "skipped": len(self._skipped)}

    def picture(self, frame_id: int, at: float) -> bytes:
        """A frame as JPEG. Raises `LabelError` when it no longer exists."""
        if not self._is_there(frame_id, at):
            raise LabelError(f"There is no frame {frame_id} of that time; it may have been evicted from the queue.")
        return self._store.queue.jpeg(frame_id)

    def answer(self, key: str, frames: Sequence[Seen], class_name: str | None) -> Reply:
        """Label or (`None`) discard frames; the reply names those answered before and those gone. Raises `LabelError`."""
        return self._once(key, lambda: self._answer(frames, class_name))

    def skip(self, key: str, frames: Sequence[Seen]) -> Reply:
        """Skip these frames until `ask_again` or a restart of the server."""
        return self._once(key, lambda: self._skip([frame_id for frame_id, _ in frames]))

    def ask_again(self) -> Reply:
        """Offer all skipped frames again."""
        with self._changing, self._asking:
            history = self._labelling.history
            self._labelling = self._new()
            self._labelling.history = history
            self._skips.clear()
            self._skipped.clear()
            return {}

    def undo(self, key: str, step: int | None = None) -> Reply:
        """Undo the last step of any page, of which `words` tell.

        `frames` are queued again, `kept` is a frame that has an older answer again. What is not of this sitting is only undone
        with its number as `step`; without, the reply asks, with number and words, and changes nothing.
        """
        return self._once(key, lambda: self._undo_skip() if self._skips else self._undo_answer(step))

    def redo(self, key: str) -> Reply:
        """Do again what was undone last; `frames` are answered again."""
        return self._once(key, self._redo)

    def add_class(self, name: str, role: Role | None) -> Reply:
        """Create a class. Raises `LabelError` for an invalid or taken name."""
        with self._changing:
            return {"name": self._labelling.name_class(name, role).name}

    def _once(self, key: str, change: Callable[[], Reply]) -> Reply:
        """Carry out a change, or repeat the reply if its key was seen before."""
        with self._changing:
            if key not in self._replies:
                self._replies[key] = change()
            while len(self._replies) > MAX_REMEMBERED:
                self._replies.popitem(last=False)
            return self._replies[key]

    def _answer(self, frames: Sequence[Seen], class_name: str | None) -> Reply:
        there = [frame_id for frame_id, at in frames if self._is_there(frame_id, at)]
        answered = self._labelling.answer_group(there, class_name)
        if answered.done:
            self._skips.clear()  # as in `labelling`: undo is in order of time
            self._skipped.difference_update(answered.done)
        missing = [frame_id for frame_id, _ in frames if frame_id not in there]
        return {"done": answered.done, "already": answered.already, "gone": [*answered.gone, *missing]}

    def _skip(self, ids: list[int]) -> Reply:
        with self._asking:
            for frame_id in ids:
                self._labelling.skip(frame_id)
            self._skips.append(ids)
            self._skipped.update(ids)
        return {}

    def _undo_skip(self) -> Reply:
        with self._asking:
            ids = self._skips.pop()
            for _ in ids:
                self._labelling.undo()
            self._skipped.difference_update(ids)
        return {"undone": "skip", "frames": self._waiting(ids), "kept": None, "words": "the skip"}

    def _undo_answer(self, step: int | None) -> Reply:
        ahead = self._labelling.before_undo()
        if ahead is not None and ahead.asks and ahead.step != step:
            return {"undone": "ask", "frames": [], "kept": None, "step": ahead.step, "words": ahead.words}
        taken = None if ahead is None else self._labelling.undo(ahead.step)
        if taken is None:
            return {"undone": None, "frames": [], "kept": None}
        kept = next((frame.id for frame in taken.frames if frame.status is not Status.QUEUED), None)
        waiting = [frame.id for frame in taken.frames][:MAX_SHOWN_AGAIN]
        return {"undone": "answer", "frames": self._waiting(waiting), "kept": kept, "words": taken.words}

    def _redo(self) -> Reply:
        done = self._labelling.redo()
        if done is None:
            return {"redone": None, "frames": []}
        return {"redone": done.words, "frames": [_frame(frame) for frame in done.frames]}

    def _waiting(self, ids: Sequence[int]) -> list[Reply]:
        """Those of these frames that are queued; others may have been evicted meanwhile."""
        frames = (self._find(frame_id) for frame_id in ids)
        return [_frame(frame) for frame in frames if frame is not None and frame.status is Status.QUEUED]

    def _is_there(self, frame_id: int, at: float) -> bool:
        frame = self._find(frame_id)
        return frame is not None and frame.captured_at == at

    def _find(self, frame_id: int) -> QueuedFrame | None:
        try:
            return self._store.queue.get(frame_id)
        except LabelError:
            return None


def _group(group: Group) -> Reply:
    guess = None if group.guess == UNKNOWN else group.guess
    return {"frames": [_frame(frame) for frame in group.frames], "guess": guess, "why": group.why}


def _frame(frame: QueuedFrame) -> Reply:
    predicted = None if frame.predicted == UNKNOWN else frame.predicted
    return {"id": frame.id, "at": frame.captured_at, "guess": predicted, "confidence": frame.confidence}
