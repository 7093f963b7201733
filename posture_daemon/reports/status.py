"""Everything `status` tells, gathered from the database and from what the running daemon says of itself."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from posture_daemon.domain import ModelVersion, TrainingRun, Watch
from posture_daemon.reports.advice import advice
from posture_daemon.reports.effect import Effect
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.status_file import read_status


def overview(store: Store, settings: Settings) -> dict[str, Any]:
    """Plain values, ready for JSON; times in seconds since the epoch. `daemon` is `None` when none is running."""
    champion, previous, runs = store.models.champion(), store.models.previous(), store.runs.recent()
    attempt = next((run for run in runs if "refusals" not in run.metrics), None)
    return {
        "data_dir": str(settings.data_dir),
        "daemon": read_status(store.folder),
        "incidents": [asdict(incident) for incident in store.incidents.unseen()],
        "queue": {status.value: number for status, number in store.queue.counts().items()},
        "labels": {
            name: {split.value: number for split, number in splits.items()}
            for name, splits in store.labels.counts().items()
        },
        "champion": None if champion is None else _model(champion),
        "previous": None if previous is None else previous.id,
        "watch": _watch(store.watches.latest()),
        "advice": advice(store, settings),
        "last_run": None if not runs else _run(runs[0]),
        "last_attempt": None if attempt is None else _run(attempt),
    }


def _model(version: ModelVersion) -> dict[str, Any]:
    evaluation = version.metrics.get("challenger", {})
    return {
        "id": version.id,
        "source": version.source,
        "created_at": version.created_at,
        "classes": [c.name for c in version.classes],
        "is_base": version.is_base,
        "holdout_top1": evaluation.get("top1"),
        "holdout_images": evaluation.get("images"),
    }


def _watch(watch: Watch | None) -> dict[str, Any] | None:
    """The newest watch; `ending` is `None` while it lasts."""
    return None if watch is None else {**asdict(watch), "ending": watch.ending.value if watch.ending else None}


def _run(run: TrainingRun) -> dict[str, Any]:
    """Without the answers to each image, which would bury the rest; `dataset effect` shows them, `effect` says what changed."""
    metrics = {name: value for name, value in run.metrics.items() if name not in ("answers", "new_labels")}
    return {
        **asdict(run),
        "outcome": run.outcome.value if run.outcome else "running",
        "metrics": metrics,
        "effect": Effect.of(run.metrics).sentences(),
    }
