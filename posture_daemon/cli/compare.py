"""`compare`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.status import Status

from posture_daemon.cli.context import console, options, say
from posture_daemon.cli.identity import refuse_hands_of_others
from posture_daemon.cli.typed import path
from posture_daemon.domain import Strategy
from posture_daemon.errors import SettingsError
from posture_daemon.ui.console import styled

if TYPE_CHECKING:
    from posture_daemon.store import Store

ORDER = (Strategy.SCRATCH, Strategy.ALL, Strategy.NEW, Strategy.FINETUNE, Strategy.REPLAY)


def compare(  # noqa: PLR0913, PLR0917 - the options of the command
    context: typer.Context,
    out: Annotated[
        Path, typer.Option(parser=path, metavar="DIR", help="Folder of the report; finished strategies are kept there.")
    ],
    dataset: Annotated[
        Path | None,
        typer.Argument(
            parser=path,
            metavar="DATASET",
            help="Folder with train/, val/ and maybe test/; without it the labels in the store are used.",
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of each strategy of ultralytics.", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="Fix all randomness.", min=0)] = None,
    strategies: Annotated[
        str, typer.Option(help="Which to run, separated by commas: scratch, all, new, finetune, replay.")
    ] = "scratch,all,new,finetune,replay",
    new_share: Annotated[
        float,
        typer.Option(help="Share of each class's training images that count as new, the last ones.", min=0, max=0.9),
    ] = 0.3,
    weights: Annotated[
        Path | None,
        typer.Option(
            parser=path,
            metavar="PATH",
            help="Base model (.pt) for a DATASET; else the oldest ancestor of the champion.",
        ),
    ] = None,
    imgsz: Annotated[int | None, typer.Option(help="With --weights: side of the input, pixels.", min=32)] = None,
) -> None:
    """Run the article's four strategies and ours side by side, and write a report with pictures."""
    from posture_daemon.bootstrap.models import champion, open_store
    from posture_daemon.comparison.comparison import Comparison, run_comparison
    from posture_daemon.training.strategies import root_of

    settings = options(context).settings({"strategies.epochs": epochs, "training.seed": seed})
    for place in (out, dataset):  # ultralytics keeps a list beside the pictures
        refuse_hands_of_others(place)
    wanted = Comparison(out, _chosen(strategies), dataset, new_share)
    store = open_store(settings)
    with _base(weights, imgsz) as imported, console.status("comparing …") as status:
        models = imported or store
        base = root_of(models, champion(models))
        page = run_comparison(wanted, models, base, settings, lambda line: _tell(line, status))
    say(f"The report is {page}.")


@contextmanager
def _base(weights: Path | None, imgsz: int | None) -> Iterator[Store | None]:
    """A store for the block with nothing but the imported base model; `None` without weights."""
    from posture_daemon.bootstrap.models import import_model
    from posture_daemon.store import Store

    if weights is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        import_model(store, weights, imgsz, as_base=True)
        yield store
        store.close()


def _tell(line: str, status: Status) -> None:
    """Epochs pass by beside the spinner; what is finished, or odd, stays on the screen."""
    if ": epoch " in line or line.endswith(": starting"):
        status.update(styled(line))
    else:
        say(line)


def _chosen(names: str) -> tuple[Strategy, ...]:
    """In the order of the report, each once."""
    known = {s.value: s for s in ORDER}
    given = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in given if name not in known]
    if unknown or not given:
        what = f"'{unknown[0]}' is no strategy" if unknown else "No strategy is given"
        raise SettingsError(f"{what}; --strategies takes {', '.join(known)}.")
    return tuple(s for s in ORDER if s.value in given)
