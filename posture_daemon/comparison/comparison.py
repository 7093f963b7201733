"""The whole comparison: workspace, rounds, report."""

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from posture_daemon.adapters.backbone.on_demand import backbone_of
from posture_daemon.comparison.report import Facts, seconds_text, write_report
from posture_daemon.comparison.rounds import Rounds
from posture_daemon.comparison.scores import Result
from posture_daemon.comparison.workspace import Workspace, from_folder, from_store
from posture_daemon.domain import ModelVersion, Split, Strategy
from posture_daemon.errors import DatasetError
from posture_daemon.settings import Settings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.training.lineage import software
from posture_daemon.training.strategies import FitPlan, learned_at, root_of

WORK = "work"
"""Folder within the report's, made anew and removed each time."""


@dataclass(frozen=True)
class Comparison:
    """What to compare. Without a `dataset` it is the labels in the store; `base` is then not used."""

    out: Path
    strategies: Sequence[Strategy]
    dataset: Path | None = None
    new_share: float = 0.3


def run_comparison(
    wanted: Comparison, models: Store, base: ModelVersion, settings: Settings, say: Callable[[str], None]
) -> Path:
    """Run what is not finished yet and write the report; returns its path. `base` is a version in `models`.

    `say` is told of progress, a line at a time. Raises `DatasetError` when the pictures do not allow a comparison.
    """
    _check_out(wanted)
    work = wanted.out / WORK
    try:
        if wanted.dataset is None:
            workspace = from_store(models, work)
        else:
            workspace = from_folder(wanted.dataset, work, models, base, settings, wanted.new_share)
        for note in workspace.notes:
            say(note)
        results = []
        plan = replace(FitPlan(**settings.strategies.model_dump()), watch_holdout=True)
        rounds = Rounds(workspace, wanted.out, settings, plan, Recipe.of(settings.training), say)
        for result in rounds.run(wanted.strategies):
            say(_line(result))
            results.append(result)
        page = write_report(wanted.out, _facts(workspace, base, rounds), results)
        workspace.store.close()
        return page
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _check_out(wanted: Comparison) -> None:
    """The folder can be written, and is not within the dataset: the next comparison would take its pictures for classes."""
    if wanted.dataset is not None and wanted.out.resolve().is_relative_to(wanted.dataset.resolve()):
        raise DatasetError(f"The report's folder {wanted.out} lies inside the dataset; give --out another place.")
    try:
        (wanted.out / WORK).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"The report's folder {wanted.out} cannot be written ({error.strerror}).") from error


def _line(result: Result) -> str:
    if result.failure:
        return f"{result.name}: {result.failure}"
    top1 = ", ".join(f"top-1 {scores.top1:.3f} on {split}" for split, scores in result.scores.items())
    cost = "" if result.seconds is None else f" in {seconds_text(result.seconds)}"
    return f"{result.name}: {top1}{cost}"


def _facts(workspace: Workspace, base: ModelVersion, rounds: Rounds) -> Facts:
    store = workspace.store
    incumbent = store.models.champion() or workspace.start
    start = root_of(store, incumbent)
    shown = incumbent if workspace.later is None else base
    return Facts(
        source=workspace.source,
        base=f"model {shown.id} ({shown.source})",
        image_size=backbone_of(store, start).image_size,
        trained_incumbent=workspace.later is not None,
        counts=_counts(store, incumbent),
        seed=rounds.recipe.seed,
        plan=asdict(rounds.plan),
        software=software(Strategy.ALL),
        notes=workspace.notes,
    )


def _counts(store: Store, incumbent: ModelVersion) -> Mapping[str, Mapping[str, int]]:
    """Images by part and class; a part without any is left out."""
    images = store.labels.labelled()
    fresh = {image.frame_id for image in store.labels.labelled(learned_at(store, incumbent))}
    train = [image for image in images if image.split is Split.TRAIN]
    parts = {
        "old": [image for image in train if image.frame_id not in fresh],
        "new": [image for image in train if image.frame_id in fresh],
        "val": [image for image in images if image.split is Split.HOLDOUT],
        "test": [image for image in images if image.split is Split.TEST],
    }
    return {part: Counter(image.class_name for image in found) for part, found in parts.items() if found}
