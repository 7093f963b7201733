"""What the training process is told, and how a training is made smaller after one that ran out of memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from posture_daemon.domain import Failure, Region, Strategy, TrainingRun
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store.json_values import JsonText
from posture_daemon.training.run_record import RunRecord
from posture_daemon.training.strategies import FitPlan


@dataclass(frozen=True)
class TrainingJob(JsonText):
    """As JSON in the request file. From `max_memory_bytes` on the kernel refuses the process more memory; `None`: never."""

    data_dir: str
    incumbent_id: int
    recipe: Recipe
    threads: int
    nice: int
    out_dir: str
    strategy: Strategy = Strategy.REPLAY
    plan: FitPlan = field(default_factory=FitPlan)
    max_memory_bytes: int | None = None
    region: Region | None = None
    """The part of each picture that the challenger looks at, whatever the incumbent does."""

    @property
    def batch(self) -> int:
        """Images that go through the network at a time."""
        return self.recipe.batch if self.strategy is Strategy.REPLAY else self.plan.batch

    def smaller(self, times: int) -> TrainingJob:
        """Half the batch, so many times, down to single images; and on one thread, since each thread holds a batch."""
        if times <= 0:
            return self
        recipe = replace(self.recipe, batch=max(1, self.recipe.batch >> times), threads=1)
        return replace(self, recipe=recipe, plan=replace(self.plan, batch=max(1, self.plan.batch >> times)))


def out_of_memory_in_a_row(attempts: Iterable[TrainingRun], strategy: Strategy) -> int:
    """How many trainings in a row, the newest first, have run out of memory; another failure in between says nothing."""
    count = 0
    for run in attempts:
        record = RunRecord.of(run.metrics)
        if record.load is not None and record.load.strategy != strategy.value:
            continue
        if record.failure is None:
            break
        count += record.failure is Failure.OUT_OF_MEMORY
    return count
