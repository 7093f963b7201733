"""One answer within a transaction: set the label, give the time block its split; undo it, or do it again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from posture_daemon.domain import Split, Status
from posture_daemon.store.schema import AnswerRow, BlockRow, FrameRow, Json, LabelRow, RunRow
from posture_daemon.store.sessions import of_camera, taught_in_session

OF_LABEL = ("labelled_by", "labelled_at", "number")
"""What undo restores of a label, beside its class and whether it was kept."""


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
    """Who answered, when (s since the epoch), the step and number; `every`: (`holdout_every`, `test_every`) for splits."""

    by: str
    now: float
    step: int
    number: int
    every: tuple[int, int] = (1, 0)
    before_rule: BeforeRule = COUNTED


def record_answer(
    session: Session, frame: FrameRow, label: LabelRow | None, class_id: int | None, given: Given
) -> None:
    """Record an answer so that it can be undone, and apply it. `label` is the present one of the frame."""
    log_answer(session, frame, label, given.now, given.step)
    if class_id is None:
        frame.status = Status.DISCARDED.value
        if label is not None:
            session.delete(label)
        return
    frame.status = Status.LABELLED.value
    _set_label(session, frame, label, class_id, given)
    _give_split(session, session.get_one(BlockRow, frame.block_id), class_id, given)


def log_answer(session: Session, frame: FrameRow, label: LabelRow | None, now: float, step: int) -> None:
    """Note how a frame stands before an answer, for its undo."""
    row = AnswerRow(frame_id=frame.id, answered_at=now, status_before=frame.status, step_id=step)
    if label is not None:
        row.class_id_before, row.kept_at_before = label.class_id, label.kept_at
        row.label_before = {name: getattr(label, name) for name in OF_LABEL}
    session.add(row)


def take_back(session: Session, answer: AnswerRow, number: int) -> None:
    """Undo one answer: restore status and label as they were before, and note how they are now, to do it again.

    A label whose successor a training has learned counts as a new one, with `number`.
    """
    frame = session.get_one(FrameRow, answer.frame_id)
    label = session.get(LabelRow, frame.id)
    answer.status_after, answer.class_id_after = frame.status, None if label is None else label.class_id
    was_seen = label is not None and label.number <= _learned(session)
    if label is not None:
        answer.label_after = {name: getattr(label, name) for name in (*OF_LABEL, "kept_at")}
    frame.status = answer.status_before
    if answer.class_id_before is None:
        if label is not None:
            session.delete(label)
            session.flush()
        return
    same = label is not None and label.class_id == answer.class_id_before
    said: Mapping[str, Any] = answer.label_before or _as_far_as_known(answer, label if same else None, number)
    said = {**said, "number": number} if was_seen and not same else said
    _put_label(session, frame, label, answer.class_id_before, {**said, "kept_at": answer.kept_at_before})


def do_again(session: Session, answer: AnswerRow, number: int) -> None:
    """Do an answer again that `take_back` took back; nothing when its frame is gone."""
    frame = session.get(FrameRow, answer.frame_id)
    if frame is None or answer.status_after is None:
        return
    label = session.get(LabelRow, frame.id)
    frame.status = answer.status_after
    if answer.class_id_after is not None and answer.label_after is not None:
        missed = answer.label_after["number"] <= _learned(session)
        said = {**answer.label_after, "number": number} if missed else answer.label_after
        _put_label(session, frame, label, answer.class_id_after, said)
    elif label is not None:
        session.delete(label)


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


def _set_label(session: Session, frame: FrameRow, label: LabelRow | None, class_id: int, given: Given) -> None:
    said = {"labelled_by": given.by, "labelled_at": given.now, "number": given.number, "kept_at": None}
    _put_label(session, frame, label, class_id, said)


def _put_label(
    session: Session, frame: FrameRow, label: LabelRow | None, class_id: int, said: Mapping[str, Any]
) -> None:
    label = label or LabelRow(frame_id=frame.id)
    label.class_id = class_id
    for name, value in said.items():
        setattr(label, name, value)
    session.add(label)


def _as_far_as_known(answer: AnswerRow, label: LabelRow | None, number: int) -> Json:
    """Of an answer from before this was recorded."""
    if label is not None:
        return {name: getattr(label, name) for name in OF_LABEL}
    return {"labelled_by": "owner", "labelled_at": answer.answered_at, "number": number}


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


def _learned(session: Session) -> int:
    """The highest number of a label that a training has seen."""
    return session.scalar(select(func.max(RunRow.labels_seen))) or 0


def next_number(session: Session) -> int:
    """Number for the labels of this step: above that of every label, including undone ones that a run has seen."""
    newest = session.scalar(select(func.max(LabelRow.number))) or 0
    return 1 + max(newest, _learned(session))
