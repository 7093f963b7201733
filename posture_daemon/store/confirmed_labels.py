"""Suspected label errors that the owner reviewed and confirmed; they are not reported again."""

from sqlalchemy import select

from posture_daemon.errors import LabelError
from posture_daemon.store.database import Repository
from posture_daemon.store.schema import AnswerRow, FrameRow, LabelRow


class ConfirmedLabels(Repository):
    """Confirmed labels. A new answer to the frame ends the confirmation; undo reverts it like an answer."""

    def keep(self, frame_id: int, now: float) -> None:
        """Confirm the present label of a frame; it does not count as a new label. Raises `LabelError` without one."""
        with self._database.write() as session:
            frame, label = session.get(FrameRow, frame_id), session.get(LabelRow, frame_id)
            if frame is None or label is None:
                raise LabelError(f"Frame {frame_id} has no label that could be kept.")
            session.add(
                AnswerRow(
                    frame_id=frame_id,
                    answered_at=now,
                    status_before=frame.status,
                    class_id_before=label.class_id,
                    kept_at_before=label.kept_at,
                )
            )
            label.kept_at = now

    def kept(self) -> set[int]:
        """The frames whose label was confirmed."""
        with self._database.read() as session:
            return set(session.scalars(select(LabelRow.frame_id).where(LabelRow.kept_at.is_not(None))))
