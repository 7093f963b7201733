"""Runs: every ending is a row, and a crash leaves none open."""

from dataclasses import replace

import pytest

from posture_daemon.domain import Decision, Outcome, Verdict
from posture_daemon.store import Store
from tests.builders import add_champion, decided


def test_the_same_refusal_again_only_moves_its_time(store: Store) -> None:
    """A gate that stays closed is one line; another reason, or a run between, begins a new one."""
    first = store.runs.defer("schedule", decided(memory=False, labels=True), None, 1.0)
    again = store.runs.defer("schedule", decided(memory=False, labels=True), None, 2.0)
    assert (again.id, again.started_at, again.finished_at) == (first.id, 1.0, 2.0)
    other = store.runs.defer("schedule", decided(memory=False, labels=False), None, 3.0)
    assert other.id != first.id
    assert (other.outcome, other.reason) == (Outcome.DEFERRED, "memory text; labels text")
    run_id = store.runs.begin("hand", decided(memory=True), None, 4.0)
    store.runs.finish(run_id, Outcome.KEPT, "no better", 5.0)
    last = store.runs.defer("schedule", decided(memory=False, labels=False), None, 6.0)
    assert [run.id for run in store.runs.recent()] == [last.id, run_id, other.id, first.id]
    assert [run.id for run in store.runs.recent(limit=1)] == [last.id]


def test_a_run_records_how_it_went(store: Store) -> None:
    """Trigger, times, models, numbers; while it runs it has no outcome."""
    incumbent = add_champion(store, "good", "bad")
    run_id = store.runs.begin("hand", decided(memory=True), incumbent.id, 1.0)
    assert store.runs.recent()[0].outcome is None
    run = store.runs.finish(run_id, Outcome.PROMOTED, "better", 2.0, {"top1": 0.5}, incumbent.id)
    assert run == store.runs.recent()[0]
    assert (run.trigger, run.started_at, run.finished_at, run.outcome) == ("hand", 1.0, 2.0, Outcome.PROMOTED)
    assert (run.reason, run.metrics, run.incumbent_id, run.challenger_id) == ("better", {"top1": 0.5}, 1, 1)


def test_attempts_come_without_what_is_known_of_single_images(store: Store) -> None:
    """The gate reads fifty of them once a minute; one run by its number has everything."""
    run_id = store.runs.begin("hand", decided(), None, 1.0, {"load": {"images": 3}})
    whole = {"challenger": {"top1": 0.5}, "answers": {"frame_ids": [1, 2]}, "new_labels": {"truth": ["good"]}}
    store.runs.finish(run_id, Outcome.KEPT, "no better", 2.0, whole)
    [attempt] = store.runs.attempts()
    assert attempt.metrics == {"load": {"images": 3}, "challenger": {"top1": 0.5}}
    assert store.runs.get(run_id).metrics == {"load": {"images": 3}, **whole}
    assert replace(attempt, metrics={}) == replace(store.runs.get(run_id), metrics={})


def test_runs_that_a_crash_left_open_are_closed_as_failed(store: Store) -> None:
    """Only the open ones, with a reason in words."""
    store.runs.finish(store.runs.begin("hand", decided(), None, 1.0), Outcome.KEPT, "no better", 2.0)
    store.runs.begin("hand", decided(), None, 3.0)
    assert store.runs.close_interrupted(4.0) == 1
    newest, older = store.runs.recent()
    assert (newest.outcome, newest.finished_at) == (Outcome.FAILED, 4.0)
    assert "process ended" in newest.reason
    assert older.outcome is Outcome.KEPT
    assert store.runs.close_interrupted(5.0) == 0


def test_a_run_whose_challenger_became_champion_before_the_crash_is_no_failure(store: Store) -> None:
    """The decision was made, only not written down; one whose challenger is not champion has failed."""
    first = add_champion(store, "good", "bad")
    second = add_champion(store, "good", "bad")
    runs = [store.runs.begin("schedule", decided(), None, 1.0) for _ in range(2)]
    for run_id, challenger in zip(runs, (first, second), strict=True):
        store.runs.propose(run_id, challenger.id)
    assert store.runs.close_interrupted(2.0) == 2
    assert [store.runs.get(run_id).outcome for run_id in runs] == [Outcome.FAILED, Outcome.PROMOTED]
    assert store.runs.get(runs[1]).challenger_id == second.id
    assert "became champion" in store.runs.get(runs[1]).reason


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [(Outcome.KEPT, True), (Outcome.PROMOTED, True), (Outcome.FAILED, True), (Outcome.DEFERRED, False), (None, False)],
)
def test_attempts_are_runs_that_trained_to_an_end(store: Store, outcome: Outcome | None, counts: bool) -> None:
    """A refusal is none, nor is a run that was interrupted or is still open."""
    run_id = store.runs.begin("hand", decided(), None, 10.0)
    if outcome is not None:
        store.runs.finish(run_id, outcome, "", 20.0)
    store.runs.defer("schedule", decided(memory=False), None, 30.0)
    assert [run.started_at for run in store.runs.attempts()] == ([10.0] if counts else [])


def test_a_run_says_how_it_stands_while_it_goes_on(store: Store) -> None:
    """And no longer when it has ended; what was measured is added to what is there."""
    run_id = store.runs.begin("hand", decided(), None, 1.0, {"load": {"images": 3}})
    store.runs.note(run_id, "paused: too warm")
    assert store.runs.recent()[0].reason == "paused: too warm"
    store.runs.finish(run_id, Outcome.KEPT, "no better", 2.0, {"ran_s": 1.0})
    store.runs.note(run_id, "paused: too warm")
    store.runs.add_metrics(run_id, {"frames": {}})
    ended = store.runs.recent()[0]
    assert (ended.reason, ended.metrics) == ("no better", {"load": {"images": 3}, "ran_s": 1.0, "frames": {}})


def test_a_decision_is_kept_with_every_number(store: Store) -> None:
    """Each condition with its value and its limit; repeated refusals are counted."""
    verdicts = (
        Verdict("memory", False, "too little", 5, 10, True),
        Verdict("time", True, "it is 12:00", "12:00", None),
    )
    for now in (1.0, 2.0, 3.0):
        run = store.runs.defer("schedule", Decision(verdicts), None, now)
    assert store.runs.recent()[0].decision == verdicts
    assert run.metrics == {"refusals": 3}
