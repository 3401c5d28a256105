from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.rollout.sequential import distribution, mean, quantile_ranks, share

LOOKS = (5, 10, 20, 40, 80, 160, 320, 640, 1280)
RUNS = 400
ALPHA = 0.1
WORST = int(RUNS * ALPHA) + 18
"""Three standard deviations above what chance allows."""


@pytest.mark.parametrize("p", [0.01, 0.2, 0.5])
def test_a_share_is_missed_at_any_look_at_most_as_often_as_alpha(p: float) -> None:
    rng = np.random.default_rng(1)
    sums = np.cumsum(rng.random((RUNS, LOOKS[-1])) < p, axis=1)
    missed = 0
    for row in sums:
        intervals = [share(int(row[n - 1]), n, ALPHA) for n in LOOKS]
        missed += any(not i.low <= p <= i.high for i in intervals)
    assert missed <= WORST


def test_a_fixed_time_interval_would_be_missed_far_more_often() -> None:
    """The reason for confidence sequences: the usual interval is missed far more often under repeated looks."""
    rng = np.random.default_rng(1)
    sums = np.cumsum(rng.random((RUNS, LOOKS[-1])) < 0.5, axis=1)
    missed = sum(any(abs(row[n - 1] / n - 0.5) > 1.645 * (0.25 / n) ** 0.5 for n in LOOKS[2:]) for row in sums)
    assert missed > WORST


def test_a_mean_is_covered_at_every_look() -> None:
    rng = np.random.default_rng(2)
    values = rng.beta(2, 5, (RUNS, LOOKS[-1]))
    truth, sums = 2 / 7, np.cumsum(values, axis=1)
    missed = 0
    for row in sums:
        intervals = [mean(row[n - 1] / n, n, ALPHA) for n in LOOKS]
        missed += any(not i.low <= truth <= i.high for i in intervals)
    assert missed <= WORST


@pytest.mark.parametrize("q", [0.5, 0.95])
def test_a_quantile_lies_between_its_ranks_at_every_look(q: float) -> None:
    rng = np.random.default_rng(3)
    missed = 0
    for values in rng.random((RUNS, LOOKS[-1])):
        wrong = False
        for n in LOOKS:
            low, high = quantile_ranks(q, n, ALPHA)
            ordered = np.sort(values[:n])
            wrong |= (low >= 0 and ordered[low] > q) or (high < n and ordered[high] < q)
        missed += wrong
    assert missed <= WORST


def test_a_distribution_is_covered_at_every_look() -> None:
    rng = np.random.default_rng(4)
    missed = 0
    for values in rng.random((RUNS, LOOKS[-1])):
        wrong = False
        for n in LOOKS:
            ordered = np.sort(values[:n])
            steps = np.arange(n + 1) / n
            distance = max(np.abs(steps[1:] - ordered).max(), np.abs(steps[:-1] - ordered).max())
            wrong |= distance > distribution(n, ALPHA)
        missed += wrong
    assert missed <= WORST


@given(st.integers(0, 400), st.integers(0, 400), st.sampled_from([0.01, 0.05, 0.2]))
def test_an_interval_holds_what_was_seen_and_narrows_with_more(successes: int, failures: int, alpha: float) -> None:
    trials = successes + failures
    found = share(successes, trials, alpha)
    assert 0 <= found.low <= (successes / trials if trials else 0.5) <= found.high <= 1
    more = share(10 * successes, 10 * trials, alpha)
    assert more.high - more.low <= found.high - found.low + 1e-9
    low, high = quantile_ranks(0.9, trials, alpha)
    assert -1 <= low <= high <= trials


def test_without_trials_the_interval_is_everything() -> None:
    assert (share(0, 0, 0.05).high, mean(0.0, 0, 0.05).high, distribution(0, 0.05)) == (1.0, 1.0, 1.0)
