"""Begin a step of the history, and note within it what it adds; `steps` takes whole steps back."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from posture_daemon.store.schema import AnswerRow, ChangeRow, StepRow

FRAME, BLOCK, SPLIT, CLASS, CLASS_BACK = "frame", "block", "split", "class", "class brought back"
"""What a step may add, beside answers."""


class StepKind(str, Enum):
    """What somebody did."""

    ANSWER = "answer"
    IMPORT = "import"
    LESSON = "lesson"
    CLASS = "class"


@dataclass(frozen=True)
class Sitting:
    """One session of a front end; what it does are steps of their own, that it may undo without asking."""

    name: str


Within = int | Sitting | None
"""What an answer or a new class is part of: a step by its number, or a sitting; `None`: a step of its own that nobody did."""


def open_step(session: Session, kind: StepKind, now: float, within: Within = None, title: str = "") -> int:
    """Begin a step, unless it is `within` one; what was undone before can then no longer be done again, and is dropped."""
    if isinstance(within, int):
        return within
    forget_undone(session)
    sitting = None if within is None else within.name
    row = StepRow(kind=kind.value, title=title, began_at=now, sitting=sitting)
    session.add(row)
    session.flush()
    return row.id


def note(session: Session, step_id: int, what: str, row_id: int, **row: Any) -> None:
    """Note that a step added this; `row` is what recognises it later."""
    session.add(ChangeRow(step_id=step_id, what=what, row_id=row_id, row=row))


def note_frames(session: Session, step_id: int, ids: Mapping[str, int]) -> None:
    """Note that a step added these frames, by digest: in one statement, since an import adds thousands."""
    if ids:
        rows = [{"step_id": step_id, "what": FRAME, "row_id": id_, "row": {"sha256": sha}} for sha, id_ in ids.items()]
        session.execute(insert(ChangeRow), rows)


def adopt_class(session: Session, step_id: int, class_id: int | None) -> None:
    """Make a class that was only just created part of the first answer with it, so that one undo takes back both."""
    if class_id is None:
        return
    created = select(StepRow.id).where(StepRow.kind == StepKind.CLASS.value, StepRow.undone_at.is_(None))
    mine = update(ChangeRow).where(ChangeRow.what.in_((CLASS, CLASS_BACK)), ChangeRow.row_id == class_id)
    session.execute(mine.where(ChangeRow.step_id.in_(created)).values(step_id=step_id))


def forget_undone(session: Session, before: float | None = None, only: int | None = None) -> None:
    """Drop what undone steps keep to be done again: of all, of those undone `before` (s since the epoch), or `only` of one."""
    session.flush()
    undone = select(StepRow.id).where(StepRow.undone_at.is_not(None))
    if only is not None:
        undone = undone.where(StepRow.id == only)
    if before is not None:
        undone = undone.where(StepRow.undone_at < before)
    if before is not None or only is not None:  # else there is no undone step that keeps anything
        _forget_in_notes(session, set(session.scalars(undone)))
    session.execute(delete(ChangeRow).where(ChangeRow.step_id.in_(undone)))
    forgotten = update(AnswerRow).where(AnswerRow.step_id.in_(undone), AnswerRow.status_after.is_not(None))
    session.execute(forgotten.values(status_after=None, class_id_after=None, label_after=None))


def _forget_in_notes(session: Session, steps: set[int]) -> None:
    """Answers of these steps to frames that an earlier step took along, which may still be done again itself."""
    others = select(ChangeRow).join(StepRow, StepRow.id == ChangeRow.step_id).where(StepRow.undone_at.is_not(None))
    for change in session.scalars(others.where(ChangeRow.what == FRAME)):
        kept = change.row.get("removed") if change.step_id not in steps else None
        if kept and any(answer["step_id"] in steps for answer in kept["answers"]):
            answers = [answer for answer in kept["answers"] if answer["step_id"] not in steps]
            change.row = {**change.row, "removed": {**kept, "answers": answers}}
    session.flush()
