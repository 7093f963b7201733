"""`doctor`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posture_daemon.cli.context import options, say
from posture_daemon.cli.typed import path
from posture_daemon.device.report import Health, Line, examine, nearest
from posture_daemon.device.resources import Resources
from posture_daemon.domain import Strategy
from posture_daemon.errors import DeviceError, PostureError

if TYPE_CHECKING:
    from posture_daemon.integrity.checkup import Finding

MARKS = {Health.OK: ("green", "ok"), Health.NOTE: ("yellow", "--"), Health.PROBLEM: ("red", "!!")}

JTOP_S, CPU_S = 4.0, 0.5
"""Longest wait for jtop, and the time between two looks that measure the CPU load."""


def doctor(
    context: typer.Context,
    root: Annotated[
        Path | None,
        typer.Option(
            parser=path,
            metavar="PATH",
            help="Look at this folder as if it were /, such as a copy of another device's /proc and /sys.",
        ),
    ] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Mend what is safe to mend in the data folder, never a label or a frame.")
    ] = False,
) -> None:
    """Tell what the device reports and how the data folder is, a verdict a line. Exit 1 while something needs a hand."""
    from posture_daemon.integrity.checkup import look

    settings = options(context).settings()
    if root is not None:
        if fix:
            raise DeviceError("--fix mends this device's data folder; leave --root out.")
        lines = examine(_look_at(root), settings)
    else:
        if fix:
            _mend(look(settings, time.time()))
        device = examine(_look(settings.data_dir), settings)
        findings = (_advised(finding) for finding in look(settings, time.time()))
        lines = (*device[:-1], _strategy(Strategy(settings.training.strategy)), *findings, device[-1])
    _print(lines)
    if any(line.health is Health.PROBLEM for line in lines):
        raise typer.Exit(1)


def _strategy(strategy: Strategy) -> Line:
    """What the schedule learns by, and whether it is installed."""
    from posture_daemon.training.strategies import not_installed

    missing = not_installed(strategy)
    if missing:
        return Line("strategy", missing, Health.PROBLEM)
    how = "ours" if strategy is Strategy.REPLAY else "run by ultralytics"
    return Line("strategy", f"the schedule learns by {strategy.value}, {how}")


def _mend(findings: Sequence[Finding]) -> None:
    """Say each thing that was done, and what could not be."""
    for finding in findings:
        if finding.mend is None:
            continue
        try:
            say(("fixed", "green"), f" {finding.mend()}")
        except (PostureError, OSError) as error:
            say(("failed", "red"), f" {finding.line.name}: {error}")


def _advised(finding: Finding) -> Line:
    if finding.mend is None:
        return finding.line
    return replace(finding.line, text=f"{finding.line.text} (posture-daemon doctor --fix {finding.verb})")


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
        say((mark, colour), f" {line.name.ljust(width)}  {line.text}")
