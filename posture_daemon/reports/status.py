"""Everything `status` tells, gathered from the database and from what the running daemon says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from posture_daemon.domain import Incident, ModelVersion, Split, Status, TrainingRun, Watch
from posture_daemon.reports.advice import advice
from posture_daemon.reports.effect import effect
from posture_daemon.service.daemon_status import DaemonStatus, read_status, why_stale
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.training.run_record import RunRecord
from posture_daemon.training.starter_root import drawn_people_warning


@dataclass(frozen=True)
class RunSummary(TrainingRun):
    """A run, and in sentences its `effect`, instead of the answers to each image, which would bury the rest."""

    effect: tuple[str, ...] = ()

    def shape_json(self, found: Any) -> Any:
        """`dataset effect` shows the answers."""
        metrics = {
            name: one for name, one in found["metrics"].items() if name not in ("answers", "new_labels", "moments")
        }
        return {**found, "outcome": found["outcome"] or "running", "metrics": metrics}


@dataclass(frozen=True)
class Overview:
    """Times in seconds since the epoch. `daemon` is `None` when none is running, and empty while it starts.

    `stale` tells in words how old what `daemon` says is, and why, unless it is fresh.

    `labels` are counted by class and split; `warning` is about a champion that has only ever seen drawn people; `last_attempt`
    is the last run that was more than a look at the gate.
    """

    data_dir: str
    daemon: DaemonStatus | None
    stale: str | None
    incidents: tuple[Incident, ...]
    queue: Mapping[Status, int]
    labels: Mapping[str, Mapping[Split, int]]
    champion: ModelVersion | None
    warning: str | None
    previous: int | None
    watch: Watch | None
    advice: tuple[str, ...]
    last_run: RunSummary | None
    last_attempt: RunSummary | None

    def shape_json(self, found: Any) -> Any:
        """Of the champion only what it answers, and how well."""
        return {**found, "champion": None if self.champion is None else _champion(self.champion)}


def overview(store: Store, settings: Settings, now: float) -> Overview:
    """How things are at `now`, seconds since the epoch."""
    champion, previous, runs = store.models.champion(), store.models.previous(), store.runs.recent()
    attempt = next((run for run in runs if RunRecord.of(run.metrics).refusals is None), None)
    daemon = read_status(store.folder)
    filming = None if daemon is None or daemon.camera is None else daemon.camera.name
    return Overview(
        data_dir=str(settings.data_dir),
        daemon=daemon,
        stale=None if daemon is None else why_stale(store.folder, daemon, now),
        incidents=tuple(store.incidents.unseen()),
        queue=store.queue.counts(),
        labels=store.labels.counts(),
        champion=champion,
        warning=drawn_people_warning(store, champion, filming or settings.camera.address),
        previous=None if previous is None else previous.id,
        watch=store.watches.latest(),
        advice=tuple(advice(store, settings)),
        last_run=_summary(runs[0]) if runs else None,
        last_attempt=None if attempt is None else _summary(attempt),
    )


def _summary(run: TrainingRun) -> RunSummary:
    return RunSummary(**vars(run), effect=tuple(effect(RunRecord.of(run.metrics))))


def _champion(version: ModelVersion) -> Any:
    record = RunRecord.of(version.metrics)
    seen, report = record.challenger, record.report
    return {
        "id": version.id,
        "source": version.source,
        "created_at": version.created_at,
        "classes": [c.name for c in version.classes],
        "is_base": version.is_base,
        "region": None if version.region is None else str(version.region),
        "holdout_top1": None if seen is None else seen.top1,
        "holdout_images": None if seen is None else seen.images,
        "new_day_top1": None if report is None or report.new_day is None else report.new_day.top1,
    }
