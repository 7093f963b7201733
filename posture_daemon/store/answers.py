"""One answer within a transaction: set the label, give the time block its split, or undo both."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from posture_daemon.domain import Split, Status
from posture_daemon.store.schema import AnswerRow, BlockRow, FrameRow, LabelRow, RunRow
from posture_daemon.store.sessions import of_camera, taught_in_session


@dataclass(frozen=True)
class BeforeRule:
    """What decides about a block without a split before the counting rule does.

    A `split`, as a lesson has one; or that the first `first_teach` labels of a session of the camera all teach, and none is
    held out: it is today that they are given for.
    """

    split: Split | None = None
    first_teach: int = 0


COUNTED = BeforeRule()


@dataclass(frozen=True)
class Given:
    """Who answered, when (s since the epoch), batch and step for undo; `every`: (`holdout_every`, `test_every`) for splits."""

    by: str
    now: float
    batch: int | None
    number: int
    every: tuple[int, int] = (1, 0)
    before_rule: BeforeRule = COUNTED


def record_answer(
    session: Session, frame: FrameRow, label: LabelRow | None, class_id: int | None, given: Given
) -> None:
    """Record an answer so that it can be undone, and apply it. `label` is the present one of the frame."""
    log_answer(session, frame, label, given.now, given.batch)
    if class_id is None:
        frame.status = Status.DISCARDED.value
        if label is not None:
            session.delete(label)
        return
    frame.status = Status.LABELLED.value
    _set_label(session, frame, label, class_id, given)
    _give_split(session, session.get_one(BlockRow, frame.block_id), class_id, given)


def log_answer(session: Session, frame: FrameRow, label: LabelRow | None, now: float, batch: int | None = None) -> None:
    """Note how a frame stands before an answer, for its undo."""
    row = AnswerRow(frame_id=frame.id, answered_at=now, status_before=frame.status, batch=batch)
    if label is not None:
        row.class_id_before, row.kept_at_before = label.class_id, label.kept_at
    session.add(row)


def last_step(session: Session) -> list[AnswerRow]:
    """The answers that the next undo takes back, newest first."""
    query = select(AnswerRow).where(AnswerRow.undone.is_(False)).order_by(AnswerRow.id.desc())
    last = session.scalar(query.limit(1))
    if last is None or last.batch is None:
        return [] if last is None else [last]
    return list(session.scalars(query.where(AnswerRow.batch == last.batch)))


def take_back(session: Session, answer: AnswerRow, number: int) -> None:
    """Undo one answer: restore the status and label that the frame had before."""
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
    """Split of a new block, given the number of `blocks` by split that the class of its first label has already.

    The second block of a class and then every `holdout_every`-th is held out, unless blocks that began with another class
    have filled its share: so each class has training images from its first block and holdout images from its second. Of the
    other blocks the third and then every `test_every`-th goes to the test split, which no decision uses; 0 means none.
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


def _give_split(session: Session, block: BlockRow, class_id: int, given: Given) -> None:
    """Set the split of a block once: the given one, else by the class of its first label."""
    if block.split is not None:
        return
    split, first_teach = given.before_rule.split, given.before_rule.first_teach
    if split is None and of_camera(block.source) and taught_in_session(session, block) < first_teach:
        split = Split.TRAIN
    block.split, block.split_class_id = (split or _by_rule(session, class_id, given.every)).value, class_id


def _by_rule(session: Session, class_id: int, every: tuple[int, int]) -> Split:
    """By how many blocks the class has."""
    holding = select(FrameRow.block_id).join(LabelRow, LabelRow.frame_id == FrameRow.id)
    of_class = BlockRow.id.in_(holding.where(LabelRow.class_id == class_id)) | (BlockRow.split_class_id == class_id)
    counted = session.execute(select(BlockRow.split, func.count()).where(of_class).group_by(BlockRow.split))
    blocks = {Split(split): int(number) for split, number in counted if split is not None}
    return split_for_new_block(blocks, *every)


def next_number(session: Session) -> int:
    """Number for the labels of this step: above that of every label, including undone ones that a run has seen."""
    newest = session.scalar(select(func.max(LabelRow.number))) or 0
    return 1 + max(newest, session.scalar(select(func.max(RunRow.labels_seen))) or 0)
