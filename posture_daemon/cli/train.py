"""`train`, `pause` and `resume`."""

import time
from typing import Annotated

import typer

from posture_daemon.cli import show
from posture_daemon.cli.context import console, opened, options, say
from posture_daemon.domain import Outcome, Strategy
from posture_daemon.service.signals import on_stop


def train(
    context: typer.Context,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Train whatever labels, times and pauses say. Memory, heat and disk still count, and a model must be better.",
        ),
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Only tell what would happen now, and what it waits for.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Fix the randomness of the augmented views.")] = None,
    strategy: Annotated[
        Strategy | None,
        typer.Option(
            help="How to learn: replay is ours; scratch, all, new and finetune are the article's, run by ultralytics; "
            "as `training.strategy` says unless given."
        ),
    ] = None,
) -> None:
    """Learn from all labels now, through the same gate as the schedule. Exit 1 when it failed or could not be done."""
    from posture_daemon.adapters.trainer.process import SubprocessTrainer
    from posture_daemon.bootstrap.models import open_store
    from posture_daemon.bootstrap.parts import away_by_status, build_retrainer

    settings = options(context).settings({"training.seed": seed})
    trainer = SubprocessTrainer()
    retrainer = build_retrainer(open_store(settings), settings, trainer, away_by_status(settings))
    if explain:
        show.decision(retrainer.decide(strategy))
        return
    on_stop(trainer.cancel)  # a training that is stopped keeps what it has done
    with console.status("training …"):
        run = retrainer.run("command line", force=force, strategy=strategy)
    show.training_run(console, run)
    unable = any(verdict.name == "strategy" and not verdict.passed for verdict in run.decision)
    if run.outcome is Outcome.FAILED or unable:
        raise typer.Exit(1)


def pause(
    context: typer.Context,
    hours: Annotated[float | None, typer.Option(min=0.01, max=8760, help="For so long; else until `resume`.")] = None,
) -> None:
    """No training until `resume`: one that runs keeps what it has done, ends within seconds and is continued later.

    Frames are watched, and kept for labelling, as before.
    """
    now = time.time()
    until = None if hours is None else now + 3600 * hours
    opened(context)[0].pauses.begin(now, until)
    say(f"Training is paused {'until posture-daemon resume' if until is None else f'until {show.clock(until)}'}.")


def resume(context: typer.Context) -> None:
    """End the pause: training begins, or goes on, when the gate says so (`train --explain`)."""
    ended = opened(context)[0].pauses.end()
    say("Training is no longer paused." if ended else "Training was not paused.")
