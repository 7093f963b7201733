"""What the owner calls wrong while it is shown. In the database, for it may be another process that has the camera."""

from __future__ import annotations

from sqlalchemy import delete, select, update

from posture_daemon.store.database import Repository
from posture_daemon.store.schema import WrongRow

STALE_S = 30.0
"""After so long nobody means the present picture any more."""


class Corrections(Repository):
    """Requests to keep the newest frame, and the frames that were kept for them."""

    def ask(self, now: float) -> int:
        """Ask the running daemon to keep the newest frame; returns the number of the request."""
        with self._database.write() as session:
            row = WrongRow(asked_at=now)
            session.add(row)
            session.flush()
            return row.id

    def open(self, now: float) -> list[int]:
        """Requests without a frame, the oldest first, without stale ones and those from the future of a wrong clock."""
        query = select(WrongRow.id).where(
            WrongRow.frame_id.is_(None), WrongRow.asked_at > now - STALE_S, WrongRow.asked_at <= now + STALE_S
        )
        with self._database.read() as session:
            return list(session.scalars(query.order_by(WrongRow.id)))

    def keep(self, requests: list[int], frame_id: int | None) -> None:
        """Record that these requests were met by this frame."""
        with self._database.write() as session:
            session.execute(update(WrongRow).where(WrongRow.id.in_(requests)).values(frame_id=frame_id))

    def frame(self, request: int) -> int | None:
        """The frame that was kept; `None` while there is none."""
        with self._database.read() as session:
            return session.scalar(select(WrongRow.frame_id).where(WrongRow.id == request))

    def withdraw(self, request: int) -> None:
        """Forget a request, answered or not."""
        with self._database.write() as session:
            session.execute(delete(WrongRow).where(WrongRow.id == request))
