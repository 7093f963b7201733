"""The champion's temperature follows the holdout: when it helps, only then, and only on the champion."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posture_daemon.domain import Calibration, ModelVersion, Outcome, Split
from posture_daemon.learning.evaluation import CalibrationErrors
from posture_daemon.learning.feature_space import pooled_head
from posture_daemon.learning.recalibrate import MIN_GAIN, Recalibrator
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from tests.builders import CHANNELS, add_version, coloured_jpeg, decided, ensure_classes, make_store, new_frame
from tests.fakes.backbone import StandInBackbone

NOW = 1_000_000.0
HOUR = 3600.0


class Bench:
    """A champion that tells green from red very surely, and an owner who calls every fourth picture by the other name."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.backbone = StandInBackbone()
        self.asked = 0
        self.blocks = 0
        self.champion = self.add_model()
        self.store.models.promote(self.champion.id, 0.0)
        ensure_classes(self.store, "good", "bad")
        self.recalibrator = self.restarted()

    def add_model(self, temperature: float = 1.0, *names: str) -> ModelVersion:
        """Pictures of its first class are green; nobody's champion yet."""
        head = pooled_head(CHANNELS, np.array([[0, 9, 0], [0, 0, 9]], np.float32), np.zeros(2, np.float32))
        return add_version(self.store, head, self.backbone.sha256, *(names or ("good", "bad")), temperature=temperature)

    def restarted(self) -> Recalibrator:
        """One that remembers nothing."""
        settings = Settings(data_dir=self.store.folder)
        return Recalibrator(self.store, self.open, settings, clock=lambda: NOW)

    def open(self, _: ModelVersion) -> StandInBackbone:
        """Counted."""
        self.asked += 1
        return self.backbone

    def hold_out(self, blocks: int, count: int = 8, split: Split = Split.HOLDOUT, wrong: int = 4) -> None:
        """Blocks of `count` labelled pictures, every `wrong`th under the other name."""
        for _ in range(blocks):
            start = HOUR * self.blocks
            self.blocks += 1
            labelled = []
            for number in range(count):
                shown = ("good", "bad")[number // wrong % 2]
                called = {"good": "bad", "bad": "good"}[shown] if number % wrong == 0 else shown
                labelled.append((new_frame(coloured_jpeg(shown, int(start) + number), start + number), called))
            self.store.imports.add_block(labelled, split, NOW, 5)

    def learned(self) -> None:
        """The champion is of a training that has learned all labels so far."""
        run_id = self.store.runs.begin("test", decided(), None, 0.0)
        self.store.runs.finish(run_id, Outcome.PROMOTED, "", 0.0, challenger_id=self.champion.id)

    def temperature(self) -> float:
        """Of the champion, as recorded."""
        return self.store.models.get(self.champion.id).temperature


@pytest.fixture
def bench(store: Store) -> Bench:
    """Without labels."""
    return Bench(store)


def test_a_champion_that_is_too_sure_becomes_as_sure_as_it_is_right(bench: Bench) -> None:
    """It is right on three of four and all but certain; the refit is on record, and nothing else of it changed."""
    bench.hold_out(6)
    found = bench.recalibrator.check()
    assert (found.version_id, found.calibrated_at, found.temperature_before, found.images) == (1, NOW, 1.0, 48)
    assert found.error_before > 0.2
    assert found.error < 0.1
    assert found.temperature > 2.0
    assert bench.store.calibrations.of(1) == [found]
    assert bench.store.models.champion() == replace(bench.champion, temperature=found.temperature)
    assert len(bench.store.models.all()) == 1


def test_a_champion_whose_confidence_is_right_is_left_alone(bench: Bench) -> None:
    """More labels of the same kind, and a restart, change nothing."""
    bench.hold_out(6)
    bench.recalibrator.check()
    fitted = bench.temperature()
    assert bench.restarted().check() is None
    bench.hold_out(2)
    assert (bench.recalibrator.check(), bench.temperature()) == (None, fitted)
    assert len(bench.store.calibrations.of(1)) == 1


def test_nothing_is_computed_while_nothing_has_changed(bench: Bench) -> None:
    """Champion and labels decide: test labels do not, another answer to the same picture does."""
    bench.hold_out(6)
    for _ in range(3):
        bench.recalibrator.check()
    assert bench.asked == 1
    bench.hold_out(2, split=Split.TEST)
    bench.recalibrator.check()
    assert bench.asked == 1
    held = next(image for image in bench.store.labels.labelled() if image.split is Split.HOLDOUT)
    other = {"good": "bad", "bad": "good"}[held.class_name]
    bench.store.labels.answer(held.frame_id, other, "owner", NOW, 5)
    bench.recalibrator.check()
    assert bench.asked == 2
    bench.store.models.promote(bench.add_model(7.0).id, NOW)
    bench.recalibrator.check()
    assert bench.asked == 3


@pytest.mark.parametrize(("count", "refitted"), [(9, False), (10, True)])
def test_a_small_holdout_says_nothing(bench: Bench, count: int, refitted: bool) -> None:
    """27 pictures are too few, 30 are enough."""
    bench.hold_out(3, count)
    assert (bench.recalibrator.check() is not None) is refitted


def test_no_test_image_counts_and_only_classes_that_the_champion_knows(bench: Bench) -> None:
    """A new class that it was never taught is no reason to doubt it about the others."""
    bench.hold_out(6, split=Split.TEST)
    ensure_classes(bench.store, "away")
    away = [(new_frame(coloured_jpeg("away", n), 9e5 + n), "away") for n in range(40)]
    bench.store.imports.add_block(away, Split.HOLDOUT, NOW, 5)
    assert (bench.recalibrator.check(), bench.asked) == (None, 0)


def test_one_time_block_cannot_judge_itself(bench: Bench) -> None:
    """However wrong the confidence looks: what was fitted there would be measured there."""
    bench.hold_out(1, 48)
    assert (bench.recalibrator.check(), bench.temperature()) == (None, 1.0)


def test_a_gain_that_is_noise_is_not_taken(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error must fall by more than the least gain; here by exactly so much, and by a little more."""
    bench.hold_out(6)
    told = [CalibrationErrors(MIN_GAIN, 0.0, 48)]
    monkeypatch.setattr("posture_daemon.learning.recalibrate.calibration", lambda *_: told[-1])
    assert bench.recalibrator.check() is None
    told.append(CalibrationErrors(MIN_GAIN + 0.001, 0.0, 48))
    assert bench.restarted().check() is not None


def test_a_base_and_an_empty_store_have_no_confidence(bench: Bench, tmp_path: Path) -> None:
    """Nothing is asked of them."""
    bench.hold_out(6)
    base = add_version(bench.store, pooled_head(CHANNELS, np.zeros((2, 3), np.float32), np.zeros(2, np.float32)), "b")
    bench.store.models.promote(base.id, NOW)
    assert bench.recalibrator.check() is None
    empty = make_store(tmp_path / "empty")
    assert Recalibrator(empty, bench.open, Settings(data_dir=empty.folder)).check() is None
    empty.close()
    assert bench.asked == 0


def test_a_champion_that_was_replaced_meanwhile_is_not_touched(bench: Bench) -> None:
    """The swap falls between the look and the writing."""
    bench.hold_out(6)
    other = bench.add_model(3.0, "bad", "good")
    opened = bench.open

    def swapping(version: ModelVersion) -> StandInBackbone:
        bench.store.models.promote(other.id, NOW)
        return opened(version)

    recalibrator = Recalibrator(bench.store, swapping, Settings(data_dir=bench.store.folder), clock=lambda: NOW)
    assert recalibrator.check() is None
    assert (bench.temperature(), bench.store.calibrations.of(bench.champion.id)) == (1.0, [])
    assert bench.store.models.get(other.id).temperature == 3.0


@pytest.mark.usefixtures("bench")
def test_a_refit_is_written_once(store: Store) -> None:
    """The same again finds another temperature than it began with, and changes nothing."""
    found = Calibration(1, NOW, 1.0, 2.0, 48, 0.2, 0.1)
    assert store.calibrations.apply(found)
    assert not store.calibrations.apply(found)
    again = replace(found, temperature_before=2.0, temperature=2.5)
    assert store.calibrations.apply(again)
    assert store.calibrations.of(1) == [again, found]


def test_later_labels_of_a_session_that_it_has_learned_say_nothing_either(bench: Bench) -> None:
    """It has seen the first block of that day, so it knows the day: the six that follow do not count, though all are new."""
    bench.hold_out(1)
    bench.learned()
    bench.hold_out(6)
    assert (bench.recalibrator.check(), bench.asked) == (None, 0)


def test_scipy_is_not_needed() -> None:
    """It takes a third of a second and much memory, and the daemon refits in its own process."""
    program = """
import sys
import numpy as np
from posture_daemon.learning import recalibrate
recalibrate.fit_to(np.ones((4, 2), np.float32), ["a", "b"] * 2, ["a", "b"])
print(sorted(set(sys.modules) & {"scipy", "torch"}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=600)
    assert done.stdout.strip() == "[]"


def test_sessions_that_it_has_learned_say_nothing(store: Store) -> None:
    """On days that it knows every model is right: only those that came later count, held out or not."""
    bench = Bench(store)
    bench.hold_out(6)
    bench.learned()
    assert (bench.recalibrator.check(), bench.asked) == (None, 0)
    bench.blocks = 48  # two days later
    bench.hold_out(6, split=Split.TRAIN)
    assert bench.recalibrator.check() is not None
