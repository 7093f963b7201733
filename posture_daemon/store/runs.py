"""Training runs: each attempt, how it ended, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select, update

from posture_daemon.domain import Decision, Outcome, TrainingRun
from posture_daemon.store.database import Database
from posture_daemon.store.schema import LabelRow, RunRow


class Runs:
    """The record of training."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, trigger: str, decision: Decision, incumbent_id: int | None, now: float) -> int:
        """Record that a run starts; returns its number."""
        with self._database.write() as session:
            row = RunRow(
                trigger=trigger,
                started_at=now,
                reason="",
                decision=_as_json(decision),
                metrics={},
                labels_seen=int(session.scalar(select(func.count()).select_from(LabelRow)) or 0),
                incumbent_id=incumbent_id,
            )
            session.add(row)
            session.flush()
            return row.id

    def finish(
        self,
        run_id: int,
        outcome: Outcome,
        reason: str,
        now: float,
        metrics: Mapping[str, Any] | None = None,
        challenger_id: int | None = None,
    ) -> TrainingRun:
        """Record how a run ended."""
        with self._database.write() as session:
            row = session.get_one(RunRow, run_id)
            row.outcome, row.reason, row.finished_at = outcome.value, reason, now
            row.metrics, row.challenger_id = dict(metrics or {}), challenger_id
            return as_run(row)

    def defer(self, trigger: str, decision: Decision, incumbent_id: int | None, now: float) -> TrainingRun:
        """Record a refusal. The same refusal again only moves the time of the last one: a closed gate is not news."""
        with self._database.write() as session:
            last = session.scalar(select(RunRow).order_by(RunRow.id.desc()).limit(1))
            failed = {v.name for v in decision.verdicts if not v.passed}
            if last is None or last.outcome != Outcome.DEFERRED.value or _failed_names(last) != failed:
                last = RunRow(trigger=trigger, started_at=now, metrics={}, labels_seen=0, incumbent_id=incumbent_id)
                session.add(last)
            last.outcome, last.reason, last.finished_at = Outcome.DEFERRED.value, decision.reason, now
            last.decision = _as_json(decision)
            session.flush()
            return as_run(last)

    def close_interrupted(self, now: float) -> int:
        """Mark runs that a crash left open as failed; returns how many."""
        values = {"outcome": Outcome.FAILED.value, "reason": "the process ended during this run", "finished_at": now}
        with self._database.write() as session:
            open_runs = session.scalars(select(RunRow.id).where(RunRow.outcome.is_(None))).all()
            session.execute(update(RunRow).where(RunRow.id.in_(open_runs)).values(**values))
            return len(open_runs)

    def recent(self, limit: int = 20) -> list[TrainingRun]:
        """The newest runs, newest first."""
        with self._database.read() as session:
            return [as_run(row) for row in session.scalars(select(RunRow).order_by(RunRow.id.desc()).limit(limit))]

    def of_challenger(self, version_id: int) -> TrainingRun | None:
        """The run that made this version; `None` for one that was imported."""
        made = RunRow.outcome.is_distinct_from(Outcome.ROLLED_BACK.value)
        with self._database.read() as session:
            row = session.scalar(
                select(RunRow).where(RunRow.challenger_id == version_id, made).order_by(RunRow.id).limit(1)
            )
            return None if row is None else as_run(row)

    def last_started(self, *outcomes: Outcome) -> float | None:
        """Start of the newest run that ended in one of these; labels given later were new to it."""
        ended = RunRow.outcome.in_([outcome.value for outcome in outcomes])
        with self._database.read() as session:
            return session.scalar(select(func.max(RunRow.started_at)).where(ended))


def _as_json(decision: Decision) -> list[Any]:
    return [{"name": v.name, "passed": v.passed, "text": v.text} for v in decision.verdicts]


def _failed_names(row: RunRow) -> set[str]:
    return {verdict["name"] for verdict in row.decision if not verdict["passed"]}


def as_run(row: RunRow) -> TrainingRun:
    """The row as a value."""
    return TrainingRun(
        id=row.id,
        trigger=row.trigger,
        started_at=row.started_at,
        finished_at=row.finished_at,
        outcome=None if row.outcome is None else Outcome(row.outcome),
        reason=row.reason,
        metrics=row.metrics,
        incumbent_id=row.incumbent_id,
        challenger_id=row.challenger_id,
    )
