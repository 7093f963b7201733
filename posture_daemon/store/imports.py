"""Import of pictures, one time block at a time, with or without their class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from posture_daemon.domain import NewFrame, Split
from posture_daemon.store.answers import Given, next_number, record_answer
from posture_daemon.store.classes import live_class
from posture_daemon.store.database import Repository
from posture_daemon.store.files import sha256_of
from posture_daemon.store.queue import frame_row
from posture_daemon.store.schema import BlockRow, FrameRow, LabelRow


@dataclass(frozen=True)
class BlockImport:
    """Result of importing blocks, in pictures: added with a label, added to the queue, relabelled, already known."""

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


class Imports(Repository):
    """Adds blocks of pictures."""

    def add_block(
        self,
        frames: Sequence[tuple[NewFrame, str | None]],
        split: Split | None,
        now: float,
        holdout_every: int,
        test_every: int = 0,
        batch: int | None = None,
    ) -> BlockImport:
        """Add frames that share one time block, each with its class, or `None` to wait in the queue.

        Pictures that are stored already are not added again: a queued one is answered, one with another label is
        relabelled, one with the same label or without a class is left alone. New pictures join the block of the stored one
        before them, so that pictures added to a folder later get the split of their neighbours. A given `split` overrides
        the split rule. Raises `LabelError` when a class does not exist.
        """
        wanted: dict[str, tuple[NewFrame, str | None]] = {}
        for frame, name in frames:
            wanted.setdefault(sha256_of(frame.jpeg), (frame, name))
        done: Counter[str] = Counter()
        with self._database.write() as session:
            given = Given("import", now, batch, next_number(session))
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
                    record_answer(session, row, label, class_id, given, (holdout_every, test_every))
        return BlockImport(**done)


def _prefer_split(session: Session, frame: FrameRow, split: Split) -> None:
    """Give a block without a split this one, instead of the one of the split rule."""
    block = session.get_one(BlockRow, frame.block_id)
    block.split = block.split or split.value


def _labels_by_digest(session: Session, digests: Iterable[str]) -> dict[str, tuple[FrameRow, LabelRow | None]]:
    """The stored frames among these digests, each with its label."""
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
    """Add the frames that are not `there`, also to that mapping; returns their digests."""
    known = [_fitting_block(session, there[digest][0], split) for digest in wanted if digest in there]
    block = next((block for block in known if block is not None), None)
    added = set()
    for digest, (frame, _) in wanted.items():
        if digest in there:
            block = _fitting_block(session, there[digest][0], split) or block
            continue
        block = block or _block_row(session, [frame for frame, _ in wanted.values()], split)
        there[digest] = frame_row(frame, digest, block, now), None
        session.add(there[digest][0])
        added.add(digest)
    session.flush()
    return added


def _fitting_block(session: Session, frame: FrameRow, split: Split | None) -> BlockRow | None:
    """The frame's block, unless it has another split than the wanted one."""
    block = session.get_one(BlockRow, frame.block_id)
    return block if split is None or block.split == split.value else None


def _block_row(session: Session, frames: Sequence[NewFrame], split: Split | None) -> BlockRow:
    times = [frame.captured_at for frame in frames]
    block = BlockRow(source=frames[0].source, started_at=min(times), ended_at=max(times))
    block.split = split.value if split is not None else None
    session.add(block)
    session.flush()
    return block
