"""Counts by version and minute: growth of counters, buckets of histograms, and the samples that they become."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from modelyard.rollout import counts
from modelyard.rollout.counts import Counts, added, buckets, increments, samples_from

PER_MINUTE = st.dictionaries(st.integers(0, 500), st.floats(0, 400), max_size=30)


@given(PER_MINUTE, PER_MINUTE)
def test_the_sums_of_samples_are_those_of_the_counts(requests: dict[int, float], errors: dict[int, float]) -> None:
    asked = added([requests, errors])  # a failed request is one of all
    samples = samples_from(Counts(asked, errors))
    assert abs(samples.requests - sum(asked.values())) <= 1.5 + len(asked) * 1e-6 or samples.requests >= samples.errors
    assert abs(samples.errors - sum(errors.values())) <= 1
    assert 0 <= samples.errors <= samples.requests == len(samples.minutes.requests)
    failures = samples.failures
    of_minutes = np.bincount(failures.minutes[failures.values == 1].astype(int), minlength=501)
    for minute in errors:
        assert abs(of_minutes[minute] - errors[minute]) <= 1, "each failure is in its own minute"


@given(st.lists(st.tuples(st.integers(1, 5000), st.booleans()), min_size=1, max_size=40))
def test_a_counter_that_is_reset_loses_nothing(steps: list[tuple[int, bool]]) -> None:
    value, series = 0.0, [(0.0, 0.0)]
    for number, (grown, reset) in enumerate(steps, 1):
        value = grown if reset and grown < value else value + grown
        series.append((60.0 * number, value))
    found = increments(series, 0)
    assert sum(found.values()) == sum(grown for grown, _ in steps)
    assert all(0 <= minute < len(steps) for minute in found)


def test_what_was_before_the_rollout_is_no_sample_and_a_gap_is_no_growth() -> None:
    series = [(0.0, 50.0), (60.0, 80.0), (300.0, 90.0), (360.0, 90.0), (420.0, 95.0)]
    assert increments(series, since=60.0) == {4: 10.0, 6: 5.0}
    assert increments([(600.0, 7.0)], since=60.0) == {9: 7.0}, "a series of a new pod begins at 0"
    assert increments([], 0) == {}


def test_buckets_hold_the_lower_ones_until_they_are_taken_apart() -> None:
    cumulative = {100.0: {1: 5.0}, 250.0: {1: 9.0, 2: 3.0}, float("inf"): {1: 10.0, 2: 3.0}}
    assert buckets(cumulative) == {100.0: {1: 5.0}, 250.0: {1: 4.0, 2: 3.0}, float("inf"): {1: 1.0}}
    samples = samples_from(Counts({1: 10.0, 2: 3.0}, {}, buckets(cumulative)))
    found = np.sort(samples.latencies)
    assert list(found[:5]) == [10.0, 30.0, 50.0, 70.0, 90.0], "evenly in its bucket"
    assert ((found[5:12] > 100) & (found[5:12] < 250)).all() and list(found[12:]) == [float("inf")]
    assert sorted(samples.minutes.latencies) == [1] * 10 + [2] * 3


def test_very_many_requests_are_thinned_and_keep_their_shares() -> None:
    many = samples_from(Counts({0: 2e8, 1: 1e8}, {1: 3e6}, {10.0: {0: 3e8}}))
    assert abs(many.requests - counts.MOST_SAMPLES) <= 2 and abs(many.errors / many.requests - 0.01) < 1e-6
    assert len(many.latencies) <= counts.MOST_SAMPLES + 1
