"""The command line: `posture-daemon …`. Each command is a few lines that call the rooms below and print what they say."""

from __future__ import annotations

import logging
import os
import sys

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
    pause,
    setup,
    teach,
    train,
    wrong,
)
from posture_daemon.cli.context import start
from posture_daemon.errors import PostureError

log = logging.getLogger(__name__)

app = typer.Typer(
    name="posture-daemon",
    help="Watches how you sit, asks about the frames it is unsure of, and learns from your answers. All on this device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.callback()(start)
app.command("setup")(setup.setup)
app.command("run")(daemon.run)
app.command("status")(daemon.status)
app.command("doctor")(doctor.doctor)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("teach")(teach.teach)
app.command("label")(label.label)
app.command("wrong")(wrong.wrong)
app.command("train")(train.train)
app.command("pause")(pause.pause)
app.command("resume")(pause.resume)
app.command("compare")(compare.compare)
app.add_typer(models.app, name="models")
app.add_typer(classes.app, name="classes")
app.add_typer(dataset.app, name="dataset")
app.add_typer(config.app, name="config")
app.command("demo")(demo.demo)


def main() -> None:
    """Entry point. Every error that is meant for the user is one sentence on stderr and exit code 1."""
    os.umask(0o077)  # what is written here shows somebody at home: nobody else's business
    try:
        app()
    except PostureError as error:
        sys.stderr.write(f"posture-daemon: {error}\n")
        sys.exit(1)
    except BrokenPipeError:  # `posture-daemon … | head`
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:  # a traceback helps nobody who has not asked for it
        log.debug("the whole story", exc_info=True)
        what = f"unexpected {type(error).__name__}: {error}"
        sys.stderr.write(f"posture-daemon: {what} (a bug in posture-daemon; --verbose before the command tells more)\n")
        sys.exit(70)  # EX_SOFTWARE
