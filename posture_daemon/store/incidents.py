"""What the owner must be told although nobody was there when it happened. Shown until somebody says that it was seen."""

from __future__ import annotations

from sqlalchemy import select, update

from posture_daemon.domain import Incident
from posture_daemon.store.database import Repository
from posture_daemon.store.schema import IncidentRow


class Incidents(Repository):
    """Sentences with their times: a damaged model that was replaced, a database that was restored."""

    def add(self, text: str, now: float) -> None:
        """Record one. The same sentence is not recorded again while nobody has seen it."""
        same = select(IncidentRow.id).where(IncidentRow.text == text, IncidentRow.seen_at.is_(None))
        with self._database.write() as session:
            if session.scalar(same.limit(1)) is None:
                session.add(IncidentRow(text=text, happened_at=now))

    def unseen(self) -> list[Incident]:
        """Those that nobody has seen yet, newest first."""
        query = select(IncidentRow).where(IncidentRow.seen_at.is_(None)).order_by(IncidentRow.id.desc())
        with self._database.read() as session:
            return [Incident(row.id, row.happened_at, row.text) for row in session.scalars(query)]

    def see(self, now: float) -> int:
        """Somebody has seen all of them; returns how many those were."""
        with self._database.write() as session:
            ids = session.scalars(select(IncidentRow.id).where(IncidentRow.seen_at.is_(None))).all()
            session.execute(update(IncidentRow).where(IncidentRow.id.in_(ids)).values(seen_at=now))
            return len(ids)
