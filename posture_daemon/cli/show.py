"""Tables for people."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from posture_daemon.cli.context import say
from posture_daemon.domain import Decision, ModelVersion, TrainingRun
from posture_daemon.learning.evaluation import Evaluation
from posture_daemon.reports.effect import Effect

MB = 1_000_000


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
    for name, text in (*_incidents(found["incidents"]), *_daemon_lines(found["daemon"]), *_store_lines(found)):
        table.add_row(name, text)
    console.print(table)


def _incidents(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """First, since nobody was there when they happened."""
    lines = [("[red]incident[/]", escape(f"{clock(one['happened_at'])}: {one['text']}")) for one in found]
    return [*lines, ("", "seen? then say so: posture-daemon doctor --fix")] if lines else []


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
        ("camera", _camera(camera)),
        ("frames", f"{frames['frames']} answered, {frames['skipped']} skipped, {frames['failed']} failed"),
        ("routed", ", ".join(f"{what} {number}" for what, number in daemon["routed"].items()) or "–"),
        ("owner", "not seen to be away" if daemon["away_s"] is None else f"away for {daemon['away_s']:.0f} s"),
        ("resources", _resources(daemon["resources"])),
        ("next check", clock(daemon["next_at"].get("learn"))),
    ]


def _camera(camera: dict[str, Any]) -> str:
    """How it is doing, since when if badly, and the size of its picture if that is not as asked for."""
    if camera["error"]:
        return f"{camera['status']} since {clock(camera['since'])}: {camera['error']}"
    size, wanted = camera["size"], camera["wanted_size"]
    pixels = "" if size is None else f", {size[0]}×{size[1]} px"
    asked = "" if wanted is None or size in (None, wanted) else f" ({wanted[0]}×{wanted[1]} were asked for)"
    return f"{camera['name']}: {camera['status']}{pixels}{asked}"


def _resources(resources: dict[str, Any]) -> str:
    memory, watts, mode = resources["memory_available_bytes"], resources["power_watts"], resources["power_mode"]
    celsius = [zone["celsius"] for zone in resources["zones"] if zone["celsius"] is not None]
    return ", ".join(
        [
            f"{'unknown' if memory is None else f'{memory / MB:.0f} MB'} of memory available",
            f"hottest {max(celsius):.0f} °C" if celsius else "temperature unknown",
            *([] if watts is None else [f"{watts:.1f} W"]),
            *([] if mode is None else [f"power mode {mode}"]),
        ]
    )


def _store_lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    queue, champion, run = found["queue"], found["champion"], found["last_run"]
    labels = ", ".join(f"{name} {sum(splits.values())}" for name, splits in found["labels"].items())
    return [
        ("queue", f"{queue['queued']} waiting, {queue['labelled']} labelled, {queue['discarded']} discarded"),
        ("labels", labels or "none yet"),
        ("champion", "none" if champion is None else _champion(champion)),
        *_trainings(found["last_attempt"], run),
        *(("show it next" if number == 0 else "", line) for number, line in enumerate(found["advice"])),
        *([] if found["watch"] is None else [("watch", _watch(found["watch"]))]),
        ("data", found["data_dir"]),
    ]


def _trainings(attempt: dict[str, Any] | None, newest: dict[str, Any] | None) -> list[tuple[str, str]]:
    """The last training, and what the gate said last, each number against its limit."""
    lines = [("last training", "none yet" if attempt is None else _attempt(attempt))]
    lines += [
        ("its effect" if number == 0 else "", line) for number, line in enumerate((attempt or {}).get("effect", ()))
    ]
    if attempt is not None and attempt["metrics"].get("frames"):
        lines.append(("its cost", _cost(attempt["metrics"]["frames"])))
    if newest is None:
        return [*lines, ("gate", "not asked yet")]
    times = newest["metrics"].get("refusals", 0)
    since = f", for the same reasons since {clock(newest['started_at'])}, asked {times} times" if times > 1 else ""
    opened = all(verdict["passed"] for verdict in newest["decision"])
    asked = clock(newest["finished_at"] if times else newest["started_at"])
    lines.append(("gate", f"{'open' if opened else 'closed'}, asked at {asked}{since}"))
    return [*lines, *(("", f"{'yes' if v['passed'] else 'no '} {v['text']}") for v in newest["decision"])]


def _attempt(run: dict[str, Any]) -> str:
    return f"{clock(run['started_at'])} {run['outcome']}" + (f": {run['reason']}" if run["reason"] else "")


def _cost(frames: dict[str, dict[str, float]]) -> str:
    before, during = frames["before"], frames["during"]
    return (
        f"{during['fps']:.1f} frames/s while it ran ({before['fps']:.1f} before), longest gap {during['longest_gap_s']:.2f} s, "
        f"{during['lost']} lost"
    )


def decision(found: Decision) -> None:
    """Every condition, and in a last line what follows."""
    width = max((len(verdict.name) for verdict in found.verdicts), default=0)
    for verdict in found.verdicts:
        colour, word = ("green", "yes") if verdict.passed else ("red", "no ")
        say(f"[{colour}]{word}[/] {verdict.name:{width}}  {verdict.text}")
    waiting = [verdict.name for verdict in found.verdicts if not verdict.passed]
    say(f"[bold]would wait for:[/] {', '.join(waiting)}" if waiting else "[bold]would train now[/]")


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
        source = v.source if v.files_removed_at is None else f"{v.source} (files removed)"
        table.add_row(str(v.id), roles.get(v.id, ""), clock(v.created_at), parent, source, classes, top1)
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
    console.print(f"[bold {colour}]{run.outcome.value if run.outcome else 'running'}[/]: {run.reason}", soft_wrap=True)
    for sentence in Effect.of(run.metrics).sentences():
        say(sentence)
    report = run.metrics.get("report")
    if report:
        trained = ", ".join(f"{name} {n}" for name, n in report["train_images"].items())
        seconds, peak = report["seconds"], report["peak_memory_bytes"] / MB
        console.print(f"trained on {trained}; holdout {sum(report['holdout_images'].values())} images")
        for warning in report.get("warnings", ()):
            console.print(f"[yellow]warning[/]: {warning}", soft_wrap=True)
        console.print(f"features {seconds['features']:.1f} s, fit {seconds['fit']:.1f} s, peak memory {peak:.0f} MB")
    if run.metrics.get("test"):
        console.print(f"test (decides nothing): {_tested(run.metrics['test'])}")


def _tested(test: dict[str, Any]) -> str:
    """Top-1 of both models on the images that are kept for tests."""
    before, after = test["incumbent"], test["challenger"]
    return f"top-1 {share(None if before is None else before['top1'])} → {share(after['top1'])} of {after['images']} images"
