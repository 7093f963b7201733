"""The labelling session behind every front end: next question, answer, undo, new class."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from posture_daemon.domain import Image, PostureClass, QueuedFrame, Role, Status
from posture_daemon.errors import LabelError
from posture_daemon.labelling.class_names import check, find, shown
from posture_daemon.labelling.class_roles import guess_role
from posture_daemon.labelling.next_questions import Group, NextQuestions
from posture_daemon.labelling.undoing import Ahead, TakenBack, Undoing
from posture_daemon.live.online_learner import OnlineLearner
from posture_daemon.settings import LabelSettings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.store.answers import BeforeRule
from posture_daemon.store.open_step import Within
from posture_daemon.vision import jpeg

WRONG_PATIENCE_S, WRONG_STEP_S = 5.0, 0.1
"""Timeout for the daemon to answer a correction request (it polls once a second), and our polling interval; seconds."""


@dataclass(frozen=True)
class LabellingProgress:
    """Numbers of kept frames."""

    queued: int
    labelled: int
    discarded: int


@dataclass(frozen=True)
class Answered:
    """Result of an answer to several frames.

    `done` were queued and are answered now; `already` maps frames answered meanwhile to their class, which they keep (`None`:
    discarded); `gone` no longer exist.
    """

    done: tuple[int, ...]
    already: Mapping[int, str | None]
    gone: tuple[int, ...]


class Labelling:
    """One labelling session. It holds the skipped frames; everything else is in the store. Not thread-safe."""

    def __init__(
        self,
        store: Store,
        settings: LabelSettings,
        clock: Callable[[], float],
        recipe: Recipe | None = None,
        today: OnlineLearner | None = None,
    ) -> None:
        """`clock` returns seconds since the epoch; `recipe` locates cached features of imported pictures.

        `today` is the daemon's own online learner, where this is its process.
        """
        self._store = store
        self._settings = settings
        self._clock = clock
        self._before_rule = BeforeRule(first_teach=settings.first_teach)
        self._questions = NextQuestions(store, recipe, today)
        self._skipped: set[int] = set()
        self._skips_to_undo: list[int] = []
        self.history = Undoing(store, clock)

    def next(self) -> QueuedFrame | None:
        """Return the most informative queued frame that was not skipped in this session, or `None`."""
        first = self.groups(1)
        return first[0].frames[0] if first else None

    def groups(self, limit: int) -> list[Group]:
        """The next questions, the most informative first, without frames skipped in this session."""
        waiting = [frame for frame in self._store.queue.waiting() if frame.id not in self._skipped]
        return self._questions.groups(waiting, limit)

    def answer_group(self, frame_ids: Sequence[int], class_name: str | None) -> Answered:
        """Label queued frames, or discard them with `None`; undone in one step.

        Frames that are no longer queued are left unchanged. Raises `LabelError` for an unknown class, before any change.
        """
        named = self._named(class_name)
        every = self._settings.holdout_every, self._settings.test_every
        done, already, gone = self._store.labels.answer_waiting(
            frame_ids, named, "owner", self._clock(), *every, self._before_rule, self.history.sitting
        )
        if done:
            self._skips_to_undo.clear()
        return Answered(tuple(done), already, tuple(gone))

    def call_wrong(
        self, class_name: str | None, sleep: Callable[[float], None], patience_s: float = WRONG_PATIENCE_S
    ) -> int:
        """Have the running daemon keep its newest frame, and label it if a class is given; returns the id of the frame.

        Polls with `sleep` for at most `patience_s` seconds. Raises `LabelError` for an unknown class, before the request, and
        when no daemon answers; then the request is withdrawn.
        """
        if class_name is not None:
            class_name = self.find_class(class_name).name
        request = self._store.corrections.ask(self._clock())
        try:
            for _ in range(max(1, round(patience_s / WRONG_STEP_S))):
                sleep(WRONG_STEP_S)
                frame_id = self._store.corrections.frame(request)
                if frame_id is not None:
                    break
            else:
                raise LabelError("No running daemon has answered, so there is no frame; start it: posture-daemon run.")
        finally:
            self._store.corrections.withdraw(request)
        if class_name is not None:
            self.answer(frame_id, class_name)
        return frame_id

    def labels_until_training(self, min_new_labels: int) -> int:
        """Number of labels still missing for the next training; 0 when there are enough."""
        return max(0, min_new_labels - len(self._store.labels.new(self._store.runs.labels_learned())))

    def picture(self, frame_id: int) -> Image:
        """Decode a frame: BGR `uint8 (height, width, 3)`. Raises `LabelError` when there is no such frame."""
        return jpeg.decode(self._store.queue.jpeg(frame_id))

    def answer(self, frame_id: int, class_name: str) -> None:
        """Label a frame, also one that was labelled before. Raises `LabelError` for an unknown frame or class."""
        self._record(frame_id, self._named(class_name))

    def discard(self, frame_id: int) -> None:
        """Remove a frame from training and queue. Raises `LabelError` when there is no such frame."""
        self._record(frame_id, None)

    def skip(self, frame_id: int) -> None:
        """Do not offer this frame again in this session; it stays queued."""
        self._skipped.add(frame_id)
        self._skips_to_undo.append(frame_id)

    def before_undo(self) -> Ahead | None:
        """What the next undo takes back, and whether to ask first; `None` when there is nothing, or a skip, to undo."""
        return None if self._skips_to_undo else self.history.ahead()

    def undo(self, step: int | None = None) -> TakenBack | None:
        """Undo the last skip, answer, discard, lesson or import; `None` when there is nothing to undo.

        With a `step`, only that one. Answers are undone across sessions and front ends, skips only in the session that skipped.
        """
        if self._skips_to_undo:
            frame_id = self._skips_to_undo.pop()
            self._skipped.discard(frame_id)
            return TakenBack("the skip", (self._question(self._store.queue.get(frame_id)),))
        taken = self.history.undo(step)
        if taken is None:
            return None
        self._skipped.difference_update(frame.id for frame in taken.frames)
        return replace(taken, frames=tuple(self._question(frame) for frame in taken.frames))

    def redo(self) -> TakenBack | None:
        """Do again what this session took back last; `None` when there is nothing, or something else was done since."""
        done = self.history.redo()
        if done is not None:
            self._skips_to_undo.clear()
        return done

    def _question(self, frame: QueuedFrame) -> QueuedFrame:
        """A frame as it is asked about."""
        return frame

    def classes(self) -> list[PostureClass]:
        """Return all classes; those that only the champion knows are added to the owner's first."""
        owned = self._store.labels.classes()
        names = {posture_class.name for posture_class in owned}
        champion = self._store.models.champion()
        missing = [c for c in (champion.classes if champion else ()) if c.name not in names]
        for posture_class in missing:
            self._store.labels.ensure_class(posture_class, self._clock())
        return owned + missing

    def find_class(self, name: str) -> PostureClass:
        """The class that somebody calls so, in any case or form of letters. Raises `LabelError` when there is none."""
        by_name = {one.name: one for one in self.classes()}
        found = find(name, by_name)
        if found is None:
            raise LabelError(f"There is no class {shown(name)}; there are: {', '.join(by_name) or 'none yet'}.")
        return by_name[found]

    def name_class(self, name: str, role: Role | None = None) -> PostureClass:
        """Create a class as somebody does who labels: undo takes it back too, when nothing else uses it."""
        return self.add_class(name, role, self.history.sitting)

    def add_class(self, name: str, role: Role | None = None, within: Within = None) -> PostureClass:
        """Create a class; without a role it is guessed from the name. Raises `LabelError` for an invalid or taken name.

        It is undone as `Labels.ensure_class` says.
        """
        taken = [posture_class.name for posture_class in self.classes()]
        # A deleted class comes back under the name it had: older models still know it by that.
        before = None if find(name, taken) else find(name, self._store.labels.retired())
        kept = before or check(name, taken)
        posture_class = PostureClass(kept, role or guess_role(kept))
        self._store.labels.ensure_class(posture_class, self._clock(), within)
        return posture_class

    def progress(self) -> LabellingProgress:
        """Count queued, labelled and discarded frames."""
        counts = self._store.queue.counts()
        return LabellingProgress(counts[Status.QUEUED], counts[Status.LABELLED], counts[Status.DISCARDED])

    def _named(self, class_name: str | None) -> str | None:
        """A class by the name it is stored under; those that only the champion has are added first."""
        return None if class_name is None else self.find_class(class_name).name

    def _record(self, frame_id: int, class_name: str | None) -> None:
        every = self._settings.holdout_every, self._settings.test_every
        sitting = self.history.sitting
        self._store.labels.answer(frame_id, class_name, "owner", self._clock(), *every, sitting, self._before_rule)
        self._skips_to_undo.clear()  # undo goes back in time: first this answer
