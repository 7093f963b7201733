"""What a step added beside answers (frames, time blocks, splits, classes): noted, taken away by undo, put back by redo.

What is taken away is kept in the notes, frames with their pictures, until a new step begins or a day has passed.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count, islice
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.orm import Session, undefer

from posture_daemon.store.open_step import BLOCK, CLASS, CLASS_BACK, FRAME, SPLIT
from posture_daemon.store.schema import (
    AnswerRow,
    Base,
    BlockRow,
    ChangeRow,
    ClassRow,
    FrameRow,
    Json,
    LabelRow,
    RoleRow,
    RunRow,
    StepRow,
    VersionRow,
)

AT_ONCE = 200
"""Frames of one statement."""

BLOBS = ("features", "jpeg")


def changes_of(session: Session, step_id: int, frames: bool = False) -> Sequence[ChangeRow]:
    """What a step added, in order: the `frames`, or all else."""
    which = ChangeRow.what == FRAME if frames else ChangeRow.what != FRAME
    return session.scalars(select(ChangeRow).where(ChangeRow.step_id == step_id, which).order_by(ChangeRow.id)).all()


def same_frames(session: Session, step_id: int) -> set[int]:
    """The frames that the step added and that are still there; an id may have been given to another frame since."""
    notes = {change.row_id: change.row["sha256"] for change in changes_of(session, step_id, frames=True)}
    found: set[int] = set()
    for ids in _portions(notes):
        rows = session.execute(select(FrameRow.id, FrameRow.sha256).where(FrameRow.id.in_(ids)))
        found |= {id_ for id_, digest in rows if notes[id_] == digest}
    return found


def take_back_changes(session: Session, step: StepRow, frames: set[int]) -> list[str]:
    """Remove what the step added; `frames` are those of it that are there. Returns classes left for `Classes.retire`."""
    if frames and _was_learned(session, frames):
        step.ids_until = max(frames)
    _remove_frames(session, step.id, frames)
    known: list[str] = []
    for change in reversed(changes_of(session, step.id)):
        if change.what == BLOCK:
            _remove_block(session, change)
        elif change.what == SPLIT:
            _take_split(session, change)
        elif not _remove_class(session, change):
            known.append(change.row["name"])
    return known


def put_back_changes(session: Session, step_id: int) -> dict[int, int]:
    """Put back what `take_back_changes` removed, under a new id where the old one was given away; returns those of classes."""
    ids: dict[tuple[str, int], int] = {}
    for change in changes_of(session, step_id):
        if "removed" in change.row:
            PUT_BACK[change.what](session, change, ids)
            change.row = {key: value for key, value in change.row.items() if key != "removed"}
    frames = [change.id for change in changes_of(session, step_id, frames=True) if "removed" in change.row]
    unused = count(_unused_frame_id(session))
    for portion in _portions(frames):
        _put_frames(session, portion, ids, unused)
    return {old: new for (table, old), new in ids.items() if table == ClassRow.__tablename__}


def next_frame_id(session: Session) -> int:
    """Id for a new frame: above those of all frames that are there, and of those that a training knew and that are gone."""
    highest = (select(func.max(FrameRow.id)), select(func.max(StepRow.ids_until)))
    return 1 + max(session.scalar(query) or 0 for query in highest)


def _unused_frame_id(session: Session) -> int:
    """The same, also above those of frames that may still be put back."""
    of_notes = session.scalar(select(func.max(ChangeRow.row_id)).where(ChangeRow.what == FRAME)) or 0
    return max(next_frame_id(session), 1 + of_notes)


def _was_learned(session: Session, frames: set[int]) -> bool:
    """Whether a training began after one of these frames was labelled."""
    seen = session.scalar(select(func.max(RunRow.labels_seen))) or 0
    first = (
        session.scalar(select(func.min(LabelRow.number)).where(LabelRow.frame_id.in_(ids))) for ids in _portions(frames)
    )
    return any(number is not None and number <= seen for number in first)


def _remove_frames(session: Session, step_id: int, frames: set[int]) -> None:
    """Frames go with their labels and answers.

    In the step's notes are kept the pictures, its own answers, and those of later steps, which were undone before it.
    """
    for ids in _portions(sorted(frames)):
        rows = {row.id: row for row in session.scalars(select(FrameRow).where(FrameRow.id.in_(ids)))}
        labels = {row.frame_id: row for row in session.scalars(select(LabelRow).where(LabelRow.frame_id.in_(ids)))}
        answers: dict[int, list[Any]] = {}
        undone = select(StepRow.id).where(StepRow.undone_at.is_not(None))
        given = select(AnswerRow).where(or_(AnswerRow.step_id == step_id, AnswerRow.step_id.in_(undone)))
        for answer in session.scalars(given.where(AnswerRow.frame_id.in_(ids)).order_by(AnswerRow.id)):
            answers.setdefault(answer.frame_id, []).append(_values(answer))
        mine = ChangeRow.step_id == step_id, ChangeRow.what == FRAME, ChangeRow.row_id.in_(ids)
        for change in session.scalars(select(ChangeRow).where(*mine)):
            label = labels.get(change.row_id)
            kept = {"frame": _values(rows[change.row_id]), "answers": answers.get(change.row_id, [])}
            change.row = {**change.row, "removed": {**kept, "label": None if label is None else _values(label)}}
        session.flush()
        blobs = {
            name: select(getattr(FrameRow, name)).where(FrameRow.id == ChangeRow.row_id).scalar_subquery()
            for name in BLOBS
        }
        in_the_file = {"synchronize_session": False}
        session.execute(update(ChangeRow).where(*mine).values(**blobs), execution_options=in_the_file)
        for row in (*rows.values(), *labels.values()):
            session.expunge(row)
        session.execute(delete(FrameRow).where(FrameRow.id.in_(ids)), execution_options=in_the_file)


def _remove_block(session: Session, change: ChangeRow) -> None:
    """A block without frames goes; one in which frames of others lie stays."""
    block = session.get(BlockRow, change.row_id)
    used = session.scalar(select(FrameRow.id).where(FrameRow.block_id == change.row_id).limit(1))
    if block is not None and used is None:
        change.row = {**change.row, "removed": _values(block)}
        session.delete(block)
        session.flush()


def _take_split(session: Session, change: ChangeRow) -> None:
    """A block that had no split has none again; if later steps labelled something in it, once they are undone too."""
    block = session.get(BlockRow, change.row_id)
    inside = FrameRow.block_id == change.row_id
    labelled = select(LabelRow.frame_id).join(FrameRow, FrameRow.id == LabelRow.frame_id).where(inside).limit(1)
    if block is None:
        return
    if session.scalar(labelled) is None:
        change.row = {**change.row, "removed": {"split": block.split, "split_class_id": block.split_class_id}}
        block.split, block.split_class_id = None, None
    else:
        others = select(func.min(AnswerRow.step_id)).join(StepRow, StepRow.id == AnswerRow.step_id)
        others = others.where(StepRow.undone_at.is_(None), StepRow.id != change.step_id)
        others = others.where(AnswerRow.frame_id.in_(select(FrameRow.id).where(inside)))
        change.step_id = session.scalar(others) or change.step_id
    session.flush()


def _remove_class(session: Session, change: ChangeRow) -> bool:
    """A class that nothing uses goes, or is retired as it was; False when models must change for that."""
    row = session.get(ClassRow, change.row_id)
    if row is None or row.retired_at is not None or _has_labels(session, row.id):
        return True
    if _is_known(session, row.name, at_work=change.what == CLASS_BACK):
        return False
    change.row = {**change.row, "removed": _values(row)}
    if change.what == CLASS_BACK:
        row.role, row.retired_at = change.row["role"], change.row["retired_at"]
        return True
    session.execute(update(BlockRow).where(BlockRow.split_class_id == row.id).values(split_class_id=None))
    session.delete(row)
    session.flush()
    return True


def _is_known(session: Session, name: str, at_work: bool) -> bool:
    """Whether a model has an output for the class: any, or one that is champion or previous."""
    query = select(VersionRow.classes)
    if at_work:
        query = query.where(VersionRow.id.in_(select(RoleRow.version_id)))
    return any(name in {one["name"] for one in classes} for classes in session.scalars(query))


def _has_labels(session: Session, class_id: int) -> bool:
    """Whether a label is of this class, or would be after an undo."""
    if session.scalar(select(LabelRow.frame_id).where(LabelRow.class_id == class_id).limit(1)) is not None:
        return True
    before = select(AnswerRow.id).join(StepRow, StepRow.id == AnswerRow.step_id)
    before = before.where(AnswerRow.class_id_before == class_id, StepRow.undone_at.is_(None)).limit(1)
    return session.scalar(before) is not None


def _put_class(session: Session, change: ChangeRow, ids: dict[tuple[str, int], int]) -> None:
    row = change.row["removed"]
    there = session.scalar(select(ClassRow).where(ClassRow.name == row["name"]))
    if there is None:
        change.row_id = _insert(session, ClassRow, row, ids)
        return
    there.retired_at, there.role = None, row["role"]
    ids[ClassRow.__tablename__, row["id"]] = there.id


def _put_block(session: Session, change: ChangeRow, ids: dict[tuple[str, int], int]) -> None:
    change.row_id = _insert(session, BlockRow, change.row["removed"], ids)


def _put_split(session: Session, change: ChangeRow, ids: dict[tuple[str, int], int]) -> None:
    block, said = session.get(BlockRow, _mapped(ids, BlockRow, change.row_id)), change.row["removed"]
    if block is not None and block.split is None:
        block.split = said["split"]
        block.split_class_id = _mapped(ids, ClassRow, said["split_class_id"])
        change.row_id = block.id


def _put_frames(
    session: Session, change_ids: list[int], ids: dict[tuple[str, int], int], unused: Iterator[int]
) -> None:
    """Frames with their labels and answers, but for those whose picture came in another way meanwhile.

    One whose id was given away gets one of the `unused`, so that it takes that of no other frame that is put back.
    """
    query = (
        select(ChangeRow)
        .where(ChangeRow.id.in_(change_ids))
        .options(undefer(ChangeRow.features), undefer(ChangeRow.jpeg))
    )
    changes = {change.row["sha256"]: change for change in session.scalars(query)}
    there = set(session.scalars(select(FrameRow.sha256).where(FrameRow.sha256.in_(changes))))
    taken = set(session.scalars(select(FrameRow.id).where(FrameRow.id.in_([c.row_id for c in changes.values()]))))
    frames, labels, answers = [], [], []
    for digest, change in changes.items():
        kept = change.row["removed"]
        if digest not in there:
            if change.row_id in taken:
                change.row_id = next(unused)
            blobs = {name: getattr(change, name) for name in BLOBS}
            block_id = _mapped(ids, BlockRow, kept["frame"]["block_id"])
            frames.append({**kept["frame"], **blobs, "id": change.row_id, "block_id": block_id})
            labels += [_of_frame(label, change.row_id, "class_id", ids) for label in [kept["label"]] if label]
            for answer in kept["answers"]:
                moved = _of_frame(answer, change.row_id, "class_id_before", ids)
                if answer["step_id"] != change.step_id:  # of a later step, which is done again by its own redo
                    moved["class_id_after"] = _mapped(ids, ClassRow, answer["class_id_after"])
                answers.append(moved)
        change.row, change.features, change.jpeg = {"sha256": digest}, None, None
    session.flush()
    for table, rows in ((FrameRow, frames), (LabelRow, labels), (AnswerRow, _renumbered(session, answers))):
        if rows:
            session.execute(insert(table), rows)


def _of_frame(row: Json, frame_id: int, class_id: str, ids: dict[tuple[str, int], int]) -> Json:
    return {**row, "frame_id": frame_id, class_id: _mapped(ids, ClassRow, row[class_id])}


def _renumbered(session: Session, answers: list[Json]) -> list[Json]:
    """Answers under their old ids, unless one of these was given away: then all under new ones, in the same order."""
    taken = select(AnswerRow.id).where(AnswerRow.id.in_([answer["id"] for answer in answers])).limit(1)
    if session.scalar(taken) is None:
        return answers
    newest = session.scalar(select(func.max(AnswerRow.id))) or 0
    return [{**answer, "id": number} for number, answer in enumerate(answers, start=newest + 1)]


PUT_BACK = {CLASS: _put_class, CLASS_BACK: _put_class, BLOCK: _put_block, SPLIT: _put_split}
"""How each kind of change but frames is done again."""


def _insert(session: Session, table: Any, row: Json, ids: dict[tuple[str, int], int]) -> int:
    """Insert a row under its old id, or under a new one when that was given away, which `ids` then tells."""
    taken = session.scalar(select(table.id).where(table.id == row["id"])) is not None
    values = {key: value for key, value in row.items() if not (taken and key == "id")}
    if "split_class_id" in values:
        values["split_class_id"] = _mapped(ids, ClassRow, values["split_class_id"])
    new = table(**values)
    session.add(new)
    session.flush()
    ids[table.__tablename__, row["id"]] = new.id
    return int(new.id)


def _mapped(ids: dict[tuple[str, int], int], table: type[Base], id_: int | None) -> int | None:
    return None if id_ is None else ids.get((table.__tablename__, id_), id_)


def _values(row: Base) -> Json:
    """The columns of a row but for blobs, as JSON holds them: floats come back as they were."""
    return {column.key: getattr(row, column.key) for column in type(row).__table__.columns if column.key not in BLOBS}


def _portions(ids: Iterable[int]) -> Iterator[list[int]]:
    rest = iter(ids)
    while portion := list(islice(rest, AT_ONCE)):
        yield portion
