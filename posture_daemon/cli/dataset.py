"""`dataset …`: stats, curve, doubts, effect, export, undo: what the owner asks about their labels, and imports taken back."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from posture_daemon.cli.context import AsJson, Yes, confirm, console, opened, say, say_all, say_json
from posture_daemon.cli.identity import refuse_hands_of_others
from posture_daemon.cli.typed import path
from posture_daemon.domain import DatasetLayout, Split
from posture_daemon.errors import LabelError, TrainingError
from posture_daemon.reports import effect as effects
from posture_daemon.store.json_values import as_json
from posture_daemon.training.run_record import RunRecord
from posture_daemon.ui.console import styled

if TYPE_CHECKING:
    from posture_daemon.learning.label_errors import Doubt
    from posture_daemon.reports.learning_curve import Point

app = typer.Typer(help="Look at the labelled images.", no_args_is_help=True)


@app.callback()
def dataset() -> None:
    """Look at the labelled images."""


@app.command()
def stats(context: typer.Context, json: AsJson = False) -> None:
    """Count images and time blocks per class and split, and warn of what makes the numbers misleading."""
    from posture_daemon.reports.dataset_stats import dataset_stats

    found = dataset_stats(*opened(context))
    if json:
        say_json(as_json(found))
        return
    table = Table("class", "role", *(split.value for split in Split), title="images (time blocks)")
    for c in found.classes:
        cells = (f"{c.images[split]} ({c.blocks[split]})" for split in Split)
        table.add_row(c.posture_class.name, c.posture_class.role.value, *cells)
    console.print(table)
    for warning in found.warnings:
        say(("warning", "yellow"), f": {warning}")
    say_all(found.advice)


@app.command()
def curve(
    context: typer.Context,
    draws: Annotated[int, typer.Option(min=1, help="How often subsets are drawn.")] = 8,
    seed: Annotated[int, typer.Option(help="Of the first draw; the next ones count on from it.")] = 0,
    in_order: Annotated[
        bool,
        typer.Option("--in-order", help="Learn label by label in the order of capture instead, without an answer."),
    ] = False,
    json: AsJson = False,
) -> None:
    """Tell whether you have labelled enough: the holdout's top-1 after learning random parts of your labels."""
    from posture_daemon.bootstrap.reports import training_set
    from posture_daemon.reports.enough_labels import enough
    from posture_daemon.reports.learning_curve import block_curve, curve_in_order

    learned = training_set(*opened(context))
    if in_order:
        _in_order(curve_in_order(learned), json)
        return
    found = block_curve(learned, draws, seed)
    answer = enough(found)
    if json:
        say_json({**as_json(found), **as_json(answer)})
        return
    table = Table("labels", "top-1", "", "spread", title=f"{draws} draws of time blocks")
    for step in found.steps:
        table.add_row(f"{step.labels:.0f}", f"{step.top1:.3f}", "█" * round(30 * step.top1), f"± {step.spread:.3f}")
    console.print(table)
    say_all(answer.sentences)


def _in_order(points: Sequence[Point], json: bool) -> None:
    if json:
        say_json(as_json(points))
        return
    table = Table("labels", "top-1", "", title="holdout top-1 after so many training labels")
    for point in points:
        table.add_row(str(point.labels), f"{point.top1:.3f}", "█" * round(30 * point.top1))
    console.print(table)


@app.command()
def doubts(
    context: typer.Context,
    review: Annotated[
        bool,
        typer.Option("--review", help="Look at them one after the other: relabel, discard, or k to keep for good."),
    ] = False,
    json: AsJson = False,
) -> None:
    """List labels of any split that are likelier wrong than right, and say how many could be checked so."""
    from posture_daemon.bootstrap.reports import label_check
    from posture_daemon.labelling.label_error_review import Review
    from posture_daemon.reports.label_check import sentences
    from posture_daemon.ui.keyboard import keyboard
    from posture_daemon.ui.review import run_review

    store, settings = opened(context)
    found = label_check(store, settings)
    if json:
        say_json(as_json(found))
    elif review and found.doubts:
        with keyboard() as keys:
            run_review(Review(store, settings.labels, time.time, found.doubts), console, keys)
    else:
        _list_doubts(found.doubts)
        say_all(sentences(found))


def _list_doubts(found: Sequence[Doubt]) -> None:
    if not found:
        return
    table = Table("frame", "split", "your label", "more likely", "wrong")
    for doubt in found:
        table.add_row(str(doubt.frame_id), doubt.split.value, doubt.label, doubt.instead, f"{doubt.wrong:.0%}")
    console.print(table)


@app.command()
def effect(
    context: typer.Context,
    run: Annotated[int | None, typer.Argument(help="Which training run; by default the last.")] = None,
    json: AsJson = False,
) -> None:
    """Tell what your labels changed: the images that a training run turned round, on the holdout and among your new labels."""
    store, _ = opened(context)
    last = run or next((r.id for r in store.runs.attempts() if "challenger" in r.metrics), None)
    if last is None:
        raise TrainingError(
            "There was no training yet, so no label can have changed anything; posture-daemon train begins one."
        )
    found = store.runs.get(last)
    record = RunRecord.of(found.metrics)
    sentences, flips = effects.effect(record), effects.flips(record)
    if json:
        data = {"run": found.id, "sentences": sentences, "flips": as_json(flips)}
        say_json(data)
        return
    say(f"run {found.id}, {found.outcome.value if found.outcome else 'running'}: {found.reason}")
    say_all(sentences or ["There was no model with answers before it, so there is nothing to compare."])
    if flips:
        table = Table("frame", "of", "truth", "before", "after")
        for flip in flips:
            answers = (_coloured(name, flip.truth) for name in (flip.before, flip.after))
            table.add_row(str(flip.frame_id), "new labels" if flip.new else "holdout", flip.truth, *answers)
        console.print(table)


def _coloured(name: str, truth: str) -> Text:
    return styled((name, "green" if name == truth else "red"))


@app.command()
def export(
    context: typer.Context,
    folder: Annotated[
        Path,
        typer.Argument(
            parser=path, metavar="FOLDER", help="A new or empty folder, or an earlier export of the same layout."
        ),
    ],
    layout: Annotated[
        DatasetLayout,
        typer.Option(
            help="article: class folders beside uncategorized/; ultralytics: train/, val/, test/ with class folders."
        ),
    ] = DatasetLayout.ARTICLE,
) -> None:
    """Write the labelled pictures as a dataset, with a file that tells where each label came from."""
    from posture_daemon.datasets import export_folder

    store, settings = opened(context)
    refuse_hands_of_others(folder)
    say_all(export_folder(store, settings, folder, time.time(), layout).sentences())


@app.command()
def undo(context: typer.Context, yes: Yes = False) -> None:
    """Take the last import back whole: its pictures, classes and splits. Says first what that is."""
    from posture_daemon.labelling.undoing import Undoing
    from posture_daemon.store.open_step import StepKind

    store, _ = opened(context)
    history = Undoing(store, time.time)
    ahead = history.ahead(StepKind.IMPORT)
    if ahead is None:
        raise LabelError("There is no import to take back.")
    if not yes and not sys.stdin.isatty():
        raise LabelError("This would take back the last import, and there is nobody to ask; repeat it with --yes.")
    if not yes:
        say(f"This takes back {ahead.words}.")
        confirm("Go on?", abort=True)
    taken, again = history.undo(ahead.step), store.steps.undone()
    if taken is not None:
        say(f"Taken back: {taken.words}.")
    if again is not None and again.id == ahead.step:
        say("For a day, and until something else is answered or imported: posture-daemon dataset redo brings it back.")


@app.command()
def redo(context: typer.Context) -> None:
    """Bring back what was taken back last, as it was."""
    from posture_daemon.labelling.undoing import words_of

    store, _ = opened(context)
    step = store.steps.redo()
    if step is None:
        raise LabelError("There is nothing to bring back: nothing was taken back, or something else was done since.")
    say(f"Brought back: {words_of(step, time.time())}.")
