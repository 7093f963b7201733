"""Provenance of each kept frame and its label, for exports."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select

from posture_daemon.domain import Split, Status
from posture_daemon.store.database import Repository
from posture_daemon.store.schema import BlockRow, ClassRow, FrameRow, LabelRow


@dataclass(frozen=True)
class Origin:
    """A frame that waits or is labelled; times are seconds since the epoch.

    `reason`, `explanation`, `predicted`, `confidence` and `version_id` are of the time when the frame was kept: the model and
    its prediction. `class_name`, `labelled_at`, `labelled_by`, `kept_at` are `None` while it waits; so is the split
    of a block without labels.
    """

    frame_id: int
    sha256: str
    captured_at: float
    block_id: int
    source: str
    split: Split | None
    reason: str
    explanation: str
    predicted: str | None
    confidence: float | None
    version_id: int | None
    class_name: str | None
    labelled_at: float | None
    labelled_by: str | None
    kept_at: float | None


class Origins(Repository):
    """Reads the provenance of frames."""

    def all(self) -> list[Origin]:
        """Every frame that was not discarded, in the order of capture."""
        query = (
            select(
                *(FrameRow.id, FrameRow.sha256, FrameRow.captured_at, BlockRow.id, BlockRow.source, BlockRow.split),
                *(FrameRow.reason, FrameRow.explanation, FrameRow.predicted, FrameRow.confidence, FrameRow.version_id),
                *(ClassRow.name, LabelRow.labelled_at, LabelRow.labelled_by, LabelRow.kept_at),
            )
            .join(BlockRow, BlockRow.id == FrameRow.block_id)
            .outerjoin(LabelRow, LabelRow.frame_id == FrameRow.id)
            .outerjoin(ClassRow, ClassRow.id == LabelRow.class_id)
            .where(FrameRow.status != Status.DISCARDED.value)
            .order_by(FrameRow.captured_at, FrameRow.id)
        )
        with self._database.read() as session:
            rows: list[Any] = list(session.execute(query))
        found = [Origin(*row) for row in rows]  # the columns are in the order of the fields, the split is text
        return [replace(origin, split=None if origin.split is None else Split(origin.split)) for origin in found]
