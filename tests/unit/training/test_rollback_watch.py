"""The watch over a new champion: a worse one is rolled back, once, and a good one is left alone."""

from collections.abc import Sequence

import numpy as np
import pytest

from posture_daemon.domain import LabelledImage, ModelVersion, Outcome, Split, TrainingRun, WatchEnding
from posture_daemon.learning.feature_space import pooled_head
from posture_daemon.learning.version_diff import Predicted, predict
from posture_daemon.live.confidence_histogram import ConfidenceTally
from posture_daemon.reports.status import overview
from posture_daemon.settings import Settings, WatchSettings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.training.rollback_watch import MIN_FRAMES, Conclusion, Evidence, RollbackWatch, collapse, conclude
from tests.builders import CHANNELS, add_champion, add_version, label_block, prediction, random_head
from tests.fakes.backbone import StandInBackbone

SWAP = 1_000_000.0
HOUR = 3600.0
SETTINGS = WatchSettings(hours=10, labels=20, min_probability=0.98)


@pytest.mark.parametrize(
    ("seen", "conclusion"),
    [
        pytest.param(Evidence(0, 0, 0, 0), Conclusion.WAIT, id="nothing yet"),
        pytest.param(Evidence(HOUR, 10, 0, 5), Conclusion.ROLL_BACK, id="clearly worse"),
        pytest.param(Evidence(HOUR, 10, 0, 4), Conclusion.WAIT, id="perhaps worse"),
        pytest.param(Evidence(HOUR, 19, 9, 10), Conclusion.WAIT, id="noise"),
        pytest.param(Evidence(HOUR, 10, 5, 0), Conclusion.WAIT, id="better, but the window is open"),
        pytest.param(Evidence(HOUR, 20, 9, 10), Conclusion.KEEP, id="labels enough"),
        pytest.param(Evidence(10 * HOUR, 0, 0, 0), Conclusion.KEEP, id="time is up without a label"),
        pytest.param(Evidence(99 * HOUR, 40, 0, 9), Conclusion.ROLL_BACK, id="clearly worse, seen late"),
        pytest.param(Evidence(-99 * HOUR, 3, 0, 0), Conclusion.WAIT, id="a clock that was set back"),
    ],
)
def test_what_the_evidence_is_enough_for(seen: Evidence, conclusion: Conclusion) -> None:
    """Going back needs certainty, staying needs none; the window ends by labels or by hours, whichever is first."""
    assert conclude(seen, SETTINGS)[0] is conclusion


def test_the_conclusion_is_told_with_its_numbers() -> None:
    """In words that fit behind the name of a model."""
    assert conclude(Evidence(HOUR, 10, 0, 5), SETTINGS)[1] == (
        "of 10 frames labelled since the swap, only the new model is right on 0 and only the one before on 5: "
        "98.4 % sure that the new one is worse"
    )


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ((0, 900, 4), (0, 500, 500), None),
        ((0, 100, 900), (0, 100, 900), None),
        ((0, 100, 900), (0, 390, 610), None),
        ((0, 100, 900), (0, 410, 590), "it is unsure of 41% of the frames, the one before was of 10%"),
        ((0, 900, 100), (0, 100, 900), None),
    ],
)
def test_a_collapse_of_confidence_gets_a_word(before: Sequence[int], after: Sequence[int], told: str | None) -> None:
    """Only a large rise of the unsure share, and only over enough frames of both; here: none, below and above 0.8."""
    tallies = [(0, low, 0, 0, 0, 0, 0, 0, high, rest) for rest, low, high in (before, after)]
    assert collapse(*tallies, unsure_below=0.8) == told


def test_the_tally_counts_frames_by_version_and_bucket_until_it_is_taken() -> None:
    """Full certainty belongs to the last bucket, a base does not count, and what was taken is gone."""
    tally = ConfidenceTally()
    for chances in ({"good": 1.0, "bad": 0.0}, {"good": 0.95, "bad": 0.05}, {"good": 0.45, "bad": 0.55}, {}):
        tally.add(prediction(chances))
    assert tally.take() == {1: [0, 0, 0, 0, 0, 1, 0, 0, 0, 2]}
    assert tally.take() == {}


class Owner:
    """A store in which model 2 was promoted over model 1, and somebody who answers for both: `right` says who is right."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.old = add_champion(self.store, "good", "bad")
        self.new = add_version(
            self.store, random_head(2, seed=1), "sha", "good", "bad", lineage={"labels": {"frame_ids": [1, 2]}}
        )
        label_block(self.store, "good", SWAP - 10, 4)
        self.store.models.promote(self.new.id, SWAP, expected=self.old.id, watched=True)
        self.settings = Settings(data_dir=self.store.folder, watch=SETTINGS)
        self.now = SWAP + HOUR
        self.right = {self.old.id}
        self.asked: list[int] = []

    def answer(self, version: ModelVersion, images: Sequence[LabelledImage]) -> dict[int, Predicted]:
        """Right on all or on none."""
        self.asked.append(len(images))
        return {i.frame_id: Predicted(i.class_name if version.id in self.right else "?", 0.9) for i in images}

    def watcher(self) -> RollbackWatch:
        """One as after a restart."""
        return RollbackWatch(self.store, self.answer, self.settings, clock=lambda: self.now)

    def check(self) -> TrainingRun | None:
        """Look once."""
        return self.watcher().check()

    def roles(self) -> tuple[int | None, int | None]:
        """Champion and previous."""
        before = self.store.models.previous()
        return self.store.models.champion_id(), None if before is None else before.id


@pytest.fixture
def owner(store: Store) -> Owner:
    """One hour after the swap."""
    return Owner(store)


def test_a_worse_champion_is_rolled_back_once(owner: Owner) -> None:
    """Roles change, a row and `status` tell why; later checks, and the same checks after a restart, do nothing more."""
    assert owner.check() is None
    label_block(owner.store, "bad", SWAP + 60, 6)
    run = owner.check()
    assert (run.outcome, run.incumbent_id, run.challenger_id) == (Outcome.ROLLED_BACK, owner.new.id, owner.old.id)
    assert run.reason.startswith("model 2 was rolled back to model 1: of 6 frames labelled since the swap")
    assert (owner.roles(), owner.store.runs.recent()[0]) == ((owner.old.id, owner.new.id), run)
    told = overview(owner.store, owner.settings, 0.0).watch
    assert (told.ending, told.reason) == (WatchEnding.ROLLED_BACK, run.reason)
    owner.right = {owner.new.id}  # now the other one looks better: that must not swing it back
    label_block(owner.store, "good", SWAP + 2 * HOUR, 20)
    owner.now += 3 * HOUR
    assert (owner.check(), owner.roles(), len(owner.store.runs.recent())) == (None, (owner.old.id, owner.new.id), 1)


def test_a_better_champion_is_kept_when_the_labels_are_in(owner: Owner) -> None:
    """Until then the watch notes what it sees; afterwards it is over, whatever comes."""
    owner.right = {owner.new.id}
    label_block(owner.store, "bad", SWAP + 60, 6)
    owner.check()
    assert "only the new model is right on 6" in owner.store.watches.current().reason
    label_block(owner.store, "bad", SWAP + HOUR, 20)
    owner.check()
    ended = owner.store.watches.latest()
    assert (ended.ending, ended.ended_at) == (WatchEnding.KEPT, owner.now)
    owner.right = {owner.old.id}
    assert (owner.check(), owner.roles()) == (None, (owner.new.id, owner.old.id))


def test_only_fresh_frames_count(owner: Owner) -> None:
    """Not what was labelled before the swap, what the champion learned from and was answered again, or is kept for tests."""
    block = label_block(owner.store, "bad", SWAP + HOUR, 6)
    for frame_id in (1, 2):
        owner.store.labels.answer(frame_id, "bad", "owner", SWAP + 1, 5)
    with owner.store.database.write() as session:
        session.connection().exec_driver_sql(
            "UPDATE blocks SET split = 'test' WHERE id = (SELECT block_id FROM frames WHERE id = ?)", (block[0],)
        )
    assert [image.split for image in owner.store.labels.labelled(since=SWAP + 2)] == [Split.TEST] * 6
    assert (owner.check(), owner.asked) == (None, [])


def test_models_are_asked_again_only_when_there_are_new_labels(owner: Owner) -> None:
    """A check a minute costs next to nothing."""
    watcher = owner.watcher()
    label_block(owner.store, "bad", SWAP + 60, 2)
    watcher.check()
    watcher.check()
    assert owner.asked == [2, 2]
    label_block(owner.store, "bad", SWAP + HOUR, 1)
    watcher.check()
    assert owner.asked == [2, 2, 3, 3]


def test_a_champion_that_the_owner_changed_is_not_touched(owner: Owner) -> None:
    """A rollback by hand, or an import, ends the watch; nothing that the watch found before counts any more."""
    watch = owner.store.watches.current()
    label_block(owner.store, "bad", SWAP + 60, 6)
    third = add_version(owner.store, random_head(2, seed=2), "sha", "good", "bad")
    owner.store.models.promote(third.id, owner.now)
    assert owner.check() is None
    assert owner.store.watches.roll_back(watch, "too late", owner.now) is None
    assert owner.roles() == (third.id, owner.new.id)
    ended = owner.store.watches.latest()
    assert (ended.ending, ended.reason) == (WatchEnding.OVERTAKEN, "model 3 became champion")


def test_switched_off_it_does_nothing(owner: Owner) -> None:
    """Also with a watch that is open already."""
    label_block(owner.store, "bad", SWAP + 60, 6)
    owner.settings = Settings(data_dir=owner.store.folder, watch=WatchSettings(enabled=False))
    assert (owner.check(), owner.roles()) == (None, (owner.new.id, owner.old.id))


def test_unsure_frames_alone_are_told_and_change_nothing(owner: Owner) -> None:
    """The owner may just sit elsewhere. Tallies add up in the database."""
    sure, unsure = [0] * 9 + [MIN_FRAMES], [0, MIN_FRAMES // 2] + [0] * 8
    owner.store.confidences.add({owner.old.id: sure, owner.new.id: unsure})
    owner.store.confidences.add({owner.new.id: unsure})
    assert owner.store.confidences.of(owner.new.id) == (0, MIN_FRAMES, *[0] * 8)
    assert owner.check() is None
    noted = owner.store.watches.current()
    assert noted.reason.endswith("; it is unsure of 100% of the frames, the one before was of 0%")
    assert owner.roles() == (owner.new.id, owner.old.id)


def test_a_worse_head_is_found_out_by_its_answers(store: Store) -> None:
    """Real heads on real features: the new one confuses its classes, and the features kept with the frames are enough."""
    backbone = StandInBackbone()
    weight = np.array([[0, 9, 0], [0, 0, 9]], np.float32)
    head = pooled_head(CHANNELS, weight, np.zeros(2, np.float32))
    old = add_version(store, head, backbone.sha256, "good", "bad")
    new = add_version(store, head, backbone.sha256, "bad", "good")
    store.models.promote(old.id, 0.0)
    store.models.promote(new.id, SWAP, watched=True)
    label_block(store, "good", SWAP + 60, 4, backbone)
    label_block(store, "bad", SWAP + HOUR, 4, backbone)
    settings = Settings(data_dir=store.folder)
    seen = backbone.seen
    ask = lambda version, images: predict(store, version, images, lambda _: backbone, Recipe.of(settings.training))  # noqa: E731
    run = RollbackWatch(store, ask, settings, clock=lambda: SWAP + 2 * HOUR).check()
    assert "only the new model is right on 0 and only the one before on 8" in run.reason
    assert store.models.champion() == old
    assert backbone.seen == seen
