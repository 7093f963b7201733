"""The owner's word that no training may run now. In the database, so that it outlives every restart."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select

from posture_daemon.store.database import Repository
from posture_daemon.store.schema import PauseRow


@dataclass(frozen=True)
class Pause:
    """Since when, and until when: seconds since the epoch; `None` for until the owner says otherwise."""

    id: int
    began_at: float
    until: float | None


class Pauses(Repository):
    """At most one pause at a time."""

    def begin(self, now: float, until: float | None = None) -> Pause:
        """Pause, instead of any pause before."""
        with self._database.write() as session:
            session.execute(delete(PauseRow))
            row = PauseRow(began_at=now, until=until)
            session.add(row)
            session.flush()
            return Pause(row.id, now, until)

    def end(self) -> bool:
        """No pause any more. Returns whether there was one."""
        with self._database.write() as session:
            rows = session.scalars(select(PauseRow.id)).all()
            session.execute(delete(PauseRow))
            return bool(rows)

    def current(self, now: float) -> Pause | None:
        """The pause at this time; one that is over is none. A clock that was set back before its beginning ends it too.

        Else a pause of an hour that began under a wrong clock might last for years.
        """
        with self._database.read() as session:
            row = session.scalar(select(PauseRow).limit(1))
        if row is None or (row.until is not None and not row.began_at <= now < row.until):
            return None
        return Pause(row.id, row.began_at, row.until)
