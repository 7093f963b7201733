"""Sessions: what looks alike because it is one day at one desk, in the same light and clothes.

Frames of the camera and lessons of one day are one session; each import is at least one of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from posture_daemon.domain import Split
from posture_daemon.store.schema import BlockRow, FrameRow, LabelRow

SESSION_GAP_S = 6 * 3600.0
"""Pause after which a new session begins: a night, not a lunch break."""

NEAR_S = 2 * 86_400.0
"""So far around a moment blocks are looked at first: years of them take a quarter of a second."""

IMPORT_PREFIX = "import:"
LIVE = "live"
"""All sources but imports are this one desk."""


@dataclass(frozen=True)
class LiveSession:
    """One session of the camera: its time blocks, and from when to when (s since the epoch) a frame belongs to it."""

    blocks: frozenset[int]
    begins: float
    ends: float

    def holds(self, at: float) -> bool:
        """Whether a frame captured at `at` is of this session; not after the clock was set back or forward by far."""
        return self.begins <= at < self.ends


class _Block(NamedTuple):
    """What a block tells of its session; whole rows of years of blocks take twice as long to read."""

    id: int
    source: str
    started_at: float
    ended_at: float

    @property
    def origin(self) -> str:
        return LIVE if of_camera(self.source) else self.source


def sessions_of_blocks(session: Session) -> dict[int, int]:
    """Number of the session of each time block: blocks of one origin that no pause of `SESSION_GAP_S` separates."""
    numbered = enumerate(_sessions(_blocks(session)), start=1)
    return {block.id: number for number, blocks in numbered for block in blocks}


def live_session_at(session: Session, at: float) -> LiveSession | None:
    """The session of the camera whose blocks are less than `SESSION_GAP_S` away from `at`."""
    around = NEAR_S
    while True:
        live = BlockRow.source.not_like(f"{IMPORT_PREFIX}%")
        near = _blocks(session, live, BlockRow.ended_at > at - around, BlockRow.started_at < at + around)
        found = _holding(_sessions(near), at)
        if found is None or (at - around < found.begins and found.ends < at + around):
            return found
        around *= 4  # it may go on beyond what was looked at, as where nobody sleeps


def _blocks(session: Session, *which: ColumnElement[bool]) -> Iterable[_Block]:
    columns = select(BlockRow.id, BlockRow.source, BlockRow.started_at, BlockRow.ended_at)
    return (_Block(*row) for row in session.execute(columns.where(*which)))


def _holding(sessions: list[list[_Block]], at: float) -> LiveSession | None:
    for blocks in reversed(sessions):
        found = LiveSession(
            frozenset(block.id for block in blocks),
            min(block.started_at for block in blocks) - SESSION_GAP_S,
            max(block.ended_at for block in blocks) + SESSION_GAP_S,
        )
        if found.holds(at):
            return found
    return None


def taught_in_session(session: Session, block: BlockRow) -> int:
    """How many labels of this block's session the training learns from so far."""
    found = live_session_at(session, block.started_at)
    ids = found.blocks if found else {block.id}
    query = select(func.count()).select_from(LabelRow).join(FrameRow, FrameRow.id == LabelRow.frame_id)
    query = query.join(BlockRow, BlockRow.id == FrameRow.block_id)
    query = query.where(BlockRow.id.in_(ids), BlockRow.split == Split.TRAIN.value)
    return int(session.scalar(query) or 0)


def _sessions(blocks: Iterable[_Block]) -> list[list[_Block]]:
    """The blocks of each session, by origin and in the order of time."""
    found: list[list[_Block]] = []
    origin, ended_at = None, 0.0
    for block in sorted(blocks, key=lambda one: (one.origin, one.started_at, one.id)):
        if block.origin != origin or block.started_at - ended_at >= SESSION_GAP_S:
            found.append([])
            origin, ended_at = block.origin, block.ended_at
        found[-1].append(block)
        ended_at = max(ended_at, block.ended_at)
    return found


def of_camera(source: str) -> bool:
    """Whether what a block came from is the camera, and no import."""
    return not source.startswith(IMPORT_PREFIX)
