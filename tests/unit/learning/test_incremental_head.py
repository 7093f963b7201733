"""The head that follows every label."""

import numpy as np
import pytest

from posture_daemon.domain import Floats
from posture_daemon.learning.incremental_head import IncrementalHead
from posture_daemon.learning.linear_fit import fit
from posture_daemon.learning.linear_layer import POOLED, Linear

WIDTH = 16
NOTHING = Linear(np.zeros((3, WIDTH), np.float32), np.zeros(3, np.float32))


def views(count: int, seed: int) -> tuple[Floats, np.ndarray]:
    """Three views each of `count` images of three classes that overlap a little."""
    random = np.random.default_rng(seed)
    targets = np.arange(count) % 3
    centres = np.random.default_rng(0).normal(0, 1, (3, WIDTH))
    images = centres[targets] + random.normal(0, 0.8, (count, WIDTH))
    return (images[:, None] + random.normal(0, 0.3, (count, 3, WIDTH))).astype(np.float32), targets


def agreement(one: Linear, other: Linear) -> float:
    """Share of fresh images on which two layers give the same answer."""
    fresh = views(600, seed=9)[0][:, 0]
    return float((one.logits(fresh).argmax(axis=1) == other.logits(fresh).argmax(axis=1)).mean())


@pytest.mark.parametrize("first", [3, 30, 119])
def test_label_by_label_leads_where_a_whole_training_leads(first: int) -> None:
    """From three images, or thirty, to a hundred and twenty: the same answers as the fit on all of them at once."""
    seen, targets = views(120, seed=1)
    head = IncrementalHead(seen[:first], targets[:first].tolist(), NOTHING, POOLED)
    for image, target in zip(seen[first:], targets[first:], strict=True):
        head.add(image, int(target))
    whole = fit(seen, targets, NOTHING, POOLED)
    assert head.images == 120
    assert agreement(head.layer, whole) > 0.98
    np.testing.assert_allclose(head.layer.weight, whole.weight, atol=0.1 * np.abs(whole.weight).max())


def test_one_label_of_a_new_kind_changes_the_answer() -> None:
    """A picture far from all others is answered with its own label as soon as it has one."""
    seen, targets = views(30, seed=2)
    odd = np.full((3, WIDTH), -4.0, np.float32)
    head = IncrementalHead(seen, targets.tolist(), NOTHING, POOLED)
    wrong = int(head.layer.logits(odd)[0].argmax())
    asked = (wrong + 1) % 3
    assert head.add(odd, asked).logits(odd)[0].argmax() == asked


def test_leaving_images_out_is_as_if_they_had_never_come() -> None:
    """Half of the images with wrong labels: without them it answers as if it never saw them; the head itself is as before."""
    seen, targets = views(120, seed=3)
    targets[60:] = (targets[60:] + 1) % 3
    head = IncrementalHead(seen, targets.tolist(), NOTHING, POOLED)
    before = head.layer.weight
    left_out = np.arange(120) >= 60
    assert agreement(head.without(left_out), fit(seen[:60], targets[:60], NOTHING, POOLED)) > 0.97
    np.testing.assert_array_equal(head.layer.weight, before)


def test_images_that_count_for_more_are_heard_whenever_they_come() -> None:
    """Added to it one by one, or with the rest left out again: as the fit of those images with the same weights."""
    seen, targets = views(60, seed=4)
    targets[40:] = (targets[40:] + 1) % 3  # today everything has another name, and counts for ten
    weights = np.where(np.arange(60) >= 40, 10.0, 1.0).astype(np.float32)
    head = IncrementalHead(seen[:30], targets[:30].tolist(), NOTHING, POOLED, lambda rows: weights[rows])
    for image, target in zip(seen[30:], targets[30:], strict=True):
        head.add(image, int(target))
    weighed, even = (fit(seen, targets, NOTHING, POOLED, counts=counts) for counts in (weights, None))
    assert agreement(head.layer, weighed) > 0.98
    assert agreement(head.layer, even) < 0.8
    at_once = IncrementalHead(seen, targets.tolist(), NOTHING, POOLED, lambda rows: weights[rows])
    assert agreement(at_once.layer, weighed) > 0.98
    left_out = np.arange(60) < 20
    there = ~left_out
    weighed, even = (
        fit(seen[there], targets[there], NOTHING, POOLED, counts=counts) for counts in (weights[there], None)
    )
    assert agreement(head.without(left_out), weighed) > 0.97
    assert agreement(head.without(left_out), weighed) > agreement(head.without(left_out), even)


def test_images_that_come_together_are_learned_as_one_by_one() -> None:
    """Frames that one key answered, in a single step."""
    seen, targets = views(60, seed=5)
    one, other = (IncrementalHead(seen[:30], targets[:30].tolist(), NOTHING, POOLED) for _ in range(2))
    one.extend(seen[30:], targets[30:].tolist())
    for image, target in zip(seen[30:], targets[30:], strict=True):
        other.add(image, int(target))
    assert (one.images, agreement(one.layer, other.layer) > 0.98) == (60, True)


def test_with_many_images_it_holds_fewer_views_and_answers_the_same() -> None:
    """A daemon that is answered all day must not grow for it: no more than so many vectors, whatever comes."""
    seen, targets = views(400, seed=7)
    head = IncrementalHead(seen[:10], targets[:10].tolist(), NOTHING, POOLED, max_vectors=300)
    assert head.vectors == 30, "few images have all their views"
    most = 0
    for image, target in zip(seen[10:], targets[10:], strict=True):
        head.add(image, int(target))
        most = max(most, head.vectors)
    assert most <= 1.1 * 2 * 400
    assert head.vectors <= 2 * 400, "two of each at least"
    assert agreement(head.layer, fit(seen, targets, NOTHING, POOLED)) > 0.97
