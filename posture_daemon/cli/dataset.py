"""`dataset …`: stats, curve, doubts."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from posture_daemon.cli.context import console, options, say
from posture_daemon.domain import Split

app = typer.Typer(help="Look at the labelled images.", no_args_is_help=True)


@app.callback()
def dataset() -> None:
    """Look at the labelled images."""


@app.command()
def stats(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, for programs.")] = False,
) -> None:
    """Count images and time blocks per class and split, and warn of what makes the numbers misleading."""
    from posture_daemon.bootstrap import open_store
    from posture_daemon.datasets.stats import dataset_stats

    settings = options(context).settings()
    found = dataset_stats(open_store(settings), settings)
    if as_json:
        console.print_json(data=found.as_json())
        return
    table = Table("class", "role", *(split.value for split in Split), title="images (time blocks)")
    for c in found.classes:
        cells = (f"{c.images[split]} ({c.blocks[split]})" for split in Split)
        table.add_row(c.posture_class.name, c.posture_class.role.value, *cells)
    console.print(table)
    for warning in found.warnings:
        say(f"[yellow]warning[/]: {warning}")
    say(found.advice)


@app.command()
def curve(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, for programs.")] = False,
) -> None:
    """Show how the holdout's top-1 grew label by label, in the order of capture, to tell whether more would help."""
    from posture_daemon.bootstrap import lesson, open_store
    from posture_daemon.learning.lookahead import learning_curve

    settings = options(context).settings()
    points = learning_curve(lesson(open_store(settings), settings))
    if as_json:
        console.print_json(data=[point.as_json() for point in points])
        return
    table = Table("labels", "top-1", "", title="holdout top-1 after so many training labels")
    for point in points:
        table.add_row(str(point.labels), f"{point.top1:.3f}", "█" * round(30 * point.top1))
    console.print(table)


@app.command()
def doubts(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, for programs.")] = False,
) -> None:
    """List training labels that all other labels speak against: slips of the finger, or the frames worth most."""
    from posture_daemon.bootstrap import lesson, open_store
    from posture_daemon.learning.lookahead import doubtful_labels

    settings = options(context).settings()
    found = doubtful_labels(lesson(open_store(settings), settings))
    if as_json:
        console.print_json(data=[doubt.as_json() for doubt in found])
        return
    if not found:
        say("No label is doubtful: the rest of the labels agrees with each, or is not sure.")
        return
    table = Table("frame", "your label", "the others say", "probability")
    for doubt in found:
        table.add_row(str(doubt.frame_id), doubt.label, doubt.instead, f"{doubt.probability:.2f}")
    console.print(table)
    say("Look at them with `posture-daemon label --export FOLDER`; a moved picture is a new answer.")
