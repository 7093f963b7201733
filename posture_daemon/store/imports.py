"""Import of pictures, one time block at a time, with or without their class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from posture_daemon.domain import NewFrame, Split
from posture_daemon.errors import LabelError
from posture_daemon.store.answers import Given, next_number, record_answer
from posture_daemon.store.classes import live_class
from posture_daemon.store.database import Repository
from posture_daemon.store.files import sha256_of
from posture_daemon.store.open_step import BLOCK, SPLIT, StepKind, note, note_frames, open_step
from posture_daemon.store.queue import add_frame_rows, frame_row
from posture_daemon.store.schema import BlockRow, FrameRow, LabelRow, StepRow


@dataclass(frozen=True)
class BlockImport:
    """Result of importing blocks, in pictures: added with a label, added to the queue, relabelled, already known."""

    added: int = 0
    queued: int = 0
    relabelled: int = 0
    known: int = 0

    def __add__(self, other: BlockImport) -> BlockImport:
        return BlockImport(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))


class Imports(Repository):
    """Adds blocks of pictures."""

    def add_block(
        self,
        frames: Sequence[tuple[NewFrame, str | None]],
        split: Split | None,
        now: float,
        holdout_every: int,
        test_every: int = 0,
        step: int | None = None,
    ) -> BlockImport:
        """Add frames that share one time block, each with its class, or `None` to wait in the queue.

        Pictures that are stored already are not added again: a queued one is answered, one with another label is
        relabelled, one with the same label or without a class is left alone. New pictures join the block of the stored one
        before them, so that pictures added to a folder later get the split of their neighbours. A given `split` overrides
        the split rule. All that is added is noted in `step`, or in one of its own if there are labels. Raises `LabelError`
        when a class does not exist, or the step was taken back meanwhile.
        """
        wanted: dict[str, tuple[NewFrame, str | None]] = {}
        for frame, name in frames:
            wanted.setdefault(sha256_of(frame.jpeg), (frame, name))
        done: Counter[str] = Counter()
        with self._database.write() as session:
            if step is not None:
                _refuse_undone(session, step)
            elif any(name is not None for _, name in frames):
                step = open_step(session, StepKind.IMPORT, now)
            given = Given("import", now, step or 0, next_number(session), (holdout_every, test_every))
            there = _labels_by_digest(session, wanted)
            added = _add_missing(session, wanted, there, split, given)
            names = {name for _, name in frames if name is not None}
            class_ids: dict[str | None, int | None] = {None: None}
            class_ids |= {name: live_class(session, name).id for name in names}
            for digest, (_, name) in wanted.items():
                what = _what_is_done(digest in added, there[digest][1], class_ids[name])
                done[what] += 1
                if what != "known":
                    _answer(session, *there[digest], class_ids[name], split, given)
        return BlockImport(**done)


def _answer(
    session: Session, row: FrameRow, label: LabelRow | None, class_id: int | None, split: Split | None, given: Given
) -> None:
    """Give a frame its class, if it has one, and its block a split, if it has none: the one of the folder or of the rule."""
    block = session.get_one(BlockRow, row.block_id)
    had_split = block.split is not None
    if split is not None:  # overrides the split rule in a block that has none yet
        block.split = block.split or split.value
    if class_id is not None:
        record_answer(session, row, label, class_id, given)
    if not had_split and block.split is not None:
        _note(session, given, SPLIT, block.id)


def _what_is_done(is_new: bool, label: LabelRow | None, class_id: int | None) -> str:
    """The field of `BlockImport` that counts a picture."""
    if is_new:
        return "queued" if class_id is None else "added"
    return "known" if class_id is None or (label is not None and label.class_id == class_id) else "relabelled"


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
    given: Given,
) -> set[str]:
    """Add the frames that are not `there`, also to that mapping; returns their digests."""
    known = [_fitting_block(session, there[digest][0], split) for digest in wanted if digest in there]
    block = next((block for block in known if block is not None), None)
    new: dict[str, FrameRow] = {}
    for digest, (frame, _) in wanted.items():
        if digest in there:
            block = _fitting_block(session, there[digest][0], split) or block
            continue
        if block is None:
            block = _block_row(session, [frame for frame, _ in wanted.values()], split)
            _note(session, given, BLOCK, block.id)
        new[digest] = frame_row(frame, digest, block, given.now)
    add_frame_rows(session, *new.values())
    if given.step:
        note_frames(session, given.step, {digest: row.id for digest, row in new.items()})
    there |= {digest: (row, None) for digest, row in new.items()}
    return set(new)


def _note(session: Session, given: Given, what: str, row_id: int) -> None:
    """Note what is added for undo; pictures that only wait, and are of no import, are not undone."""
    if given.step:
        note(session, given.step, what, row_id)


def _refuse_undone(session: Session, step: int) -> None:
    if session.get_one(StepRow, step).undone_at is not None:
        raise LabelError("This import was taken back while it went on; import the folder again if that was not meant.")


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
