"""A new day needs fewer labels: what the gate is told of labels of sessions that nothing was learned of."""

from collections.abc import Sequence

import pytest

from posture_daemon.domain import Outcome, Strategy, Verdict
from posture_daemon.settings import Settings, TrainingSettings
from posture_daemon.store import Store
from posture_daemon.training.gate_facts import GateFacts
from tests.builders import add_champion, add_frame, decided, ensure_classes, label, label_days
from tests.fakes.probe import StandInProbe

DAY = 86_400.0
TODAY = 100 * DAY
SIX = ("good", "bad", "good", "bad", "good", "bad")


@pytest.fixture
def store(store: Store) -> Store:
    """Days that a training has learned from."""
    champion = add_champion(store, "good", "bad", "away")
    label_days(store, "good", "bad")
    learned(store, champion.id)
    return store


def learned(store: Store, version_id: int) -> None:
    """A training has learned all labels so far, and was refused."""
    run_id = store.runs.begin("schedule", decided(labels=True), version_id, DAY)
    store.runs.finish(run_id, Outcome.KEPT, "no better", DAY)


def answer(store: Store, names: Sequence[str], start: float = TODAY) -> None:
    """One frame in a block of its own for each of these answers."""
    ensure_classes(store, *names)
    for number, name in enumerate(names):
        at = start + 400 * number
        label(store, add_frame(store, at), name, at)


def labels_verdict(store: Store, now: float = TODAY + 4000) -> Verdict:
    """What the gate says of the labels."""
    training = TrainingSettings(min_new_labels=20, min_session_labels=6)
    settings = Settings(data_dir=store.folder, training=training)
    facts = GateFacts(store, StandInProbe(), settings, lambda: now, lambda: 3600.0, lambda: None)
    decision = facts.decide(store.models.champion(), Strategy.REPLAY)
    return next(verdict for verdict in decision.verdicts if verdict.name == "labels")


@pytest.mark.parametrize(
    ("names", "passed"),
    [(SIX, True), (SIX[:5], False), (["good"] * 6, False), ([*["good"] * 5, "bad"], True), (["good"] * 20, True)],
    ids=["six of two classes", "five", "six of one class", "five and one", "as many as on any day"],
)
def test_six_labels_of_two_classes_of_a_new_day_are_enough(store: Store, names: Sequence[str], passed: bool) -> None:
    """Fewer are not, and a day of one class would teach that the day is that class."""
    answer(store, names)
    found = labels_verdict(store)
    assert found.passed is passed
    assert ("6 of a day that it knows nothing of (at least 6)" in found.text) is (passed and len(names) == 6)


def test_more_labels_of_a_day_that_was_learned_are_not(store: Store) -> None:
    """Once a training has learned of that day, as many are needed as ever; those of the next day are few again."""
    answer(store, SIX)
    learned(store, store.models.champion().id)
    answer(store, SIX, TODAY + 3000)
    assert not labels_verdict(store, TODAY + 8000).passed
    answer(store, SIX, TODAY + DAY)
    assert labels_verdict(store, TODAY + DAY + 8000).passed


def away_text(store: Store, now: float) -> str:
    """What the gate says of an owner who is not seen to be away."""
    settings = Settings(data_dir=store.folder, training=TrainingSettings(min_new_labels=20, min_session_labels=6))
    facts = GateFacts(store, StandInProbe(), settings, lambda: now, lambda: None, lambda: None)
    decision = facts.decide(store.models.champion(), Strategy.REPLAY)
    return next(verdict.text for verdict in decision.verdicts if verdict.name == "away")


def test_an_owner_is_waited_for_from_the_last_of_them_on(store: Store) -> None:
    """Six labels are enough as soon as the sixth is there: until then nobody waits."""
    waited = []
    for names in (SIX[:5], SIX[5:]):
        answer(store, names, TODAY if len(names) == 5 else TODAY + 2000)
        waited.append(away_text(store, TODAY + 2600))
    assert ["enough labels wait for" in text for text in waited] == [False, True]
    assert "enough labels wait for 600 s" in waited[1]


@pytest.mark.parametrize("more", [1, 13, 14, 30], ids=["seven", "nineteen", "twenty", "more than on any day"])
def test_an_owner_who_goes_on_answering_is_not_waited_for_anew(store: Store, more: int) -> None:
    """Patience runs from the sixth answer on, however many come after it: else it would never end while they answer."""
    answer(store, SIX)
    answer(store, ["good"] * more, TODAY + 2400)
    assert "enough labels wait for 20000 s" in away_text(store, TODAY + 2000 + 20_000)


def test_answers_of_a_learned_day_are_none_of_the_new_one(store: Store) -> None:
    """Five late ones of yesterday are not among the six, nor does the owner wait before there are two classes."""
    answer(store, SIX)
    learned(store, store.models.champion().id)
    answer(store, SIX[:5], TODAY + 3000)
    answer(store, ["good"] * 7, TODAY + DAY)
    assert "enough labels wait" not in away_text(store, TODAY + DAY + 5000)
    answer(store, ["bad"], TODAY + DAY + 3000)
    assert "enough labels wait for 2000 s" in away_text(store, TODAY + DAY + 5000)
