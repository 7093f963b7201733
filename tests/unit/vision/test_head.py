import json
import struct
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save

from posture_daemon.errors import ModelError
from posture_daemon.vision.head import HIDDEN, TENSOR_NAMES, Head, softmax
from tests.builders import random_head

CHANNELS, CLASSES = 8, 3


def make_head(seed: int = 0, **replaced: object) -> Head:
    """A head with random weights and batch norm statistics."""
    return replace(random_head(CLASSES, CHANNELS, seed), **replaced)  # type: ignore[arg-type]


def make_maps(count: int = 4) -> np.ndarray:
    """Feature maps as the backbone gives them."""
    return np.random.default_rng(1).normal(size=(count, CHANNELS, 2, 3)).astype(np.float32)


def naive_hidden(head: Head, features: np.ndarray) -> np.ndarray:
    """`Classify` written step by step in float64."""
    x = np.einsum("oc,chw->ohw", head.conv_weight.astype(float), features)
    x = (x - head.bn_mean[:, None, None]) / np.sqrt(head.bn_var[:, None, None] + 1e-5)
    x = x * head.bn_weight[:, None, None] + head.bn_bias[:, None, None]
    return (x / (1 + np.exp(-x))).mean(axis=(1, 2))


def test_hidden_is_convolution_batch_norm_silu_and_average() -> None:
    """The folded computation gives what the layers give one after the other."""
    head, maps = make_head(), make_maps()
    expected = np.stack([naive_hidden(head, one) for one in maps])
    np.testing.assert_allclose(head.hidden(maps), expected, atol=1e-5)
    assert head.hidden(maps).dtype == np.float32


def test_one_map_and_a_batch_agree() -> None:
    """A single map gives a vector, a batch gives a row for each, an empty batch none."""
    head, maps = make_head(), make_maps()
    np.testing.assert_allclose(head.logits(maps[2]), head.logits(maps)[2], atol=1e-5)
    assert head.probabilities(maps[0]).shape == (CLASSES,)
    assert head.probabilities(maps[:0]).shape == (0, CLASSES)


def test_very_negative_values_do_not_overflow() -> None:
    """SiLU of a hugely negative number is 0, without a warning."""
    head = make_head(bn_bias=np.full(HIDDEN, -1e4))
    np.testing.assert_allclose(head.hidden(make_maps()), 0, atol=1e-6)


def test_temperature_softens_without_changing_the_order() -> None:
    """Probabilities sum to one; a temperature above 1 brings them closer together."""
    head, maps = make_head(), make_maps()
    sharp, soft = head.probabilities(maps), head.probabilities(maps, temperature=4.0)
    np.testing.assert_allclose(soft.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(sharp.argmax(axis=1), soft.argmax(axis=1))
    assert (soft.max(axis=1) < sharp.max(axis=1)).all()


def test_softmax_survives_large_scores_and_no_classes() -> None:
    """Scores of a thousand do not overflow; a base without classes has no probabilities."""
    np.testing.assert_allclose(softmax(np.array([1000.0, 0.0], np.float32)), [1, 0])
    assert softmax(np.empty((0,), np.float32)).shape == (0,)


def test_temperature_must_be_positive() -> None:
    """Zero would divide by zero."""
    with pytest.raises(ModelError, match="above 0"):
        softmax(np.zeros(2, np.float32), 0.0)


def test_bytes_round_trip_exactly_under_ultralytics_names() -> None:
    """What is read back is bit for bit what was written, and the bytes are always the same."""
    head = make_head()
    data = head.to_bytes()
    copy = Head.from_bytes(data)
    for name in TENSOR_NAMES:
        np.testing.assert_array_equal(getattr(copy, name), getattr(head, name))
    assert copy.to_bytes() == data
    assert b'"conv.conv.weight"' in data
    assert b"[1280,8,1,1]" in data


def test_grown_keeps_rows_by_name_and_starts_new_ones_at_zero() -> None:
    """Reordered classes keep their scores; a new class scores exactly 0 before any training."""
    head, maps = make_head(), make_maps()
    grown = head.grown(["good", "bad", "na"], ["na", "standing", "good"])
    before, after = head.logits(maps), grown.logits(maps)
    np.testing.assert_allclose(after[:, [0, 2]], before[:, [2, 0]], atol=1e-5)
    np.testing.assert_array_equal(after[:, 1], 0)


def test_a_base_grows_from_nothing() -> None:
    """The rows of a base are no postures: none of them is kept, but its convolution is."""
    grown = make_head().grown([], ["good", "bad"])
    np.testing.assert_array_equal(grown.linear_weight, 0)
    np.testing.assert_array_equal(grown.conv_weight, make_head().conv_weight)


def test_grown_refuses_names_that_do_not_match_the_rows() -> None:
    """Two names for three rows would assign rows to the wrong classes."""
    with pytest.raises(ModelError, match="3 rows but 2 class names"):
        make_head().grown(["a", "b"], ["a"])


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"bn_mean": np.zeros(7)}, r"conv\.bn\.running_mean has shape \(7,\)"),
        ({"linear_bias": np.zeros(2)}, r"linear\.bias has shape \(2,\)"),
        ({"conv_weight": np.zeros((10, CHANNELS))}, r"conv\.conv\.weight has shape \(10, 8\)"),
        ({"conv_weight": np.zeros(HIDDEN)}, r"conv\.conv\.weight has shape \(1280,\)"),
        ({"linear_bias": np.array([0, np.nan, 0])}, r"linear\.bias holds values that are not finite"),
        ({"bn_var": np.full(HIDDEN, -1.0)}, "negative variances"),
    ],
)
def test_wrong_arrays_are_refused_in_one_sentence(replaced: dict[str, object], message: str) -> None:
    """Shapes and values are checked once, on entry."""
    with pytest.raises(ModelError, match=message):
        make_head(**replaced)


def test_bytes_that_are_no_head_are_refused() -> None:
    """Text, a cut-off file and a file that lacks a tensor all give a `ModelError`."""
    for data in (b"hello", make_head().to_bytes()[:-10]):
        with pytest.raises(ModelError, match="cannot be read"):
            Head.from_bytes(data)
    with pytest.raises(ModelError, match=r"lacks the tensor conv\.conv\.weight"):
        Head.from_bytes(save({"linear.bias": np.zeros(1, np.float32)}))


@pytest.mark.parametrize(("kind", "shape"), [("BF16", [2]), ("F8_E4M3", [4]), ("F32", [1] * 65), ("F32", [0, 2**62])])
def test_what_numpy_does_not_have_is_refused(kind: str, shape: list[int]) -> None:
    """A sound safetensors file with other numbers, or more or larger dimensions."""
    size = 0 if 0 in shape else 4
    words = json.dumps({"linear.bias": {"dtype": kind, "shape": shape, "data_offsets": [0, size]}}).encode()
    with pytest.raises(ModelError, match="cannot be read"):
        Head.from_bytes(struct.pack("<Q", len(words)) + words + bytes(size))


def test_features_of_another_backbone_are_refused() -> None:
    """A head for 8 channels cannot read maps with 4."""
    with pytest.raises(ModelError, match="do not fit"):
        make_head().hidden(np.zeros((4, 2, 2), np.float32))


def test_a_head_cannot_be_changed() -> None:
    """Its arrays are read-only copies of what was given."""
    given = np.zeros(CLASSES)
    head = make_head(linear_bias=given)
    given[:] = 1
    assert not head.linear_bias.any()
    with pytest.raises(ValueError, match="read-only"):
        head.linear_bias[0] = 1
