"""What every command shares: the options before the command, the settings, the console."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from posture_daemon import __version__
from posture_daemon.cli.identity import go_on_as_owner
from posture_daemon.service.journal import set_up_logging
from posture_daemon.settings import Loaded, Settings, load_settings

console = Console(highlight=False)


def say(sentence: str) -> None:
    """Print a sentence as one line, however narrow the terminal, so that it can be copied and searched."""
    console.print(sentence, soft_wrap=True)


@dataclass(frozen=True)
class Options:
    """The options that stand before the command."""

    config: Path | None
    data_dir: Path | None

    def load(self, overrides: Mapping[str, Any] | None = None) -> Loaded:
        """Load the settings; `overrides` are dotted keys that options of the command set. `None` values do not count."""
        given = {"data_dir": self.data_dir, **(overrides or {})}
        return load_settings(self.config, {key: value for key, value in given.items() if value is not None})

    def settings(self, overrides: Mapping[str, Any] | None = None) -> Settings:
        """The settings in force; from here on this process is whoever the data folder belongs to, if that is the service."""
        settings = self.load(overrides).settings
        go_on_as_owner(settings.data_dir)
        return settings


def _print_version(on: bool) -> None:
    if on:
        console.print(f"posture-daemon {__version__}")
        raise typer.Exit


def start(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).", show_default=False)] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of the database, the models and the caches.", show_default=False)
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version)
    ] = False,
) -> None:
    """Watches how you sit, asks about the frames it is unsure of, and learns from your answers. All on this device."""
    set_up_logging(
        logging.DEBUG if verbose else logging.INFO if context.invoked_subcommand == "run" else logging.WARNING
    )
    context.obj = Options(config, data_dir)


def options(context: typer.Context) -> Options:
    """The options that `start` left for the command."""
    found = context.obj
    return found if isinstance(found, Options) else Options(None, None)
