"""The parts of learning, each against numbers that can be worked out by hand or by another road."""

import json

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from posture_daemon.domain import Floats
from posture_daemon.errors import ModelError
from posture_daemon.learning.augmentation import augmented_view, view_rng
from posture_daemon.learning.calibration import MAX_TEMPERATURE, MIN_TEMPERATURE, calibration, fit_temperature
from posture_daemon.learning.evaluation import CalibrationErrors, Evaluation, evaluate
from posture_daemon.learning.feature_space import FeatureSpace, pooled_head
from posture_daemon.learning.linear_fit import fit
from posture_daemon.learning.linear_layer import POOLED, Linear
from posture_daemon.store.json_values import as_json, from_json
from posture_daemon.vision.head import HIDDEN, softmax
from tests.builders import coloured_frame, random_head

WIDTH, SPREAD = 16, 0.5
CENTRES = np.random.default_rng(0).normal(0, 1, (4, WIDTH))
NOTHING = Linear(np.zeros((4, WIDTH), np.float32), np.zeros(4, np.float32))


def points(counts: list[int], seed: int = 1, shift: float = 0.0) -> tuple[Floats, np.ndarray]:
    """So many vectors of each class around its centre, and their class numbers."""
    random = np.random.default_rng(seed)
    targets = np.repeat(np.arange(len(counts)), counts)
    vectors = CENTRES[targets] + shift + random.normal(0, SPREAD, (len(targets), WIDTH))
    return vectors.astype(np.float32), targets


def images(counts: list[int], seed: int = 1) -> tuple[Floats, np.ndarray]:
    """The same as images with a single view each."""
    vectors, targets = points(counts, seed)
    return vectors[:, None], targets


def recalls(layer: Linear, seed: int = 99, shift: float = 0.0) -> list[float]:
    """Share of right answers per class on 200 fresh vectors each."""
    vectors, targets = points([200] * len(layer.bias), seed, shift)
    right = (vectors @ layer.weight.T + layer.bias).argmax(axis=1) == targets
    return [float(right[targets == k].mean()) for k in range(len(layer.bias))]


@pytest.fixture(scope="module")
def incumbent() -> Linear:
    """A layer that knows four classes."""
    return fit(*images([50] * 4), NOTHING, POOLED)


# ── linear ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_fit_tells_separable_classes_apart(incumbent: Linear) -> None:
    """From nothing, on vectors that it has not seen; and always with the same result."""
    assert min(recalls(incumbent)) > 0.97
    np.testing.assert_array_equal(fit(*images([50] * 4), NOTHING, POOLED).weight, incumbent.weight)
    assert incumbent.weight.dtype == incumbent.bias.dtype == np.float32


@pytest.mark.parametrize("count", [10, 200])
def test_a_class_without_new_images_is_not_forgotten(incumbent: Linear, count: int) -> None:
    """An imported model meets an owner who labels only two of its four classes: the other two stay as good as they were."""
    vectors, targets = points([count, count], seed=2)
    layer = fit(vectors[:, None], targets, incumbent, POOLED)
    assert min(recalls(layer)) > 0.9
    np.testing.assert_allclose(layer.weight[2:], incumbent.weight[2:], atol=0.15)
    np.testing.assert_allclose(layer.bias[2:], incumbent.bias[2:], atol=1.0)


def test_new_images_win_over_the_incumbent_when_there_are_many(incumbent: Linear) -> None:
    """The owner's own classes: with the class numbers turned round, many labels decide alone and one changes little."""
    vectors, targets = points([100] * 4, seed=3)
    turned = (targets + 1) % 4
    layer = fit(vectors[:, None], turned, incumbent, POOLED)
    assert ((vectors @ layer.weight.T + layer.bias).argmax(axis=1) == turned).mean() > 0.95
    assert min(recalls(fit(vectors[:1, None], turned[:1], incumbent, POOLED))) > 0.95


def test_a_huge_pull_keeps_the_incumbent(incumbent: Linear) -> None:
    """The penalty is the distance to the incumbent, not to zero."""
    vectors, targets = points([50] * 4, seed=4, shift=0.5)
    layer = fit(vectors[:, None], targets, incumbent, POOLED, prior_images=1e9)
    np.testing.assert_allclose(layer.weight, incumbent.weight, atol=1e-3)
    np.testing.assert_allclose(layer.bias, incumbent.bias, atol=1e-2)


def test_a_rare_class_weighs_like_a_common_one() -> None:
    """Ten against four hundred overlapping images: the rare class is not drowned, nor does it rule."""
    random = np.random.default_rng(5)
    targets = np.repeat([0, 1], [400, 100])
    vectors = random.normal(targets[:, None], 1.0, (500, 1)).astype(np.float32)
    layer = fit(vectors[:, None], targets, Linear(np.zeros((2, 1), np.float32), np.zeros(2, np.float32)), POOLED)
    edge = -(layer.bias[1] - layer.bias[0]) / (layer.weight[1, 0] - layer.weight[0, 0])
    assert 0.3 < edge < 0.7


def test_one_image_counts_at_most_five_times_the_average() -> None:
    """A single picture of a class, perhaps a slip of the finger, does not weigh as much as a hundred of the other."""
    vectors = np.concatenate([np.random.default_rng(6).normal(0, 1, 100), [0.5]]).astype(np.float32)[:, None]
    targets = np.repeat([0, 1], [100, 1])
    layer = fit(vectors[:, None], targets, Linear(np.zeros((2, 1), np.float32), np.zeros(2, np.float32)), POOLED)
    assert softmax(np.array([0.5], np.float32) @ layer.weight.T + layer.bias)[1] < 0.2


def test_columns_that_never_vary_are_left_as_they_are() -> None:
    """A dead channel has no spread to measure in: its weights stay, and it causes no division by zero."""
    start = Linear(np.random.default_rng(7).normal(size=(2, WIDTH)).astype(np.float32), np.zeros(2, np.float32))
    vectors, targets = points([50, 50])
    vectors[:, 3] = 2.5
    layer = fit(vectors[:, None], targets, start, POOLED)
    np.testing.assert_array_equal(layer.weight[:, 3], start.weight[:, 3])
    assert (layer.weight[:, :3] != start.weight[:, :3]).all()
    assert ((vectors @ layer.weight.T + layer.bias).argmax(axis=1) == targets).mean() > 0.97


def test_views_do_not_weaken_the_incumbent_more_than_their_images() -> None:
    """Nine copies of the same images give the same layer as the images alone: the pull counts images, not views."""
    start = Linear(np.ones((2, WIDTH), np.float32), np.zeros(2, np.float32))
    vectors, targets = points([20, 20])
    once = fit(vectors[:, None], targets, start, POOLED)
    nine = fit(np.repeat(vectors[:, None], 9, axis=1), targets, start, POOLED)
    np.testing.assert_allclose(nine.weight, once.weight, atol=5e-3)


# ── calibration ───────────────────────────────────────────────────────────────────────────────────────────────────────


def answers(sharpness: float, count: int = 2000) -> tuple[Floats, np.ndarray]:
    """Logits whose softmax, before they were multiplied by `sharpness`, told the true chance of each class."""
    random = np.random.default_rng(8)
    honest = random.normal(0, 1.5, (count, 3))
    chances = softmax(honest.astype(np.float32))
    targets = np.array([random.choice(3, p=p / p.sum()) for p in chances.astype(np.float64)])
    return (honest * sharpness).astype(np.float32), targets


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_exaggeration(sharpness: float) -> None:
    """Logits that are three times too large need a temperature of three; honest ones stay."""
    assert fit_temperature(*answers(sharpness)) == pytest.approx(sharpness, rel=0.1)


@pytest.mark.parametrize("count", [4, 10, 40])
def test_a_small_holdout_without_an_error_does_not_make_every_frame_look_sure(count: int) -> None:
    """Ten right answers of ten do not prove certainty: the temperature stays well above its lower bound."""
    targets = np.arange(count) % 2
    logits = np.where(np.arange(2) == targets[:, None], 1.0, -1.0).astype(np.float32)
    temperature = fit_temperature(logits, targets)
    assert temperature > 1.5 * MIN_TEMPERATURE
    assert softmax(logits, temperature).max() < (count + 1) / (count + 2) + 0.01


def test_a_temperature_has_bounds() -> None:
    """Logits that are a thousand times too large, or say nothing, do not lead to infinity."""
    logits, targets = answers(1000.0, 200)
    assert fit_temperature(logits, targets) == pytest.approx(MAX_TEMPERATURE, rel=0.01)
    assert MIN_TEMPERATURE <= fit_temperature(np.zeros((5, 2), np.float32), np.zeros(5, np.intp)) <= MAX_TEMPERATURE


@pytest.mark.parametrize("seed", range(20))
def test_the_temperature_is_that_of_a_general_optimiser(seed: int) -> None:
    """SciPy finds the same one to four digits, for few and many images, classes and sizes of logits."""
    random = np.random.default_rng(seed)
    count, classes = int(random.integers(2, 300)), int(random.integers(2, 6))
    logits = random.normal(0, 10 ** random.uniform(-2, 1), (count, classes))
    targets = np.where(random.random(count) < 0.7, logits.argmax(axis=1), random.integers(0, classes, count))
    soft = np.full((count, classes), 1 / (count + classes))
    soft[np.arange(count), targets] = (count + 1) / (count + classes)

    def loss(log_temperature: float) -> float:
        return float(-(soft * log_softmax(logits / np.exp(log_temperature), axis=1)).sum() / count)

    bounds = (np.log(MIN_TEMPERATURE), np.log(MAX_TEMPERATURE))
    best = np.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-7}).x)
    assert fit_temperature(logits.astype(np.float32), targets) == pytest.approx(best, rel=1e-4)


def test_without_images_or_with_one_class_there_is_nothing_to_calibrate() -> None:
    """The temperature is 1 then."""
    assert fit_temperature(np.empty((0, 3), np.float32), np.empty(0, np.intp)) == 1.0
    assert fit_temperature(np.ones((4, 1), np.float32), np.zeros(4, np.intp)) == 1.0


def test_the_calibration_error_falls_where_confidences_exaggerate() -> None:
    """Logits three times too large: the error is large at temperature 1, small at 3, where fitting gains nothing."""
    logits, targets = answers(3.0)
    truth = [("a", "b", "c")[target] for target in targets]
    blocks = [i // 50 for i in range(len(truth))]
    found, in_force = (calibration(logits, truth, ["a", "b", "c"], blocks, temperature=t) for t in (1.0, 3.0))
    assert found.images == len(truth)
    assert found.after < 0.5 * found.before
    assert in_force.before == pytest.approx(in_force.after, abs=0.01)


def test_the_calibration_error_after_is_not_measured_on_the_images_it_was_fitted_to() -> None:
    """Two blocks that contradict each other: each looks fine at its own temperature, but not at that of the other."""
    logits = np.tile(np.array([[4.0, 0.0]], np.float32), (40, 1))
    truth = ["a"] * 20 + ["b"] * 20
    found = calibration(logits, truth, ["a", "b"], [1] * 20 + [2] * 20)
    assert softmax(logits, fit_temperature(logits, np.repeat([0, 1], 20))).max() < 0.65
    assert found.after > 0.45


def test_one_block_cannot_be_halved() -> None:
    """Nothing is said of `after` then, nor of anything without images."""
    logits = np.zeros((4, 2), np.float32)
    assert calibration(logits, ["a"] * 4, ["a", "b"], [7] * 4) == CalibrationErrors(0.5, None, 4)
    assert calibration(logits[:0], [], ["a", "b"], []) == CalibrationErrors(None, None, 0)


# ── evaluation ────────────────────────────────────────────────────────────────────────────────────────────────────────

SAID = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.55, 0.45], [0.7, 0.3]], np.float32)
TRUTH = ["good", "bad", "bad", "good", "away"]


def test_counts_by_hand() -> None:
    """Five images: two good ones right, one bad one of two right, and one of a class that the model lacks is missed."""
    found = evaluate(SAID, ["good", "bad"], TRUTH)
    assert (found.classes, found.confusion) == (("good", "bad", "away"), ((2, 0, 0), (1, 1, 0), (1, 0, 0)))
    assert (found.images, found.correct, found.top1) == (5, 3, 0.6)
    assert found.per_class() == {"good": (2, 2), "bad": (1, 2), "away": (0, 1)}


def test_calibration_error_by_hand() -> None:
    """Five answers in five bins of their own, so the error is the mean of |right - confidence|."""
    gaps = [1 - 0.9, 0.6, 1 - 0.8, 1 - 0.55, 0.7]
    found = evaluate(SAID, ["good", "bad"], TRUTH).expected_calibration_error
    assert found == pytest.approx(sum(gaps) / 5, abs=1e-6)


def test_calibration_error_averages_within_a_bin() -> None:
    """Four answers of 0.75 of which three are right are perfectly calibrated, although each alone is off; 1.0 has a bin."""
    said = np.array([[0.75, 0.25]] * 4, np.float32)
    assert evaluate(said, ["a", "b"], ["a", "a", "a", "b"]).expected_calibration_error == pytest.approx(0)
    certain = np.array([[1.0, 0.0]], np.float32)
    assert evaluate(certain, ["a", "b"], ["a"]).expected_calibration_error == 0
    assert evaluate(certain, ["a", "b"], ["b"]).expected_calibration_error == 1


def test_without_images_nothing_is_claimed() -> None:
    """No share, no error, no class."""
    found = evaluate(np.empty((0, 2), np.float32), ["good", "bad"], [])
    assert (found.images, found.correct, found.top1, found.expected_calibration_error) == (0, 0, None, None)
    assert found.per_class() == {}


def test_an_evaluation_survives_json() -> None:
    """What the training process writes, the daemon reads back as the same value."""
    found = evaluate(SAID, ["good", "bad"], TRUTH)
    assert from_json(Evaluation, json.loads(json.dumps(as_json(found)))) == found
    assert as_json(found)["top1"] == 0.6


# ── inputs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def maps_like_a_silu(channels: int = 8, count: int = 6) -> Floats:
    """Feature maps from -0.2785 (the lowest value of a SiLU) to large ones."""
    maps = np.random.default_rng(9).exponential(2.0, (count, channels, 3, 3)) - 0.2785
    return maps.astype(np.float32)


def test_a_pooled_head_is_a_linear_layer_on_pooled_features() -> None:
    """The detour through convolution, batch norm, SiLU and 16 changes no logit by more than 1e-4."""
    random = np.random.default_rng(10)
    weight = random.normal(0, 0.5, (3, 8)).astype(np.float32)
    bias = random.normal(0, 1, 3).astype(np.float32)
    maps = maps_like_a_silu()
    expected = maps.mean(axis=(2, 3)) @ weight.T + bias
    np.testing.assert_allclose(pooled_head(8, weight, bias).logits(maps), expected, atol=1e-4)


def test_a_backbone_wider_than_the_head_is_refused() -> None:
    """There are 1280 places for channels to pass through."""
    with pytest.raises(ModelError, match="too wide"):
        pooled_head(HIDDEN + 1, np.zeros((0, HIDDEN + 1), np.float32), np.zeros(0, np.float32))


def test_a_base_becomes_pooled_and_stays_so() -> None:
    """Its convolution was made for other classes. The head that is trained from it is recognised as pooled later."""
    inputs = FeatureSpace.of(random_head(1000, 8), is_base=True)
    assert (inputs.pooled, inputs.width, inputs.key) == (True, 8, "pooled")
    maps = maps_like_a_silu()
    np.testing.assert_allclose(inputs.vectors(maps), maps.mean(axis=(2, 3)), atol=1e-6)
    start = inputs.start([], ["good", "bad"])
    assert not start.weight.any()
    assert not start.bias.any()
    trained = inputs.head_with(Linear(np.ones((2, 8), np.float32), np.ones(2, np.float32)))
    again = FeatureSpace.of(type(trained).from_bytes(trained.to_bytes()), is_base=False)
    assert again.pooled
    assert again.key == "pooled"


def test_an_imported_posture_head_keeps_its_convolution() -> None:
    """Its hidden features are the inputs, and only the linear layer is another afterwards."""
    head = random_head(2, 8)
    inputs = FeatureSpace.of(head, is_base=False)
    assert (inputs.pooled, inputs.width) == (False, HIDDEN)
    maps = maps_like_a_silu()
    np.testing.assert_allclose(inputs.vectors(maps), head.hidden(maps), atol=1e-6)
    new = inputs.head_with(Linear(np.ones((3, HIDDEN), np.float32), np.zeros(3, np.float32)))
    assert new.class_count == 3
    np.testing.assert_array_equal(new.conv_weight, head.conv_weight)
    np.testing.assert_array_equal(new.bn_mean, head.bn_mean)


@pytest.mark.parametrize("pooled", [True, False])
def test_start_and_head_with_are_inverse(pooled: bool) -> None:
    """The layer that training starts from gives the incumbent's own logits, and makes the incumbent's own head."""
    random = np.random.default_rng(11)
    weight, bias = random.normal(0, 0.5, (3, 8)).astype(np.float32), random.normal(0, 1, 3).astype(np.float32)
    head = pooled_head(8, weight, bias) if pooled else random_head(3, 8)
    inputs = FeatureSpace.of(head, is_base=False)
    assert inputs.pooled is pooled
    names = ["good", "bad", "away"]
    start, maps = inputs.start(names, names), maps_like_a_silu()
    logits = inputs.vectors(maps) @ start.weight.T + start.bias
    np.testing.assert_allclose(logits, head.logits(maps), atol=1e-4)
    np.testing.assert_allclose(inputs.head_with(start).logits(maps), head.logits(maps), atol=1e-4)
    grown = inputs.start(names, [*names, "standing"])
    np.testing.assert_array_equal(grown.weight[:3], start.weight)
    assert not grown.weight[3].any()
    assert grown.bias[3] == 0


def test_the_key_tells_heads_with_other_convolutions_apart() -> None:
    """Cached hidden features of one are no use to the other, but a new linear layer changes nothing."""
    one, other = (
        FeatureSpace.of(random_head(2, 8), is_base=False),
        FeatureSpace.of(random_head(2, 8, seed=1), is_base=False),
    )
    assert one.key != other.key
    trained = one.head_with(Linear(np.ones((2, HIDDEN), np.float32), np.zeros(2, np.float32)))
    assert FeatureSpace.of(trained, is_base=False).key == one.key


# ── views ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

SHA = "0123456789abcdef" * 4


def test_a_view_depends_on_picture_number_and_seed_only() -> None:
    """The same three give the same pixels; another one of them gives others."""
    frame = coloured_frame("good", 1)
    other = "f" + SHA[1:]

    def view(sha: str, number: int, seed: int) -> bytes:
        return augmented_view(frame, 32, view_rng(sha, number, seed)).tobytes()

    assert view(SHA, 1, 0) == view(SHA, 1, 0)
    assert len({view(SHA, 1, 0), view(SHA, 2, 0), view(SHA, 1, 1), view(other, 1, 0)}) == 4


@pytest.mark.parametrize("shape", [(48, 64), (7, 5), (1, 1), (300, 20)])
def test_a_view_is_a_square_picture(shape: tuple[int, int]) -> None:
    """Whatever the shape of the frame, small or narrow; the frame itself is not changed."""
    frame = np.random.default_rng(12).integers(0, 256, (*shape, 3)).astype(np.uint8)
    before = frame.copy()
    for number in range(1, 9):
        view = augmented_view(frame, 32, view_rng(SHA, number, 0))
        assert (view.shape, view.dtype) == ((32, 32, 3), np.uint8)
    np.testing.assert_array_equal(frame, before)


def bright_side(view: np.ndarray) -> str:
    """Where the brighter half of the picture is."""
    grey = view.mean(axis=2)
    return "left" if grey[:, :8].mean() > grey[:, -8:].mean() else "right"


def test_a_view_keeps_the_posture_where_it_is() -> None:
    """A ramp from bright to dark stays bright on the left in all of 200 views."""
    ramp = np.broadcast_to(np.linspace(255, 0, 64, dtype=np.uint8)[None, :, None], (64, 64, 3))
    views = [augmented_view(ramp, 32, view_rng(SHA, number, 0)) for number in range(1, 201)]
    assert {bright_side(view) for view in views} == {"left"}
