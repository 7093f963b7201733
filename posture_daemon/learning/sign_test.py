"""Which of two models is right more often, from the cases that only one of them is right in (McNemar 1947)."""

import math


def probability_better(fixed: int, broken: int) -> float:
    """How sure these counts make us that one model truly is right more often than another, 0–1; 0.5 when they say nothing.

    If every share of fixed among fixed and broken was equally likely before, it is Beta(fixed + 1, broken + 1) after, and the
    part above one half is P(Binomial(fixed + broken + 1, 1/2) ≤ fixed): a Bayesian sign test (Benavoli et al., JMLR 2017).
    """
    trials = fixed + broken + 1
    ways: int = sum(math.comb(trials, k) for k in range(fixed + 1))
    return ways / (1 << trials)
