"""The owner's answers: classes, labels, the split of time blocks, and undo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from posture_daemon.domain import LabelledImage, NewFrame, PostureClass, Role, Split, Status
from posture_daemon.errors import LabelError
from posture_daemon.store.classes import live_class
from posture_daemon.store.database import Database
from posture_daemon.store.files import sha256_of
from posture_daemon.store.numbering import next_number
from posture_daemon.store.queue import frame_row
from posture_daemon.store.schema import AnswerRow, BlockRow, ClassRow, FrameRow, LabelRow

SESSION_GAP_S = 6 * 3600.0
"""A pause from which a new session begins: a night, not a lunch break."""


@dataclass(frozen=True)
class BlockImport:
    """What importing one block did: pictures added with a label, added to the queue, given another label, left alone."""

    added: int = 0
    queued: int = 0
    relabelled: int = 0
    known: int = 0

    def __add__(self, other: BlockImport) -> BlockImport:
        return BlockImport(
            self.added + other.added,
            self.queued + other.queued,
            self.relabelled + other.relabelled,
            self.known + other.known,
        )


class Labels:
    """Classes and labels."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def classes(self) -> list[PostureClass]:
        """All classes in the order of their creation, without retired ones."""
        query = select(ClassRow).where(ClassRow.retired_at.is_(None)).order_by(ClassRow.id)
        with self._database.read() as session:
            return [PostureClass(r.name, Role(r.role)) for r in session.scalars(query)]

    def ensure_class(self, posture_class: PostureClass, now: float) -> bool:
        """Create the class unless there is one of this name; True when it is new. A retired one comes back, with this role."""
        with self._database.write() as session:
            row = session.scalar(select(ClassRow).where(ClassRow.name == posture_class.name))
            if row is not None and row.retired_at is None:
                return False
            row = row or ClassRow(name=posture_class.name, created_at=now)
            row.role, row.retired_at = posture_class.role.value, None
            session.add(row)
            return True

    def answer(
        self,
        frame_id: int,
        class_name: str | None,
        by: str,
        now: float,
        holdout_every: int,
        test_every: int = 0,
        batch: int | None = None,
    ) -> None:
        """Label a frame, or discard it with `None`. Raises `LabelError` when the frame or the class does not exist.

        Answers with the same `batch` (see `new_batch`) are undone together.
        """
        with self._database.write() as session:
            frame = session.get(FrameRow, frame_id)
            if frame is None:
                raise LabelError(f"There is no frame {frame_id}; it may have been evicted from the queue.")
            class_id = None if class_name is None else live_class(session, class_name).id
            given = _Given(by, now, batch, next_number(session))
            _record(session, frame, session.get(LabelRow, frame_id), class_id, given, (holdout_every, test_every))

    def answer_waiting(
        self,
        frame_ids: Sequence[int],
        class_name: str | None,
        by: str,
        now: float,
        holdout_every: int,
        test_every: int = 0,
    ) -> tuple[list[int], dict[int, str | None], list[int]]:
        """Label frames that still wait, or discard them with `None`, in one batch; the others are left as they are.

        Returns the ids that were answered, the class of each that somebody answered before (`None`: discarded), and the ids
        that are not there. Raises `LabelError` when the class does not exist.
        """
        done: list[int] = []
        already: dict[int, str | None] = {}
        gone: list[int] = []
        with self._database.write() as session:
            class_id = None if class_name is None else live_class(session, class_name).id
            batch = 1 + (session.scalar(select(func.max(AnswerRow.batch))) or 0)
            given = _Given(by, now, batch, next_number(session))
            for frame_id in dict.fromkeys(frame_ids):
                frame, label = session.get(FrameRow, frame_id), session.get(LabelRow, frame_id)
                if frame is None:
                    gone.append(frame_id)
                elif frame.status != Status.QUEUED.value:
                    already[frame_id] = None if label is None else session.get_one(ClassRow, label.class_id).name
                else:
                    _record(session, frame, label, class_id, given, (holdout_every, test_every))
                    done.append(frame_id)
        return done, already, gone

    def new_batch(self) -> int:
        """A number for answers that are given in one step and undone in one step, such as an import."""
        with self._database.read() as session:
            return int(session.scalar(select(func.max(AnswerRow.batch))) or 0) + 1

    def undo(self) -> int | None:
        """Take the last answer, or the whole batch that it belongs to, back; nothing that was answered is deleted.

        Returns the frame, of a batch the first one; `None` when there is nothing to undo.
        """
        with self._database.write() as session:
            answers, number = _last_step(session), next_number(session)
            for answer in answers:
                _take_back(session, answer, number)
            return answers[-1].frame_id if answers else None

    def import_block(
        self,
        frames: Sequence[tuple[NewFrame, str | None]],
        split: Split | None,
        now: float,
        holdout_every: int,
        test_every: int = 0,
        batch: int | None = None,
    ) -> BlockImport:
        """Add frames that share one time block, each with its class, or `None` to wait in the queue.

        Pictures that are already there are not added again: one that waits in the queue is answered, one with another
        label is relabelled, one with the same label, or that comes without a class, is left alone. New pictures join the
        block of the known one before them, so that what is added to a folder later stays on the side of its neighbours.
        A `split` that is given wins over the rule. Raises `LabelError` when a class does not exist.
        """
        wanted: dict[str, tuple[NewFrame, str | None]] = {}
        for frame, name in frames:
            wanted.setdefault(sha256_of(frame.jpeg), (frame, name))
        done: Counter[str] = Counter()
        with self._database.write() as session:
            given = _Given("import", now, batch, next_number(session))
            there = _labels_by_digest(session, wanted)
            added = _add_missing(session, wanted, there, split, now)
            class_ids = {
                name: live_class(session, name).id for name in {name for _, name in frames if name is not None}
            }
            for digest, (_, name) in wanted.items():
                row, label = there[digest]
                class_id = None if name is None else class_ids[name]
                if digest in added:
                    done["queued" if class_id is None else "added"] += 1
                elif class_id is None or (label is not None and label.class_id == class_id):
                    done["known"] += 1
                    continue
                else:
                    done["relabelled"] += 1
                if split is not None:
                    _prefer_split(session, row, split)
                if class_id is not None:
                    _record(session, row, label, class_id, given, (holdout_every, test_every))
        return BlockImport(**done)

    def labelled(self, since: float = float("-inf")) -> list[LabelledImage]:
        """All images that were labelled after `since`, in the order of their capture."""
        query = (
            select(FrameRow.id, FrameRow.sha256, ClassRow.name, BlockRow.split, BlockRow.id)
            .join(LabelRow, LabelRow.frame_id == FrameRow.id)
            .join(ClassRow, ClassRow.id == LabelRow.class_id)
            .join(BlockRow, BlockRow.id == FrameRow.block_id)
            .where(LabelRow.labelled_at > since)
            .order_by(FrameRow.captured_at, FrameRow.id)
        )
        with self._database.read() as session:
            rows = session.execute(query)
            return [LabelledImage(id_, sha, name, Split(split), block) for id_, sha, name, split, block in rows]

    def counts(self) -> dict[str, dict[Split, int]]:
        """Labelled images per class and split; classes without any are there with zeros."""
        query = (
            select(ClassRow.name, BlockRow.split, func.count())
            .join(LabelRow, LabelRow.class_id == ClassRow.id)
            .join(FrameRow, FrameRow.id == LabelRow.frame_id)
            .join(BlockRow, BlockRow.id == FrameRow.block_id)
            .group_by(ClassRow.name, BlockRow.split)
        )
        with self._database.read() as session:
            counted = {(name, Split(split)): int(number) for name, split, number in session.execute(query)}
        return {c.name: {split: counted.get((c.name, split), 0) for split in Split} for c in self.classes()}

    def block_counts(self) -> dict[tuple[str, Split], int]:
        """Time blocks that hold labelled images of a class, by class and split; none where there are none."""
        query = (
            select(ClassRow.name, BlockRow.split, func.count(BlockRow.id.distinct()))
            .join(LabelRow, LabelRow.class_id == ClassRow.id)
            .join(FrameRow, FrameRow.id == LabelRow.frame_id)
            .join(BlockRow, BlockRow.id == FrameRow.block_id)
            .group_by(ClassRow.name, BlockRow.split)
        )
        with self._database.read() as session:
            return {(name, Split(split)): int(number) for name, split, number in session.execute(query)}

    def sessions(self) -> dict[int, int]:
        """The session of each time block, by block: blocks of one source that no pause of `SESSION_GAP_S` separates."""
        query = select(BlockRow).order_by(BlockRow.source, BlockRow.started_at, BlockRow.id)
        found: dict[int, int] = {}
        source, ended_at, number = None, 0.0, 0
        with self._database.read() as session:
            for block in session.scalars(query):
                if block.source != source or block.started_at - ended_at >= SESSION_GAP_S:
                    source, ended_at, number = block.source, block.ended_at, number + 1
                found[block.id] = number
                ended_at = max(ended_at, block.ended_at)
        return found

    def steps(self) -> dict[int, int]:
        """By frame that the owner answered: the number of the step, the same for frames that one key answered together."""
        query = select(LabelRow.frame_id, LabelRow.number).where(LabelRow.labelled_by == "owner")
        with self._database.read() as session:
            return {row.frame_id: row.number for row in session.execute(query)}

    def state(self) -> tuple[int, int]:
        """How many labels there are, and the newest number: changes with every answer and every undo."""
        query = select(func.count(), func.coalesce(func.max(LabelRow.number), 0)).select_from(LabelRow)
        with self._database.read() as session:
            count, newest = session.execute(query).one()
            return int(count), int(newest)

    def total(self) -> int:
        """Number of labels."""
        with self._database.read() as session:
            return int(session.scalar(select(func.count()).select_from(LabelRow)) or 0)

    def new(self, after: int = 0) -> list[tuple[str, float]]:
        """Class and time of each label given or changed after the label of this number (see `Runs.labels_learned`), in order.

        Steps are numbered as they come, so a clock that jumps makes no label old or new.
        """
        query = (
            select(ClassRow.name, LabelRow.labelled_at)
            .join(LabelRow, LabelRow.class_id == ClassRow.id)
            .where(LabelRow.number > after)
            .order_by(LabelRow.number, LabelRow.frame_id)
        )
        with self._database.read() as session:
            return [(name, at) for name, at in session.execute(query)]

    def frames_after(self, number: int) -> set[int]:
        """Frames whose label was given or changed after the label of this number."""
        with self._database.read() as session:
            return set(session.scalars(select(LabelRow.frame_id).where(LabelRow.number > number)))


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


@dataclass(frozen=True)
class _Given:
    """Who gave an answer, when, in one step with which others, and the number of that step."""

    by: str
    now: float
    batch: int | None
    number: int


def _last_step(session: Session) -> list[AnswerRow]:
    """The answers that the next undo takes back, newest first."""
    query = select(AnswerRow).where(AnswerRow.undone.is_(False)).order_by(AnswerRow.id.desc())
    last = session.scalar(query.limit(1))
    if last is None or last.batch is None:
        return [] if last is None else [last]
    return list(session.scalars(query.where(AnswerRow.batch == last.batch)))


def _take_back(session: Session, answer: AnswerRow, number: int) -> None:
    answer.undone = True
    frame = session.get_one(FrameRow, answer.frame_id)
    frame.status = answer.status_before
    label = session.get(LabelRow, frame.id)
    if label is not None and answer.class_id_before is None:
        session.delete(label)
    elif answer.class_id_before is not None:
        if label is None or label.class_id != answer.class_id_before:
            given = _Given("owner", answer.answered_at, None, number)
            label = _set_label(session, frame, label, answer.class_id_before, given)
        label.kept_at = answer.kept_at_before


def _record(
    session: Session,
    frame: FrameRow,
    label: LabelRow | None,
    class_id: int | None,
    given: _Given,
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


def _set_label(session: Session, frame: FrameRow, label: LabelRow | None, class_id: int, given: _Given) -> LabelRow:
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


def _prefer_split(session: Session, frame: FrameRow, split: Split) -> None:
    """Give a block that has no split yet this one, whatever the rule would say."""
    block = session.get_one(BlockRow, frame.block_id)
    block.split = block.split or split.value


def _labels_by_digest(session: Session, digests: Iterable[str]) -> dict[str, tuple[FrameRow, LabelRow | None]]:
    """The frames that are already there, each with its label."""
    query = select(FrameRow, LabelRow).outerjoin(LabelRow, LabelRow.frame_id == FrameRow.id)
    rows = session.execute(query.where(FrameRow.sha256.in_(list(digests))))
    return {frame.sha256: (frame, label) for frame, label in rows}


def _add_missing(
    session: Session,
    wanted: Mapping[str, tuple[NewFrame, str | None]],
    there: dict[str, tuple[FrameRow, LabelRow | None]],
    split: Split | None,
    now: float,
) -> set[str]:
    """Give each frame that is not `there` a row, and enter it; return the digests of these."""
    known = [_fitting_block(session, there[digest][0], split) for digest in wanted if digest in there]
    block = next((block for block in known if block is not None), None)
    added = set()
    for digest, (frame, _) in wanted.items():
        if digest in there:
            block = _fitting_block(session, there[digest][0], split) or block
            continue
        block = block or _import_block_row(session, [frame for frame, _ in wanted.values()], split)
        there[digest] = frame_row(frame, digest, block, now), None
        session.add(there[digest][0])
        added.add(digest)
    session.flush()
    return added


def _fitting_block(session: Session, frame: FrameRow, split: Split | None) -> BlockRow | None:
    """The frame's block, unless the split that is wanted is another."""
    block = session.get_one(BlockRow, frame.block_id)
    return block if split is None or block.split == split.value else None


def _import_block_row(session: Session, frames: Sequence[NewFrame], split: Split | None) -> BlockRow:
    times = [frame.captured_at for frame in frames]
    block = BlockRow(source=frames[0].source, started_at=min(times), ended_at=max(times))
    block.split = split.value if split is not None else None
    session.add(block)
    session.flush()
    return block
