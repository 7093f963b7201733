"""What the demo tells while it runs, and when it has shown what it promises."""

import io
from itertools import count

import pytest
from rich.console import Console

from posture_daemon.bootstrap.demo import DemoResult, Narrator, check, flow
from posture_daemon.domain import Outcome, TrainingRun
from posture_daemon.errors import PostureError
from posture_daemon.service.daemon_status import DaemonStatus, OnlineState


def run(number: int, outcome: Outcome | None, reason: str = "") -> TrainingRun:
    """An attempt to train, as far as the narrator reads it."""
    return TrainingRun(number, "schedule", 0.0, None, outcome, reason, {}, 1, None)


def test_dropped_frames_are_told_and_are_no_failure() -> None:
    """A busy machine drops frames; the demo says how many and why, and ends well."""
    result = DemoResult(promoted=True, skipped=15, failed=0, exit_code=0)
    check(result)
    assert "487 answered, 15 dropped (this machine was busy" in flow(result, 487, 0.5)


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        (DemoResult(promoted=False, skipped=0, failed=0, exit_code=0), "No promoted model answered frames"),
        (DemoResult(promoted=True, skipped=0, failed=1, exit_code=0), "1 frames failed"),
        (DemoResult(promoted=True, skipped=0, failed=0, exit_code=1), "ended with code 1"),
    ],
)
def test_otherwise_it_fails_with_a_sentence(result: DemoResult, sentence: str) -> None:
    """Not promoted, a frame that could not be answered, or a bad end of the daemon."""
    with pytest.raises(PostureError, match=sentence):
        check(result)


def test_a_wait_for_labels_is_one_line_and_each_training_is_told() -> None:
    """Newest first as the store has them, seen again each second: told once, oldest first, refusals folded into one."""
    console = Console(file=io.StringIO(), width=200)
    narrator = Narrator(console, count().__next__)
    deferred = [
        run(3, Outcome.DEFERRED, "57 new labels"),
        run(2, Outcome.DEFERRED, "28 new labels"),
        run(1, Outcome.DEFERRED, "2 new"),
    ]
    kept = [run(4, Outcome.KEPT, "recall falls"), *deferred]
    for seen in (deferred, [run(4, None), *deferred], kept, [run(5, Outcome.PROMOTED, "better"), *kept]):
        narrator.runs(seen)
        narrator.runs(seen)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line.split("s  ", 1)[1] for line in lines] == [
        "no training yet: 2 new",
        "enough labels: training in a process of its own, beside the frames",
        "KEPT, the old model stays: recall falls",
        "PROMOTED: the challenger won on answers that neither had learned",
    ]


def test_that_todays_answers_count_is_told_once_and_only_when_they_do() -> None:
    """Nothing before the first answer, then one line in the daemon's own words."""
    console = Console(file=io.StringIO(), width=200)
    narrator = Narrator(console, count().__next__)
    narrator.today(DaemonStatus())
    narrator.today(DaemonStatus(online=OnlineState(1, False, "1 answer today, but of one class only so far")))
    assert console.file.getvalue() == ""  # type: ignore[attr-defined]
    for number in (2, 3):
        narrator.today(DaemonStatus(online=OnlineState(number, True, f"learned from {number} answers today")))
    [line] = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert line.endswith("frames are answered as the owner did: learned from 2 answers today")
