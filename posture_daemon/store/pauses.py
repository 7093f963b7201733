"""Training pauses set by the owner; in the database, so that they survive a restart."""

from dataclasses import dataclass

from sqlalchemy import delete, select

from posture_daemon.store.database import Repository
from posture_daemon.store.schema import PauseRow


@dataclass(frozen=True)
class Pause:
    """Begin and end of a pause, seconds since the epoch; `until` is `None` for one without an end."""

    id: int
    began_at: float
    until: float | None


class Pauses(Repository):
    """At most one pause at a time."""

    def begin(self, now: float, until: float | None = None) -> Pause:
        """Begin a pause, replacing the present one."""
        with self._database.write() as session:
            session.execute(delete(PauseRow))
            row = PauseRow(began_at=now, until=until)
            session.add(row)
            session.flush()
            return Pause(row.id, now, until)

    def end(self) -> bool:
        """End the pause. Returns whether there was one."""
        with self._database.write() as session:
            rows = session.scalars(select(PauseRow.id)).all()
            session.execute(delete(PauseRow))
            return bool(rows)

    def current(self, now: float) -> Pause | None:
        """The pause in force at `now`, if any. A `now` before its beginning ends it too: the clock has been set back."""
        with self._database.read() as session:
            row = session.scalar(select(PauseRow).limit(1))
        if row is None or (row.until is not None and not row.began_at <= now < row.until):
            return None
        return Pause(row.id, row.began_at, row.until)
