"""Steps: what was answered, imported or named together, and is undone and done again together.

The history is a line: undo takes back the newest step that stands, redo brings back the oldest of those taken back since the
last new one. A new step ends what could be done again.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, func, or_, select, update
from sqlalchemy.orm import Session

from posture_daemon.domain import Status
from posture_daemon.errors import LabelError
from posture_daemon.store.answers import do_again, next_number, take_back
from posture_daemon.store.classes import Classes
from posture_daemon.store.database import Database
from posture_daemon.store.open_step import FRAME, StepKind, forget_undone, open_step
from posture_daemon.store.schema import AnswerRow, ChangeRow, ClassRow, FrameRow, LabelRow, StepRow
from posture_daemon.store.step_changes import (
    changes_of,
    put_back_changes,
    same_frames,
    take_back_changes,
)


@dataclass(frozen=True)
class Step:
    """What an undo would take back, or has.

    `frames` were answered and are still there, `added` is the number of frames that came with it, `classes` are those that it
    created, `answers` the number of frames by the class they were given, `None` for discarded ones. `since` is the number of
    frames among all these that were answered again in later steps.
    """

    id: int
    kind: StepKind
    title: str
    at: float
    sitting: str | None
    frames: tuple[int, ...]
    added: int
    classes: tuple[str, ...]
    answers: dict[str | None, int]
    since: int


class Steps:
    """The line of steps."""

    def __init__(self, database: Database, classes: Classes) -> None:
        self._database, self._classes = database, classes

    def begin(self, kind: StepKind, title: str, now: float) -> int:
        """Begin a step of several transactions; one in which nothing happens counts for nothing."""
        with self._database.write() as session:
            return open_step(session, kind, now, title=title)

    def last(self, kind: StepKind | None = None) -> Step | None:
        """The newest step that stands, or that of a kind; `None` without one."""
        with self._database.read() as session:
            row = _newest(session, None if kind is None else StepRow.kind == kind.value)
            return None if row is None else _as_step(session, row)

    def get(self, step_id: int) -> Step | None:
        """One step, whether it stands or not; `None` when there is none."""
        with self._database.read() as session:
            row = session.get(StepRow, step_id)
            return None if row is None else _as_step(session, row)

    def undone(self) -> Step | None:
        """The step that would be done again next; `None` when there is none."""
        with self._database.read() as session:
            row = _next_undone(session)
            return None if row is None else _as_step(session, row)

    def undo(self, now: float, step_id: int | None = None) -> Step | None:
        """Take back the newest step, or the import that `step_id` names; `None` when there is none.

        What an import added goes, with what was answered on it since; it can then not be done again. A class that a model
        knows by now is retired as by `Classes.retire`. Raises `LabelError`, and changes nothing, when that step does not stand.
        """
        with self._database.write() as session:
            row = _newest(session) if step_id is None else session.get(StepRow, step_id)
            if row is None and step_id is None:
                return None
            if row is None or row.undone_at is not None:
                raise LabelError("That has been taken back already.")
            step, newest = _as_step(session, row), _newest(session)
            known_to_models = _take_back(session, row)
            row.undone_at = now
            if newest is not None and newest.id != row.id:  # later steps stand on what would be done again
                forget_undone(session, only=row.id)
        for name in known_to_models:  # by transactions of their own, since new versions are made
            self._classes.retire(name, Status.QUEUED, now)
        return step

    def redo(self, step_id: int | None = None) -> Step | None:
        """Do the step again that was undone last, as it was; `None` when there is none, or it is not `step_id`."""
        with self._database.write() as session:
            row = _next_undone(session)
            if row is None or (step_id is not None and row.id != step_id):
                return None
            for old, new in put_back_changes(session, row.id).items():
                moved = update(AnswerRow).where(AnswerRow.step_id == row.id, AnswerRow.class_id_after == old)
                session.execute(moved.values(class_id_after=new))
            number = next_number(session)
            for answer in session.scalars(_answers_of(row.id).order_by(AnswerRow.id)):
                do_again(session, answer, number)
            row.undone_at = None
            return _as_step(session, row)


def _take_back(session: Session, row: StepRow) -> list[str]:
    """Undo answers to frames that stay, then what the step added; returns the classes that a model knows by now."""
    added = same_frames(session, row.id)
    number = next_number(session)
    for answer in session.scalars(_answers_of(row.id).order_by(AnswerRow.id.desc())):
        if answer.frame_id in added:
            continue
        later = _answered_later(session, answer, row.id)
        if later is None:
            take_back(session, answer, number)
        else:  # that answer stays, and its own undo leads to what was before this one
            later.status_before, later.class_id_before = answer.status_before, answer.class_id_before
            later.kept_at_before, later.label_before = answer.kept_at_before, answer.label_before
    session.flush()
    return take_back_changes(session, row, added)


def _answered_later(session: Session, answer: AnswerRow, step_id: int) -> AnswerRow | None:
    """The next answer to the same frame that stands and is of another step."""
    query = select(AnswerRow).join(StepRow, StepRow.id == AnswerRow.step_id)
    query = query.where(AnswerRow.frame_id == answer.frame_id, AnswerRow.id > answer.id, AnswerRow.step_id != step_id)
    return session.scalar(query.where(StepRow.undone_at.is_(None)).order_by(AnswerRow.id).limit(1))


def _answers_of(step_id: int):  # type: ignore[no-untyped-def]  # a Select: SQLAlchemy's type is unreadable
    return select(AnswerRow).where(AnswerRow.step_id == step_id)


def _did_something() -> ColumnElement[bool]:
    answered = exists().where(AnswerRow.step_id == StepRow.id)
    return or_(answered, exists().where(ChangeRow.step_id == StepRow.id))


def _newest(session: Session, which: ColumnElement[bool] | None = None) -> StepRow | None:
    query = select(StepRow).where(StepRow.undone_at.is_(None), _did_something())
    if which is not None:
        query = query.where(which)
    return session.scalar(query.order_by(StepRow.id.desc()).limit(1))


def _next_undone(session: Session) -> StepRow | None:
    """The oldest undone step after the newest that stands, if it still has what is needed to do it again."""
    newest = _newest(session)
    query = select(StepRow).where(StepRow.undone_at.is_not(None), StepRow.id > (newest.id if newest else 0))
    kept = exists().where(AnswerRow.step_id == StepRow.id, AnswerRow.status_after.is_not(None))
    query = query.where(or_(kept, exists().where(ChangeRow.step_id == StepRow.id)))
    return session.scalar(query.order_by(StepRow.id).limit(1))


def _as_step(session: Session, row: StepRow) -> Step:
    mine = ChangeRow.step_id == row.id
    added = session.scalar(select(func.count()).where(mine, ChangeRow.what == FRAME)) or 0
    came_with_it = exists().where(mine, ChangeRow.what == FRAME, ChangeRow.row_id == AnswerRow.frame_id)
    answered = select(AnswerRow.frame_id).where(AnswerRow.step_id == row.id, ~came_with_it).order_by(AnswerRow.id)
    classes = (str(change.row["name"]) for change in changes_of(session, row.id) if "name" in change.row)
    later = select(func.count(AnswerRow.frame_id.distinct())).join(StepRow, StepRow.id == AnswerRow.step_id)
    later = later.where(StepRow.undone_at.is_(None), AnswerRow.step_id > row.id, came_with_it)
    return Step(
        id=row.id,
        kind=StepKind(row.kind),
        title=row.title,
        at=row.began_at,
        sitting=row.sitting,
        frames=tuple(dict.fromkeys(session.scalars(answered))),
        added=added,
        classes=tuple(classes),
        answers=_given(session, row.id),
        since=session.scalar(later) or 0,
    )


def _given(session: Session, step_id: int) -> dict[str | None, int]:
    """Number of frames that were answered in a step, by their class now."""
    query = select(ClassRow.name, func.count()).select_from(FrameRow)
    query = query.outerjoin(LabelRow, LabelRow.frame_id == FrameRow.id).outerjoin(
        ClassRow, ClassRow.id == LabelRow.class_id
    )
    query = query.where(FrameRow.id.in_(select(AnswerRow.frame_id).where(AnswerRow.step_id == step_id)))
    return {name: int(number) for name, number in session.execute(query.group_by(ClassRow.name))}
