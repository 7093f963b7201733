"""Which of two is right more often, from what only one is right in."""

import pytest
from scipy.stats import beta

from posture_daemon.learning.sign_test import probability_better


@pytest.mark.parametrize(("fixed", "broken"), [(0, 0), (1, 0), (0, 3), (14, 3), (700, 650)])
def test_the_probability_is_that_of_the_beta_distribution(fixed: int, broken: int) -> None:
    """The share of fixed images among those that changed is above one half; SciPy computes the same from its integral."""
    assert probability_better(fixed, broken) == pytest.approx(beta(fixed + 1, broken + 1).sf(0.5))
