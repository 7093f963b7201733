"""Classes come and go: what becomes of labels, queue, history and models, on a real store."""

import numpy as np
import pytest

from posture_daemon.domain import Decision, ModelVersion, Outcome, PostureClass, Role, Split, Status
from posture_daemon.errors import LabelError, ModelError
from posture_daemon.labelling.classes import ClassChanges
from posture_daemon.labelling.session import Labelling
from posture_daemon.settings import LabelSettings
from posture_daemon.store import Store
from posture_daemon.store.lock import exclusive
from posture_daemon.vision.head import Head
from tests.builders import (
    CHANNELS,
    add_champion,
    add_frame,
    add_version,
    ensure_classes,
    label,
    label_block,
    random_head,
    undo,
)
from tests.checks import classes_of
from tests.fakes.backbone import StandInBackbone
from tests.history import seconds_by_posture

NOW, HOUR = 1_000_000.0, 3600.0


@pytest.fixture
def changes(store: Store) -> ClassChanges:
    """What the command line calls."""
    return ClassChanges(store, LabelSettings(), lambda: NOW)


def delete(changes: ClassChanges, name: str, images_become: Status = Status.QUEUED) -> None:
    """Delete as one who has read the account."""
    changes.plan_delete(name, images_become).carry_out()


def names(store: Store) -> list[str]:
    """The owner's classes."""
    return [c.name for c in store.labels.classes()]


def head_of(store: Store, version: ModelVersion) -> Head:
    """Read from disk and checked, as the daemon does."""
    return Head.from_bytes(store.models.read_head(version.head_sha256))


def chances(store: Store, version: ModelVersion) -> dict[str, float]:
    """What a version says of one fixed feature map."""
    features = np.random.default_rng(7).uniform(0, 1, (CHANNELS, 4, 4)).astype(np.float32)
    found = head_of(store, version).probabilities(features, version.temperature)
    return dict(zip([c.name for c in version.classes], map(float, found), strict=True))


# ── rename ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_new_name_is_everywhere(store: Store, changes: ClassChanges) -> None:
    """Labels, guesses, history, every model whatever its age, and the numbers in the records of models and runs."""
    old = add_champion(store, "good", "bad")
    evaluation = {"classes": ["good", "bad"], "top1": 0.5}
    metrics = {
        "challenger": evaluation,
        "report": {"train_images": {"bad": 3, "good": 4}},
        "answers": {"frame_ids": [1, 2], "truth": ["bad", "good"], "challenger": ["good", "bad"], "incumbent": None},
    }
    new = add_version(store, random_head(2, seed=1), StandInBackbone().sha256, "good", "bad", metrics=metrics)
    store.models.promote(new.id, 1.0)
    ids = label_block(store, "bad", 0.0, count=2)
    waiting = add_frame(store, HOUR, predicted="bad", confidence=0.5)
    store.history.add("bad", 10.0, 20.0)
    changes.rename("bad", "slouching")
    assert names(store) == ["slouching", "good"]
    assert classes_of(store) == dict.fromkeys(ids, "slouching")
    assert store.queue.get(waiting).predicted == "slouching"
    assert seconds_by_posture(store) == {"slouching": 10.0}
    for version in (old, new):
        assert [c.name for c in store.models.get(version.id).classes] == ["good", "slouching"]
        assert store.models.get(version.id).head_sha256 == version.head_sha256
    assert store.models.champion().metrics == {
        "challenger": {"classes": ["good", "slouching"], "top1": 0.5},
        "report": {"train_images": {"slouching": 3, "good": 4}},
        "answers": {
            "frame_ids": [1, 2],
            "truth": ["slouching", "good"],
            "challenger": ["good", "slouching"],
            "incumbent": None,
        },
    }


def test_a_name_that_will_not_do_changes_nothing(store: Store, changes: ClassChanges) -> None:
    """Taken in any case, reserved, malformed, or of a class that is not there."""
    add_champion(store, "good", "bad")
    for old, new, word in [
        ("bad", "good", "already"),
        ("bad", "GOOD", "already"),
        ("bad", "unknown", "reserved"),
        ("bad", "a/b", "letters"),
        ("nobody", "x", "no class 'nobody'; there are: good, bad"),
    ]:
        with pytest.raises(LabelError, match=word):
            changes.rename(old, new)
    assert names(store) == ["good", "bad"]
    assert [c.name for c in store.models.champion().classes] == ["good", "bad"]


def test_only_the_case_of_a_name_may_change(store: Store, changes: ClassChanges) -> None:
    """`bad` to `Bad` is no clash with itself."""
    ensure_classes(store, "good", "bad")
    changes.rename("bad", "Bad")
    assert names(store) == ["good", "Bad"]


def test_two_outputs_of_an_old_model_never_get_one_name(store: Store, changes: ClassChanges) -> None:
    """An old model knew `away`, which the owner never had; another class cannot take its name there."""
    old = add_champion(store, "bad", "away")
    ensure_classes(store, "good", "bad")
    new = add_version(store, random_head(2, seed=1), StandInBackbone().sha256, "good", "bad")
    store.models.promote(new.id, 1.0)
    with pytest.raises(LabelError, match=f"Model {old.id} knows 'bad' and 'away' as two classes"):
        changes.rename("bad", "away")
    assert names(store) == ["good", "bad"]


def test_the_name_of_a_deleted_class_is_not_given_to_another(store: Store, changes: ClassChanges) -> None:
    """Old models still mean the deleted one by it; the sentence says how to bring it back."""
    ensure_classes(store, "good", "bad", "away")
    delete(changes, "away")
    with pytest.raises(LabelError, match="classes add away"):
        changes.rename("bad", "away")
    assert names(store) == ["good", "bad"]


def test_a_role_reaches_every_model(store: Store, changes: ClassChanges) -> None:
    """The owner's class and the models that know it."""
    old = add_champion(store, "good", "standing")
    changes.set_role("standing", Role.GOOD)
    assert store.labels.classes()[1] == PostureClass("standing", Role.GOOD)
    assert store.models.get(old.id).classes[1] == PostureClass("standing", Role.GOOD)


# ── merge ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_merging_moves_labels_guesses_history_and_undo(store: Store, changes: ClassChanges) -> None:
    """The splits of the blocks stay; the moved labels are new, so that a training follows."""
    add_champion(store, "good", "bad", "away")
    ensure_classes(store, "good", "bad", "away")
    first, second = label_block(store, "bad", 0.0, count=1), label_block(store, "bad", HOUR, count=1)
    label(store, first[0], "good", 2 * HOUR)  # undo would make it `bad` again
    waiting = add_frame(store, 3 * HOUR, predicted="bad", confidence=0.5)
    store.history.add("bad", 10.0, 20.0)
    splits = {image.frame_id: image.split for image in store.labels.labelled()}
    run_id = store.runs.begin("test", Decision(()), None, 3 * HOUR)
    store.runs.finish(run_id, Outcome.KEPT, "", 3 * HOUR)
    seen = store.runs.labels_learned()
    changes.plan_merge("bad", "away").carry_out()
    assert classes_of(store) == {first[0]: "good", second[0]: "away"}
    assert {image.frame_id: image.split for image in store.labels.labelled()} == splits
    assert splits[second[0]] is Split.HOLDOUT
    assert [name for name, _ in store.labels.new(seen)] == ["away"]
    assert store.queue.get(waiting).predicted == "away"
    assert seconds_by_posture(store) == {"away": 10.0}
    assert names(store) == ["good", "away"]
    undo(store)
    assert classes_of(store)[first[0]] == "away"


def test_the_champion_answers_without_the_merged_class(store: Store, changes: ClassChanges) -> None:
    """A version of its own, with its parent and why; the other outputs say what they said, in the same proportion."""
    before = add_champion(store, "good", "bad", "away")
    said = chances(store, before)
    changes.plan_merge("bad", "good").carry_out()
    after = store.models.champion()
    assert (after.parent_id, after.source) == (before.id, f"model {before.id}, 'bad' merged into 'good'")
    now = chances(store, after)
    assert list(now) == ["good", "away"]
    assert now["good"] / now["away"] == pytest.approx(said["good"] / said["away"], rel=1e-4)


def test_a_model_that_only_knows_the_merged_class_answers_with_the_other_name(
    store: Store, changes: ClassChanges
) -> None:
    """Exact: the same head, one name changed."""
    before = add_champion(store, "good", "slouch")
    ensure_classes(store, "bad")
    changes.plan_merge("slouch", "bad").carry_out()
    after = store.models.champion()
    assert after.head_sha256 == before.head_sha256
    assert after.classes == (PostureClass("good", Role.GOOD), PostureClass("bad", Role.BAD))


def test_a_class_is_not_merged_into_itself(store: Store, changes: ClassChanges) -> None:
    """It would be gone."""
    ensure_classes(store, "good", "bad")
    with pytest.raises(LabelError, match="into itself"):
        changes.plan_merge("bad", "bad")


# ── delete ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fate", [Status.QUEUED, Status.DISCARDED])
def test_the_images_of_a_deleted_class_go_where_they_were_told(
    store: Store, changes: ClassChanges, fate: Status
) -> None:
    """Their blocks keep their split, guesses of it go, the history stays."""
    ensure_classes(store, "good", "bad")
    ids = [*label_block(store, "bad", 0.0, count=1), *label_block(store, "bad", HOUR, count=2)]
    kept = label_block(store, "good", 2 * HOUR, count=1)
    waiting = add_frame(store, 3 * HOUR, predicted="bad", confidence=0.9)
    store.history.add("bad", 10.0, 20.0)
    delete(changes, "bad", fate)
    assert {store.queue.get(frame).status for frame in ids} == {fate}
    assert classes_of(store) == dict.fromkeys(kept, "good")
    assert (store.queue.get(waiting).predicted, store.queue.get(waiting).confidence) == (None, None)
    assert seconds_by_posture(store) == {"bad": 10.0}
    assert names(store) == ["good"]
    label(store, ids[1], "good")
    assert next(i.split for i in store.labels.labelled() if i.frame_id == ids[1]) is Split.HOLDOUT


@pytest.mark.parametrize("fate", [Status.QUEUED, Status.DISCARDED])
def test_undo_never_gives_a_frame_a_deleted_class(store: Store, changes: ClassChanges, fate: Status) -> None:
    """Where it would, the frame goes where all images of the class went; further undos go on as before."""
    ensure_classes(store, "good", "bad")
    frame = add_frame(store, 0.0)
    label(store, frame, "bad", 1.0)
    label(store, frame, "good", 2.0)
    delete(changes, "bad", fate)
    assert undo(store) == frame
    assert (store.queue.get(frame).status, classes_of(store)) == (fate, {})
    assert undo(store) == frame
    assert store.queue.get(frame).status is Status.QUEUED
    assert undo(store) is None


def test_champion_and_previous_lose_the_class_so_a_rollback_cannot_bring_it_back(
    store: Store, changes: ClassChanges
) -> None:
    """Both roles go to versions without it; making the old version champion is refused in one sentence."""
    old = add_champion(store, "good", "bad", "away")
    new = add_version(store, random_head(3, seed=1), StandInBackbone().sha256, "good", "bad", "away")
    store.models.promote(new.id, 1.0)
    delete(changes, "bad")
    previous = store.models.previous()
    assert (store.models.champion().parent_id, previous.parent_id) == (new.id, old.id)
    for version in (store.models.champion(), previous):
        assert [c.name for c in version.classes] == ["good", "away"]
        assert head_of(store, version).class_count == 2
    store.models.promote(previous.id, 2.0)
    assert Labelling(store, LabelSettings(), lambda: NOW).classes() == store.labels.classes()
    assert names(store) == ["good", "away"]
    with pytest.raises(ModelError, match=f"Model {old.id} knows the class 'bad', which was deleted or merged"):
        store.models.promote(old.id, 3.0)
    assert store.models.champion().id == previous.id


def test_a_class_that_comes_back_is_a_class_again(store: Store, changes: ClassChanges) -> None:
    """With the role that it is given now; old models that know it may be champion again, and learn the role."""
    old = add_champion(store, "good", "bad", "away")
    delete(changes, "bad")
    assert changes.add("bad", Role.NEUTRAL) == PostureClass("bad", Role.NEUTRAL)
    store.models.promote(old.id, 1.0)
    assert store.models.champion().classes[1] == PostureClass("bad", Role.NEUTRAL)
    assert set(names(store)) == {"good", "bad", "away"}


def test_a_model_with_one_class_left_becomes_a_base(store: Store, changes: ClassChanges) -> None:
    """It would call everything by that name, and be sure of it; as a base it asks."""
    add_champion(store, "good", "bad")
    plan = changes.plan_delete("bad", Status.QUEUED)
    assert any("knows no classes until the next training" in sentence for sentence in plan.sentences)
    plan.carry_out()
    assert store.models.champion().is_base


def test_the_account_comes_first_and_changes_nothing(store: Store, changes: ClassChanges) -> None:
    """Numbers of labels per split, hours of history, and what becomes of the model."""
    add_champion(store, "good", "bad", "away")
    label_block(store, "bad", 0.0, count=2)
    label_block(store, "bad", HOUR, count=3)
    store.history.add("bad", 0.0, 1.5 * HOUR)
    words = "\n".join(changes.plan_delete("bad", Status.DISCARDED).sentences)
    for expected in ("5 images (2 train, 3 holdout) are discarded", "1.5 h stay", "only answers with good, away"):
        assert expected in words
    assert "become 'good' and count as new" in "\n".join(changes.plan_merge("bad", "good").sentences)
    assert set(names(store)) == {"good", "bad", "away"}
    assert store.models.champion().id == 1


def test_a_class_that_only_the_champion_knows_can_be_deleted(store: Store, changes: ClassChanges) -> None:
    """A starter's class that nobody ever labelled does not come back with the next look at the classes."""
    add_champion(store, "good", "bad", "away")
    delete(changes, "away")
    assert [line.posture_class.name for line in changes.all()] == ["good", "bad"]


def test_classes_stay_as_they_are_while_a_training_runs(store: Store, changes: ClassChanges) -> None:
    """It would end with the classes of before."""
    ensure_classes(store, "good", "bad")
    plan = changes.plan_delete("bad", Status.QUEUED)
    with exclusive(store.folder / "training.lock"):
        for change in (
            lambda: changes.rename("bad", "x"),
            lambda: changes.set_role("bad", Role.GOOD),
            lambda: changes.add("y"),
            plan.carry_out,
        ):
            with pytest.raises(LabelError, match="A training is running"):
                change()
    assert names(store) == ["good", "bad"]


def test_the_list_tells_what_hangs_on_each_class(store: Store, changes: ClassChanges) -> None:
    """Images per split, and whether the champion has learned it."""
    add_champion(store, "good", "bad")
    label_block(store, "standing", 0.0, count=2)
    found = {line.posture_class.name: (dict(line.use.images), line.known) for line in changes.all()}
    assert found == {"good": ({}, True), "bad": ({}, True), "standing": ({Split.TRAIN: 2}, False)}
