"""Gradient steps on the head, against what calculus says; `test_equivalence.py` holds them beside ultralytics."""

import numpy as np
import pytest

from posture_daemon.domain import Floats
from posture_daemon.errors import TrainingError
from posture_daemon.vision.head import HIDDEN, Head
from tests.classify_gradient import AdamW, GradientTraining, Optimizer, Sgd

CHANNELS, CLASSES = 6, 3
LEARNED = ("conv_weight", "bn_weight", "bn_bias", "linear_weight", "linear_bias")


def head() -> Head:
    """A head with no two numbers alike."""
    random = np.random.default_rng(0)
    return Head(
        conv_weight=random.normal(0, 0.5, (HIDDEN, CHANNELS)),
        bn_weight=random.uniform(0.5, 1.5, HIDDEN),
        bn_bias=random.normal(0, 0.2, HIDDEN),
        bn_mean=random.normal(0, 0.2, HIDDEN),
        bn_var=random.uniform(0.5, 1.5, HIDDEN),
        linear_weight=random.normal(0, 0.05, (CLASSES, HIDDEN)),
        linear_bias=random.normal(0, 0.2, CLASSES),
    )


def batch(images: int = 9) -> tuple[Floats, np.ndarray]:
    """Feature maps of 2 × 2 positions whose channels tell the class, and the classes."""
    random = np.random.default_rng(1)
    targets = np.arange(images) % CLASSES
    maps = random.normal(0, 0.5, (images, CHANNELS, 2, 2))
    maps[np.arange(images), targets] += 1.5
    return maps.astype(np.float32), targets


@pytest.mark.parametrize("name", LEARNED)
def test_the_loss_falls_as_the_gradient_promises(name: str) -> None:
    """Along each tensor alone, a small step of plain descent saves (step length)² / rate, to 5 %."""
    rate = 1e-3

    class OneTensor(Sgd):
        def update(self, parameters: dict[str, Floats], gradients: dict[str, Floats]) -> None:
            super().update(parameters, {name: gradients[name]})

    training = GradientTraining(head(), OneTensor(rate, momentum=0.0))
    before = training.step(*batch())
    moved = np.linalg.norm((getattr(training.head, name) - getattr(head(), name)).astype(np.float64))
    after = training.step(*batch())
    assert moved > 0
    assert before - after == pytest.approx(moved**2 / rate, rel=0.05)


@pytest.mark.parametrize("optimizer", [Sgd(0.02), AdamW(0.002, decay=0.01)], ids=["SGD", "AdamW"])
def test_many_steps_teach_the_classes(optimizer: Optimizer) -> None:
    """Also to the head as the live path uses it, with running statistics instead of the batch's."""
    training = GradientTraining(head(), optimizer)
    maps, targets = batch(30)
    losses = [training.step(maps, targets) for _ in range(60)]
    assert losses[-1] < 0.2 * losses[0]
    np.testing.assert_array_equal(training.head.logits(maps).argmax(axis=1), targets)


def test_the_head_that_was_given_stays_as_it_is() -> None:
    """Heads are values: the champion may be in use meanwhile."""
    start = head()
    training = GradientTraining(start, Sgd(0.1))
    early = training.head
    training.step(*batch())
    for name in LEARNED:
        np.testing.assert_array_equal(getattr(start, name), getattr(head(), name))
        np.testing.assert_array_equal(getattr(early, name), getattr(head(), name))


def test_a_batch_without_variance_is_refused() -> None:
    """One image of one position; torch refuses it too."""
    maps, targets = batch(1)
    with pytest.raises(TrainingError, match="take a larger batch"):
        GradientTraining(head(), Sgd(0.1)).step(maps[:, :, :1, :1], targets)
