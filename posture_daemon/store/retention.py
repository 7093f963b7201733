"""What would grow for ever is bounded: refused attempts, discarded frames, the history of posture, model files.

Age is counted in *days of use*, on which the database recorded something. A clock that is wrong for an hour (a Jetson may have
no battery for its own) adds one such day, so nothing becomes old by it; and what it dated into the future ages with its
neighbours.

The database file does not shrink: SQLite uses the room again. To give it back would take a copy of all of it and stop every
writer meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Integer, cast, delete, func, literal, select, union
from sqlalchemy.orm import InstrumentedAttribute, Session

from posture_daemon.domain import Outcome, Status
from posture_daemon.settings import KeepSettings
from posture_daemon.store.database import Database
from posture_daemon.store.model_files import remove_surplus, sweep
from posture_daemon.store.models import Models
from posture_daemon.store.schema import AnswerRow, ClassRow, FrameRow, PeriodRow, RunRow

DAY_S = 86_400.0
ROWS_AT_ONCE, PICTURES_AT_ONCE = 500, 50
"""Rows of one transaction: so few that no other writer waits long."""

Sized = Any
"""A `Select` of ids and the bytes of their pictures; how its type is written differs between SQLAlchemy 2.0 and 2.1."""


@dataclass(frozen=True)
class Tidied:
    """What went: rows, versions whose files were removed, and bytes of pictures and model files."""

    refusals: int
    frames: int
    periods: int
    models: int
    bytes: int


@dataclass(frozen=True)
class Limit:
    """What is from before `before` is old, seen at `now`; both seconds since the epoch."""

    before: float
    now: float

    def passed(self, id_: InstrumentedAttribute[int], time: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
        """The condition on a table. Ids tell the order: what is dated into the future is old if something later is."""
        last_old = select(func.max(id_)).where(time < self.before).scalar_subquery()
        return (time < self.before) | ((time > self.now) & (id_ < last_old))


class Retention:
    """Deletes what nobody needs any more, in small transactions."""

    def __init__(self, database: Database, models: Models) -> None:
        self._database, self._models = database, models

    def tidy(self, now: float, keep: KeepSettings) -> Tidied:
        """Do it now. Ended in the middle, the next one goes on. Raises `DataFolderError`."""
        days = (keep.refusals_days, keep.discarded_days, keep.history_days)
        with self._database.read() as session:  # before anything goes, for the rows tell the days of use
            refusals, discarded, history = (Limit(_days_ago(session, now, number), now) for number in days)
            discarded = _spare_deleted_classes(session, discarded)
        frames, freed = self._delete(FrameRow, _old_discarded(discarded), PICTURES_AT_ONCE)
        return Tidied(
            refusals=self._delete(RunRow, _old_refusals(refusals))[0],
            frames=frames,
            periods=self._delete(PeriodRow, _old_periods(history))[0],
            models=remove_surplus(self._database, self._models, keep.models, now),
            bytes=freed + sweep(self._database, self._models, now),
        )

    def _delete(self, table: Any, old: Sized, at_once: int = ROWS_AT_ONCE) -> tuple[int, int]:
        """Rows and bytes; what hangs on a frame goes with it (its foreign keys cascade)."""
        count = size = 0
        while True:
            with self._database.write() as session:
                rows = session.execute(old.limit(at_once)).all()
                session.execute(delete(table).where(table.id.in_([row[0] for row in rows])))
            count, size = count + len(rows), size + sum(row[1] for row in rows)
            if len(rows) < at_once:
                return count, size


def _days_ago(session: Session, now: float, days: int) -> float:
    """The time that lies so many days, and days of use, back; -∞ while there were not so many days of use."""
    times = (PeriodRow.ended_at, AnswerRow.answered_at, FrameRow.added_at, RunRow.finished_at)
    used = union(*(select(cast(time / DAY_S, Integer).label("day")).where(time <= now) for time in times)).subquery()
    day = session.scalar(select(used.c.day).order_by(used.c.day.desc()).offset(days).limit(1))
    return float("-inf") if day is None else min(now - days * DAY_S, (day + 1) * DAY_S)


def _spare_deleted_classes(session: Session, limit: Limit) -> Limit:
    """Nothing is old that may have been discarded with its class since then: no answer tells when that was."""
    deleted = select(func.max(ClassRow.retired_at)).where(ClassRow.retired_at <= limit.now)
    newest = session.scalar(deleted)
    return limit if newest is None or newest < limit.before else Limit(float("-inf"), limit.now)


def _old_discarded(limit: Limit) -> Sized:
    """By their last answer, which is when they were discarded, however long they had waited for it.

    The newest frame and the frame of the newest answer stay: SQLite would give their numbers again, and what has learned
    from a frame, or has seen the answers up to a number, must not take another one for it.
    """
    last = select(func.max(AnswerRow.id)).group_by(AnswerRow.frame_id)
    return (
        select(FrameRow.id, FrameRow.size_bytes)
        .join(AnswerRow, AnswerRow.frame_id == FrameRow.id)
        .where(FrameRow.status == Status.DISCARDED.value, AnswerRow.id.in_(last))
        .where(limit.passed(AnswerRow.id, AnswerRow.answered_at))
        .where(FrameRow.id < select(func.max(FrameRow.id)).scalar_subquery())
        .where(AnswerRow.id < select(func.max(AnswerRow.id)).scalar_subquery())
    )


def _old_refusals(limit: Limit) -> Sized:
    """Without the newest, which tells why there is no training now."""
    refused = RunRow.outcome == Outcome.DEFERRED.value
    newest = select(func.max(RunRow.id)).where(refused).scalar_subquery()
    passed = limit.passed(RunRow.id, RunRow.finished_at)
    return select(RunRow.id, literal(0)).where(refused, RunRow.id < newest, passed)


def _old_periods(limit: Limit) -> Sized:
    return select(PeriodRow.id, literal(0)).where(limit.passed(PeriodRow.id, PeriodRow.ended_at))
