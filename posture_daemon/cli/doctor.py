"""`doctor`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from posture_daemon.cli.context import options, say
from posture_daemon.doctor import Health, Line, data_folder, examine, nearest
from posture_daemon.errors import DeviceError
from posture_daemon.resources import Resources

MARKS = {Health.OK: ("green", "ok"), Health.NOTE: ("yellow", "--"), Health.PROBLEM: ("red", "!!")}

JTOP_S, CPU_S = 4.0, 0.5
"""Longest wait for jtop, and the time between two looks that measure the CPU load."""


def doctor(
    context: typer.Context,
    root: Annotated[
        Path | None,
        typer.Option(
            help="Look at this folder as if it were /, such as a copy of another device's /proc and /sys.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Tell what the device reports, with a verdict a line. Exit 1 when something keeps every training from beginning."""
    settings = options(context).settings()
    lines = examine(_look(settings.data_dir) if root is None else _look_at(root), settings)
    if root is None:
        lines = (*lines[:-1], data_folder(settings.data_dir), lines[-1])
    _print(lines)
    if any(line.health is Health.PROBLEM for line in lines):
        raise typer.Exit(1)


def _look(data_dir: Path) -> Resources:
    """Look at this device: twice, since a load is what happens between two looks."""
    from posture_daemon.adapters.probes import DeviceProbe

    probe = DeviceProbe(nearest(data_dir))
    probe.read()
    probe.settle(JTOP_S)
    time.sleep(CPU_S)
    try:
        return probe.read()
    finally:
        probe.close()


def _look_at(root: Path) -> Resources:
    """Look at a tree that stands for a device; its disk is the one it lies on."""
    from posture_daemon.adapters.probes import DeviceProbe

    if not root.is_dir():
        raise DeviceError(f"There is no folder {root}; --root takes one that holds proc and sys.")
    return DeviceProbe(root, root).read()


def _print(lines: tuple[Line, ...]) -> None:
    """Words and not only colours; whatever the texts hold, it is no markup."""
    width = max(len(line.name) for line in lines)
    for line in lines:
        colour, mark = MARKS[line.health]
        say(f"[{colour}]{mark}[/] {escape(line.name.ljust(width))}  {escape(line.text)}")
