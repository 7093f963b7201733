"""What every command shares: the options before the command, the settings, the console."""

from __future__ import annotations

import json
import logging
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer
from rich.text import Text

from posture_daemon import __version__
from posture_daemon.cli.identity import go_on_as_owner, refuse_settings_of_others
from posture_daemon.cli.typed import path
from posture_daemon.errors import Stopped
from posture_daemon.service.journal import set_up_logging
from posture_daemon.service.plain_text import visible
from posture_daemon.service.signals import on_stop
from posture_daemon.settings import Loaded, Settings, first_folder, load_settings, named_file
from posture_daemon.ui.console import Part, PlainConsole, settle_size, styled

if TYPE_CHECKING:
    from posture_daemon.domain import ModelVersion
    from posture_daemon.store import Store

T = TypeVar("T")

LOOK_S = 0.1
"""How often is looked for a signal while a thread works, seconds."""

settle_size()
console = PlainConsole()

AsJson = Annotated[bool, typer.Option("--json", help="Print everything as JSON, for programs.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def say(*parts: Part) -> None:
    """Print a sentence as one line, however narrow the terminal, so that it can be copied and searched.

    A part may have a style: `say(("warning", "yellow"), ": …")`. What the parts hold is only text.
    """
    console.print(styled(*parts), soft_wrap=True)


def say_all(sentences: Iterable[str]) -> None:
    """Print sentences, each as one line."""
    for sentence in sentences:
        say(sentence)


def say_json(data: Any) -> None:
    """Print data as JSON. What a terminal would obey, or does not have, is escaped as JSON does it, so that nothing is lost."""
    utf8 = console.encoding.startswith("utf")
    words = json.dumps(data, indent=2, ensure_ascii=not utf8)
    safe = "".join(c if c == "\n" or c.isprintable() else json.dumps(c)[1:-1] for c in words)
    console.print(Text(safe), soft_wrap=True)


def confirm(question: str, *, default: bool | None = None, abort: bool = False) -> bool:
    """Ask for yes or no. Raises `typer.Abort` at Ctrl-C and the end of the input, and for a no if `abort`."""
    with _ctrl_c_is_no():
        return typer.confirm(visible(question), default=default, abort=abort)


def prompt(question: str, default: str) -> str:
    """Ask for a line. Raises `typer.Abort` at Ctrl-C and the end of the input."""
    with _ctrl_c_is_no():
        return str(typer.prompt(visible(question), default=default))


@contextmanager
def _ctrl_c_is_no() -> Iterator[None]:
    """Who is asked and presses Ctrl-C has answered; `setup && run` must not go on. Other orders to stop pass."""
    try:
        yield
    except Stopped as order:
        if order.by != signal.SIGINT:
            raise
        raise typer.Abort from None


def though_a_disk_hangs(work: Callable[[], T], stop: threading.Event, grace_s: float = 0.0) -> T:
    """What `work` gives or raises, from a thread of its own, so that Ctrl-C and SIGTERM end the command in any case.

    A call that waits for a dead network drive or USB disk hears no signal. `stop` is set by the signal; then `work` has
    `grace_s` to end by itself. Raises `Stopped` after that and leaves the thread behind, which ends with the process.
    """
    on_stop(stop.set)
    results: Queue[Callable[[], T]] = Queue()
    Thread(target=lambda: results.put(_outcome(work)), daemon=True).start()
    until = math.inf
    while time.monotonic() < until:
        with suppress(Empty):
            return results.get(timeout=LOOK_S)()
        if stop.is_set() and until == math.inf:
            until = time.monotonic() + grace_s
    raise Stopped


def _outcome(work: Callable[[], T]) -> Callable[[], T]:
    """What gives or raises what `work` gave or raised."""
    try:
        result = work()
    except BaseException as error:
        return partial(_throw, error)
    return lambda: result


def _throw(error: BaseException) -> NoReturn:
    raise error


@dataclass(frozen=True)
class Options:
    """The options that stand before the command."""

    config: Path | None
    data_dir: Path | None

    def given(self, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What was given on the command line, by dotted key; `overrides` are options of the command, `None` does not count."""
        given = {"data_dir": self.data_dir, **(overrides or {})}
        return {key: value for key, value in given.items() if value is not None}

    def load(self, overrides: Mapping[str, Any] | None = None) -> Loaded:
        """Load the settings. Root is whoever the data folder belongs to from here on, before a file in it is read."""
        given = self.given(overrides)
        if named_file(self.config) is None:
            go_on_as_owner(first_folder(given)[0])
        loaded = load_settings(self.config, given)
        go_on_as_owner(loaded.settings.data_dir)
        refuse_settings_of_others(loaded.file)
        return loaded

    def settings(self, overrides: Mapping[str, Any] | None = None) -> Settings:
        """The settings in force, as `load`."""
        return self.load(overrides).settings


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
