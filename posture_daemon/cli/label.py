"""`label`: the page in a browser, the terminal, and folders for a file manager; and `wrong`: what is shown now is wrong."""

import os
import threading
import time
import webbrowser
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from posture_daemon.cli.context import console, opened, options, say, say_all, though_a_disk_hangs
from posture_daemon.cli.identity import refuse_hands_of_others
from posture_daemon.cli.typed import path
from posture_daemon.errors import PageError
from posture_daemon.service.signals import on_stop
from posture_daemon.settings import Loaded, Settings
from posture_daemon.store import Store

IMPORT_ENDS_S = 15.0
"""How long an import may take to finish its block after a signal, seconds, before its disk counts as dead."""


def label(
    context: typer.Context,
    terminal: Annotated[
        bool, typer.Option("--terminal", help="Label in this terminal instead of a browser, for example over SSH.")
    ] = False,
    export: Annotated[
        Path | None,
        typer.Option(
            parser=path, metavar="FOLDER", help="Write the queue and the labels as folders, to sort in a file manager."
        ),
    ] = None,
    import_: Annotated[
        Path | None,
        typer.Option(
            "--import", parser=path, metavar="FOLDER", help="Read class folders, sorted or from an existing dataset."
        ),
    ] = None,
) -> None:
    """Answer what it asks: one key per class, Enter for the model's guess, u to undo; in the browser unless told otherwise."""
    from posture_daemon import datasets

    if terminal + (export is not None) + (import_ is not None) > 1:
        raise typer.BadParameter("choose one of --terminal, --export and --import")
    store, settings = opened(context)
    refuse_hands_of_others(export)
    if export is not None:
        say_all(datasets.export_folder(store, settings, export, time.time()).sentences())
    elif import_ is not None:
        stop = threading.Event()  # an import that is stopped keeps whole blocks
        read = partial(datasets.import_folder, store, settings, import_, time.time(), stop.is_set)
        with console.status("importing …"):
            report = though_a_disk_hangs(read, stop, IMPORT_ENDS_S)
        say_all(report.sentences())
    elif terminal:
        _in_terminal(store, settings)
    else:
        _in_browser(store, settings, options(context).load())


def _in_terminal(store: Store, settings: Settings) -> None:
    from posture_daemon.labelling.session import Labelling
    from posture_daemon.settings.recipe import Recipe
    from posture_daemon.ui.keyboard import keyboard
    from posture_daemon.ui.terminal import run_terminal

    with keyboard() as keys:
        run_terminal(Labelling(store, settings.labels, time.time, Recipe.of(settings.training)), console, keys)


def _in_browser(store: Store, settings: Settings, loaded: Loaded) -> None:
    """Open the page that the daemon serves, or serve it from here."""
    from posture_daemon.service.daemon_status import DaemonStatus, read_status

    address = (read_status(store.folder) or DaemonStatus()).page
    if address is None:
        _serve(store, settings, loaded)
    else:
        _open(address, store.folder, settings)


def _serve(store: Store, settings: Settings, loaded: Loaded) -> None:
    """Until Ctrl-C or SIGTERM."""
    from posture_daemon.bootstrap.guided_capture import open_guided_capture
    from posture_daemon.bootstrap.region import RegionChoice
    from posture_daemon.ui.keyboard import LOOK_UP_S
    from posture_daemon.ui.web.region_desk import RegionDesk
    from posture_daemon.ui.web.server import LabelPage, taken

    stop = threading.Event()
    on_stop(stop.set)
    region = RegionChoice.of(loaded)
    page = LabelPage(
        store,
        settings,
        open_guided_capture=lambda names: open_guided_capture(settings, names, region=region),
        desk=RegionDesk(lambda: region.camera, region.choose),
    )
    try:
        page.start()
    except PageError as error:
        if not taken(error):
            raise
        say(f"{error} Another port will do.")
        page.start(port=0)
    _open(str(page.address), store.folder, settings)
    say("Ctrl-C ends it.")
    while not stop.wait(LOOK_UP_S):
        pass
    page.stop()
    store.close()


def _open(address: str, folder: Path, settings: Settings) -> None:
    """Print the link, and show the page where there is a screen; over SSH there is none."""
    from posture_daemon.ui.web.link import link_to

    link = link_to(address, folder, settings.ui.host)
    say(f"The label page: {link}")
    if os.geteuid() == 0:
        return  # which browser that is, is said by whoever called sudo
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        try:
            webbrowser.open(link)
        except (webbrowser.Error, OSError):
            say("No browser could be started here; open the address yourself.")


def wrong(
    context: typer.Context,
    class_name: Annotated[
        str | None,
        typer.Argument(metavar="[CLASS]", help="What it is in truth; without it the frame waits in the queue."),
    ] = None,
) -> None:
    """Say that what the running daemon shows now is wrong: it keeps the frame, to learn from it."""
    from posture_daemon.labelling.session import Labelling

    store, settings = opened(context)
    labelling = Labelling(store, settings.labels, time.time)
    frame_id = labelling.call_wrong(class_name, time.sleep)
    what = "waits for its label" if class_name is None else f"is labelled as {class_name}"
    say(f"Frame {frame_id} was kept and {what}.")
