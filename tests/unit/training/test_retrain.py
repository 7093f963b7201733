"""One attempt to learn: every ending is a row with its reason, and the champion changes only when it is beaten."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posture_daemon.device.resources import Resources
from posture_daemon.domain import MB, ModelVersion, Outcome, Region, Strategy, TrainingRun
from posture_daemon.errors import DataFolderError, ModelError, TrainingCancelled, TrainingError, TrainingOutOfMemory
from posture_daemon.settings import LimitsSettings, ScheduleSettings, Settings, TrainingSettings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.training import strategies
from posture_daemon.training.retrain import Retrainer
from tests.builders import (
    add_champion,
    add_frame,
    add_version,
    label,
    label_days,
    random_head,
    resources,
    zones,
)
from tests.checks import raising
from tests.fakes.backbone import StandInBackbone
from tests.fakes.probe import StandInProbe
from tests.fakes.trainer import StandInTrainer, answers, moments, score

NOW = 1_000_000.0


class Bench:
    """A store with labels and a champion, a stand-in trainer and probe, and a clock that only the test moves."""

    def __init__(self, store: Store, *classes: str) -> None:
        self.store = store
        self.champion = add_champion(self.store, *classes)
        label_days(self.store, "good", "bad", blocks=2, count=3)
        self.trainer, self.probe = StandInTrainer(), StandInProbe()
        self.now = NOW
        self.away: float | None = 3600.0
        self.settings = Settings(
            data_dir=self.store.folder,
            training=TrainingSettings(min_new_labels=10, seed=7, views=3, threads=1, timeout_s=12),
            schedule=ScheduleSettings(cooldown_s=60, away_s=60, away_patience_s=600),
            limits=LimitsSettings(memory_reserve_mb=500),
        )
        self.retrainer = self.retrainer_of(self.settings)

    def retrainer_of(self, settings: Settings) -> Retrainer:
        """One with the clock of this bench, on which a second passes at each look at a training."""
        monotonic = iter(range(10**6))
        return Retrainer(
            self.store, self.trainer, self.probe, settings,
            clock=lambda: self.now, monotonic=lambda: float(next(monotonic)), away=lambda: self.away,
        )  # fmt: skip

    def run(self, **options: Any) -> TrainingRun:
        """One attempt."""
        return self.retrainer.run("test", **options)

    def roles(self) -> tuple[ModelVersion | None, ModelVersion | None]:
        """Champion and previous."""
        return self.store.models.champion(), self.store.models.previous()

    def leftovers(self) -> list[str]:
        """Folders of trainings that are still there."""
        return [path.name for path in self.store.folder.glob(".training-*")]


@pytest.fixture
def bench(store: Store) -> Bench:
    """Everything ready for a training; the champion knows two classes."""
    return Bench(store, "good", "bad")


def test_a_better_challenger_is_promoted(bench: Bench) -> None:
    """It becomes champion with its lineage and files, the old one previous; the run tells both scores."""
    run = bench.run()
    champion, previous = bench.roles()
    assert (run.outcome, run.trigger, run.started_at, run.finished_at) == (Outcome.PROMOTED, "test", NOW, NOW)
    assert run.reason.startswith(
        "right in 15 of 20 moments in 1 session that neither had learned, the champion in 10, and +22.5 points "
        "ahead in all: "
    )
    assert previous == bench.champion
    assert (run.incumbent_id, run.challenger_id) == (bench.champion.id, champion.id)
    assert (champion.parent_id, champion.backbone_sha256) == (bench.champion.id, bench.champion.backbone_sha256)
    assert (champion.temperature, champion.source, champion.created_at) == (1.25, "fine-tune", NOW)
    assert [c.name for c in champion.classes] == ["good", "bad"]
    assert champion.metrics["challenger"] == score(15)
    assert champion.metrics["report"]["views"] == 8
    assert bench.store.models.read_head(champion.head_sha256)
    assert run.metrics["challenger"] == score(15)
    assert run.metrics["temperature"] == 1.25
    assert bench.leftovers() == []


def test_the_training_process_is_told_all_it_needs(bench: Bench) -> None:
    """The recipe and limits of the settings, the data folder, the incumbent, and a folder beside the database."""
    bench.run()
    [job] = bench.trainer.jobs
    assert job.recipe == Recipe(seed=7, views=3, flip=True, min_images_per_class=2, threads=1)
    assert (job.data_dir, job.incumbent_id) == (str(bench.store.folder), bench.champion.id)
    assert (job.threads, job.nice) == (1, bench.settings.training.nice)
    assert Path(job.out_dir).parent == bench.store.folder
    assert job.max_memory_bytes == bench.settings.limits.max_memory_mb * MB


def test_another_part_of_the_picture_is_learned_once_without_new_labels(store: Store) -> None:
    """The version says what it looks at. One that was judged and kept out is not tried again; yet another one is."""
    bench = Bench(store, "good", "bad")
    region: list[Region | None] = [None]
    settings = bench.settings.model_copy(
        update={"training": TrainingSettings(min_new_labels=100, min_session_labels=100)}
    )
    retrainer = Retrainer(
        store, bench.trainer, bench.probe, settings,
        clock=lambda: bench.now, away=lambda: bench.away, region=lambda: region[0],
    )  # fmt: skip
    bench.trainer.result.update(challenger=score(10), answers=answers(10, 10))

    def run(wanted: Region | None) -> Outcome | None:
        bench.now, region[0] = bench.now + 7200, wanted
        return retrainer.run("test").outcome

    assert run(None) is Outcome.DEFERRED
    first, second = Region(0.2, 0.1, 0.6, 0.8), Region(0.3, 0.1, 0.6, 0.8)
    assert run(first) is Outcome.KEPT
    assert bench.trainer.jobs[-1].region == store.models.all()[0].region == first
    assert run(first) is Outcome.DEFERRED
    assert run(second) is Outcome.KEPT
    assert store.models.all()[0].region == second
    assert run(None) is Outcome.DEFERRED


def test_another_part_of_the_picture_waits_no_longer_than_labels_do_for_an_owner_who_stays(store: Store) -> None:
    """From when it was first seen, be it changed once more meanwhile; anew after another that was taken back."""
    bench = Bench(store, "good", "bad", "away")
    region: list[Region | None] = [None]
    training = TrainingSettings(min_new_labels=100, min_session_labels=100)
    retrainer = Retrainer(
        store, bench.trainer, bench.probe, bench.settings.model_copy(update={"training": training}),
        clock=lambda: bench.now, away=lambda: None, region=lambda: region[0],
    )  # fmt: skip

    def passes(wanted: Region | None, later: float) -> bool:
        bench.now, region[0] = bench.now + later, wanted
        return retrainer.decide().passed

    first, second = Region(0.2, 0.1, 0.6, 0.8), Region(0.3, 0.1, 0.6, 0.8)
    assert not passes(None, 0)
    assert not passes(first, 10_000)
    assert not passes(None, 300)
    assert not passes(first, 300)
    assert not passes(second, 599)
    assert passes(second, 1)


def test_a_version_knows_how_it_was_made(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strategy, seed, the settings in force, the labels it learned from and their hash, seconds, memory, software."""
    monkeypatch.setattr(strategies, "find_spec", lambda name: name)  # where ultralytics is not installed
    bench.run(strategy=Strategy.FINETUNE)
    champion = bench.store.models.champion()
    made = champion.lineage
    assert (made["strategy"], made["seed"]) == ("finetune", 7)
    assert (made["labels"], made["settings"]["training"]["views"]) == ({"frame_ids": [1, 2, 7], "sha256": "abc"}, 3)
    assert made["settings"]["promotion"]["min_probability"] == bench.settings.promotion.min_probability
    assert (made["seconds"], made["peak_memory_bytes"]) == ({"fit": 0.5}, None)
    assert made["software"]["numpy"] == np.__version__
    assert "ultralytics" in made["software"]
    assert "label_ids" not in bench.store.runs.recent()[0].metrics["report"]


@pytest.mark.parametrize("right", [10, 9])
def test_a_challenger_that_is_no_better_is_kept_out(bench: Bench, right: int) -> None:
    """It is recorded, so that it can be looked at, but the champion stays, and there is no previous."""
    bench.trainer.result.update(challenger=score(right), answers=answers(right, 10))
    run = bench.run()
    assert run.outcome is Outcome.KEPT
    assert run.challenger_id not in (None, bench.champion.id)
    assert (bench.roles(), len(bench.store.models.all())) == ((bench.champion, None), 2)


def test_a_base_waits_for_its_second_class(store: Store) -> None:
    """Many labels of one class open no gate, so they cost no failed run and no cool-down."""
    bench = Bench(store)
    ids = [image.frame_id for image in bench.store.labels.labelled() if image.class_name == "bad"]
    for frame_id in ids:
        label(bench.store, frame_id, "good")
    run = bench.run()
    assert (run.outcome, run.reason) == (Outcome.DEFERRED, "1 classes with 2 images or more (at least 2)")


def test_a_closed_gate_defers_and_repeats_itself_in_one_line(bench: Bench) -> None:
    """The trainer is not asked; a second refusal for the same reason only moves the time of the first."""
    bench.probe.now = resources(memory_available_bytes=None)
    first = bench.run()
    bench.now += 60
    second = bench.run()
    assert second.outcome is Outcome.DEFERRED
    assert second.reason.startswith("available memory is unknown (at least ")
    assert (second.id, second.started_at, second.finished_at) == (first.id, NOW, NOW + 60)
    assert (bench.trainer.jobs, len(bench.store.runs.recent()), bench.roles()) == ([], 1, (bench.champion, None))


def test_force_skips_what_is_the_owners_but_not_the_holdout(bench: Bench) -> None:
    """They want it now, although they sit there and have paused training; a worse challenger still stays out."""
    bench.away = None
    bench.store.pauses.begin(NOW)
    bench.trainer.result["answers"] = answers(5, 10)
    assert bench.run().outcome is Outcome.DEFERRED
    assert bench.run(force=True).outcome is Outcome.KEPT
    assert len(bench.trainer.jobs) == 1


@pytest.mark.parametrize(
    "device", [{"zones": zones(cpu=99.0)}, {"memory_available_bytes": 100 * MB}, {"disk_free_bytes": None}]
)
def test_force_does_not_skip_what_protects_the_device(bench: Bench, device: dict[str, Any]) -> None:
    """A hot, full or silent device trains for nobody."""
    bench.probe.now = resources(**device)
    assert bench.run(force=True).outcome is Outcome.DEFERRED
    assert bench.trainer.jobs == []


def test_the_cool_down_and_new_labels_are_counted_from_the_last_training(bench: Bench) -> None:
    """Right after a training both are missing; with labels and time the gate opens again."""
    bench.run()
    assert bench.run().reason.startswith("0 new labels (at least 10); last training 0 s ago (at least 60 s)")
    for number in range(10):
        label(bench.store, add_frame(bench.store, NOW + number), "good", NOW + 1)
    assert bench.run().reason == "last training 0 s ago (at least 60 s)"
    bench.now += 60
    assert bench.retrainer.decide().passed
    assert bench.run().outcome is not Outcome.DEFERRED


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (TrainingError("The training process was killed (SIGKILL)."), Outcome.FAILED),
        (OSError(28, "No space left on device"), Outcome.FAILED),
        (TrainingCancelled("The daemon is stopping."), Outcome.DEFERRED),
    ],
)
def test_a_training_that_fails_is_an_outcome(bench: Bench, error: Exception, outcome: Outcome) -> None:
    """With its reason; the champion is untouched, no version is recorded, and the folder is gone."""

    def fail(_folder: Path) -> None:
        assert len(bench.leftovers()) == 1
        raise error

    bench.trainer.during = fail
    run = bench.run()
    assert (run.outcome, run.reason, run.challenger_id) == (outcome, str(error), None)
    assert run.finished_at == NOW
    assert (bench.roles(), bench.store.models.all()) == ((bench.champion, None), [bench.champion])
    assert bench.leftovers() == []


def test_labels_of_a_failed_training_are_still_new(bench: Bench) -> None:
    """Nothing was learned from them, so after the cool-down they are tried again; one attempt per cool-down."""
    bench.trainer.during = raising(TrainingError("The training process was killed (SIGKILL)."))
    bench.run()
    assert bench.run().reason == "last training 0 s ago (at least 60 s)"
    bench.now += 60
    assert bench.run().outcome is Outcome.FAILED


@pytest.mark.parametrize(
    "nonsense",
    [
        {"answers": {}},
        {"answers": {**answers(15, 10), "truth": []}},
        {"classes": [{"name": "good", "role": "purple"}]},
        {"head": "missing.safetensors"},
    ],
)
def test_a_result_that_makes_no_sense_is_a_failure_too(bench: Bench, nonsense: dict[str, Any]) -> None:
    """The run is closed with the reason, and the champion goes on."""
    bench.trainer.result.update(nonsense)
    run = bench.run()
    assert run.outcome is Outcome.FAILED
    assert run.reason
    assert (bench.roles(), bench.leftovers()) == ((bench.champion, None), [])


def test_two_trainings_at_once_are_one_too_many(bench: Bench) -> None:
    """The second is deferred, also when it is forced, and does not touch the first one's folder or row."""
    inner: list[TrainingRun] = []

    def again(folder: Path) -> None:
        inner.extend([bench.run(), bench.run(force=True)])
        assert (folder / "request.json").exists()

    bench.trainer.during = again
    assert bench.run().outcome is Outcome.PROMOTED
    assert {run.outcome for run in inner} == {Outcome.DEFERRED}
    assert {run.reason for run in inner} == {"another training is running on this data folder"}
    bench.retrainer.recover()
    assert len(bench.trainer.jobs) == 1


@pytest.mark.parametrize("by", ["the start of the daemon", "the next attempt"])
def test_what_a_crash_left_behind_is_cleared(bench: Bench, by: str) -> None:
    """The open run is closed as failed and its folder deleted, even when the gate then is closed."""
    bench.store.runs.begin("before the crash", bench.retrainer.decide(), bench.champion.id, NOW - 100)
    (bench.store.folder / ".training-abc").mkdir()
    (bench.store.folder / ".training-abc" / "request.json").write_text("{}")
    if by == "the start of the daemon":
        bench.retrainer.recover()
    else:
        bench.probe.now = resources(memory_available_bytes=None)
        assert bench.run().outcome is Outcome.DEFERRED
    crashed = bench.store.runs.recent()[-1]
    assert (crashed.trigger, crashed.outcome, crashed.finished_at) == ("before the crash", Outcome.FAILED, NOW)
    assert bench.leftovers() == []


def test_a_crash_right_after_the_promotion_does_not_call_it_a_failure(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The challenger is champion; the record that the crash cut off says so, and which labels were learned."""
    monkeypatch.setattr(bench.store.runs, "finish", raising(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        bench.run()
    monkeypatch.undo()
    bench.retrainer.recover()
    champion, run = bench.roles()[0], bench.store.runs.recent()[0]
    assert champion != bench.champion
    assert (run.outcome, run.challenger_id) == (Outcome.PROMOTED, champion.id)
    assert bench.store.labels.new(bench.store.runs.labels_learned()) == []


def test_a_champion_that_was_changed_during_the_training_is_not_overrun(bench: Bench) -> None:
    """The owner rolled back or imported meanwhile: the challenger was judged against another model, so it stays out."""
    other = add_version(bench.store, random_head(2, seed=5), StandInBackbone().sha256, "good", "bad")
    bench.trainer.during = lambda _folder: bench.store.models.promote(other.id, NOW)
    run = bench.run()
    assert run.outcome is Outcome.KEPT
    assert "another model was made champion" in run.reason
    assert bench.roles() == (other, bench.champion)


def test_a_promotion_opens_a_watch(bench: Bench) -> None:
    """From the model before to the new one."""
    run = bench.run()
    watch = bench.store.watches.current()
    assert (watch.version_id, watch.previous_id, watch.began_at) == (run.challenger_id, bench.champion.id, NOW)


def test_the_first_challenger_of_a_base_has_nobody_to_beat_and_is_not_watched(store: Store) -> None:
    """A base has no score and no answers that could be better; one right answer is enough."""
    bench = Bench(store)
    bench.trainer.result.update(challenger=score(1), incumbent=None, answers=answers(1, None))
    assert (bench.run().outcome, store.watches.latest()) == (Outcome.PROMOTED, None)


def test_without_a_champion_there_is_nothing_to_learn_from(store: Store) -> None:
    """The sentence says what to do; no run is recorded."""
    retrainer = Retrainer(store, StandInTrainer(), StandInProbe(), Settings(data_dir=store.folder), lambda: NOW)
    with pytest.raises(ModelError, match=r"posture-daemon models import FILE\.pt"):
        retrainer.run("test")
    assert store.runs.recent() == []


def test_a_training_that_gets_hot_is_deferred_with_its_story(bench: Bench) -> None:
    """Warm: it pauses, and goes on; hot: it ends for now. Champion untouched, labels still new, no cool-down: it continues."""
    bench.trainer.seconds = 9
    bench.probe.later = [resources(zones=zones(cpu=c)) for c in (60, 60, 82, 75, 70, 60, 90)]
    run = bench.run()
    assert (run.outcome, run.reason) == (Outcome.DEFERRED, "too hot: hottest zone cpu 90.0 °C")
    assert [said.order.value for said in bench.trainer.told] == ["run", "pause", "pause", "run", "run", "end"]
    story = [(one["order"], one["reason"]) for one in run.metrics["interruptions"]]
    assert story == [
        ("pause", "too warm: hottest zone cpu 82.0 °C"),
        ("run", "nothing stands against it"),
        ("end", "too hot: hottest zone cpu 90.0 °C"),
    ]
    assert (run.metrics["paused_s"], run.metrics["peak_memory_bytes"]) == (2.0, 200 * MB)
    assert (bench.roles(), bench.run().outcome) == ((bench.champion, None), Outcome.PROMOTED)


def test_a_paused_training_says_so_in_its_record(bench: Bench) -> None:
    """So that `status` in another process can tell."""
    notes: list[str] = []
    bench.trainer.seconds = 3
    bench.probe.later = [resources(), resources(zones=zones(cpu=82.0)), resources(zones=zones(cpu=82.0))]
    original = bench.probe.read

    def read() -> Resources:
        notes.append(bench.store.runs.recent()[0].reason if bench.trainer.jobs else "")
        return original()

    bench.probe.read = read  # type: ignore[method-assign]
    bench.run()
    assert notes[2:] == ["paused: too warm: hottest zone cpu 82.0 °C"] * 2


def test_the_owners_pause_ends_a_running_training(bench: Bench) -> None:
    """Also a forced one, if the pause came after it; one that was there before does not."""
    bench.store.pauses.begin(NOW)
    bench.trainer.during = lambda _folder: bench.store.pauses.begin(NOW + 1)
    bench.now = NOW + 1
    run = bench.run(force=True)
    assert run.outcome is Outcome.DEFERRED
    assert run.reason == "the owner has paused training; posture-daemon resume ends that"


def test_a_window_that_closes_ends_a_training_but_not_a_forced_one(bench: Bench) -> None:
    """What the schedule began within its hours ends with them; what the owner forced does not care for the hour."""
    window = "-".join(time.strftime("%H:%M", time.localtime(at)) for at in (NOW, NOW + 60))
    settings = bench.settings.model_copy(update={"schedule": ScheduleSettings(cooldown_s=0, away_s=0, windows=window)})
    retrainer = bench.retrainer_of(settings)

    def later(_folder: Path) -> None:
        bench.now = NOW + 120

    bench.trainer.during = later
    run = retrainer.run("test")
    assert (run.outcome, run.reason) == (Outcome.DEFERRED, f"the time for training ({window}) is over")
    bench.now = NOW
    assert retrainer.run("test", force=True).outcome is Outcome.PROMOTED


def test_a_training_that_runs_out_of_memory_is_made_smaller_then_waits_longer(bench: Bench) -> None:
    """Half the batch each time, on one thread; when it is a single image, the cool-down doubles. A good one forgives all."""
    bench.trainer.during = raising(TrainingOutOfMemory("The training ran out of memory."))
    batches = []
    for _ in range(4):
        bench.now += 60
        run = bench.run()
        assert (run.outcome, run.metrics["failure"]) == (Outcome.FAILED, "out of memory")
        batches.append(bench.trainer.jobs[-1].recipe.batch)
    assert batches == [8, 4, 2, 1]
    bench.now += 60
    assert "at least 120 s, longer after 1" in bench.run().reason
    bench.now += 60
    bench.trainer.during = lambda _folder: None
    assert bench.run().outcome is Outcome.PROMOTED
    bench.now += 60
    bench.run(force=True)
    assert bench.trainer.jobs[-1].recipe.batch == 8


@pytest.mark.parametrize(
    ("taken", "failure", "peak_bytes", "words"),
    [
        ({"memory_bytes": 5000 * MB}, "out of memory", 5000 * MB, "took 5000 MB"),
        ({"seconds": 20}, "out of time", 200 * MB, "stopped after 12 s"),
    ],
)
def test_a_training_that_takes_more_than_it_may_has_failed(
    bench: Bench, taken: dict[str, int], failure: str, peak_bytes: int, words: str
) -> None:
    """Memory is seen from outside, each second, and remembered, so the next must find that much; time is the 12 s set here."""
    vars(bench.trainer).update(taken)
    run = bench.run()
    assert (run.outcome, run.metrics["failure"]) == (Outcome.FAILED, failure)
    assert run.metrics["peak_memory_bytes"] == peak_bytes
    assert words in run.reason


def test_what_a_training_took_is_expected_of_the_next(bench: Bench) -> None:
    """Seen from outside or reported by itself, whichever is more."""
    bench.trainer.memory_bytes = 700 * MB
    bench.run()
    bench.probe.now = resources(memory_available_bytes=1199 * MB)
    assert "at least 1200 MB: 700 expected + 500 in reserve" in bench.run().reason


def test_a_database_that_is_busy_for_once_costs_no_training(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the look at the owner's pause nor the note of a pause may end it."""
    busy = raising(DataFolderError("The database has been busy for more than 10 s."))

    def during(_folder: Path) -> None:
        monkeypatch.setattr(bench.store.pauses, "current", busy)
        monkeypatch.setattr(bench.store.runs, "note", busy)

    bench.trainer.during, bench.trainer.seconds = during, 3
    bench.probe.later = [resources(), resources(zones=zones(cpu=82.0)), resources()]
    assert bench.run().outcome is Outcome.PROMOTED


def about_as_good() -> list[dict[str, Any]]:
    """Evidence of twenty moments: three fixed and four broken, so the challenger is behind, though not surely."""
    given = answers(20, 20)
    given["challenger"][:4] = ["bad"] * 4
    given["incumbent"][10:13] = ["good"] * 3
    return moments(given)


@pytest.mark.parametrize(
    ("new_session", "outcome"), [(True, Outcome.PROMOTED), (False, Outcome.KEPT), (None, Outcome.KEPT)]
)
def test_no_worse_is_enough_on_a_day_that_the_champion_has_not_seen(
    bench: Bench, new_session: bool | None, outcome: Outcome
) -> None:
    """A challenger that has learned it is promoted though a little behind, with that reason; on any other day it stays out."""
    bench.trainer.result.update(moments=about_as_good())
    bench.trainer.result["report"].update(new_session=new_session)
    run = bench.run()
    assert run.outcome is outcome
    assert run.reason.endswith("the champion has seen nothing of this day") is (outcome is Outcome.PROMOTED)


@pytest.mark.parametrize(("shown_on", "outcome"), [(9, Outcome.PROMOTED), (10, Outcome.KEPT), (None, Outcome.KEPT)])
def test_no_worse_is_enough_against_a_provisional_champion(
    bench: Bench, shown_on: int | None, outcome: Outcome
) -> None:
    """One that was promoted on fewer than ten moments; not one that has shown more, nor one that tells nothing of it."""
    bench.trainer.result["report"].update(moments=shown_on)
    assert bench.run().outcome is Outcome.PROMOTED
    bench.trainer.result.update(moments=about_as_good())
    run = bench.run(force=True)
    assert run.outcome is outcome, run.reason
    assert run.reason.endswith("the champion was provisional") is (outcome is Outcome.PROMOTED)
