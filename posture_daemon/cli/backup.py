"""`backup` and `restore`."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from posture_daemon.cli.context import Yes, confirm, console, options, say
from posture_daemon.cli.identity import refuse_hands_of_others
from posture_daemon.cli.show import clock
from posture_daemon.cli.typed import path
from posture_daemon.domain import MB
from posture_daemon.errors import DataFolderError
from posture_daemon.settings.paths import absolute
from posture_daemon.ui.console import styled

if TYPE_CHECKING:
    from posture_daemon.store.backup import Backups

KEEP_ALL = 1_000_000
"""In a folder that is not ours nothing is deleted."""


def backup(
    context: typer.Context,
    to: Annotated[
        Path | None,
        typer.Option(
            parser=path, metavar="PATH", help="Folder to write to, such as a USB stick; nothing in it is deleted."
        ),
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="List the backups, each with its check, and make none.")
    ] = False,
) -> None:
    """Copy the database and the models in use, also while the daemon runs; the copy is checked. The oldest copies go."""
    from posture_daemon.store import Store
    from posture_daemon.store.backup import BACKUPS, Backups
    from posture_daemon.store.database import FILE_NAME
    from posture_daemon.store.restore import check_backup

    settings = options(context).settings()
    database = settings.data_dir / FILE_NAME
    refuse_hands_of_others(to)
    if list_:
        _list(Backups(database, to or settings.data_dir / BACKUPS))
        return
    if not database.exists():
        raise DataFolderError(f"There is no database in {settings.data_dir} yet, so there is nothing to back up.")
    store = Store(settings.data_dir)
    try:
        made = store.back_up(time.time(), settings.schedule.backups if to is None else KEEP_ALL, to)
    finally:
        store.close()
    say(f"{made} holds {check_backup(made)}; its models are beside it in {made.parent / 'models'}")


def restore(
    context: typer.Context,
    chosen: Annotated[
        str | None, typer.Argument(metavar="BACKUP", help="A backup by name or path; by default the newest good one.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Put a backup in the place of the database, which is kept beside it. The daemon must not be running."""
    from posture_daemon.integrity.database_check import bring_back
    from posture_daemon.store.database import FILE_NAME
    from posture_daemon.store.restore import check_backup, contents, missing

    folder, now = options(context).settings().data_dir, time.time()
    found = _find(folder, chosen, now)
    refuse_hands_of_others(found)  # SQLite writes beside a database that it only reads
    held, before = check_backup(found), contents(folder / FILE_NAME)
    said = datetime.fromtimestamp(found.stat().st_mtime)
    say(f"The backup {found} of {said:%Y-%m-%d %H:%M} holds {held}.")
    if (folder / FILE_NAME).exists():
        now_there = "cannot be read" if before is None else f"holds {before}"
        say(f"The database that is there now {now_there}. {missing(before, held)}.")
    if not yes and not _confirmed():
        raise typer.Exit(1)
    say(bring_back(folder, found, now).sentence())


def _find(folder: Path, chosen: str | None, now: float) -> Path:
    from posture_daemon.store.backup import BACKUPS, Backups
    from posture_daemon.store.database import FILE_NAME

    backups = Backups(folder / FILE_NAME, folder / BACKUPS)
    if chosen is not None:
        named = backups.folder / chosen
        return named if "/" not in chosen and named.is_file() else absolute(chosen)
    newest = backups.newest_good(now)
    if newest is None:
        raise DataFolderError(f"There is no good backup in {backups.folder}; give one by its path.")
    return newest.path


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        raise DataFolderError("Nobody is there to be asked whether to restore it; add --yes.")
    return confirm("Restore it?")


def _list(backups: Backups) -> None:
    from posture_daemon.store.backup import is_good

    found = backups.list()
    if not found:
        say(f"There are no backups in {backups.folder}.")
        return
    table = Table("backup", "made", "MB", "state")
    for one in found:
        why = "" if one.before is None else f", made before schema {one.before}"
        state = ("good", "") if is_good(one.path) else ("damaged", "red")
        table.add_row(one.path.name, clock(one.made_at), f"{one.size_bytes / MB:.1f}", styled(state, why))
    console.print(table)
