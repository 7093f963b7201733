"""One training from labels to a challenger, on a real store, a real cache and a backbone of colours."""

import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from posture_daemon.adapters.backbone.region import looking_at
from posture_daemon.domain import Floats, Image, LabelledImage, ModelVersion, Outcome, Reason, Region, Role, Split
from posture_daemon.errors import TrainingCancelled, TrainingError
from posture_daemon.learning.feature_space import FeatureSpace
from posture_daemon.learning.features import FeatureSource
from posture_daemon.learning.fit_challenger import train
from posture_daemon.learning.interruption import Uninterrupted
from posture_daemon.learning.linear_fit import FitSpace, fit
from posture_daemon.learning.scoring import Challenger
from posture_daemon.learning.training_set import gather
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.vision.head import Head
from posture_daemon.vision.jpeg import decode, encode_jpeg
from tests.builders import (
    HOLDOUT_EVERY,
    add_champion,
    add_frame,
    add_version,
    coloured_frame,
    coloured_jpeg,
    decided,
    ensure_classes,
    label,
    label_block,
    label_days,
    make_store,
    new_frame,
)
from tests.fakes.backbone import StandInBackbone

RECIPE = Recipe(seed=0, views=2, flip=True, min_images_per_class=3)
DAY = 86_400.0


def run(
    store: Store, incumbent: ModelVersion, recipe: Recipe = RECIPE, backbone: StandInBackbone | None = None
) -> Challenger:
    """Train with the cache of the data folder."""
    return train(store, incumbent, backbone or StandInBackbone(), recipe)


def promoted(store: Store, done: Challenger, parent_id: int | None = None) -> ModelVersion:
    """Make the challenger a version of its own."""
    names = [c.name for c in done.classes]
    sha256 = StandInBackbone().sha256
    return add_version(store, done.head, sha256, *names, temperature=done.temperature, parent_id=parent_id)


def test_a_base_learns_the_owners_classes(store: Store) -> None:
    """From three blocks of three colours: all of the holdout right, in the store's order of classes, with their roles."""
    label_days(store, "good", "bad", "away")
    done = run(store, add_champion(store))
    assert [(c.name, c.role) for c in done.classes] == [("good", Role.GOOD), ("bad", Role.BAD), ("away", Role.AWAY)]
    assert done.challenger.per_class() == {"good": (6, 6), "bad": (6, 6), "away": (6, 6)}
    assert (done.incumbent, done.report.train_images) == (None, {"good": 12, "bad": 12, "away": 12})
    assert done.report.holdout_images == {"good": 6, "bad": 6, "away": 6}


def test_the_head_answers_as_it_was_judged(store: Store) -> None:
    """The challenger's head and temperature, applied to features of fresh frames, give the classes of their colours."""
    label_days(store, "good", "bad")
    done = run(store, add_champion(store))
    for row, name in enumerate(["good", "bad"]):
        chances = done.head.probabilities(StandInBackbone().extract(coloured_frame(name, 999)).map, done.temperature)
        assert chances.argmax() == row
        assert chances.max() > 0.6  # one day: nothing is known of another


def test_both_are_judged_on_the_same_holdout(store: Store) -> None:
    """Image by image, in one order; the incumbent was trained before a third class came, and calls it something else."""
    label_days(store, "good", "bad")
    incumbent = promoted(store, run(store, add_champion(store)))
    label_days(store, "standing", blocks=2, start=DAY)
    done = run(store, incumbent)
    assert done.incumbent.per_class() == {"good": (6, 6), "bad": (6, 6), "standing": (0, 6)}
    assert done.challenger.per_class() == {"good": (6, 6), "bad": (6, 6), "standing": (6, 6)}
    held_out = [image for image in store.labels.labelled() if image.split is Split.HOLDOUT]
    assert done.answers.frame_ids == tuple(image.frame_id for image in held_out)
    assert done.answers.truth == done.answers.challenger == tuple(image.class_name for image in held_out)
    assert "standing" not in done.answers.incumbent
    assert done.answers.changes() == (6, 0)


def label_cornered(store: Store, seed: int) -> None:
    """Blocks of pictures that show their class in the upper left corner only; all the rest is another colour each time."""
    rng = np.random.default_rng(seed)
    for block, name in enumerate(3 * ("good", "bad")):
        frames = []
        for number in range(6):
            at = 3600.0 * block + number + 1e6 * seed
            whole = np.full((48, 48, 3), rng.integers(0, 256, 3), np.uint8)
            whole[:24, :24] = coloured_frame(name, int(at), 24)
            frames.append(new_frame(encode_jpeg(whole, 640, 90), at, source="folder"))
        store.imports.add_block([(frame, name) for frame in frames], None, at, HOLDOUT_EVERY)


def test_each_is_judged_on_the_part_of_the_picture_that_it_looks_at(store: Store) -> None:
    """The same images for both; views are drawn within the region; features of one part are never taken for another's."""
    ensure_classes(store, "good", "bad")
    label_cornered(store, 1)
    whole, corner = StandInBackbone(), looking_at(StandInBackbone(), Region(0, 0, 0.5, 0.5))
    first = train(store, add_champion(store), corner, RECIPE)
    assert first.challenger.top1 == 1.0
    incumbent = replace(promoted(store, first), region=corner.region)
    back = train(store, incumbent, whole, RECIPE, incumbents=corner)
    assert (back.incumbent.top1, back.incumbent.images) == (1.0, back.challenger.images)
    assert back.challenger.top1 < 1.0
    assert back.answers.truth == back.answers.incumbent
    again = train(store, incumbent, corner, RECIPE, incumbents=corner)
    assert (again.challenger.top1, again.incumbent.top1, again.report.computed_views) == (1.0, 1.0, 0)


def test_images_of_the_test_split_are_reported_and_decide_nothing(store: Store) -> None:
    """Both models are examined on them, but they are in neither training nor holdout nor the answers that promotion sees."""
    label_days(store, "good", "bad")
    incumbent = promoted(store, run(store, add_champion(store)))
    assert run(store, incumbent).test is None
    frames = [new_frame(coloured_jpeg("good", seed), DAY + seed, source="folder") for seed in range(9000, 9005)]
    store.imports.add_block([(frame, "bad") for frame in frames], Split.TEST, DAY, HOLDOUT_EVERY)  # all mislabelled
    done = run(store, incumbent)
    assert (done.test.challenger.correct, done.test.incumbent.correct, done.test.challenger.images) == (0, 0, 5)
    assert done.report.train_images == {"good": 12, "bad": 12}
    assert (len(done.answers.truth), done.challenger.top1) == (12, 1.0)


def test_the_calibration_error_is_recorded_before_and_after(store: Store) -> None:
    """Measured on the holdout; of one block nothing honest can be said about `after`."""
    label_days(store, "good", "bad")
    found = run(store, add_champion(store)).report.calibration
    assert found.images == 12
    assert 0 <= found.after <= 1
    assert 0 <= found.before <= 1


def test_a_new_class_gets_a_new_row_and_the_old_rows_keep_their_places(store: Store) -> None:
    """Old classes first, in their order, even those without a single image; these keep what they know."""
    label_days(store, "good", "bad", "away")
    plain = replace(RECIPE, views=0)  # views change colours, and these classes are colours
    teacher = promoted(store, run(store, add_champion(store), plain))
    fresh = make_store(store.folder / "other owner")
    incumbent = add_version(
        fresh, run(store, teacher, plain).head, StandInBackbone().sha256, *[c.name for c in teacher.classes]
    )
    label_days(fresh, "standing", "bad")
    done = run(fresh, incumbent, plain)
    assert [c.name for c in done.classes] == ["good", "bad", "away", "standing"]
    for row, name in enumerate(["good", "bad", "away", "standing"]):
        assert done.head.logits(StandInBackbone().extract(coloured_frame(name, 999)).map).argmax() == row
    fresh.close()


def test_training_again_on_the_same_labels_gives_the_same_head(store: Store) -> None:
    """The prior is what was known before the first label, so the penalty is not loosened by every training."""
    label_days(store, "good", "bad", "away")
    base = add_champion(store)
    first = run(store, base)
    again = run(store, promoted(store, first, parent_id=base.id))
    assert again.head.to_bytes() == first.head.to_bytes()


def test_a_class_with_one_image_is_learned_with_a_warning(store: Store) -> None:
    """It takes part and is told apart; the others learn as if it were not there."""
    label_days(store, "good", "bad")
    label_block(store, "standing", DAY, count=1)
    done = run(store, add_champion(store))
    assert [c.name for c in done.classes] == ["good", "bad", "standing"]
    assert done.challenger.per_class() == {"good": (6, 6), "bad": (6, 6)}
    assert done.head.logits(StandInBackbone().extract(coloured_frame("standing", 999)).map).argmax() == 2
    assert list(done.report.warnings) == [
        "'standing' has few training images (1, below 3): its answers will be unsure",
        "'standing' has no held-out images, so nothing shows how well it does",
    ]


def test_a_class_with_held_out_images_only_waits_for_its_first_training_image(store: Store) -> None:
    """There is nothing to learn it from; its held-out images count as missed, and the record says why."""
    label_days(store, "good", "bad")
    frame = new_frame(coloured_jpeg("standing", 1), DAY, source="folder", reason=Reason.IMPORTED)
    ensure_classes(store, "standing")
    store.imports.add_block([(frame, "standing")], Split.HOLDOUT, DAY, HOLDOUT_EVERY)
    done = run(store, add_champion(store))
    assert [c.name for c in done.classes] == ["good", "bad"]
    assert done.challenger.per_class()["standing"] == (0, 1)
    assert list(done.report.warnings) == ["'standing' has held-out images only, so it cannot be learned yet"]


def test_pictures_that_cannot_be_read_are_left_out(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged JPEG, or a label that was taken back and evicted meanwhile, is counted and ends nothing."""
    label_days(store, "good", "bad")
    broken = add_frame(store, 10.0, b"not a picture")
    label(store, broken, "good")
    gone = LabelledImage(9999, "f" * 64, "good", Split.TRAIN)
    real = store.labels.labelled()
    store.labels.labelled = lambda: [*real, gone]  # type: ignore[method-assign]
    done = run(store, add_champion(store))
    assert (done.report.unreadable, done.report.train_images) == (2, {"good": 12, "bad": 12})
    assert f"frame {broken} is left out" in caplog.text


def test_the_second_training_computes_only_what_is_new(store: Store) -> None:
    """Nothing at all for the same labels; one identity and two views each for new training images."""
    label_days(store, "good", "bad")
    base = add_champion(store)
    first = run(store, base)
    assert first.report.computed_views == 24 * 3 + 12
    backbone = StandInBackbone()
    again = run(store, base, backbone=backbone)
    assert again.report.computed_views == backbone.seen == 0
    assert again.head.to_bytes() == first.head.to_bytes()
    label_block(store, "good", DAY, count=4)
    assert run(store, base).report.computed_views == 4 * 3


def test_a_cache_that_is_deleted_changes_nothing_but_the_time(store: Store) -> None:
    """The same head, temperature and scores come out of a cold cache."""
    label_days(store, "good", "bad")
    base = add_champion(store)
    first = run(store, base)
    shutil.rmtree(store.folder / "cache")
    again = run(store, base)
    assert again.report.computed_views == first.report.computed_views
    assert again.head.to_bytes() == first.head.to_bytes()
    assert (again.temperature, again.challenger) == (first.temperature, first.challenger)


def test_another_seed_computes_other_views(store: Store) -> None:
    """What shaped the cached numbers is part of their name."""
    label_days(store, "good", "bad")
    base = add_champion(store)
    run(store, base)
    for recipe in (Recipe(1, 2, True, 3), Recipe(2, 2, True, 3)):
        assert run(store, base, recipe).report.computed_views == 24 * 3 + 12
    assert run(store, base, Recipe(1, 3, True, 3)).report.computed_views == 24


def champion_of_a_day(store: Store) -> ModelVersion:
    """What a training has made of the first day, which its run has written down."""
    label_days(store, "good", "bad")
    made = promoted(store, run(store, add_champion(store)))
    run_id = store.runs.begin("test", decided(), None, 0.0)
    store.runs.finish(run_id, Outcome.PROMOTED, "", 0.0, challenger_id=made.id)
    return made


def teach(store: Store, name: str, start: float) -> None:
    """A block of three training images of this class."""
    frames = [new_frame(coloured_jpeg(name, int(start) + n), start + n, source="import:folder") for n in range(3)]
    store.imports.add_block([(frame, name) for frame in frames], Split.TRAIN, start, HOLDOUT_EVERY)


def test_only_a_session_that_is_all_new_to_the_champion_is_a_new_day(store: Store) -> None:
    """More labels of a day that it has learned, even of both classes, make none; those of a later day do."""
    incumbent = champion_of_a_day(store)
    assert run(store, incumbent).report.new_session is False
    for at, name in enumerate(("good", "bad")):
        teach(store, name, 8 * 3600 + 1000 * at)
    done = run(store, incumbent)
    assert (done.report.new_session, done.report.train_images) == (False, {"good": 15, "bad": 15})
    for at, name in enumerate(("good", "bad")):
        teach(store, name, 10 * DAY + 1000 * at)
    assert run(store, incumbent).report.new_session is True


def test_a_new_day_of_one_class_is_none_yet(store: Store) -> None:
    """It would teach that the day is that class; with the second one it is a new day."""
    incumbent = champion_of_a_day(store)
    teach(store, "good", 10 * DAY)
    teach(store, "bad", 20 * DAY)
    assert run(store, incumbent).report.new_session is False
    teach(store, "bad", 10 * DAY + 1000)
    assert run(store, incumbent).report.new_session is True


@pytest.mark.parametrize(("name", "computed"), [("colours", 2 * 2 * 6), ("another", 2 * (6 + 2 * 6))])
def test_features_that_the_live_path_kept_are_the_identity_view(store: Store, name: str, computed: int) -> None:
    """A queued frame was seen by the backbone already; features of another backbone are no use."""
    kept_by = StandInBackbone(name)
    label_block(store, "good", 0.0, backbone=kept_by)
    label_block(store, "bad", DAY, backbone=kept_by)
    assert run(store, add_champion(store)).report.computed_views == computed


def test_kept_features_are_not_mistaken_for_hidden_ones(store: Store) -> None:
    """An imported posture head reads 1280 hidden features, so pooled ones cannot stand in for them."""
    for start, name in enumerate(["good", "bad"]):
        label_block(store, name, start * DAY, backbone=StandInBackbone())
        label_block(store, name, (start + 2) * DAY, backbone=StandInBackbone())
    imported = add_champion(store, "good", "bad")
    done = run(store, imported)
    assert done.report.computed_views == 12 * 3 + 12
    assert done.challenger.per_class() == {"good": (6, 6), "bad": (6, 6)}
    before = store.models.read_head(imported.head_sha256)
    np.testing.assert_array_equal(done.head.conv_weight, type(done.head).from_bytes(before).conv_weight)


@pytest.mark.parametrize("names", [[], ["good"]])
def test_too_few_classes_are_said_in_one_sentence(store: Store, names: list[str]) -> None:
    """Nothing can be told apart with one class, or none."""
    ensure_classes(store, "good", "bad")
    label_days(store, *names)
    with pytest.raises(TrainingError, match="at least two classes"):
        run(store, add_champion(store))


def test_without_a_holdout_the_challenger_is_trained_but_nothing_is_claimed(store: Store) -> None:
    """One block per class: all in training; the temperature stays 1 and the score is unknown."""
    label_block(store, "good", 0.0)
    label_block(store, "bad", DAY)
    done = run(store, add_champion(store))
    assert (done.challenger.images, done.challenger.top1, done.temperature) == (0, None, 1.0)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("batch", [1, 5, 10**6], ids=["one by one", "fives", "all"])
def test_neither_workers_nor_batches_change_a_vector(
    store: Store, threads: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the views are shared out, each one lands with its own picture; and no batch is larger than allowed."""
    label_days(store, "good", "bad")
    incumbent, images = add_champion(store), store.labels.labelled()
    inputs = FeatureSpace.of(Head.from_bytes(store.models.read_head(incumbent.head_sha256)), is_base=True)

    def load(threads: int) -> Floats:
        recipe = replace(RECIPE, threads=threads, batch=batch)
        return FeatureSource(store, backbone, inputs, recipe).load(images, 2).vectors

    backbone = BatchCounter()
    monkeypatch.setattr("posture_daemon.learning.features.PIXELS", 32 * 32)
    vectors = load(threads)
    assert backbone.largest <= batch
    for row, image in enumerate(images):
        picture = decode(store.queue.jpeg(image.frame_id))
        expected = StandInBackbone().extract(picture).pooled
        np.testing.assert_allclose(vectors[row, 0], expected, atol=1e-3)
    shutil.rmtree(store.folder / "cache")
    np.testing.assert_array_equal(vectors, load(1))


class BatchCounter(StandInBackbone):
    """Remembers its largest batch."""

    largest = 0

    def extract_batch(self, images: Sequence[Image]) -> Floats:
        """As the stand-in."""
        self.largest = max(self.largest, len(images))
        return super().extract_batch(images)


class Inside(Uninterrupted):
    """Knows whether the present thread is in a batch."""

    def __init__(self) -> None:
        self.here = threading.local()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Enter and leave."""
        self.here.inside = True
        yield
        self.here.inside = False


def test_every_run_of_the_backbone_is_a_batch_that_can_be_waited_for(store: Store) -> None:
    """A large network takes most of the time, so a pause must come between two of its batches, not after a portion."""
    label_days(store, "good", "bad")
    incumbent, orders = add_champion(store), Inside()
    inputs = FeatureSpace.of(Head.from_bytes(store.models.read_head(incumbent.head_sha256)), is_base=True)

    class Watched(StandInBackbone):
        def extract_batch(self, images: Sequence[Image]) -> Floats:
            """Only ever inside."""
            assert orders.here.inside
            return super().extract_batch(images)

    backbone = Watched()
    FeatureSource(store, backbone, inputs, RECIPE, orders).load(store.labels.labelled(), 2)
    assert backbone.seen > 0


def test_the_fit_to_all_images_is_made_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The evidence leaves parts out of the very fit that becomes the challenger; nobody solves it a second time."""
    label_days(store, "good", "bad")
    base, spaces, make = add_champion(store), [], FitSpace.of
    data = gather(store, base, StandInBackbone(), RECIPE)
    monkeypatch.setattr(FitSpace, "of", lambda *given: spaces.append(make(*given)) or spaces[-1])
    done = run(store, base)
    assert len(spaces) == 1
    counts = data.weigh(np.arange(len(data.training.images)))
    layer = fit(data.training.vectors, data.targets, data.prior, data.inputs.penalty, counts=counts)
    assert done.head.to_bytes() == data.inputs.head_with(layer).to_bytes()


class EndedAtStep(Uninterrupted):
    """Tells the solver to end at this step of it; between the fits it says nothing."""

    def __init__(self, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left, self.solving, solve = step, False, FitSpace.solve

        def during(space: FitSpace, *given: Any, **named: Any) -> NDArray[np.float64]:
            self.solving = True
            found = solve(space, *given, **named)
            self.solving = False
            return found

        monkeypatch.setattr(FitSpace, "solve", during)

    def look(self) -> None:
        """Once for each step."""
        self.left -= self.solving
        if self.left == 0:
            raise TrainingCancelled("enough")


@pytest.mark.parametrize("step", [1, 3, 12])
def test_an_order_is_followed_between_two_steps_of_a_fit(
    store: Store, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the first one, and of those without some of the images that come after it."""
    label_days(store, "good", "bad")
    base, orders = add_champion(store), EndedAtStep(step, monkeypatch)
    with pytest.raises(TrainingCancelled, match="enough"):
        train(store, base, StandInBackbone(), RECIPE, orders)
    assert orders.solving
