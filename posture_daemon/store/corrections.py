"""Corrections (the `wrong` command): requests that the running daemon keeps the frame whose prediction was wrong.

They go through the database because another process holds the camera.
"""

from sqlalchemy import delete, select, update

from posture_daemon.store.database import Repository
from posture_daemon.store.schema import CorrectionRow

STALE_S = 30.0
"""Age from which a request is ignored, since it no longer refers to the present frame."""


class Corrections(Repository):
    """Requests to keep the newest frame, with the frames that were kept for them."""

    def ask(self, now: float) -> int:
        """Ask the running daemon to keep the newest frame; returns the number of the request."""
        with self._database.write() as session:
            row = CorrectionRow(asked_at=now)
            session.add(row)
            session.flush()
            return row.id

    def open(self, now: float) -> list[int]:
        """Pending requests, oldest first, without stale ones and ones dated into the future by a wrong clock."""
        query = select(CorrectionRow.id).where(
            CorrectionRow.frame_id.is_(None),
            CorrectionRow.asked_at > now - STALE_S,
            CorrectionRow.asked_at <= now + STALE_S,
        )
        with self._database.read() as session:
            return list(session.scalars(query.order_by(CorrectionRow.id)))

    def keep(self, requests: list[int], frame_id: int | None) -> None:
        """Record the frame that answers these requests; `None` when it was not kept."""
        with self._database.write() as session:
            session.execute(update(CorrectionRow).where(CorrectionRow.id.in_(requests)).values(frame_id=frame_id))

    def frame(self, request: int) -> int | None:
        """Id of the frame kept for a request; `None` while there is none."""
        with self._database.read() as session:
            return session.scalar(select(CorrectionRow.frame_id).where(CorrectionRow.id == request))

    def withdraw(self, request: int) -> None:
        """Delete a request, answered or not."""
        with self._database.write() as session:
            session.execute(delete(CorrectionRow).where(CorrectionRow.id == request))
