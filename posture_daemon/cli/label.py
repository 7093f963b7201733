"""`label`: the terminal, and folders for a file manager."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from posture_daemon.cli.context import console, options, say


def label(
    context: typer.Context,
    export: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write the queue and the labels as folders, to sort in a file manager."),
    ] = None,
    import_: Annotated[
        Path | None,
        typer.Option("--import", metavar="FOLDER", help="Read class folders, sorted or from an existing dataset."),
    ] = None,
) -> None:
    """Sort the queue: one key per class, Enter for the model's guess, u to undo."""
    from posture_daemon import datasets
    from posture_daemon.bootstrap import open_store
    from posture_daemon.labelling import Labelling

    settings = options(context).settings()
    store = open_store(settings)
    if export is not None:
        _say(datasets.export_folder(store, settings, export, time.time()).sentences())
    elif import_ is not None:
        with console.status("importing …"):
            report = datasets.import_folder(store, settings, import_, time.time())
        _say(report.sentences())
    else:
        from posture_daemon.ui.keyboard import keyboard
        from posture_daemon.ui.terminal import run_terminal

        with keyboard() as keys:
            run_terminal(Labelling(store, settings.labels, time.time), console, keys)


def _say(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        say(sentence)
