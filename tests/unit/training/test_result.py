"""The result of a training on its way to the daemon, and what the rows of runs say, by whatever version of ours."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from posture_daemon.cli import show, show_model
from posture_daemon.domain import Decision, Failure, Outcome, PostureClass, Role
from posture_daemon.errors import TrainingError
from posture_daemon.learning.evaluation import Answers, CalibrationErrors, Evaluation, NewLabelAnswers, ScoresOnTest
from posture_daemon.learning.training_report import TrainingReport
from posture_daemon.reports.status import overview
from posture_daemon.settings import Settings
from posture_daemon.training.run_record import NewBackbone, RunRecord, TrainingResult
from tests.builders import add_version, make_store, random_head

SEEN = Evaluation(("good", "bad"), ((3, 1), (0, 4)), 0.125)
RESULT = TrainingResult(
    head="head.safetensors",
    classes=(PostureClass("good", Role.GOOD), PostureClass("bad", Role.BAD)),
    temperature=1.5,
    challenger=SEEN,
    incumbent=None,
    answers=Answers((1, 2), ("good", "bad"), ("good", "good"), None),
    report=TrainingReport(
        label_ids=(3, 4), labels_sha256="abc", train_images={"good": 2}, holdout_images={"bad": 1}, seed=7,
        warnings=("few",), seconds={"features": 1.0, "fit": 0.5}, calibration=CalibrationErrors(0.2, None, 8),
    ),
    test=ScoresOnTest(SEEN, SEEN),
    new_labels=NewLabelAnswers((9,), ("bad",), ("bad",), ("good",), of=2),
    backbone=NewBackbone("model", "def"),
)  # fmt: skip

OLD_METRICS = {
    "load": {"strategy": "replay", "backbone_sha256": "a", "backbone_bytes": 5, "image_size": 224, "images": 4, "views": 1},
    "classes": [{"name": "good", "role": "good"}],
    "challenger": {
        "classes": ["good", "bad"], "confusion": [[3, 1], [0, 4]], "expected_calibration_error": None,
        "images": 8, "correct": 7, "top1": 0.875,
    },
    "incumbent": None,
    "answers": {"frame_ids": [1, 2], "truth": ["good", "bad"], "challenger": ["good", "bad"], "incumbent": ["bad", "bad"]},
    "test": None,
    "report": {
        "peak_memory_bytes": 300_000_000, "train_images": {"good": 2}, "holdout_images": {"bad": 1},
        "seconds": {"features": 1.0, "fit": 0.5}, "gone_since": 1,
    },
    "ran_s": 3.0,
    "interruptions": [{"at": 5.0, "order": "pause", "reason": "hot"}],
    "frames": {"before": {"fps": 9.0, "lost": 0, "longest_gap_s": 0.1}, "during": {"fps": 8.0, "lost": 1}},
}  # fmt: skip
"""As version 0.1 wrote it, less the `batch` of its load and the gap of its frames, which cannot be made up."""


def test_a_result_survives_the_way_through_its_file() -> None:
    """Every part is the same value again."""
    assert TrainingResult.from_json(RESULT.to_json()) == RESULT


def test_the_record_of_a_run_has_no_labels_and_gives_all_else_back() -> None:
    """The frames are of the version; the result itself is left as it was."""
    record = RunRecord.of(json.loads(json.dumps(RESULT.for_run())))
    assert (record.challenger, record.answers, record.test) == (RESULT.challenger, RESULT.answers, RESULT.test)
    assert record.new_labels == RESULT.new_labels
    assert (record.report.label_ids, record.report.train_images) == (None, {"good": 2})
    assert (RESULT.report.label_ids, RESULT.for_run()["challenger"]["top1"]) == ((3, 4), 0.875)
    assert set(RESULT.for_version()) == {"challenger", "test", "report"}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"classes": 3}', RESULT.to_json()[:-40]])
def test_what_is_no_result_is_one_sentence(text: str) -> None:
    """The trainer may write nonsense, and the owner reads why the run failed."""
    with pytest.raises(TrainingError, match=r"^The training process left a result that cannot be used \(.*\)\.$"):
        TrainingResult.from_json(text)


def test_what_another_version_wrote_of_a_run_counts_as_far_as_it_can_be_read() -> None:
    """A part that lacks something is unknown as a whole, and nothing else with it."""
    record = RunRecord.of(OLD_METRICS)
    assert (record.challenger.top1, record.load, record.frames, record.ran_s) == (0.875, None, None, 3.0)
    assert RunRecord.of({"failure": "out of memory", "refusals": 4}) == RunRecord(
        failure=Failure.OUT_OF_MEMORY, refusals=4
    )
    assert RunRecord.of({"top1": 0.5, "report": [], "answers": {"truth": ["good"]}}) == RunRecord()


def test_old_rows_are_shown(tmp_path: Path) -> None:
    """`status`, `train` and `models show` on runs and versions of an older database."""
    store, console = make_store(tmp_path), Console(file=io.StringIO(), width=200)
    metrics = {name: OLD_METRICS[name] for name in ("challenger", "report")}
    version = add_version(store, random_head(2), "sha", "good", "bad", metrics=metrics)
    store.models.promote(version.id, 5.0)
    run_id = store.runs.begin("test", Decision(()), None, 0.0, {})
    run = store.runs.finish(run_id, Outcome.PROMOTED, "better", 1.0, OLD_METRICS, version.id)
    show.status(console, overview(store, Settings(data_dir=tmp_path), 0.0))
    show.training_run(console, run)
    show.versions(console, [version], {})
    show_model.model(console, version, "champion", run, None)
    text = console.file.getvalue()
    for words in ("0.875 top-1 on the holdout", "PROMOTED: better", "trained on good 2; holdout 1 images", "good: 1 more right",
                  "features 1.0 s, fit 0.5 s, peak memory 300 MB", "top-1 0.875 of 8 images: good 3/4, bad 4/4"):  # fmt: skip
        assert words in text
    store.close()
