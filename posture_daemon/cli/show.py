"""Tables for people."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from posture_daemon.cli.context import say, say_all
from posture_daemon.device.resources import Resources
from posture_daemon.domain import MB, Decision, Incident, ModelVersion, Status, TrainingRun, Watch
from posture_daemon.learning.evaluation import Evaluation
from posture_daemon.learning.training_report import TrainingReport
from posture_daemon.reports.effect import effect
from posture_daemon.reports.status import Overview, RunSummary
from posture_daemon.service.daemon_status import CameraSaid, DaemonStatus
from posture_daemon.training.run_record import FrameCost, RunRecord
from posture_daemon.ui.console import styled

Named = tuple[str | Text, str | Text]
"""What a line is about, and the line."""


def clock(time: float | None) -> str:
    """Local date and time of seconds since the epoch."""
    return "–" if time is None else datetime.fromtimestamp(time).strftime("%Y-%m-%d %H:%M:%S")


def share(value: float | None) -> str:
    """A ratio with three digits."""
    return "–" if value is None else f"{value:.3f}"


def status(console: Console, found: Overview) -> None:
    """One line a matter."""
    stale: list[Named] = [] if found.stale is None else [(styled(("old", "yellow")), found.stale)]
    named(console, (*_incidents(found.incidents), *stale, *_daemon_lines(found.daemon), *_store_lines(found)))


def named(console: Console, lines: Iterable[Named]) -> None:
    """Each text behind its name."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in lines:
        table.add_row(name, text)
    console.print(table)


def _incidents(found: Sequence[Incident]) -> list[Named]:
    """First, since nobody was there when they happened."""
    lines: list[Named] = [(styled(("incident", "red")), f"{clock(one.happened_at)}: {one.text}") for one in found]
    return [*lines, ("", "seen? then say so: posture-daemon doctor --fix")] if lines else []


def _daemon_lines(daemon: DaemonStatus | None) -> Iterator[tuple[str, str]]:
    if daemon is None or not daemon.spoken:
        yield "daemon", "not running" if daemon is None else "starting"
        return
    posture, sees, frames = daemon.posture, daemon.sees, daemon.frames
    now = "–" if sees is None else f"sees {sees.label} at {sees.confidence:.0%}"
    yield "daemon", f"process {daemon.pid}, since {clock(daemon.started_at)}"
    yield "posture", f"{(posture.posture if posture else None) or '–'} ({now})"
    if daemon.online is not None:
        yield "answers", daemon.online.why
    yield "camera", "unknown" if daemon.camera is None else _camera(daemon.camera)
    if frames is not None:
        yield "frames", f"{frames.frames} answered, {frames.skipped} skipped, {frames.failed} failed"
    yield "routed", ", ".join(f"{what} {number}" for what, number in daemon.routed.items()) or "–"
    yield "owner", "not seen to be away" if daemon.away_s is None else f"away for {daemon.away_s:.0f} s"
    yield "resources", _resources(daemon.resources)
    yield "next check", clock(daemon.next_at.get("learn"))


def _camera(camera: CameraSaid) -> str:
    """How it is doing, since when if badly, and the size of its picture if that is not as asked for."""
    if camera.error:
        return f"{camera.status} since {clock(camera.since)}: {camera.error}"
    size, wanted = camera.size, camera.wanted_size
    pixels = "" if size is None else f", {size[0]}×{size[1]} px"
    asked = "" if wanted is None or size in (None, wanted) else f" ({wanted[0]}×{wanted[1]} were asked for)"
    return f"{camera.name}: {camera.status}{pixels}{asked}"


def _resources(found: Resources) -> str:
    memory, watts, mode = found.memory_available_bytes, found.power_watts, found.power_mode
    celsius = [zone.celsius for zone in found.zones if zone.celsius is not None]
    return ", ".join(
        [
            f"{'unknown' if memory is None else f'{memory / MB:.0f} MB'} of memory available",
            f"hottest {max(celsius):.0f} °C" if celsius else "temperature unknown",
            *([] if watts is None else [f"{watts:.1f} W"]),
            *([] if mode is None else [f"power mode {mode}"]),
        ]
    )


def _store_lines(found: Overview) -> Iterator[Named]:
    waiting, labelled, discarded = (found.queue[one] for one in (Status.QUEUED, Status.LABELLED, Status.DISCARDED))
    labels = ", ".join(f"{name} {sum(splits.values())}" for name, splits in found.labels.items())
    yield "queue", f"{waiting} waiting, {labelled} labelled, {discarded} discarded"
    yield "labels", labels or "none yet"
    yield "champion", "none" if found.champion is None else _champion(found.champion)
    if found.warning is not None:
        yield "", styled((found.warning, "yellow"))
    yield from _trainings(found.last_attempt, found.last_run)
    yield from _under("show it next", found.advice)
    if found.watch is not None:
        yield "watch", _watch(found.watch)
    yield "data", found.data_dir


def _under(name: str, sentences: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The name stands before the first only."""
    yield from (("" if number else name, line) for number, line in enumerate(sentences))


def _trainings(attempt: RunSummary | None, newest: RunSummary | None) -> Iterator[tuple[str, str]]:
    """The last training, and what the gate said last, each number against its limit."""
    if attempt is None:
        yield "last training", "none yet"
    else:
        why = f": {attempt.reason}" if attempt.reason else ""
        yield "last training", f"{clock(attempt.started_at)} {_outcome(attempt)}{why}"
        yield from _under("its effect", attempt.effect)
        frames = RunRecord.of(attempt.metrics).frames
        if frames is not None:
            yield "its cost", _cost(frames)
    if newest is None:
        yield "gate", "not asked yet"
        return
    times = RunRecord.of(newest.metrics).refusals or 0
    since = f", for the same reasons since {clock(newest.started_at)}, asked {times} times" if times > 1 else ""
    opened = all(verdict.passed for verdict in newest.decision)
    asked = clock(newest.finished_at if times else newest.started_at)
    yield "gate", f"{'open' if opened else 'closed'}, asked at {asked}{since}"
    yield from (("", f"{'yes' if v.passed else 'no '} {v.text}") for v in newest.decision)


def _cost(frames: FrameCost) -> str:
    before, during = frames.before, frames.during
    return (
        f"{during.fps:.1f} frames/s while it ran ({before.fps:.1f} before), longest gap {during.longest_gap_s:.2f} s, "
        f"{during.lost} lost"
    )


def decision(found: Decision) -> None:
    """Every condition, and in a last line what follows."""
    width = max((len(verdict.name) for verdict in found.verdicts), default=0)
    for verdict in found.verdicts:
        colour, word = ("green", "yes") if verdict.passed else ("red", "no ")
        say((word, colour), f" {verdict.name:{width}}  {verdict.text}")
    waiting = [verdict.name for verdict in found.verdicts if not verdict.passed]
    say(("would wait for:" if waiting else "would train now", "bold"), f" {', '.join(waiting)}" if waiting else "")


def _champion(champion: ModelVersion) -> str:
    classes = ", ".join(c.name for c in champion.classes)
    seen = RunRecord.of(champion.metrics).challenger
    top1 = (
        ""
        if seen is None or seen.top1 is None
        else f", {seen.top1:.3f} top-1 on the holdout, of days that it has learned"
    )
    top1 += _on_a_new_day(champion)
    words = classes or "no classes yet: every frame is unknown until the first training"
    looks = "" if champion.region is None else f", looks at {champion.region} of the picture"
    return f"model {champion.id} ({champion.source}): {words}{top1}{looks}"


def _on_a_new_day(champion: ModelVersion) -> str:
    """What left-out days promise, or that none was; nothing for an imported model, or one of an older version."""
    report = RunRecord.of(champion.metrics).report
    if report is None or report.moments is None:
        return ""
    if report.new_day is None:
        return "; how it does on another day is not known before it has learned two"
    found = report.new_day
    return f"; on a day without answers expect {found.top1:.0%} right, as on {found.sessions} days left out in turn"


def _watch(watch: Watch) -> str:
    how = "watched" if watch.ending is None else watch.ending.value
    seen = f": {watch.reason}" if watch.reason else ""
    return f"model {watch.version_id}, champion since {clock(watch.began_at)}, {how}{seen}"


def versions(console: Console, found: list[ModelVersion], roles: dict[int, str]) -> None:
    """The model versions, newest first."""
    table = Table("model", "role", "created", "parent", "from", "classes", "holdout top-1")
    for v in found:
        seen = RunRecord.of(v.metrics).challenger
        classes = ", ".join(c.name for c in v.classes) or "(base)"
        parent = "" if v.parent_id is None else str(v.parent_id)
        source = v.source if v.files_removed_at is None else f"{v.source} (files removed)"
        top1 = share(seen.top1 if seen else None)
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


def _outcome(run: TrainingRun) -> str:
    return run.outcome.value if run.outcome else "running"


def training_run(console: Console, run: TrainingRun) -> None:
    """How an attempt ended, and why."""
    colour = {"PROMOTED": "green", "KEPT": "yellow", "DEFERRED": "yellow"}.get(_outcome(run), "red")
    say((_outcome(run), f"bold {colour}"), f": {run.reason}")
    record = RunRecord.of(run.metrics)
    say_all(effect(record))
    if record.report is not None:
        _report(console, record.report, record.peak_memory_bytes)
    if record.test is not None:
        before, after = record.test.incumbent, record.test.challenger
        top1 = f"{share(before.top1 if before else None)} → {share(after.top1)}"
        console.print(f"test (decides nothing): top-1 {top1} of {after.images} images")


def _report(console: Console, report: TrainingReport, seen_peak: int | None) -> None:
    trained = ", ".join(f"{name} {n}" for name, n in report.train_images.items())
    seconds = "".join(f"{stage} {taken:.1f} s, " for stage, taken in report.seconds.items())
    peak = report.peak_memory_bytes or seen_peak
    console.print(f"trained on {trained}; holdout {sum(report.holdout_images.values())} images")
    for warning in report.warnings:
        say(("warning", "yellow"), f": {warning}")
    console.print(f"{seconds}peak memory {'unknown' if peak is None else f'{peak / MB:.0f} MB'}")
