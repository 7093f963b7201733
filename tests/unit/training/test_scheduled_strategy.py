"""`training.strategy`: what the schedule fires, ours or one of the article's four, through the same gate and promotion."""

from collections.abc import Callable
from typing import Any, get_args

import pytest

from posture_daemon.domain import MB, Outcome, Strategy, Verdict
from posture_daemon.settings import LimitsSettings, ScheduleSettings, Settings, TrainingSettings
from posture_daemon.store import Store
from posture_daemon.training import strategies
from posture_daemon.training.retrain import Retrainer
from posture_daemon.training.strategies import not_installed
from tests.builders import add_champion, label_days
from tests.fakes.probe import StandInProbe
from tests.fakes.trainer import StandInTrainer

NOW = 1_000_000.0

Installed = Callable[..., None]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Installed:
    """Say which packages there are, whatever this machine has."""
    return lambda *names: monkeypatch.setattr(strategies, "find_spec", lambda name: object() if name in names else None)


class Bench:
    """A champion, labels of two classes, and a retrainer by the strategy of the settings."""

    def __init__(self, store: Store, strategy: str) -> None:
        add_champion(store, "good", "bad")
        label_days(store, "good", "bad", blocks=2, count=10)
        self.store, self.trainer = store, StandInTrainer()
        settings = Settings(
            data_dir=store.folder,
            training={"strategy": strategy, "min_new_labels": 10},
            schedule=ScheduleSettings(away_s=0, cooldown_s=60),
            limits=LimitsSettings(memory_reserve_mb=500),
        )
        self.now = NOW
        self.retrainer = Retrainer(store, self.trainer, StandInProbe(), settings, clock=lambda: self.now)

    def verdict(self, name: str, **options: Any) -> Verdict:
        """One condition of the gate, now."""
        return next(verdict for verdict in self.retrainer.decide(**options).verdicts if verdict.name == name)


@pytest.mark.parametrize("strategy", Strategy)
def test_the_schedule_learns_as_the_settings_say(store: Store, installed: Installed, strategy: Strategy) -> None:
    """Gate, training, judgement and promotion are the same; the version and the gate know by which."""
    installed("torch", "ultralytics")
    bench = Bench(store, strategy.value)
    assert f"learns by {strategy.value}, " in bench.verdict("strategy").text
    run = bench.retrainer.run("schedule")
    assert run.outcome is Outcome.PROMOTED
    assert [job.strategy for job in bench.trainer.jobs] == [strategy]
    champion = store.models.champion()
    assert champion.lineage["strategy"] == strategy.value
    assert champion.lineage["settings"]["training"]["strategy"] == strategy.value


def test_a_strategy_that_is_asked_for_counts_more_than_the_settings(store: Store, installed: Installed) -> None:
    """`train --strategy` and a lesson of `teach`, which is always ours."""
    installed("torch", "ultralytics")
    bench = Bench(store, "all")
    bench.retrainer.run("teach", force=True, strategy=Strategy.REPLAY)
    assert [job.strategy for job in bench.trainer.jobs] == [Strategy.REPLAY]


def test_the_gate_expects_the_memory_of_the_strategy(store: Store, installed: Installed) -> None:
    """Ultralytics takes over a gigabyte, ours a fraction of it."""
    installed("torch", "ultralytics")
    bench = Bench(store, "all")
    needed = {one: float(bench.verdict("memory", strategy=one).limit) for one in Strategy}
    assert needed[Strategy.ALL] == float(bench.verdict("memory").limit)
    assert needed[Strategy.REPLAY] + 500 * MB < needed[Strategy.ALL]


@pytest.mark.parametrize(
    ("there", "words"),
    [((), "torch and ultralytics are not installed: install them"), (("torch",), "ultralytics is not installed")],
)
@pytest.mark.parametrize("force", [True, False])
def test_what_is_not_installed_closes_the_gate_and_fails_no_run(
    store: Store, installed: Installed, force: bool, there: tuple[str, ...], words: str
) -> None:
    """In words, with what to do, once and not every hour: not even --force begins what can only fail."""
    installed(*there)
    bench = Bench(store, "finetune")
    for _ in range(3):
        run = bench.retrainer.run("schedule", force=force)
        assert run.outcome is Outcome.DEFERRED
        assert words in run.reason
        assert "or set training.strategy to replay, which needs neither" in run.reason
        bench.now += 3600
    assert bench.trainer.jobs == []
    assert len(store.runs.recent()) == 1


def test_new_labels_that_are_all_held_out_close_the_gate_too(store: Store, installed: Installed) -> None:
    """There are enough for the schedule, but `finetune` learns from training labels alone."""
    installed("torch", "ultralytics")
    bench = Bench(store, "finetune")
    bench.retrainer.run("schedule")
    bench.now += 3600
    run = bench.retrainer.run("schedule", force=True)
    assert run.outcome is Outcome.DEFERRED
    assert "there are no labels for training given since the training that model 2 came from" in run.reason
    assert not any(verdict.text.endswith(".") for verdict in run.decision)


def test_ours_needs_neither(installed: Installed) -> None:
    """So a device may be without."""
    installed()
    assert not_installed(Strategy.REPLAY) is None
    assert "torch" in (not_installed(Strategy.SCRATCH) or "")


def test_the_setting_names_every_strategy() -> None:
    """It cannot use the enumeration itself: the settings load without NumPy."""
    assert set(get_args(TrainingSettings.model_fields["strategy"].annotation)) == {one.value for one in Strategy}
