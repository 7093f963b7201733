"""Training runs: each attempt, how it ended, and why."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import JSON, func, select, type_coerce, update
from sqlalchemy.orm import defer

from posture_daemon.domain import Decision, ModelVersion, Outcome, TrainingRun, Verdict
from posture_daemon.errors import TrainingError
from posture_daemon.store.database import Repository
from posture_daemon.store.models import champion_id_in
from posture_daemon.store.schema import LabelRow, RunRow, VersionRow

OF_SINGLE_IMAGES = ("$.answers", "$.new_labels", "$.moments")
"""Paths in the metrics of a run: tens of kilobytes of JSON, many times that as Python objects."""

SAME = ("id", "trigger", "started_at", "finished_at", "reason", "incumbent_id", "challenger_id")
"""Fields of a run that are columns of the same name and type."""

ENDED = "the process ended during this run"
PROMOTED_THEN_ENDED = "the challenger became champion; the process ended before it was written down why"


class Runs(Repository):
    """The record of training."""

    def begin(
        self,
        trigger: str,
        decision: Decision,
        incumbent_id: int | None,
        now: float,
        metrics: Mapping[str, Any] | None = None,
    ) -> int:
        """Record that a run starts, and which labels it has seen; returns its number."""
        with self._database.write() as session:
            row = RunRow(
                trigger=trigger, started_at=now, reason="", decision=_as_json(decision), incumbent_id=incumbent_id
            )
            row.metrics = dict(metrics or {})
            row.labels_seen = session.scalar(select(func.max(LabelRow.number))) or 0
            session.add(row)
            session.flush()
            return row.id

    def note(self, run_id: int, reason: str) -> None:
        """Say how a run stands that goes on; nothing happens to one that has ended."""
        with self._database.write() as session:
            session.execute(update(RunRow).where(RunRow.id == run_id, RunRow.outcome.is_(None)).values(reason=reason))

    def add_metrics(self, run_id: int, metrics: Mapping[str, Any]) -> None:
        """Add what was measured of a run."""
        with self._database.write() as session:
            row = session.get_one(RunRow, run_id)
            row.metrics = {**row.metrics, **metrics}

    def finish(
        self,
        run_id: int,
        outcome: Outcome,
        reason: str,
        now: float,
        metrics: Mapping[str, Any] | None = None,
        challenger_id: int | None = None,
    ) -> TrainingRun:
        """Record how a run ended; `metrics` are added to those of its beginning."""
        with self._database.write() as session:
            row = session.get_one(RunRow, run_id)
            row.outcome, row.reason, row.finished_at = outcome.value, reason, now
            row.metrics, row.challenger_id = {**row.metrics, **(metrics or {})}, challenger_id
            return as_run(row)

    def defer(self, trigger: str, decision: Decision, incumbent_id: int | None, now: float) -> TrainingRun:
        """Record a refusal. The same conditions failing again only move the time of the last one: a closed gate is not news.

        `metrics["refusals"]` counts how often it was repeated.
        """
        with self._database.write() as session:
            last = session.scalar(select(RunRow).order_by(RunRow.id.desc()).limit(1))
            failed = {v.name for v in decision.verdicts if not v.passed}
            before = {verdict["name"] for verdict in (last.decision if last else []) if not verdict["passed"]}
            if last is None or "refusals" not in last.metrics or before != failed:
                last = RunRow(trigger=trigger, started_at=now, metrics={"refusals": 0}, incumbent_id=incumbent_id)
                session.add(last)
            last.outcome, last.reason, last.finished_at = Outcome.DEFERRED.value, decision.reason, now
            last.metrics = {"refusals": last.metrics["refusals"] + 1}
            last.decision = _as_json(decision)
            session.flush()
            return as_run(last)

    def propose(self, run_id: int, challenger_id: int) -> None:
        """Record what a run has made, before it is decided whether that becomes champion."""
        with self._database.write() as session:
            session.execute(update(RunRow).where(RunRow.id == run_id).values(challenger_id=challenger_id))

    def close_interrupted(self, now: float) -> int:
        """Close the runs that a crash left open; returns how many.

        They have failed, except for one whose challenger is champion: that was decided, only not written down here.
        """
        with self._database.write() as session:
            champion = champion_id_in(session)
            found = session.scalars(select(RunRow).where(RunRow.outcome.is_(None))).all()
            for row in found:
                promoted = champion is not None and row.challenger_id == champion
                row.outcome = (Outcome.PROMOTED if promoted else Outcome.FAILED).value
                row.reason, row.finished_at = PROMOTED_THEN_ENDED if promoted else ENDED, now
            return len(found)

    def recent(self, limit: int = 20) -> list[TrainingRun]:
        """The newest runs, newest first."""
        with self._database.read() as session:
            return [as_run(row) for row in session.scalars(select(RunRow).order_by(RunRow.id.desc()).limit(limit))]

    def of_challenger(self, version_id: int) -> TrainingRun | None:
        """The run that made this version; `None` for one that was imported."""
        made = RunRow.outcome.is_distinct_from(Outcome.ROLLED_BACK.value)
        query = select(RunRow).where(RunRow.challenger_id == version_id, made).order_by(RunRow.id).limit(1)
        with self._database.read() as session:
            row = session.scalar(query)
            return None if row is None else as_run(row)

    def get(self, run_id: int) -> TrainingRun:
        """One run. Raises `TrainingError` when there is none."""
        with self._database.read() as session:
            row = session.get(RunRow, run_id)
            if row is None:
                raise TrainingError(f"There is no training run {run_id}; `posture-daemon status` names the last one.")
            return as_run(row)

    def labels_seen_by(self, version: ModelVersion) -> int:
        """The number of the newest label when this version was made; 0 for one that was imported.

        One that came of a change of classes has seen what the version has seen that it came of.
        """
        made = RunRow.outcome.in_([Outcome.KEPT.value, Outcome.PROMOTED.value])
        with self._database.read() as session:
            challenger, parent = version.id, version.parent_id
            while True:
                seen = session.scalar(
                    select(RunRow.labels_seen).where(RunRow.challenger_id == challenger, made).limit(1)
                )
                if seen is not None or parent is None:
                    return seen or 0
                challenger, parent = parent, session.get_one(VersionRow, parent).parent_id

    def attempts(self, limit: int = 50) -> list[TrainingRun]:
        """The newest runs that really trained and have ended, newest first: neither refusals nor rollbacks.

        Without what their metrics hold of single images, which `get` has: the gate looks at these once a minute, for years.
        """
        ended = RunRow.outcome.in_([o.value for o in (Outcome.KEPT, Outcome.PROMOTED, Outcome.FAILED)])
        brief = type_coerce(func.json_remove(RunRow.metrics, *OF_SINGLE_IMAGES), JSON)
        query = select(RunRow, brief).options(defer(RunRow.metrics)).where(ended, RunRow.labels_seen.is_not(None))
        with self._database.read() as session:
            found = session.execute(query.order_by(RunRow.id.desc()).limit(limit))
            return [as_run(row, metrics) for row, metrics in found]

    def labels_learned(self) -> int:
        """The number of the newest label that the last training has learned from; later ones are new. 0 before the first."""
        learned = RunRow.outcome.in_([Outcome.KEPT.value, Outcome.PROMOTED.value])
        query = select(RunRow.labels_seen).where(learned).order_by(RunRow.id.desc()).limit(1)
        with self._database.read() as session:
            return session.scalar(query) or 0


def _as_json(decision: Decision) -> list[Any]:
    return [asdict(verdict) for verdict in decision.verdicts]


def as_run(row: RunRow, metrics: Mapping[str, Any] | None = None) -> TrainingRun:
    """The row as a value, with all its metrics or with those that are given."""
    outcome = None if row.outcome is None else Outcome(row.outcome)
    decision = tuple(Verdict(**verdict) for verdict in row.decision)
    found = row.metrics if metrics is None else metrics
    return TrainingRun(outcome=outcome, decision=decision, metrics=found, **{name: getattr(row, name) for name in SAME})
