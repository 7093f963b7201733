"""How much memory a training will take, and how it is made smaller after one that had too little."""

from dataclasses import replace
from typing import Any

import pytest

from posture_daemon.domain import MB, Failure, Outcome, Strategy, TrainingRun
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store.json_values import as_json
from posture_daemon.training.job import TrainingJob, out_of_memory_in_a_row
from posture_daemon.training.memory_estimate import estimate_bytes, expected_bytes
from posture_daemon.training.run_record import Load

LOAD = Load("replay", "n", 5 * MB, 224, images=1000, views=4, batch=8)
SMALL = Load("replay", "n", 5 * MB, 224, images=100, views=4, batch=8)
JOB = TrainingJob("data", 1, Recipe(0, 4, True, 2, threads=2, batch=8), threads=2, nice=10, out_dir="out")


def run(
    load: Load | None = LOAD, peak_mb: int | None = 300, failure: Failure | None = None, **more: Any
) -> TrainingRun:
    """A training that took so much."""
    metrics: dict[str, Any] = {"peak_memory_bytes": None if peak_mb is None else peak_mb * MB, **more}
    if load is not None:
        metrics["load"] = as_json(load)
    if failure is not None:
        metrics["failure"] = failure.value
    outcome = Outcome.FAILED if failure else Outcome.KEPT
    return TrainingRun(1, "test", 0.0, 1.0, outcome, "", metrics, None, None)


def test_what_trainings_like_it_took_is_expected() -> None:
    """The largest of the last five; in proportion to the images; a quarter more than one that ran out of memory took."""
    assert expected_bytes(LOAD, [run(peak_mb=170), run(peak_mb=310), run(peak_mb=200)]) == 310 * MB
    assert expected_bytes(LOAD, [*[run(peak_mb=200)] * 5, run(peak_mb=900)]) == 200 * MB
    assert expected_bytes(replace(LOAD, images=1500), [run(peak_mb=300)]) == 450 * MB
    assert expected_bytes(LOAD, [run(peak_mb=400, failure=Failure.OUT_OF_MEMORY)]) == 500 * MB


@pytest.mark.parametrize(
    "other",
    [
        None,
        replace(LOAD, backbone_sha256="l"),
        replace(LOAD, strategy="all"),
        replace(LOAD, images=499),
        replace(LOAD, images=2001),
        replace(LOAD, batch=4),
    ],
)
def test_what_other_trainings_took_says_nothing(other: Load | None) -> None:
    """Another network, strategy or size, a smaller batch, and runs of old versions: then the estimate is taken."""
    assert expected_bytes(LOAD, [run(other, peak_mb=5000)]) == estimate_bytes(LOAD)
    assert expected_bytes(LOAD, [run(peak_mb=None)]) == estimate_bytes(LOAD)


@pytest.mark.parametrize(
    ("load", "measured_mb"),
    [
        (LOAD, 300),
        (replace(LOAD, backbone_bytes=46 * MB, image_size=640, images=32), 620),
        (Load("finetune", "n", 5 * MB, 224, 1111, 0, 16), 1200),
        (Load("finetune", "l", 46 * MB, 640, 290, 0, 16), 5450),
        (Load("all", "l", 46 * MB, 640, 290, 0, 16), 13_100),
    ],
)
def test_the_estimate_is_near_what_was_measured(load: Load, measured_mb: int) -> None:
    """From nine tenths to one and a half of the peaks that docs/measurements.md and the design's reference name."""
    assert 0.9 * measured_mb <= estimate_bytes(load) / MB <= 1.5 * measured_mb


def test_a_smaller_job_has_half_the_batch_and_one_thread() -> None:
    """Each time again, down to single images; the recipe is the same otherwise, and so is what is learned."""
    assert JOB.smaller(0) == JOB
    assert [JOB.smaller(n).recipe.batch for n in (1, 2, 3, 4, 9)] == [4, 2, 1, 1, 1]
    assert [JOB.smaller(n).plan.batch for n in (1, 4, 9)] == [8, 1, 1]
    assert JOB.smaller(1).recipe == replace(JOB.recipe, batch=4, threads=1)


def test_the_trainings_that_ran_out_of_memory_are_counted_back_to_the_last_that_did_not() -> None:
    """Another kind of failure in between neither counts nor forgives; another strategy is another matter."""
    oom, other, good = run(failure=Failure.OUT_OF_MEMORY), run(failure=Failure.OTHER), run()
    elsewhere = run(replace(LOAD, strategy="all"), failure=Failure.OUT_OF_MEMORY)
    assert out_of_memory_in_a_row([oom, other, elsewhere, oom, good, oom], Strategy.REPLAY) == 2
    assert out_of_memory_in_a_row([good, oom], Strategy.REPLAY) == 0
    assert out_of_memory_in_a_row([], Strategy.REPLAY) == 0


def test_a_job_survives_json() -> None:
    """As the child reads it."""
    job = replace(JOB, strategy=Strategy.FINETUNE, max_memory_bytes=5)
    assert TrainingJob.from_json(job.to_json()) == job
