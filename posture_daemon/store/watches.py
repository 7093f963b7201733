"""Rollback watches over promoted champions. A watch begins with the promotion (see `models`) and ends once."""

from sqlalchemy import ColumnElement, select

from posture_daemon.domain import Outcome, TrainingRun, Watch, WatchEnding
from posture_daemon.store.database import Repository
from posture_daemon.store.models import champion_id_in, set_champion
from posture_daemon.store.runs import as_run
from posture_daemon.store.schema import RunRow, WatchRow

TRIGGER = "watch"
"""Trigger of runs that record a rollback."""


class Watches(Repository):
    """At most one watch is open; its state is in the database, so that it survives a restart."""

    def current(self) -> Watch | None:
        """The open watch."""
        return self._newest(WatchRow.ending.is_(None))

    def latest(self) -> Watch | None:
        """The newest watch, open or not."""
        return self._newest(WatchRow.id.is_not(None))

    def of(self, version_id: int) -> Watch | None:
        """The newest watch over this version."""
        return self._newest(WatchRow.version_id == version_id)

    def note(self, watch: Watch, text: str) -> None:
        """Record the present findings of an open watch, if they have changed."""
        if text == watch.reason:
            return
        with self._database.write() as session:
            row = session.get_one(WatchRow, watch.id)
            if row.ending is None:
                row.reason = text

    def keep(self, watch: Watch, reason: str, now: float) -> None:
        """End the watch; the champion stays."""
        with self._database.write() as session:
            row = session.get_one(WatchRow, watch.id)
            if row.ending is None:
                row.ending, row.reason, row.ended_at = WatchEnding.KEPT.value, reason, now

    def roll_back(self, watch: Watch, reason: str, now: float) -> TrainingRun | None:
        """Make the previous version champion, end the watch and record it as a run, in one commit.

        Returns `None` and changes nothing when the watch is over or another version has become champion. No watch is opened
        over the restored version.
        """
        with self._database.write() as session:
            row = session.get_one(WatchRow, watch.id)
            if row.ending is not None or champion_id_in(session) != watch.version_id:
                return None
            row.ending, row.reason, row.ended_at = WatchEnding.ROLLED_BACK.value, reason, now
            session.flush()
            set_champion(session, watch.previous_id, now)
            run = RunRow(trigger=TRIGGER, started_at=now, finished_at=now, reason=reason, decision=[], metrics={})
            run.outcome, run.incumbent_id = Outcome.ROLLED_BACK.value, watch.version_id
            run.challenger_id = watch.previous_id
            session.add(run)
            session.flush()
            return as_run(run)

    def _newest(self, condition: ColumnElement[bool]) -> Watch | None:
        query = select(WatchRow).where(condition).order_by(WatchRow.id.desc()).limit(1)
        with self._database.read() as session:
            row = session.scalar(query)
        if row is None:
            return None
        ending = None if row.ending is None else WatchEnding(row.ending)
        return Watch(row.id, row.version_id, row.previous_id, row.began_at, row.ended_at, ending, row.reason)
