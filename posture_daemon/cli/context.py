"""What every command shares: the options before the command, the settings, the console."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from posture_daemon import __version__
from posture_daemon.cli.identity import go_on_as_owner
from posture_daemon.cli.typed import path
from posture_daemon.service.journal import set_up_logging
from posture_daemon.settings import Loaded, Settings, load_settings

if TYPE_CHECKING:
    from posture_daemon.domain import ModelVersion
    from posture_daemon.store import Store

console = Console(highlight=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print everything as JSON, for programs.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def say(sentence: str) -> None:
    """Print a sentence as one line, however narrow the terminal, so that it can be copied and searched."""
    console.print(sentence, soft_wrap=True)


def say_all(sentences: Iterable[str]) -> None:
    """Print sentences, each as one line."""
    for sentence in sentences:
        say(sentence)


def on_stop(act: Callable[[], object]) -> None:
    """Call `act` at SIGTERM and Ctrl-C instead of ending at once."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: act())


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


def has_keyboard() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty()


def _print_version(on: bool) -> None:
    if on:
        console.print(f"posture-daemon {__version__}")
        raise typer.Exit


def start(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(parser=path, metavar="PATH", help="Settings file (TOML).")] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(parser=path, metavar="PATH", help="Folder of the database, the models and the caches."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version)
    ] = False,
) -> None:
    """Watches how you sit, asks about the frames it is unsure of, and learns from your answers. All on this device."""
    usual = logging.INFO if context.invoked_subcommand == "run" else logging.WARNING
    set_up_logging(logging.DEBUG if verbose else usual)
    context.obj = Options(config, data_dir)


def options(context: typer.Context) -> Options:
    """The options that `start` left for the command."""
    found = context.obj
    return found if isinstance(found, Options) else Options(None, None)


def opened(context: typer.Context) -> tuple[Store, Settings]:
    """The data folder, opened, and the settings in force: what most commands begin with."""
    from posture_daemon.bootstrap.models import open_store

    settings = options(context).settings()
    return open_store(settings), settings


def chosen_model(store: Store, model: int | None) -> ModelVersion:
    """A model by its number, the champion by default. Raises `ModelError` where there is none."""
    from posture_daemon.bootstrap.models import champion

    return champion(store) if model is None else store.models.get(model)
