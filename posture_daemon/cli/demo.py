"""`demo`."""

import shlex
import tempfile
from pathlib import Path

import typer

from posture_daemon.cli.context import console, options, say
from posture_daemon.cli.identity import go_on_as_owner


def demo(context: typer.Context) -> None:
    """Watch a model learn: the real daemon on a fake desk, sped up, with a simulated owner. Takes under three minutes."""
    from posture_daemon.bootstrap.demo import check, run_demo

    chosen = options(context).data_dir
    if chosen is not None:
        go_on_as_owner(chosen)
    folder = chosen or Path(tempfile.mkdtemp(prefix="posture-demo-"))
    ending = run_demo(folder, console)
    console.print()
    say(("Where to look next:", "bold"))
    place = shlex.quote(str(folder))
    say(f"  posture-daemon --data-dir {place} models list      the two models and their roles")
    say(f"  posture-daemon --data-dir {place} status           what the daemon left behind")
    say(f"  {folder}/daemon.log and posture-daemon.toml         its log and its settings")
    say("  docs/tour.md                                        how to run it on your own camera")
    check(ending)
