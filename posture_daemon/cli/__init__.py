"""The command line: `posture-daemon …`. Each command is a few lines that call the rooms below and print what they say."""

import errno
import logging
import os
import sys
from contextlib import suppress
from typing import NoReturn, cast

import typer

from posture_daemon.cli import (
    backup,
    classes,
    compare,
    config,
    daemon,
    dataset,
    demo,
    doctor,
    label,
    models,
    region,
    service,
    setup,
    teach,
    train,
)
from posture_daemon.cli.context import start
from posture_daemon.cli.ending import Ending
from posture_daemon.cli.identity import begin_as_root, denied
from posture_daemon.cli.typed import hide_typed
from posture_daemon.errors import PostureError, Stopped
from posture_daemon.service import signals
from posture_daemon.service.journal import is_journal, sentence
from posture_daemon.service.plain_text import set_up_streams

log = logging.getLogger(__name__)

NAME = "posture-daemon"
UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])
"""What the parser of the command line raises. Whose class that is depends on the version of typer, and none exports it."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

app = typer.Typer(
    name=NAME,
    help="Watches how you sit, asks about the frames it is unsure of, and learns from your answers. All on this device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.callback()(start)
COMMANDS = (
    setup.setup, daemon.run, daemon.status, doctor.doctor, backup.backup, backup.restore, teach.teach, label.label,
    label.wrong, train.train, train.pause, train.resume, compare.compare, demo.demo,
)  # fmt: skip
GROUPS = {
    "models": models,
    "classes": classes,
    "dataset": dataset,
    "region": region,
    "config": config,
    "service": service,
}

for command in COMMANDS:
    app.command()(command)
for name, group in GROUPS.items():
    app.add_typer(group.app, name=name)


def main() -> None:
    """Entry point. Every error that is meant for the user is one sentence on stderr: exit 1, or 2 for how it was called."""
    hide_typed(sys.argv[1:], os.environ)
    set_up_streams()
    os.umask(0o077)  # what is written here shows somebody at home: nobody else's business
    ending = Ending()
    try:
        with signals.raised():
            _run()
    except SystemExit as end:
        ending.note(end.code)
        raise
    except Stopped as order:
        _say_error(str(order))
        sys.exit(0)


def _run() -> None:
    """Run the command; always ends with `SystemExit`, or `Stopped`."""
    try:
        begin_as_root()
        sys.exit(app(prog_name=NAME, standalone_mode=False))
    except UsageError as error:
        if words := " ".join(error.format_message().split()).rstrip("."):  # none where the help was printed instead
            path = error.ctx.command_path if error.ctx else NAME
            _say_error(f"{words} ({path} --help tells what it takes).")
        sys.exit(error.exit_code)
    except typer.Abort:  # the answer to a question was no, or Ctrl-C
        _say_error(str(Stopped()))
        sys.exit(1)
    except PostureError as error:
        _say_error(str(error))
        sys.exit(1)
    except PermissionError as error:
        _say_error(denied(error))
        sys.exit(1)
    except BrokenPipeError:  # `posture-daemon … | head`
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        if error.errno not in NO_ROOM:
            _end_unexpected(error)
        _say_error(f"What was asked for cannot be written ({error.strerror}); make room for it, or write it elsewhere.")
        sys.exit(1)
    except Exception as error:
        _end_unexpected(error)


def _end_unexpected(error: Exception) -> NoReturn:
    """Say that it is a bug; a traceback helps nobody who has not asked for it. Raises `Stopped` where that is the cause."""
    if (order := _order_behind(error)) is not None:
        raise order
    log.log(logging.ERROR if is_journal(sys.stderr) else logging.DEBUG, "the whole story", exc_info=True)
    what = f"unexpected {type(error).__name__}: {error}"
    _say_error(f"{what} (a bug in posture-daemon; --verbose before the command tells more)")
    sys.exit(70)  # EX_SOFTWARE


def _order_behind(error: BaseException | None) -> Stopped | None:
    """The order to stop that a library has turned into an error of its own, as some do with whatever comes in their way."""
    while error is not None and not isinstance(error, Stopped):
        error = error.__cause__ or error.__context__
    return error


def _say_error(words: str) -> None:
    with suppress(OSError):  # a full disk; the exit code tells it too
        sys.stderr.write(f"{sentence(words)}\n")
