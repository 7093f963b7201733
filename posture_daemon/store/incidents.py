"""Incidents that the owner must be told of, shown until they are acknowledged."""

from sqlalchemy import select, update

from posture_daemon.domain import Incident
from posture_daemon.store.database import Repository
from posture_daemon.store.schema import IncidentRow


class Incidents(Repository):
    """Sentences with their times, such as that a damaged model was replaced or a database restored."""

    def add(self, text: str, now: float) -> None:
        """Record an incident, unless the same sentence is recorded and not acknowledged."""
        same = select(IncidentRow.id).where(IncidentRow.text == text, IncidentRow.seen_at.is_(None))
        with self._database.write() as session:
            if session.scalar(same.limit(1)) is None:
                session.add(IncidentRow(text=text, happened_at=now))

    def unseen(self) -> list[Incident]:
        """Incidents that were not acknowledged, newest first."""
        query = select(IncidentRow).where(IncidentRow.seen_at.is_(None)).order_by(IncidentRow.id.desc())
        with self._database.read() as session:
            return [Incident(row.id, row.happened_at, row.text) for row in session.scalars(query)]

    def see(self, now: float) -> int:
        """Acknowledge all incidents; returns how many."""
        with self._database.write() as session:
            ids = session.scalars(select(IncidentRow.id).where(IncidentRow.seen_at.is_(None))).all()
            session.execute(update(IncidentRow).where(IncidentRow.id.in_(ids)).values(seen_at=now))
            return len(ids)
