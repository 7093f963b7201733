"""`models …`: import, export, inspect, fetch, list, show, diff, rollback, evaluate."""

from __future__ import annotations

import shlex
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from posture_daemon.cli import show
from posture_daemon.cli.context import chosen_model, console, opened, options, say, though_a_disk_hangs
from posture_daemon.cli.identity import refuse_hands_of_others, refuse_unreadable
from posture_daemon.cli.typed import path
from posture_daemon.service.plain_text import visible
from posture_daemon.ui.console import styled

if TYPE_CHECKING:
    from posture_daemon.store import Store

app = typer.Typer(help="Import, list, evaluate, roll back and export models.", no_args_is_help=True)

Chosen = Annotated[int | None, typer.Option("--model", help="Which model; by default the champion.")]
Size = Annotated[int | None, typer.Option(help="Side of the input, pixels; by default that of its training.", min=32)]


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(parser=path, metavar="FILE", help="A YOLO11 classification checkpoint (.pt), n to x.")
    ],
    imgsz: Size = None,
    classes_are_postures: Annotated[
        bool | None,
        typer.Option(
            "--classes-are-postures/--as-base",
            help="Keep the checkpoint's classes, or take only its backbone. Guessed from the names by default.",
        ),
    ] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OLD=NEW",
            help="What a class of the file, or an output by its number, is called here; may be repeated.",
        ),
    ] = None,
) -> None:
    """Import a checkpoint and make it champion. Its file is read as data; code in it is never run."""
    from posture_daemon.bootstrap.models import import_model

    as_base = None if classes_are_postures is None else not classes_are_postures
    store, _ = opened(context)
    refuse_unreadable(file)
    version = import_model(store, file, imgsz, as_base, rename or ())
    if version.is_base:
        say(f"model {version.id} is champion, as a base: its classes are no postures, so every frame is unknown")
        say("and queued until your labels and the first training give it your classes.")
    else:
        say(f"model {version.id} is champion: {', '.join(f'{c.name} ({c.role.value})' for c in version.classes)}")


@app.command()
def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(parser=path, metavar="FILE", help="Where to write the checkpoint (.pt).")],
    model: Chosen = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write a model as an ordinary ultralytics checkpoint that gives the same answers."""
    from posture_daemon.adapters.checkpoints import export_checkpoint
    from posture_daemon.vision.head import Head

    store, _ = opened(context)
    refuse_hands_of_others(file)
    version = chosen_model(store, model)
    export_checkpoint(
        store.models.backbone_folder(version.backbone_sha256),
        Head.from_bytes(store.models.read_head(version.head_sha256)),
        [c.name for c in version.classes],
        file,
        temperature=version.temperature,
        force=force,
    )
    say(f"model {version.id} written to {file}")
    if version.region is not None:
        say(
            f"It answers alike on pictures that are cut to {version.region} (left, top, width, height) and made square."
        )


@app.command()
def inspect(
    file: Annotated[
        Path, typer.Argument(parser=path, metavar="FILE", help="A YOLO11 classification checkpoint (.pt).")
    ],
    imgsz: Size = None,
) -> None:
    """Print the layers of a checkpoint, where the backbone ends and the head begins, and parameter counts."""
    from posture_daemon.adapters.checkpoints import inspect_checkpoint

    found = inspect_checkpoint(file, imgsz)
    table = Table("layer", "part", "module", "parameters", "output")
    for layer in found.layers:
        part = styled(("head", "green") if layer.is_head else "backbone")
        shape = "×".join(map(str, layer.output_shape))
        table.add_row(
            str(layer.index), part, layer.module, f"{layer.parameters:,}", shape, end_section=layer.index == 9
        )
    say(f"yolo11{found.scale}-cls, {found.image_size} px, {len(found.classes)} classes: {_few(found.classes)}")
    console.print(table)
    say(f"backbone: layers 0–9, {found.backbone_parameters:,} parameters, frozen with freeze=10")
    say(f"head: layer 10, {found.head_parameters:,} parameters, trained ({found.trainable_share:.0%} of all)")


@app.command()
def fetch(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="yolo11n-cls, yolo11s-cls, yolo11m-cls, yolo11l-cls or yolo11x-cls.")],
    sha256: Annotated[str | None, typer.Option(help="Checksum, if the release names none.")] = None,
    release: Annotated[
        str | None, typer.Option(help="https address of a release description (JSON) to use instead of GitHub's.")
    ] = None,
) -> None:
    """Download an ImageNet checkpoint from ultralytics' release; checked, and resumed where it was cut off."""
    from posture_daemon.adapters.checkpoints.fetch import RELEASE_API_URL, fetch

    folder = options(context).settings().data_dir / "downloads"
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(visible(name), total=None)
        fetched = fetch(
            name,
            folder,
            release_api_url=release or RELEASE_API_URL,
            sha256=sha256,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    say(f"{fetched} is complete; import it with: posture-daemon models import {shlex.quote(str(fetched))}")


@app.command("list")
def list_(context: typer.Context) -> None:
    """List all models, newest first, with the roles they hold."""
    store, _ = opened(context)
    show.versions(console, store.models.all(), _roles(store))


@app.command("show")
def show_(
    context: typer.Context,
    model: Annotated[int | None, typer.Argument(help="Which model; by default the champion.")] = None,
) -> None:
    """Tell how a model was made: parent, strategy, settings, seed, labels, how good it is, time, memory, software."""
    from posture_daemon.cli import show_model

    store, _ = opened(context)
    version, runs = chosen_model(store, model), store.runs
    show_model.model(
        console, version, _roles(store).get(version.id), runs.of_challenger(version.id), store.watches.of(version.id)
    )


@app.command()
def diff(
    context: typer.Context,
    first: Annotated[int, typer.Argument(help="A model, by its number.")],
    second: Annotated[int, typer.Argument(help="Another one.")],
) -> None:
    """Show which images of the present holdout two models call differently, and what each calls them."""
    from posture_daemon.bootstrap.reports import difference
    from posture_daemon.cli import show_model

    store, settings = opened(context)
    one, other = store.models.get(first), store.models.get(second)
    show_model.difference(console, one, other, difference(store, settings, one, other))


@app.command()
def rollback(context: typer.Context) -> None:
    """Make the previous model champion again, after proof that it loads and answers. Frames follow within seconds."""
    from posture_daemon.bootstrap.models import champion, load_model
    from posture_daemon.errors import ModelError
    from posture_daemon.live.classifier import LiveClassifier

    store, _ = opened(context)
    now, before = champion(store), store.models.previous()
    if before is None:
        raise ModelError("There is no previous model to go back to; posture-daemon models list shows those there are.")
    LiveClassifier(load_model(store, before))
    store.models.promote(before.id, time.time())
    say(f"model {before.id} is champion again, in place of model {now.id}")


@app.command()
def evaluate(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(parser=path, metavar="FOLDER", help="Folder with one folder of images per class.")
    ],
    model: Chosen = None,
) -> None:
    """Print top-1, recall per class and the confusion matrix of the champion on labelled images."""
    from posture_daemon.bootstrap.reports import evaluate_folder

    store, _ = opened(context)
    version = chosen_model(store, model)
    read = partial(evaluate_folder, store, version, folder)
    found, unreadable = though_a_disk_hangs(read, threading.Event())
    say(f"model {version.id} on {folder}" + (f", {unreadable} unreadable files left out" if unreadable else ""))
    show.evaluation(console, found)


def _roles(store: Store) -> dict[int, str]:
    """The roles that versions hold, by their numbers."""
    from posture_daemon.store.models import CHAMPION, PREVIOUS

    holders = {PREVIOUS: store.models.previous(), CHAMPION: store.models.champion()}
    return {version.id: role for role, version in holders.items() if version is not None}


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
