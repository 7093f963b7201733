"""Did my label change anything? Sentences from the record of a run, and what the training writes into it."""

import json
from typing import Any

import pytest

from posture_daemon.domain import Decision, ModelVersion, Outcome, PostureClass, Role, Split
from posture_daemon.errors import TrainingError
from posture_daemon.learning.evaluation import Answers
from posture_daemon.learning.fit_challenger import train
from posture_daemon.learning.out_of_fold import answers_to_new_labels
from posture_daemon.learning.scoring import Candidate, Challenger
from posture_daemon.learning.training_set import gather
from posture_daemon.reports.effect import Flip, effect, flips
from posture_daemon.reports.status import overview
from posture_daemon.settings import Settings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.store.json_values import as_json
from posture_daemon.training.run_record import RunRecord
from tests.builders import add_champion, label, label_block, label_days
from tests.fakes.backbone import StandInBackbone

RECIPE = Recipe(seed=0, views=0, flip=True, min_images_per_class=1)


def answers(truth: str, before: str | None, after: str) -> dict[str, Any]:
    """Of images 1, 2, …: a letter each for the class; `None` for an incumbent without answers."""
    called = None if before is None else tuple(before)
    found: dict[str, Any] = as_json(Answers(tuple(range(1, len(truth) + 1)), tuple(truth), tuple(after), called))
    return found


def sentences(**metrics: Any) -> list[str]:
    """What a run with this record says, after a trip through JSON."""
    return effect(RunRecord.of(json.loads(json.dumps(metrics))))


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"answers": answers("aaabbcc", "bbbbbac", "aaabcbc")}, ["On the holdout: a: 3 more right; b: 1 fewer right."]),
        ({"answers": answers("aab", "aba", "bab")}, ["On the holdout: a: 1 more right, 1 fewer; b: 1 more right."]),
        (
            {"answers": answers("ab", "ab", "ab")},
            ["On the holdout: no image that was right is wrong now, and none the other way round."],
        ),
        ({"answers": answers("ab", None, "ab")}, []),
        ({"answers": answers("", "", "")}, []),
        ({}, []),
    ],
    ids=["more, fewer", "both", "nothing flipped", "a base before it", "no holdout", "no record of answers"],
)
def test_what_flipped_is_said_by_class(metrics: dict[str, Any], said: list[str]) -> None:
    """The class with the most first; wrong answers that stay wrong are no news; silence is for what was not compared."""
    assert sentences(**metrics) == said


def test_new_labels_are_counted_before_and_after() -> None:
    """Both as far as they could be asked."""
    new = {**answers("aaab", "bbab", "aaab"), "of": 4}
    assert sentences(new_labels=new) == [
        "Of your 4 new labels the model before was right on 2, this one is on 4, asked without having learned their time "
        "blocks."
    ]
    assert sentences(new_labels={**new, "of": 9})[0].startswith("Of your 9 new labels, 4 can be asked, and of these")
    assert sentences(new_labels={**answers("", "", ""), "of": 3}) == [
        "Your 3 new labels cannot be asked yet: without their time blocks fewer than two classes are left."
    ]


def test_flips_name_frames_once() -> None:
    """A new label that is held out is listed with the holdout."""
    new = {**answers("abx", "bbb", "abx"), "of": 3}
    record = RunRecord.of({"answers": answers("ab", "ba", "ab"), "new_labels": new})
    assert flips(record) == [Flip(1, "a", "b", "a", False), Flip(2, "b", "a", "b", False), Flip(3, "x", "b", "x", True)]


@pytest.fixture
def store(store: Store) -> Store:
    """Two classes that were learned already, by model 2."""
    label_days(store, "good", "bad", blocks=4)
    return store


def learn(store: Store, incumbent: ModelVersion) -> Challenger:
    """Train a challenger of it."""
    return train(store, incumbent, StandInBackbone(), RECIPE)


def learned_by_a_run(store: Store, parent: ModelVersion) -> ModelVersion:
    """Promote what a run makes of the labels that are there."""
    run_id = store.runs.begin("test", Decision(()), parent.id, 0.0)
    done = learn(store, parent)
    version = store.models.add_version(
        ModelVersion(
            id=0, created_at=0.0, parent_id=parent.id, backbone_sha256=parent.backbone_sha256,
            head_sha256=store.models.add_head(done.head.to_bytes()), classes=done.classes,
            temperature=done.temperature, source="test",
        )
    )  # fmt: skip
    store.models.promote(version.id, 0.0)
    store.runs.finish(run_id, Outcome.PROMOTED, "", 0.0, {}, version.id)
    return version


def test_only_labels_that_the_incumbent_has_not_seen_are_new(store: Store) -> None:
    """None at first; then those that came, a relabelled one among them."""
    incumbent = learned_by_a_run(store, add_champion(store))
    assert learn(store, incumbent).new_labels is None
    came = label_block(store, "bad", 900_000.0, count=4)
    old = next(i for i in store.labels.labelled() if i.split is Split.TRAIN and i.class_name == "good")
    label(store, old.frame_id, "bad")
    recorded = learn(store, incumbent).new_labels
    assert sorted(recorded.frame_ids) == sorted([*came, old.frame_id])
    assert recorded.of == 5


def test_new_labels_of_a_base_are_not_compared(store: Store) -> None:
    """It has no answers, so nothing is computed."""
    assert learn(store, add_champion(store)).new_labels is None


def test_the_challenger_is_asked_without_the_time_block(store: Store) -> None:
    """A new block that is labelled wrongly is learned, yet does not count as understood: the other blocks call it `good`."""
    incumbent = learned_by_a_run(store, add_champion(store))
    wrong = label_block(store, "good", 900_000.0, count=3)
    for frame_id in wrong:
        label(store, frame_id, "bad")
    asked = learn(store, incumbent).new_labels
    assert (asked.truth, asked.challenger, asked.incumbent) == (("bad",) * 3, ("good",) * 3, ("good",) * 3)


def test_a_version_without_a_run_has_seen_what_its_parent_saw(store: Store) -> None:
    """One that came of a change of classes; an imported one has seen nothing."""
    base = add_champion(store)
    incumbent = learned_by_a_run(store, base)
    store.labels.ensure_class(PostureClass("standing", Role.NEUTRAL), 0.0)
    child = store.models.add_version(
        ModelVersion(
            0, 1.0, incumbent.id, incumbent.backbone_sha256, incumbent.head_sha256, incumbent.classes, 1.0, "t"
        )
    )
    assert store.runs.labels_seen_by(child) == store.runs.labels_seen_by(incumbent) > 0
    assert store.runs.labels_seen_by(base) == 0


def test_orders_are_looked_at_between_the_fits(store: Store) -> None:
    """A training that is told to end does not go on asking."""
    learned = gather(store, add_champion(store), StandInBackbone(), RECIPE)
    before = Candidate(learned.prior, learned.names, 1.0)
    looked: list[int] = []
    answers_to_new_labels(store, add_champion(store, "good", "bad"), before, learned, lambda: looked.append(1))
    assert len(looked) >= 2


def test_status_tells_the_effect_and_not_every_answer(store: Store) -> None:
    """The sentences are in the record that programs read; a class that was renamed has its new name in them."""
    run_id = store.runs.begin("test", Decision(()), None, 0.0)
    truth, before = ("good", "bad"), ("bad", "bad")
    metrics = {"answers": as_json(Answers((1, 2), truth, truth, before))}
    store.runs.finish(run_id, Outcome.KEPT, "", 0.0, {**metrics, "new_labels": {**metrics["answers"], "of": 2}})
    store.classes.rename("good", "upright")
    run = overview(store, Settings(data_dir=store.folder), 0.0).last_run
    assert run.effect[0] == "On the holdout: upright: 1 more right."
    assert run.effect[1].startswith("Of your 2 new labels the model before was right on 1, this one is on 2")
    assert not {"answers", "new_labels"} & set(as_json(run)["metrics"])


def test_a_run_that_is_not_there_is_said_in_one_sentence(store: Store) -> None:
    """With where to look."""
    with pytest.raises(TrainingError, match=r"no training run 99; `posture-daemon status`.*\.$"):
        store.runs.get(99)
