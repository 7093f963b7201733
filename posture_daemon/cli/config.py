"""`config show`."""

import typer
from rich.table import Table

from posture_daemon.cli.context import console, options
from posture_daemon.settings import rows

app = typer.Typer(help="Show the settings.", no_args_is_help=True)


@app.callback()
def config() -> None:
    """Show the settings."""


@app.command()
def show(context: typer.Context) -> None:
    """Print every setting in force, and where it came from."""
    loaded = options(context).load()
    table = Table("setting", "value", "meaning", "from")
    for row in rows(loaded):
        table.add_row(row.key, row.value, row.description, row.source)
    console.print(table)
