"""Retention limits of deferred runs, discarded frames, posture history and model files.

Age is counted in *days of use*, days on which the database recorded something. A wrong clock (a Jetson may have no battery
for it) adds at most one such day per wrong date, so it makes nothing old; rows dated into the future age with their
neighbours.

The database file does not shrink: SQLite reuses the space. VACUUM would copy the whole file and block all writers.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Integer, cast, delete, func, literal, select, union
from sqlalchemy.orm import InstrumentedAttribute, Session

from posture_daemon.domain import Outcome, Status
from posture_daemon.settings import KeepSettings
from posture_daemon.store.database import Database
from posture_daemon.store.model_files import remove_surplus, sweep
from posture_daemon.store.models import Models
from posture_daemon.store.open_step import forget_undone
from posture_daemon.store.schema import AnswerRow, ClassRow, FrameRow, PeriodRow, RunRow

DAY_S = 86_400.0
ROWS_AT_ONCE, PICTURES_AT_ONCE = 500, 50
"""Rows per transaction, so few that other writers do not wait long."""

Sized = Any
"""A `Select` of ids and the bytes of their pictures; how its type is written differs between SQLAlchemy 2.0 and 2.1."""


@dataclass(frozen=True)
class Tidied:
    """What was deleted: rows, versions whose files were removed, and bytes of pictures and model files."""

    refusals: int
    frames: int
    periods: int
    models: int
    bytes: int


@dataclass(frozen=True)
class Limit:
    """Rows from before `before` are old at `now`; both in seconds since the epoch."""

    before: float
    now: float

    def passed(self, id_: InstrumentedAttribute[int], time: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
        """SQL condition for old rows. A row dated into the future is old if a row with a higher id is."""
        last_old = select(func.max(id_)).where(time < self.before).scalar_subquery()
        return (time < self.before) | ((time > self.now) & (id_ < last_old))


class Retention:
    """Deletes old rows and files in small transactions."""

    def __init__(self, database: Database, models: Models) -> None:
        self._database, self._models = database, models

    def tidy(self, now: float, keep: KeepSettings) -> Tidied:
        """Delete what is beyond the limits of `keep`; can be interrupted and repeated. Raises `DataFolderError`."""
        days = (keep.refusals_days, keep.discarded_days, keep.history_days)
        with self._database.read() as session:  # before anything is deleted, since rows define the days of use
            refusals, discarded, history = (Limit(_days_ago(session, now, number), now) for number in days)
            discarded = _spare_deleted_classes(session, discarded)
        self._forget_undone(now)
        old_periods = select(PeriodRow.id, literal(0)).where(history.passed(PeriodRow.id, PeriodRow.ended_at))
        frames, freed = self._delete(FrameRow, _old_discarded(discarded), PICTURES_AT_ONCE)
        return Tidied(
            refusals=self._delete(RunRow, _old_refusals(refusals))[0],
            frames=frames,
            periods=self._delete(PeriodRow, old_periods)[0],
            models=remove_surplus(self._database, self._models, keep.models, now),
            bytes=freed + sweep(self._database, self._models, now),
        )

    def _forget_undone(self, now: float) -> None:
        """What was taken back can be done again for a day."""
        with self._database.write() as session:
            forget_undone(session, now - DAY_S)

    def _delete(self, table: Any, old: Sized, at_once: int = ROWS_AT_ONCE) -> tuple[int, int]:
        """Delete the rows of `old`; returns (rows, bytes). Rows that refer to a frame are deleted with it (cascade)."""
        count = size = 0
        while True:
            with self._database.write() as session:
                rows = session.execute(old.limit(at_once)).all()
                session.execute(delete(table).where(table.id.in_([row[0] for row in rows])))
            count, size = count + len(rows), size + sum(row[1] for row in rows)
            if len(rows) < at_once:
                return count, size


def _days_ago(session: Session, now: float, days: int) -> float:
    """Time that lies `days` days and days of use before `now`; -∞ while there were fewer days of use."""
    times = (PeriodRow.ended_at, AnswerRow.answered_at, FrameRow.added_at, RunRow.finished_at)
    used = union(*(select(cast(time / DAY_S, Integer).label("day")).where(time <= now) for time in times)).subquery()
    day = session.scalar(select(used.c.day).order_by(used.c.day.desc()).offset(days).limit(1))
    return float("-inf") if day is None else min(now - days * DAY_S, (day + 1) * DAY_S)


def _spare_deleted_classes(session: Session, limit: Limit) -> Limit:
    """Treat no frame as old after a class was deleted: frames discarded with it have no answer with a time."""
    deleted = select(func.max(ClassRow.retired_at)).where(ClassRow.retired_at <= limit.now)
    newest = session.scalar(deleted)
    return limit if newest is None or newest < limit.before else Limit(float("-inf"), limit.now)


def _old_discarded(limit: Limit) -> Sized:
    """Frames whose last answer, which discarded them, is old.

    The newest frame and the frame of the newest answer are kept, since SQLite would reuse their ids, which trainings have
    recorded as seen.
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
    """Old deferred runs, except the newest, which says why there is no training now."""
    refused = RunRow.outcome == Outcome.DEFERRED.value
    newest = select(func.max(RunRow.id)).where(refused).scalar_subquery()
    passed = limit.passed(RunRow.id, RunRow.finished_at)
    return select(RunRow.id, literal(0)).where(refused, RunRow.id < newest, passed)
