"""Posture history: one row per period of one posture."""

from posture_daemon.store.database import Repository
from posture_daemon.store.schema import PeriodRow


class History(Repository):
    """Periods of posture."""

    def add(self, posture: str, started_at: float, ended_at: float) -> None:
        """Record a finished period. One with a negative length, after a clock was set back, is ignored."""
        if ended_at < started_at:
            return
        with self._database.write() as session:
            session.add(PeriodRow(posture=posture, started_at=started_at, ended_at=ended_at))
