"""Tables for people."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from posture_daemon.domain import ModelVersion, TrainingRun
from posture_daemon.learning.evaluation import Evaluation


def clock(time: float | None) -> str:
    """Local date and time of seconds since the epoch."""
    return "–" if time is None else datetime.fromtimestamp(time).strftime("%Y-%m-%d %H:%M:%S")


def share(value: float | None) -> str:
    """A ratio with three digits."""
    return "–" if value is None else f"{value:.3f}"


def status(console: Console, found: dict[str, Any]) -> None:
    """One line a matter."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    for name, text in (*_daemon_lines(found["daemon"]), *_store_lines(found)):
        table.add_row(name, text)
    console.print(table)


def _daemon_lines(daemon: dict[str, Any] | None) -> list[tuple[str, str]]:
    if daemon is None:
        return [("daemon", "not running")]
    if not daemon:
        return [("daemon", "starting")]
    posture, sees, camera, frames = daemon["posture"], daemon["sees"], daemon["camera"], daemon["frames"]
    now = "–" if sees is None else f"sees {sees['label']} at {sees['confidence']:.0%}"
    return [
        ("daemon", f"process {daemon['pid']}, since {clock(daemon['started_at'])}"),
        ("posture", f"{posture['posture'] if posture else '–'} ({now})"),
        ("camera", f"{camera['name']}: {camera['error'] or camera['status']}"),
        ("frames", f"{frames['frames']} answered, {frames['skipped']} skipped, {frames['failed']} failed"),
        ("routed", ", ".join(f"{what} {number}" for what, number in daemon["routed"].items()) or "–"),
        ("resources", _resources(daemon["resources"])),
        ("next check", clock(daemon["next_check_at"])),
    ]


def _resources(resources: dict[str, Any]) -> str:
    memory, zones = resources["memory_available_bytes"], resources["temperatures_celsius"]
    hottest = f"hottest {max(zones.values()):.0f} °C" if zones else "temperature unknown"
    return f"{'unknown' if memory is None else f'{memory / 2**20:.0f} MB'} of memory available, {hottest}"


def _store_lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    queue, champion, run = found["queue"], found["champion"], found["last_run"]
    labels = ", ".join(f"{name} {sum(splits.values())}" for name, splits in found["labels"].items())
    return [
        ("queue", f"{queue['queued']} waiting, {queue['labelled']} labelled, {queue['discarded']} discarded"),
        ("labels", labels or "none yet"),
        ("champion", "none" if champion is None else _champion(champion)),
        (
            "last training",
            "none yet" if run is None else f"{clock(run['started_at'])} {run['outcome']}: {run['reason']}",
        ),
        *([] if found["watch"] is None else [("watch", _watch(found["watch"]))]),
        ("data", found["data_dir"]),
    ]


def _champion(champion: dict[str, Any]) -> str:
    classes = ", ".join(champion["classes"]) or "no classes yet: every frame is unknown until the first training"
    top1 = "" if champion["holdout_top1"] is None else f", {champion['holdout_top1']:.3f} top-1 on the holdout"
    return f"model {champion['id']} ({champion['source']}): {classes}{top1}"


def _watch(watch: dict[str, Any]) -> str:
    how = "watched" if watch["ending"] is None else watch["ending"]
    seen = f": {watch['reason']}" if watch["reason"] else ""
    return f"model {watch['version_id']}, champion since {clock(watch['began_at'])}, {how}{seen}"


def versions(console: Console, found: list[ModelVersion], roles: dict[int, str]) -> None:
    """The model versions, newest first."""
    table = Table("model", "role", "created", "parent", "from", "classes", "holdout top-1")
    for v in found:
        top1 = share(v.metrics.get("challenger", {}).get("top1"))
        classes = ", ".join(c.name for c in v.classes) or "(base)"
        parent = "" if v.parent_id is None else str(v.parent_id)
        table.add_row(str(v.id), roles.get(v.id, ""), clock(v.created_at), parent, v.source, classes, top1)
    console.print(table)


def evaluation(console: Console, found: Evaluation) -> None:
    """Top-1, recall per class and the confusion matrix."""
    console.print(f"top-1 {share(found.top1)} ({found.correct} of {found.images} images)")
    table = Table("truth", *[f"called {name}" for name in found.classes], "recall")
    for i, name in enumerate(found.classes):
        row, images = found.confusion[i], sum(found.confusion[i])
        table.add_row(name, *map(str, row), share(row[i] / images) if images else "–")
    console.print(table)


def training_run(console: Console, run: TrainingRun) -> None:
    """How an attempt ended, and why."""
    colour = {"PROMOTED": "green", "KEPT": "yellow", "DEFERRED": "yellow"}.get(
        run.outcome.value if run.outcome else "", "red"
    )
    console.print(f"[bold {colour}]{run.outcome.value if run.outcome else 'running'}[/]: {run.reason}")
    report = run.metrics.get("report")
    if report:
        trained = ", ".join(f"{name} {n}" for name, n in report["train_images"].items())
        seconds, peak = report["seconds"], report["peak_memory_bytes"] / 2**20
        console.print(f"trained on {trained}; holdout {sum(report['holdout_images'].values())} images")
        console.print(f"features {seconds['features']:.1f} s, fit {seconds['fit']:.1f} s, peak memory {peak:.0f} MB")
    if run.metrics.get("test"):
        console.print(f"test (decides nothing): {_tested(run.metrics['test'])}")


def _tested(test: dict[str, Any]) -> str:
    """Top-1 of both models on the images that are kept for tests."""
    before, after = test["incumbent"], test["challenger"]
    return f"top-1 {share(None if before is None else before['top1'])} → {share(after['top1'])} of {after['images']} images"
