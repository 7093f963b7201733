"""`train`."""

from __future__ import annotations

from typing import Annotated

import typer

from posture_daemon.cli import show
from posture_daemon.cli.context import console, options, say
from posture_daemon.domain import Outcome, Strategy


def train(
    context: typer.Context,
    force: Annotated[
        bool, typer.Option("--force", help="Skip the gate. The holdout still decides about promotion.")
    ] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Only tell what the gate says now.")] = False,
    seed: Annotated[
        int | None, typer.Option(help="Fix the randomness of the augmented views.", show_default=False)
    ] = None,
    strategy: Annotated[
        Strategy,
        typer.Option(
            help="How to learn: replay is ours; scratch, all, new and finetune are the article's, run by ultralytics."
        ),
    ] = Strategy.REPLAY,
) -> None:
    """Learn from all labels now, through the same gate as the schedule. Exit 1 when the training failed."""
    from posture_daemon.adapters.trainer import SubprocessTrainer
    from posture_daemon.bootstrap import build_retrainer, open_store

    settings = options(context).settings({"training.seed": seed})
    retrainer = build_retrainer(open_store(settings), settings, SubprocessTrainer())
    if explain:
        for verdict in retrainer.decide().verdicts:
            say(f"[{'green' if verdict.passed else 'red'}]{'yes' if verdict.passed else 'no '}[/] {verdict.text}")
        return
    with console.status("training …"):
        run = retrainer.run("command line", force=force, strategy=strategy)
    show.training_run(console, run)
    if run.outcome is Outcome.FAILED:
        raise typer.Exit(1)
