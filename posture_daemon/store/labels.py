"""The owner's labels: classes, answers, and counts by class, split, time block and session; `steps` undoes."""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, func, select

from posture_daemon.domain import LabelledImage, PostureClass, Reason, Role, Split, Status
from posture_daemon.errors import LabelError
from posture_daemon.store.answers import (
    COUNTED,
    BeforeRule,
    Given,
    log_answer,
    next_number,
    record_answer,
)
from posture_daemon.store.classes import live_class
from posture_daemon.store.database import Repository
from posture_daemon.store.open_step import (
    CLASS,
    CLASS_BACK,
    Sitting,
    StepKind,
    Within,
    adopt_class,
    forget_undone,
    note,
    open_step,
)
from posture_daemon.store.schema import BlockRow, ClassRow, FrameRow, LabelRow, StepRow
from posture_daemon.store.sessions import LiveSession, live_session_at, sessions_of_blocks

CHECKING = (Reason.AUDIT.value, Reason.WRONG.value)
"""Why frames were kept of which the model was sure."""


class Labels(Repository):
    """Classes and labels."""

    def classes(self) -> list[PostureClass]:
        """All classes in the order of their creation, without retired ones."""
        query = select(ClassRow).where(ClassRow.retired_at.is_(None)).order_by(ClassRow.id)
        with self._database.read() as session:
            return [PostureClass(r.name, Role(r.role)) for r in session.scalars(query)]

    def retired(self) -> list[str]:
        """Names of the deleted classes, the newest first."""
        query = select(ClassRow.name).where(ClassRow.retired_at.is_not(None)).order_by(ClassRow.retired_at.desc())
        with self._database.read() as session:
            return list(session.scalars(query))

    def ensure_class(self, posture_class: PostureClass, now: float, within: Within = None) -> bool:
        """Create the class unless it exists, or bring a retired one back with this role; True when either was done.

        It is undone with the step that it is `within`; in a sitting by itself, or with the first answer to it; else not.
        """
        with self._database.write() as session:
            row = session.scalar(select(ClassRow).where(ClassRow.name == posture_class.name))
            if row is not None and row.retired_at is None:
                return False
            step = None if within is None else open_step(session, StepKind.CLASS, now, within, posture_class.name)
            what, before = (
                (CLASS, {}) if row is None else (CLASS_BACK, {"role": row.role, "retired_at": row.retired_at})
            )
            row = row or ClassRow(name=posture_class.name, created_at=now)
            row.role, row.retired_at = posture_class.role.value, None
            session.add(row)
            session.flush()
            if step is None:
                forget_undone(session)  # it may have the number of a class that was taken back
            else:
                note(session, step, what, row.id, name=row.name, **before)
            return True

    def answer(
        self,
        frame_id: int,
        class_name: str | None,
        by: str,
        now: float,
        holdout_every: int,
        test_every: int = 0,
        within: Within = None,
        before_rule: BeforeRule = COUNTED,
    ) -> None:
        """Label a frame, or discard it with `None`. Raises `LabelError` when the frame or the class does not exist.

        Answers `within` one step (see `Steps.begin`) are undone together. `before_rule` may decide about the split of a time
        block that has none.
        """
        with self._database.write() as session:
            frame = session.get(FrameRow, frame_id)
            if frame is None:
                raise LabelError(f"There is no frame {frame_id}; it may have been evicted from the queue.")
            class_id = None if class_name is None else live_class(session, class_name).id
            step = open_step(session, StepKind.ANSWER, now, within)
            adopt_class(session, step, class_id)
            given = Given(by, now, step, next_number(session), (holdout_every, test_every), before_rule)
            record_answer(session, frame, session.get(LabelRow, frame_id), class_id, given)

    def answer_waiting(
        self,
        frame_ids: Sequence[int],
        class_name: str | None,
        by: str,
        now: float,
        holdout_every: int,
        test_every: int = 0,
        before_rule: BeforeRule = COUNTED,
        sitting: Sitting | None = None,
    ) -> tuple[list[int], dict[int, str | None], list[int]]:
        """Label those frames that are still queued, or discard them with `None`, in one step; the rest as in `answer`.

        Returns the ids that were answered, the class of each frame that was answered before (`None`: discarded), and the
        ids that do not exist. Raises `LabelError` when the class does not exist.
        """
        done: list[int] = []
        already: dict[int, str | None] = {}
        gone: list[int] = []
        with self._database.write() as session:
            class_id = None if class_name is None else live_class(session, class_name).id
            waiting = (
                select(FrameRow.id).where(FrameRow.id.in_(frame_ids), FrameRow.status == Status.QUEUED.value).limit(1)
            )
            step = 0 if session.scalar(waiting) is None else open_step(session, StepKind.ANSWER, now, sitting)
            adopt_class(session, step, class_id if step else None)
            given = Given(by, now, step, next_number(session), (holdout_every, test_every), before_rule)
            for frame_id in dict.fromkeys(frame_ids):
                frame, label = session.get(FrameRow, frame_id), session.get(LabelRow, frame_id)
                if frame is None:
                    gone.append(frame_id)
                elif frame.status != Status.QUEUED.value:
                    already[frame_id] = None if label is None else session.get_one(ClassRow, label.class_id).name
                else:
                    record_answer(session, frame, label, class_id, given)
                    done.append(frame_id)
        return done, already, gone

    def keep(self, frame_id: int, now: float, sitting: Sitting | None = None) -> None:
        """Confirm a label that was suspected to be wrong; it does not count as a new one. Raises `LabelError` without one.

        A new answer to the frame ends the confirmation; undo reverts it like an answer.
        """
        with self._database.write() as session:
            frame, label = session.get(FrameRow, frame_id), session.get(LabelRow, frame_id)
            if frame is None or label is None:
                raise LabelError(f"Frame {frame_id} has no label that could be kept.")
            log_answer(session, frame, label, now, open_step(session, StepKind.ANSWER, now, sitting))
            label.kept_at = now

    def kept(self) -> set[int]:
        """The frames whose label was confirmed."""
        with self._database.read() as session:
            return set(session.scalars(select(LabelRow.frame_id).where(LabelRow.kept_at.is_not(None))))

    def labelled(self, since: float = float("-inf")) -> list[LabelledImage]:
        """All images that were labelled after `since`, in the order of their capture."""
        query = (
            select(FrameRow.id, FrameRow.sha256, ClassRow.name, BlockRow.split, BlockRow.id, FrameRow.captured_at)
            .join(LabelRow, LabelRow.frame_id == FrameRow.id)
            .join(ClassRow, ClassRow.id == LabelRow.class_id)
            .join(BlockRow, BlockRow.id == FrameRow.block_id)
            .where(LabelRow.labelled_at > since)
            .order_by(FrameRow.captured_at, FrameRow.id)
        )
        with self._database.read() as session:
            rows = session.execute(query)
            return [LabelledImage(id_, sha, name, Split(split), block, at) for id_, sha, name, split, block, at in rows]

    def counts(self) -> dict[str, dict[Split, int]]:
        """Labelled images per class and split; classes without any are there with zeros."""
        counted = self._counted(func.count())
        return {c.name: {split: counted.get((c.name, split), 0) for split in Split} for c in self.classes()}

    def block_counts(self) -> dict[tuple[str, Split], int]:
        """Number of time blocks that hold labelled images, by class and split; only where there is at least one."""
        return self._counted(func.count(BlockRow.id.distinct()))

    def _counted(self, number: ColumnElement[int]) -> dict[tuple[str, Split], int]:
        query = (
            select(ClassRow.name, BlockRow.split, number)
            .join(LabelRow, LabelRow.class_id == ClassRow.id)
            .join(FrameRow, FrameRow.id == LabelRow.frame_id)
            .join(BlockRow, BlockRow.id == FrameRow.block_id)
            .group_by(ClassRow.name, BlockRow.split)
        )
        with self._database.read() as session:
            return {(name, Split(split)): int(found) for name, split, found in session.execute(query)}

    def sessions(self) -> dict[int, int]:
        """The session of each time block, by block; see `store/sessions.py`."""
        with self._database.read() as session:
            return sessions_of_blocks(session)

    def session_at(self, at: float) -> LiveSession | None:
        """The session of the camera that a frame captured at `at` belongs to; `None` when nothing of it was kept yet."""
        with self._database.read() as session:
            return live_session_at(session, at)

    def of_new_sessions(self, after: int) -> list[LabelledImage]:
        """Images, in the order of their capture, of sessions whose labels were all given or changed after step `after`.

        What had learned the labels up to that step (see `Runs.labels_learned`) knows nothing of those days.
        """
        images = self.labelled()  # first: an answer that comes meanwhile is left out, and makes no session an old one
        sessions, new = self.sessions(), self.frames_after(after)
        old = {sessions.get(image.block_id) for image in images if image.frame_id not in new}
        return [image for image in images if sessions.get(image.block_id) not in old]

    def steps(self) -> dict[int, int]:
        """Step number by frame that the owner answered; frames answered with one key share it."""
        query = select(LabelRow.frame_id, LabelRow.number).where(LabelRow.labelled_by == "owner")
        with self._database.read() as session:
            return {row.frame_id: row.number for row in session.execute(query)}

    def state(self) -> tuple[int, int, int, int]:
        """(number of labels, highest label number, newest step, undone steps): changes with every answer, undo and redo."""
        query = select(func.count(), func.coalesce(func.max(LabelRow.number), 0)).select_from(LabelRow)
        steps = select(func.coalesce(func.max(StepRow.id), 0), func.count(StepRow.undone_at))
        with self._database.read() as session:
            (count, newest), (step, undone) = session.execute(query).one(), session.execute(steps).one()
            return int(count), int(newest), int(step), int(undone)

    def total(self) -> int:
        """Number of labels."""
        with self._database.read() as session:
            return int(session.scalar(select(func.count()).select_from(LabelRow)) or 0)

    def new(self, after: int = 0, of: Collection[int] | None = None) -> list[tuple[str, float]]:
        """Class and time of each label given or changed after step `after` (see `Runs.labels_learned`), in order.

        Of all frames, or of some only.
        Steps are numbered in order, so that a clock that jumps makes no label old or new.
        """
        query = (
            select(LabelRow.frame_id, ClassRow.name, LabelRow.labelled_at)
            .join(LabelRow, LabelRow.class_id == ClassRow.id)
            .where(LabelRow.number > after)
            .order_by(LabelRow.number, LabelRow.frame_id)
        )
        with self._database.read() as session:
            return [(name, at) for id_, name, at in session.execute(query) if of is None or id_ in of]

    def checks(self) -> list[bool]:
        """Whether the model was right in each answered frame that was kept to check a sure answer, in the order of answers."""
        query = (
            select(ClassRow.name, FrameRow.predicted)
            .join(LabelRow, LabelRow.class_id == ClassRow.id)
            .join(FrameRow, FrameRow.id == LabelRow.frame_id)
            .where(FrameRow.reason.in_(CHECKING), FrameRow.predicted.is_not(None))
            .order_by(LabelRow.number, LabelRow.frame_id)
        )
        with self._database.read() as session:
            return [name == predicted for name, predicted in session.execute(query)]

    def frames_after(self, number: int) -> set[int]:
        """Frames whose label was given or changed after this step number."""
        with self._database.read() as session:
            return set(session.scalars(select(LabelRow.frame_id).where(LabelRow.number > number)))
