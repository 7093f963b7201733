"""The owner's answers: classes, labels, the split of time blocks, and undo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from posture_daemon.domain import LabelledImage, NewFrame, PostureClass, Role, Split, Status
from posture_daemon.errors import LabelError
from posture_daemon.store.database import Database
from posture_daemon.store.files import sha256_of
from posture_daemon.store.queue import frame_row
from posture_daemon.store.schema import AnswerRow, BlockRow, ClassRow, FrameRow, LabelRow


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
        """All classes in the order of their creation."""
        with self._database.read() as session:
            return [PostureClass(r.name, Role(r.role)) for r in session.scalars(select(ClassRow).order_by(ClassRow.id))]

    def ensure_class(self, posture_class: PostureClass, now: float) -> bool:
        """Create the class unless there is one of this name; True when it is new."""
        with self._database.write() as session:
            if _class_row(session, posture_class.name) is not None:
                return False
            session.add(ClassRow(name=posture_class.name, role=posture_class.role.value, created_at=now))
            return True

    def answer(
        self, frame_id: int, class_name: str | None, by: str, now: float, holdout_every: int, test_every: int = 0
    ) -> None:
        """Label a frame, or discard it with `None`. Raises `LabelError` when the frame or the class does not exist."""
        with self._database.write() as session:
            frame = session.get(FrameRow, frame_id)
            if frame is None:
                raise LabelError(f"There is no frame {frame_id}; it may have been evicted from the queue.")
            _answer(session, frame, class_name, by, now, (holdout_every, test_every))

    def undo(self) -> int | None:
        """Take the last answer back; returns its frame, or `None` when there is nothing to undo."""
        query = select(AnswerRow).where(AnswerRow.undone.is_(False)).order_by(AnswerRow.id.desc()).limit(1)
        with self._database.write() as session:
            answer = session.scalar(query)
            if answer is None:
                return None
            answer.undone = True
            frame = session.get_one(FrameRow, answer.frame_id)
            frame.status = answer.status_before
            label = session.get(LabelRow, frame.id)
            if label is not None and answer.class_id_before is None:
                session.delete(label)
            elif answer.class_id_before is not None:
                _set_label(session, frame, label, answer.class_id_before, "owner", answer.answered_at)
            return frame.id

    def import_block(
        self,
        frames: Sequence[tuple[NewFrame, str | None]],
        split: Split | None,
        now: float,
        holdout_every: int,
        test_every: int = 0,
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
            there = _labels_by_digest(session, wanted)
            added = _add_missing(session, wanted, there, split, now)
            class_ids = {name: _class_id(session, name) for name in {name for _, name in frames if name is not None}}
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
                    _record(session, row, label, class_id, "import", now, (holdout_every, test_every))
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
        counted = Counter((image.class_name, image.split) for image in self.labelled())
        return {c.name: {split: counted[c.name, split] for split in Split} for c in self.classes()}

    def total(self) -> int:
        """Number of labels."""
        return self._count()

    def new_since(self, time: float) -> int:
        """Number of labels given after `time`."""
        return self._count(LabelRow.labelled_at > time)

    def _count(self, *conditions: ColumnElement[bool]) -> int:
        with self._database.read() as session:
            return int(session.scalar(select(func.count()).select_from(LabelRow).where(*conditions)) or 0)


def split_for_new_block(blocks_of_class: int, holdout_every: int, test_every: int = 0) -> Split:
    """Split of the next block whose first label is of a class that has `blocks_of_class` blocks already.

    The second block of a class and then every `holdout_every`-th is held out: a class is in training from its first block
    and has a holdout from its second, so that a new class can soon be judged. Of the others, the third and then every
    `test_every`-th is kept for testing, which decides nothing; 0 keeps none.
    """
    if blocks_of_class % holdout_every == 1:
        return Split.HOLDOUT
    if test_every and blocks_of_class >= 2 and (blocks_of_class - 2) % test_every == 0:
        return Split.TEST
    return Split.TRAIN


def _answer(
    session: Session, frame: FrameRow, class_name: str | None, by: str, now: float, every: tuple[int, int]
) -> None:
    class_id = None if class_name is None else _class_id(session, class_name)
    _record(session, frame, session.get(LabelRow, frame.id), class_id, by, now, every)


def _record(
    session: Session,
    frame: FrameRow,
    label: LabelRow | None,
    class_id: int | None,
    by: str,
    now: float,
    every: tuple[int, int],
) -> None:
    """Remember an answer so that it can be undone, and carry it out. `label` is the one that the frame has now."""
    before = None if label is None else label.class_id
    session.add(AnswerRow(frame_id=frame.id, answered_at=now, status_before=frame.status, class_id_before=before))
    if class_id is None:
        frame.status = Status.DISCARDED.value
        if label is not None:
            session.delete(label)
        return
    frame.status = Status.LABELLED.value
    _set_label(session, frame, label, class_id, by, now)
    _give_split(session, session.get_one(BlockRow, frame.block_id), class_id, every)


def _set_label(session: Session, frame: FrameRow, label: LabelRow | None, class_id: int, by: str, now: float) -> None:
    label = label or LabelRow(frame_id=frame.id)
    label.class_id, label.labelled_by, label.labelled_at = class_id, by, now
    session.add(label)


def _give_split(session: Session, block: BlockRow, class_id: int, every: tuple[int, int]) -> None:
    """Once for the life of the block; the class of its first label decides, so that every class gets its share.

    `every` is `holdout_every` and `test_every`.
    """
    if block.split is not None:
        return
    query = select(func.count()).select_from(BlockRow).where(BlockRow.split_class_id == class_id)
    block.split = split_for_new_block(int(session.scalar(query) or 0), *every).value
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


def _class_row(session: Session, name: str) -> ClassRow | None:
    return session.scalar(select(ClassRow).where(ClassRow.name == name))


def _class_id(session: Session, name: str) -> int:
    row = _class_row(session, name)
    if row is None:
        raise LabelError(f"There is no class '{name}'; create it first.")
    return row.id
