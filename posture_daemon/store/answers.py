"""What one answer does within a transaction: the label, the split of the frame's time block, and how it is taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from posture_daemon.domain import Split, Status
from posture_daemon.store.schema import AnswerRow, BlockRow, FrameRow, LabelRow, RunRow


@dataclass(frozen=True)
class Given:
    """Who gave an answer, when, in one step with which others, and the number of that step."""

    by: str
    now: float
    batch: int | None
    number: int


def record_answer(
    session: Session,
    frame: FrameRow,
    label: LabelRow | None,
    class_id: int | None,
    given: Given,
    every: tuple[int, int],
) -> None:
    """Remember an answer so that it can be undone, and carry it out. `label` is the one that the frame has now."""
    before = None if label is None else label.class_id
    session.add(
        AnswerRow(
            frame_id=frame.id,
            answered_at=given.now,
            status_before=frame.status,
            class_id_before=before,
            batch=given.batch,
            kept_at_before=None if label is None else label.kept_at,
        )
    )
    if class_id is None:
        frame.status = Status.DISCARDED.value
        if label is not None:
            session.delete(label)
        return
    frame.status = Status.LABELLED.value
    _set_label(session, frame, label, class_id, given)
    _give_split(session, session.get_one(BlockRow, frame.block_id), class_id, every)


def last_step(session: Session) -> list[AnswerRow]:
    """The answers that the next undo takes back, newest first."""
    query = select(AnswerRow).where(AnswerRow.undone.is_(False)).order_by(AnswerRow.id.desc())
    last = session.scalar(query.limit(1))
    if last is None or last.batch is None:
        return [] if last is None else [last]
    return list(session.scalars(query.where(AnswerRow.batch == last.batch)))


def take_back(session: Session, answer: AnswerRow, number: int) -> None:
    """Give the frame what it had before this answer."""
    answer.undone = True
    frame = session.get_one(FrameRow, answer.frame_id)
    frame.status = answer.status_before
    label = session.get(LabelRow, frame.id)
    if label is not None and answer.class_id_before is None:
        session.delete(label)
    elif answer.class_id_before is not None:
        if label is None or label.class_id != answer.class_id_before:
            given = Given("owner", answer.answered_at, None, number)
            label = _set_label(session, frame, label, answer.class_id_before, given)
        label.kept_at = answer.kept_at_before


def split_for_new_block(blocks: Mapping[Split, int], holdout_every: int, test_every: int = 0) -> Split:
    """Split of a new block whose first label is of a class that has so many `blocks` already.

    The second block of a class and then every `holdout_every`-th is held out, unless blocks that began with another class
    have given it its share: so each class is in training from its first block and can be judged from its second. Of the
    others, the third and then every `test_every`-th is kept for testing, which decides nothing; 0 keeps none.
    """
    held_out, tested = blocks.get(Split.HOLDOUT, 0), blocks.get(Split.TEST, 0)
    used = held_out + blocks.get(Split.TRAIN, 0)
    if held_out < (used + holdout_every - 1) // holdout_every:
        return Split.HOLDOUT
    if test_every and used >= 2 and tested <= (used - 2) // test_every:
        return Split.TEST
    return Split.TRAIN


def _set_label(session: Session, frame: FrameRow, label: LabelRow | None, class_id: int, given: Given) -> LabelRow:
    label = label or LabelRow(frame_id=frame.id)
    label.class_id, label.labelled_by, label.labelled_at, label.number = class_id, given.by, given.now, given.number
    label.kept_at = None
    session.add(label)
    return label


def _give_split(session: Session, block: BlockRow, class_id: int, every: tuple[int, int]) -> None:
    """Once for the life of the block; the class of its first label decides, so that every class gets its share.

    `every` is `holdout_every` and `test_every`.
    """
    if block.split is not None:
        return
    holding = select(FrameRow.block_id).join(LabelRow, LabelRow.frame_id == FrameRow.id)
    of_class = BlockRow.id.in_(holding.where(LabelRow.class_id == class_id)) | (BlockRow.split_class_id == class_id)
    counted = session.execute(select(BlockRow.split, func.count()).where(of_class).group_by(BlockRow.split))
    blocks = {Split(split): int(number) for split, number in counted if split is not None}
    block.split = split_for_new_block(blocks, *every).value
    block.split_class_id = class_id


def next_number(session: Session) -> int:
    """For the labels of this step: larger than any label's, also of those that were taken back after a run had seen them."""
    newest = session.scalar(select(func.max(LabelRow.number))) or 0
    return 1 + max(newest, session.scalar(select(func.max(RunRow.labels_seen))) or 0)
