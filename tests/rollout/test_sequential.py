from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.rollout.sequential import boundary, distribution, quantile_ranks
from modelyard.rollout.strata import Difference, Measured, compared, distance

LOOKS = (5, 10, 20, 40, 80, 160, 320, 640, 1280)
RUNS = 400
ALPHA = 0.1
WORST = int(RUNS * ALPHA) + 18
"""Three standard deviations above what chance allows."""


def test_a_fixed_time_interval_would_be_missed_far_more_often() -> None:
    """The reason for confidence sequences: the usual interval is missed far more often under repeated looks."""
    rng = np.random.default_rng(1)
    sums = np.cumsum(rng.random((RUNS, LOOKS[-1])) < 0.5, axis=1)
    missed = sum(any(abs(row[n - 1] / n - 0.5) > 1.645 * (0.25 / n) ** 0.5 for n in LOOKS[2:]) for row in sums)
    assert missed > WORST


@pytest.mark.parametrize("p", [0.01, 0.2, 0.5])
def test_a_sum_without_drift_strays_beyond_its_boundary_no_more_often_than_alpha(p: float) -> None:
    rng = np.random.default_rng(2)
    steps = (rng.random((RUNS, LOOKS[-1])) < p).astype(float) - (rng.random((RUNS, LOOKS[-1])) < p)
    sums, variance = np.cumsum(steps, axis=1), 2 * p * (1 - p)
    missed = sum(any(row[n - 1] > boundary(n * variance, ALPHA) for n in LOOKS) for row in sums)
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


@given(st.integers(1, 400), st.sampled_from([0.01, 0.05, 0.2]))
def test_ranks_are_ordered_and_a_boundary_grows_more_slowly_than_the_traffic(trials: int, alpha: float) -> None:
    low, high = quantile_ranks(0.9, trials, alpha)
    assert -1 <= low <= high <= trials
    assert boundary(trials, alpha) < boundary(10 * trials, alpha) < 10 * boundary(trials, alpha)


def test_nothing_is_known_of_nothing() -> None:
    assert distribution(0, 0.05) == 1.0
    nothing = compared(Measured(np.empty(0), np.empty(0, np.int64)), Measured(np.empty(0), np.empty(0, np.int64)))
    assert (nothing.weight, nothing.value) == (0.0, 0.0) and nothing.interval(0.05).high == np.inf
    assert nothing.times_needed(0.1, 0.05) == np.inf


rows = st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0.0, 0.25, 1.0])), min_size=1, max_size=60)


@given(rows, rows)
def test_a_minute_that_is_bad_for_both_is_no_difference(
    one: list[tuple[int, float]], two: list[tuple[int, float]]
) -> None:
    def side(made: list[tuple[int, float]], worse: bool) -> Measured:
        values = np.array([value / 2 + 0.5 * (worse and minute == 3) for minute, value in made])
        return Measured(values, np.array([minute for minute, _ in made]) * 1000)  # strata of an hour at most

    before, after = (compared(side(one, worse), side(two, worse)) for worse in (False, True))
    assert after.value == pytest.approx(before.value) and after.variance == pytest.approx(before.variance)
    back = compared(side(two, False), side(one, False))
    assert back.total == pytest.approx(-before.total) and back.weight == pytest.approx(before.weight)


@given(rows, rows)
def test_without_times_the_distance_is_that_of_kolmogorov_and_smirnov(
    one: list[tuple[int, float]], two: list[tuple[int, float]]
) -> None:
    first, second = (np.array([value for _, value in made]) for made in (one, two))
    never = np.empty(0, np.int64)
    found, weight = distance(Measured(first, never), Measured(second, never))
    points = np.unique(np.concatenate([first, second]))
    shares = [(side[:, None] <= points).mean(axis=0) for side in (first, second)]
    assert found == pytest.approx(np.abs(shares[0] - shares[1]).max(), abs=1e-12)
    assert weight == pytest.approx(first.size * second.size / (first.size + second.size))


def test_what_is_needed_settles_it() -> None:
    seen = Difference(weight=500, total=5.0, variance=20.0)
    times = seen.times_needed(0.03, 0.05)
    more = Difference(weight=500 * times, total=5.0 * times, variance=20.0 * times)
    assert more.interval(0.05).high <= 0.03 < seen.interval(0.05).high
