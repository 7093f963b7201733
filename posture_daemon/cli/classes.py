"""`classes …`: list, add, rename, merge, delete, role."""

from __future__ import annotations

import sys
import time
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from posture_daemon.cli.context import Yes, confirm, console, opened, say, say_all
from posture_daemon.domain import Role, Split, Status
from posture_daemon.errors import LabelError

if TYPE_CHECKING:
    from posture_daemon.labelling.classes import ClassChanges, Plan

app = typer.Typer(help="List, add, rename, merge and delete the classes.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A class.")]


class Fate(str, Enum):
    """What becomes of the images of a deleted class."""

    QUEUE = "queue"
    DISCARD = "discard"


STATUS_OF = {Fate.QUEUE: Status.QUEUED, Fate.DISCARD: Status.DISCARDED}


@app.command("list")
def list_(context: typer.Context) -> None:
    """List the classes: role, labelled images per split, and whether the champion has learned them."""
    table = Table("class", "role", *(split.value for split in Split), "champion")
    for line in _changes(context).all():
        images = (str(line.use.images.get(split, 0)) for split in Split)
        learned = "knows it" if line.known else "not yet"
        table.add_row(line.posture_class.name, line.posture_class.role.value, *images, learned)
    console.print(table)


@app.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the new class.")],
    role: Annotated[Role | None, typer.Option(help="What it means; by default as its name says.")] = None,
) -> None:
    """Create a class, or bring a deleted one back. The next training with images of it learns it."""
    added = _changes(context).add(name, role)
    say(f"'{added.name}' is a class ({added.role.value}); label images of it and the next training learns it.")


@app.command()
def rename(
    context: typer.Context, old: Name, new: Annotated[str, typer.Argument(help="The name from now on.")]
) -> None:
    """Give a class another name everywhere: labels, guesses, history, and models of any age. Nothing is retrained."""
    old, new = _changes(context).rename(old, new)
    say(f"'{old}' is '{new}' from now on, in labels, history and all models; a running daemon follows within seconds.")


@app.command()
def role(
    context: typer.Context, name: Name, role: Annotated[Role, typer.Argument(help="What the class means to you.")]
) -> None:
    """Say what a class means: good, bad, away or neutral."""
    name = _changes(context).set_role(name, role)
    say(f"'{name}' is {role.value}.")


@app.command()
def merge(
    context: typer.Context,
    name: Name,
    into: Annotated[str, typer.Argument(help="The class that takes it in.")],
    yes: Yes = False,
) -> None:
    """Make all of one class part of another. Says first what becomes of labels, history and models."""
    _carry_out(_changes(context).plan_merge(name, into), yes)


@app.command()
def delete(
    context: typer.Context,
    name: Name,
    labels: Annotated[Fate, typer.Option(help="What becomes of its images.")] = Fate.QUEUE,
    yes: Yes = False,
) -> None:
    """Delete a class. Says first what becomes of labels, history and models."""
    _carry_out(_changes(context).plan_delete(name, STATUS_OF[labels]), yes)


def _changes(context: typer.Context) -> ClassChanges:
    from posture_daemon.labelling.classes import ClassChanges

    store, settings = opened(context)
    return ClassChanges(store, settings.labels, time.time)


def _carry_out(plan: Plan, yes: bool) -> None:
    """Tell, ask, do."""
    if not yes and not sys.stdin.isatty():
        raise LabelError("This would change labels and models, and there is nobody to ask; repeat it with --yes.")
    say_all(plan.sentences)
    if not yes:
        confirm("Go on?", abort=True)
    plan.carry_out()
    say(plan.done)
