"""The queue of frames that were kept for labelling; row and JPEG are committed together."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import CursorResult, Select, delete, func, select
from sqlalchemy.orm import Session

from posture_daemon.domain import NewFrame, QueuedFrame, Status
from posture_daemon.errors import LabelError
from posture_daemon.store.database import Repository
from posture_daemon.store.files import sha256_of
from posture_daemon.store.schema import BlockRow, FrameRow
from posture_daemon.store.step_changes import next_frame_id

CAMERA_SOURCE = "camera"

MAX_BY_NUMBER = 500
"""Up to this number frames are queried by id; beyond it, reading all frames of the backbone is faster."""


SAME = ("captured_at", "explanation", "predicted", "confidence", "version_id", "usefulness", "backbone_sha256", "jpeg")
"""Fields of a new frame that are columns of the same name and type."""


class Queue(Repository):
    """Kept frames of every status."""

    def add(self, frame: NewFrame, now: float, block_gap_s: float, block_length_s: float) -> int | None:
        """Add a frame; returns its id, or `None` when an identical picture is stored already."""
        with self._database.write() as session:
            digest = sha256_of(frame.jpeg)
            if session.scalar(select(FrameRow.id).where(FrameRow.sha256 == digest)) is not None:
                return None
            block = _block_at(session, frame, block_gap_s, block_length_s)
            row = frame_row(frame, digest, block, now)
            add_frame_rows(session, row)
            return row.id

    def waiting(self, limit: int | None = None) -> list[QueuedFrame]:
        """Frames without an answer, oldest first."""
        query = select(FrameRow).where(FrameRow.status == Status.QUEUED.value)
        query = query.order_by(FrameRow.captured_at, FrameRow.id).limit(limit)
        with self._database.read() as session:
            return [as_queued(row) for row in session.scalars(query)]

    def newest(self, status: Status) -> QueuedFrame | None:
        """The frame of this status that was captured last; `None` without any."""
        query = select(FrameRow).where(FrameRow.status == status.value)
        query = query.order_by(FrameRow.captured_at.desc(), FrameRow.id.desc()).limit(1)
        with self._database.read() as session:
            row = session.scalar(query)
            return None if row is None else as_queued(row)

    def get(self, frame_id: int) -> QueuedFrame:
        """One frame, whatever its status. Raises `LabelError` when there is none."""
        with self._database.read() as session:
            row = session.get(FrameRow, frame_id)
            if row is None:
                raise LabelError(f"There is no frame {frame_id}; it may have been evicted from the queue.")
            return as_queued(row)

    def find(self, jpeg: bytes) -> QueuedFrame | None:
        """The frame with exactly this JPEG, whatever its status."""
        with self._database.read() as session:
            row = session.scalar(select(FrameRow).where(FrameRow.sha256 == sha256_of(jpeg)))
            return None if row is None else as_queued(row)

    def jpeg(self, frame_id: int) -> bytes:
        """The picture as stored. Raises `LabelError` when there is none."""
        with self._database.read() as session:
            data = session.scalar(select(FrameRow.jpeg).where(FrameRow.id == frame_id))
        if data is None:
            raise LabelError(f"There is no frame {frame_id}; it may have been evicted from the queue.")
        return data

    def jpegs(self, frame_ids: Sequence[int]) -> dict[int, bytes]:
        """JPEGs of those of these frames that exist, by id; ask for a few at a time."""
        with self._database.read() as session:
            query = select(FrameRow.id, FrameRow.jpeg).where(FrameRow.id.in_(frame_ids))
            return {row.id: row.jpeg for row in session.execute(query)}

    def pooled(self, frame_ids: Iterable[int], backbone_sha256: str) -> dict[int, NDArray[np.float16]]:
        """Pooled features `float16 (width,)` by id, of those of these frames that this backbone computed."""
        wanted = set(frame_ids)
        query = _features_of(backbone_sha256)
        if len(wanted) <= MAX_BY_NUMBER:
            query = query.where(FrameRow.id.in_(wanted))
        with self._database.read() as session:
            rows = session.execute(query).all()
        return {id_: np.frombuffer(data, np.float16) for id_, data in rows if id_ in wanted}

    def recent_pooled(self, backbone_sha256: str, limit: int) -> list[NDArray[np.float16]]:
        """Pooled features `float16 (width,)` of the newest frames of any status, oldest first; for near-duplicate checks."""
        query = _features_of(backbone_sha256).order_by(FrameRow.captured_at.desc()).limit(limit)
        with self._database.read() as session:
            return [np.frombuffer(data, np.float16) for _, data in session.execute(query)][::-1]

    def counts(self) -> dict[Status, int]:
        """Frames per status."""
        query = select(FrameRow.status, func.count()).group_by(FrameRow.status)
        with self._database.read() as session:
            found = {status: int(number) for status, number in session.execute(query)}
        return {status: found.get(status.value, 0) for status in Status}

    def evict(self, max_frames: int, max_bytes: int) -> int:
        """Delete the least useful waiting frames until both limits hold; labelled frames never. Returns how many went."""
        with self._database.write() as session:
            result = session.execute(delete(FrameRow).where(FrameRow.id.in_(_beyond(max_frames, max_bytes))))
            return int(cast("CursorResult[Any]", result).rowcount)


def frame_row(frame: NewFrame, digest: str, block: BlockRow, now: float) -> FrameRow:
    """Row of a new, queued frame."""
    features = None if frame.pooled is None else frame.pooled.astype(np.float16).tobytes()
    return FrameRow(
        sha256=digest,
        added_at=now,
        block_id=block.id,
        status=Status.QUEUED.value,
        reason=frame.reason.value,
        features=features,
        size_bytes=len(frame.jpeg) + len(features or b""),
        **{name: getattr(frame, name) for name in SAME},
    )


def add_frame_rows(session: Session, *rows: FrameRow) -> None:
    """Insert new frames, whose ids are said so that it takes one statement for all of them."""
    if not rows:
        return
    for id_, row in enumerate(rows, start=next_frame_id(session)):
        row.id = id_
    session.add_all(rows)
    session.flush()


def as_queued(row: FrameRow) -> QueuedFrame:
    """The row as a value."""
    said = row.reason, row.explanation, row.predicted, row.confidence
    return QueuedFrame(row.id, row.captured_at, Status(row.status), *said)


def _block_at(session: Session, frame: NewFrame, gap_s: float, length_s: float) -> BlockRow:
    """The last time block of this source, extended to the frame, or a new one after a gap or when that is full."""
    query = select(BlockRow).where(BlockRow.source == frame.source).order_by(BlockRow.id.desc()).limit(1)
    block, at = session.scalar(query), frame.captured_at
    fits = block is not None and block.started_at <= at < block.started_at + length_s and at - block.ended_at < gap_s
    if block is None or not fits:
        block = BlockRow(source=frame.source, started_at=at, ended_at=at)
        session.add(block)
        session.flush()
    block.ended_at = max(block.ended_at, at)
    return block


def _features_of(backbone_sha256: str):  # type: ignore[no-untyped-def]  # a Select of two columns: SQLAlchemy's type is unreadable
    return select(FrameRow.id, FrameRow.features).where(
        FrameRow.backbone_sha256 == backbone_sha256, FrameRow.features.is_not(None)
    )


def _beyond(max_frames: int, max_bytes: int) -> Select[tuple[int]]:
    """Ids of queued frames beyond the limits, when sorted by usefulness, then newest first.

    A frame without usefulness counts by its uncertainty (1 - confidence; 1 without a prediction). Window functions of SQLite
    compute the running totals, so that no picture is read.
    """
    usefulness = func.coalesce(FrameRow.usefulness, 1 - func.coalesce(FrameRow.confidence, 0.0))
    useful_first = (usefulness.desc(), FrameRow.captured_at.desc(), FrameRow.id.desc())
    number = func.row_number().over(order_by=useful_first).label("number")
    size = func.sum(FrameRow.size_bytes).over(order_by=useful_first, rows=(None, 0)).label("size")
    waiting = select(FrameRow.id, number, size).where(FrameRow.status == Status.QUEUED.value).subquery()
    return select(waiting.c.id).where((waiting.c.number > max_frames) | (waiting.c.size > max_bytes))
