"""`dataset …`: stats."""

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
