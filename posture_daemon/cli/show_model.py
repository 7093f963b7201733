"""One model, and two models side by side, for people."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from posture_daemon.cli.show import clock, named, share
from posture_daemon.domain import MB, ModelVersion, TrainingRun, Watch
from posture_daemon.learning.evaluation import Evaluation
from posture_daemon.learning.version_diff import Difference, Predicted
from posture_daemon.settings.keys import current_key
from posture_daemon.store.json_values import known_from_json
from posture_daemon.training.lineage import Lineage
from posture_daemon.training.run_record import RunRecord
from posture_daemon.ui.console import styled


def model(
    console: Console, version: ModelVersion, role: str | None, run: TrainingRun | None, watch: Watch | None
) -> None:
    """Where a version comes from and how good it was; `run` is the training that made it, `watch` the newest over it."""
    lines = (
        *_identity(version, role),
        *_merit(RunRecord.of(version.metrics)),
        *(_making(known_from_json(Lineage, version.lineage)) if version.lineage else ()),
        *_ending(run, watch),
    )
    named(console, lines)


def _identity(version: ModelVersion, role: str | None) -> Iterator[tuple[str, str]]:
    yield "model", f"{version.id}" + (f" ({role})" if role else "")
    yield "created", clock(version.created_at)
    yield "from", version.source
    yield "parent", "none" if version.parent_id is None else f"model {version.parent_id}"
    yield "classes", ", ".join(f"{c.name} ({c.role.value})" for c in version.classes) or "none: a base"
    yield "backbone", version.backbone_sha256[:16]
    yield "looks at", "the whole picture" if version.region is None else f"{version.region} of the picture"
    yield "head", version.head_sha256[:16]
    if version.files_removed_at is not None:
        yield "files", f"removed {clock(version.files_removed_at)} to save space"
    yield "temperature", f"{version.temperature:.3f}"


def _merit(record: RunRecord) -> Iterator[tuple[str, str]]:
    if record.challenger is not None:
        yield "holdout", _evaluation(record.challenger)
    if record.test is not None:
        yield "test", _evaluation(record.test.challenger)
    found = None if record.report is None else record.report.calibration
    if found is not None:
        text = f"expected error {share(found.before)} before, {share(found.after)} after, on {found.images} images"
        yield "calibration", text


def _evaluation(found: Evaluation) -> str:
    recalls = ", ".join(f"{name} {right}/{images}" for name, (right, images) in found.per_class().items())
    return f"top-1 {share(found.top1)} of {found.images} images" + (f": {recalls}" if recalls else "")


def _making(made: Lineage) -> Iterator[tuple[str, str]]:
    ids, peak = made.labels.frame_ids, made.peak_memory_bytes
    yield "strategy", f"{made.strategy}, seed {made.seed}"
    if ids is not None:
        yield "learned from", f"{len(ids)} labels, SHA-256 {(made.labels.sha256 or 'unknown')[:16]}"
    if made.seconds:
        yield "seconds", ", ".join(f"{name} {seconds:g}" for name, seconds in made.seconds.items())
    yield "peak memory", "unknown" if peak is None else f"{peak / MB:.0f} MB"
    for section, values in made.settings.items():
        named = {current_key(f"{section}.{name}").rpartition(".")[2]: value for name, value in values.items()}
        yield section, ", ".join(f"{name} {value}" for name, value in named.items())
    yield "software", ", ".join(f"{name} {number}" for name, number in made.software.items())


def _ending(run: TrainingRun | None, watch: Watch | None) -> Iterator[tuple[str, str]]:
    if run is not None and run.outcome is not None:
        yield "training", f"run {run.id}, {run.outcome.value}: {run.reason}"
    if watch is not None:
        how = watch.ending.value if watch.ending else "goes on"
        yield "watch", f"{how}: {watch.reason or 'no labels since the swap'}"


def difference(console: Console, first: ModelVersion, second: ModelVersion, found: Difference) -> None:
    """Counts, then one line for each image whose answer changed."""
    kept = found.images - len(found.changed)
    console.print(
        f"of {found.images} holdout images, model {second.id} fixes {found.fixed} and breaks {found.broken} compared with "
        f"model {first.id}; {kept} answers are the same",
        soft_wrap=True,
    )
    if not found.changed:
        return
    table = Table("frame", "truth", f"model {first.id}", f"model {second.id}")
    for one in found.changed:
        table.add_row(str(one.frame_id), one.truth, _said(one.before, one.truth), _said(one.after, one.truth))
    console.print(table)


def _said(said: Predicted, truth: str) -> Text:
    colour = "green" if said.name == truth else "red"
    return styled((said.name, colour), f" {said.confidence:.0%}")
