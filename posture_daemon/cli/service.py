"""`service install`, `uninstall` and `status`: posture-daemon from the start of the machine on, for years."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posture_daemon.cli.context import confirm, console, options, say, say_all
from posture_daemon.cli.identity import called_as, shown_command
from posture_daemon.cli.typed import path
from posture_daemon.errors import ServiceError
from posture_daemon.settings import DEFAULT, first_folder, load_settings, named_file
from posture_daemon.settings.paths import absolute

if TYPE_CHECKING:
    from posture_daemon.service.machine import Machine
    from posture_daemon.service.plan import Before, InstallStep

app = typer.Typer(help="Run it from the start of the machine on, under systemd.", no_args_is_help=True)

NOT_RUNNING = 3
"""Exit code of `status`, as of `systemctl status`."""

Dry = Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")]
Root = Annotated[
    Path,
    typer.Option(
        parser=path, metavar="DIR", help="Do it to the system in this folder, which does not run.", show_default=False
    ),
]


@app.command()
def install(context: typer.Context, dry_run: Dry = False, root: Root = Path("/")) -> None:
    """Install the service and start it. What was taught so far comes along; done again, it brings all up to date."""
    from posture_daemon.service.code import refuse_hidden, this_code, try_as_stranger
    from posture_daemon.service.plan import DATA, install_steps

    machine, code = _machine(root), this_code()
    steps = install_steps(machine, code, _before(context))
    if not _begin(machine, steps, dry_run):
        return
    if machine.is_this_one:
        refuse_hidden(code)
        try_as_stranger(code)
    _carry_out(steps)
    if machine.is_this_one:
        console.print()
        say(f"It runs. Its data are in {DATA}: sudo posture-daemon status, label, teach and the rest work on them.")
        say("How it does: posture-daemon service status")


@app.command()
def uninstall(
    dry_run: Dry = False,
    root: Root = Path("/"),
    purge: Annotated[
        bool, typer.Option("--purge", help="Delete the data too: every picture, label and model.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before deleting.")] = False,
) -> None:
    """Stop the service and remove it. The data stay, unless `--purge` is given."""
    from posture_daemon.service.plan import DATA, uninstall_steps

    machine = _machine(root)
    steps = uninstall_steps(machine, purge)
    if not steps:
        say("The service is not installed; there is nothing to remove.")
    elif _begin(machine, steps, dry_run):
        if purge and not yes:
            _ask_for_the_data(DATA)
        _carry_out(steps)
    if machine.path(DATA).exists():
        again = shlex.join(["sudo", *called_as(), "--data-dir", DATA, "status"])
        say(f"The data are kept in {DATA}; read them with: {again}")


@app.command()
def status() -> None:
    """Tell whether it is installed and runs, why it was started again, where data and log are. Exit code 3: it does not run."""
    from posture_daemon.service.condition import condition

    found = condition()
    say_all(found.lines)
    if not found.runs:
        raise typer.Exit(NOT_RUNNING)


def _machine(root: Path) -> Machine:
    """The machine to change. Raises `ServiceError` where there is no systemd."""
    from posture_daemon.service.machine import Machine
    from posture_daemon.service.trust import weak_spot

    if not root.is_dir():
        raise ServiceError(f"There is no folder {root}; check the path.")
    machine = Machine(root.resolve())
    if os.geteuid() == 0 and (spot := weak_spot(machine.root)):
        raise ServiceError(f"Root changes no system that others can change, too: {spot.words}; run {spot.mending}.")
    if machine.is_this_one and not Path("/run/systemd/system").is_dir():
        raise ServiceError("systemd does not run this machine, so there is nothing to install a service into.")
    return machine


def _before(context: typer.Context) -> Before:
    """What has been used so far; under sudo also what lies in the home of who called it. Read with its owner's rights alone."""
    from posture_daemon.service.plan import Before
    from posture_daemon.service.privileges import as_person
    from posture_daemon.service.trust import Person, decider

    chosen = options(context)
    given, file = chosen.given(), named_file(chosen.config)
    if file is None and "data_dir" not in given and (theirs := _callers_folder()):
        given["data_dir"] = theirs
    place = file or first_folder(given)[0]
    whose = decider(place) if os.geteuid() == 0 else Person.of(os.geteuid())

    def read() -> list[str | None]:
        loaded = load_settings(chosen.config, given)
        settings = loaded.settings
        return [str(settings.data_dir), None if loaded.file is None else str(loaded.file), settings.camera.address]

    folder, settings_file, camera = as_person(whose, read)
    return Before(Path(str(folder)), None if settings_file is None else Path(settings_file), str(camera), whose)


def _callers_folder() -> Path | None:
    """The data folder in the home of who called sudo, if there is one, and nothing else was said."""
    from posture_daemon.service.takeover import has_data

    caller, (usual, source) = os.environ.get("SUDO_USER"), first_folder()
    if not caller or source != DEFAULT or has_data(usual):
        return None
    theirs = absolute(f"~{caller}") / ".local/share/posture-daemon"
    return theirs if has_data(theirs) else None


def _begin(machine: Machine, steps: list[InstallStep], dry_run: bool) -> bool:
    """Tell what will be done. False when that was all; raises `ServiceError` when it takes rights that are missing."""
    if dry_run:
        say("This would:")
        for step in steps:
            say(f"  {step.words}")
        return False
    if machine.is_this_one and os.geteuid() != 0:
        again = shown_command(["sudo", *called_as(), *sys.argv[1:]])
        raise ServiceError(f"This changes the system, so it needs root: {again}")
    return True


def _carry_out(steps: list[InstallStep]) -> None:
    for step in steps:
        say(step.words)
        try:
            step.do()
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise ServiceError(f"That failed: {where}{error.strerror}.") from None


def _ask_for_the_data(data: str) -> None:
    if not sys.stdin.isatty():
        raise ServiceError(f"This deletes {data} for good; say --yes as well.")
    confirm(f"Delete {data}, every picture, label and model in it, for good?", abort=True)
