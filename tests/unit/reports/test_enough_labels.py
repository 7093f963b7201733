"""Have I labelled enough? Each rule on a synthetic curve, and the curve itself on a real store with a backbone of colours."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from posture_daemon.domain import LabelledImage, Split
from posture_daemon.errors import TrainingError
from posture_daemon.learning.training_set import TrainingSet
from posture_daemon.reports.enough_labels import Sufficiency, enough, foreseen_gain, points
from posture_daemon.reports.learning_curve import Curve, CurvePoint, block_curve, likely_top1
from posture_daemon.store import Store
from tests.builders import label_block, label_days, training_set

LABELS = (30, 60, 90, 120, 150, 180)


def curve(top1: Sequence[float], spread: float = 0.001, **changed: object) -> Curve:
    """A curve over 180 labels with a holdout of 200 images in ten blocks; `bad` is learned as `top1` says, `good` at once."""
    steps = tuple(
        CurvePoint(labels, share, spread, {"good": 1.0, "bad": 2 * share - 1})
        for labels, share in zip(LABELS, top1, strict=True)
    )
    given = {"held_out": {"good": 100, "bad": 100}, "blocks": 10, "training_blocks": 20, "likely": (0.9, 0.97)}
    return Curve(steps=steps, draws=5, seed=0, **{**given, **changed})  # type: ignore[arg-type]


def power_law(floor: float, scale: float, exponent: float) -> list[float]:
    """Top-1 whose error falls to a floor."""
    return [1 - floor - scale * (n / 180) ** -exponent for n in LABELS]


def test_a_rising_curve_asks_for_labels_of_the_class_that_gains() -> None:
    """The sentence names it, what the last third brought, and what as many labels again would."""
    found = enough(curve(power_law(0.0, 0.05, 1.0)))
    assert found.answer is Sufficiency.MORE
    assert found.sentences[0] == (
        "More labels of bad would help: the last 60 labels brought 2.5 points, and as many again as there are would bring "
        "about 2.5 points."
    )
    assert (found.last, round(found.gained, 3), round(found.foreseen, 3)) == (60, 0.025, 0.025)


def test_a_curve_that_looks_flat_may_still_be_foreseen_to_rise() -> None:
    """A slow rise, below a point over the last third, but more than one over as many labels again."""
    found = enough(curve(power_law(0.0, 0.08, 0.25)))
    assert found.gained < 0.01 <= found.foreseen
    assert found.answer is Sufficiency.MORE


FEW = {"held_out": {"good": 15, "bad": 15}}


@pytest.mark.parametrize(
    ("given", "answer", "words"),
    [
        pytest.param(
            curve([0.9, 0.94, 0.95, 0.952, 0.953, 0.954]),
            Sufficiency.ENOUGH,
            ["Enough for this room: the last 60 labels brought 0.2 points; show it another day instead."],
            id="flat and right",
        ),
        pytest.param(
            curve([0.7, 0.8, 0.85, 0.9, 0.95, 0.995], likely=(0.97, 1.0)),
            Sufficiency.ENOUGH,
            ["next to nothing is left to win"],
            id="nothing left to win, however steep it came",
        ),
        pytest.param(
            curve([0.7, 0.79, 0.8, 0.801, 0.801, 0.802], likely=(0.74, 0.85)),
            Sufficiency.NOT_THESE,
            ["stays at 0.80", "dataset doubts"],
            id="flat and wrong needs other labels",
        ),
        pytest.param(
            curve([0.7, 0.75, 0.8, 0.86, 0.87, 0.88], spread=0.08),
            Sufficiency.UNSURE,
            ["Hard to tell"],
            id="a rise within the spread of the draws",
        ),
        pytest.param(curve([0.8, 0.85, 0.9, 0.91, 0.92, 0.93]), Sufficiency.MORE, [], id="a rise of two images"),
        pytest.param(
            curve([0.8, 0.85, 0.9, 0.91, 0.92, 0.93], **FEW),
            Sufficiency.ENOUGH,
            [],
            id="less than one image is no gain",
        ),
    ],
)
def test_each_curve_has_its_answer(given: Curve, answer: Sufficiency, words: list[str]) -> None:
    """And the sentence says why, or what would help: another day, a look at doubtful labels."""
    found = enough(given)
    assert found.answer is answer
    assert all(part in found.sentences[0] for part in words)


@pytest.mark.parametrize(
    "few",
    [{"held_out": {"good": 15, "bad": 4}}, {"blocks": 1}, {"training_blocks": 3}, {"likely": (0.6, 0.9)}],
    ids=["images", "holdout blocks", "training blocks", "a wide interval"],
)
def test_too_little_is_said_to_be_too_little(few: dict[str, object]) -> None:
    """Whatever the curve looks like; the class with the least to judge it by comes first."""
    found = enough(curve([0.9, 0.94, 0.95, 0.952, 0.953, 0.954], **few))
    assert found.answer is Sufficiency.TOO_FEW
    assert found.sentences[0].startswith("Too few to tell: label frames of another hour or day, first of ")
    if "held_out" in few:
        assert "first of bad" in found.sentences[0]


def test_the_size_of_the_holdout_is_always_said() -> None:
    """Images, blocks, how many are right, and the interval."""
    assert enough(curve([0.9, 0.94, 0.95, 0.952, 0.953, 0.955])).sentences[1] == (
        "191 of 200 holdout images, of 10 time blocks, are right now; of all frames of such times likely 90 to 97 of 100."
    )


def test_the_power_law_is_found_again() -> None:
    """Its gain from doubling is exact for a curve that is one, and zero for a flat one."""
    steps = curve(power_law(0.03, 0.06, 0.8)).steps
    assert foreseen_gain(steps) == pytest.approx(0.06 * (1 - 2**-0.8), abs=1e-3)
    assert foreseen_gain(curve([0.9] * 6).steps) == pytest.approx(0.0, abs=1e-9)
    assert foreseen_gain(steps[:2]) == 0.0


def test_points_are_hundredths() -> None:
    """One is singular; less is said too."""
    assert [points(share) for share in (0.01, 0.025, 0.0, -0.012)] == [
        "1 point",
        "2.5 points",
        "0 points",
        "-1.2 points",
    ]


def images(names: str, block: int = 1) -> list[LabelledImage]:
    """One for each letter, which is its class, so many to a time block."""
    return [LabelledImage(i, "", name, Split.HOLDOUT, i // block) for i, name in enumerate(names)]


def test_the_interval_does_not_ask_what_if_there_were_other_classes() -> None:
    """A class that is hard in each of its blocks alike is no uncertainty about the share of all."""
    right = np.tile([True, False], 50) | (np.arange(100) < 50)
    low, high = likely_top1(right, images("e" * 50 + "h" * 50, block=10))
    assert (low, high) == pytest.approx((0.657, 0.825), abs=1e-3)


def test_the_interval_is_wilsons_where_nothing_fails() -> None:
    """Twenty right of twenty leave 0.84 possible; the bootstrap alone would claim certainty."""
    assert likely_top1(np.ones(20, np.bool_), images("x" * 20)) == pytest.approx((0.839, 1.0), abs=1e-3)


def test_the_interval_is_wide_where_whole_blocks_fail() -> None:
    """The same number of errors tells less when they come together, as neighbours do."""
    right = np.repeat([True, True, True, True, False], 20)
    together, alone = likely_top1(right, images("x" * 100, block=20)), likely_top1(right, images("x" * 100))
    assert together[0] < 0.5 < alone[0]
    assert together[1] == 1.0


def test_easy_classes_are_learned_enough(store: Store) -> None:
    """Colours are told apart from the first blocks on: the whole way from labels to the sentence."""
    label_days(store, "good", "bad", blocks=8, count=10)
    found = block_curve(training_set(store))
    assert (found.steps[-1].labels, found.steps[-1].top1, found.held_out) == (120, 1.0, {"good": 20, "bad": 20})
    assert (found.blocks, found.training_blocks) == (4, 12)
    assert enough(found).answer is Sufficiency.ENOUGH


def with_a_rare_look(learned: TrainingSet) -> TrainingSet:
    """Half of the `bad` holdout looks as only the last training block of `bad` does; two images are hopeless."""
    rare = np.array([0.9, 0.7, 0.2], np.float32)
    training, holdout = learned.training.vectors.copy(), learned.holdout.vectors.copy()
    last = max(image.block_id for image in learned.training.images if image.class_name == "bad")
    training[[image.block_id == last for image in learned.training.images]] = rare
    bad = [number for number, name in enumerate(learned.holdout.truth) if name == "bad"]
    holdout[bad[::2]] = rare
    holdout[bad[1:4:2]] = training[learned.targets == learned.names.index("good")][0]
    return replace(
        learned, training=replace(learned.training, vectors=training), holdout=replace(learned.holdout, vectors=holdout)
    )


def test_labels_that_teach_late_are_asked_for(store: Store) -> None:
    """The more blocks are drawn, the likelier the one that shows the other look of `bad` is among them."""
    label_days(store, "good", "bad", blocks=10, count=15)
    found = enough(block_curve(with_a_rare_look(training_set(store)), draws=30))
    assert found.answer is Sufficiency.MORE
    assert found.sentences[0].startswith("More labels of bad would help")


def test_three_draws_of_the_same_cannot_tell(store: Store) -> None:
    """They differ too much to say whether it is the number of labels."""
    label_days(store, "good", "bad", blocks=10, count=15)
    assert enough(block_curve(with_a_rare_look(training_set(store)), draws=2, seed=2)).answer is Sufficiency.UNSURE


def test_frames_that_look_like_the_other_class_are_not_learned_by_more_of_the_same(store: Store) -> None:
    """A quarter of the holdout of each class looks like the other one: flat from the start, and wrong."""
    label_days(store, "good", "bad", blocks=10, count=16)
    learned = training_set(store)
    vectors, truth = learned.holdout.vectors.copy(), learned.holdout.truth
    good, bad = ([number for number, name in enumerate(truth) if name == one] for one in ("good", "bad"))
    vectors[bad[::4]], vectors[good[::4]] = vectors[good[1]], vectors[bad[1]]
    found = enough(block_curve(replace(learned, holdout=replace(learned.holdout, vectors=vectors))))
    assert found.answer is Sufficiency.NOT_THESE


def test_a_handful_of_labels_is_too_few(store: Store) -> None:
    """Two blocks a class, of which one is held out."""
    label_days(store, "good", "bad", blocks=2)
    assert enough(block_curve(training_set(store))).answer is Sufficiency.TOO_FEW


def test_whole_blocks_are_drawn(store: Store) -> None:
    """Every step holds so many labels as some number of blocks has, in every draw."""
    label_days(store, "good", "bad", blocks=6, count=7)
    for step in block_curve(training_set(store), draws=1).steps:
        assert step.labels % 7 == 0
        assert step.labels >= 14


def test_the_same_seed_draws_the_same_blocks(store: Store) -> None:
    """And another one others: the spread is over draws, of which there are as many as asked for."""
    label_days(store, "good", "bad", blocks=10, count=4)
    hard = with_a_rare_look(training_set(store))
    first, again, other = (block_curve(hard, draws=3, seed=seed) for seed in (4, 4, 99))
    assert first == again
    assert first.steps != other.steps
    assert any(step.spread > 0 for step in first.steps[:-1])
    assert first.steps[-1].spread == 0


def test_without_a_holdout_there_is_no_curve(store: Store) -> None:
    """One block per class trains; nothing can be measured, and the sentence says what to do."""
    label_block(store, "good", 0.0)
    label_block(store, "bad", 86_400.0)
    with pytest.raises(TrainingError, match=r"no holdout yet.*label frames"):
        block_curve(training_set(store))
