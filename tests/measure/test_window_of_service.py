"""Burn rates, outliers and coded profiles against their plain definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.measure.coding import level_codes, number_codes, profile_codes
from modelyard.measure.profiling import ColumnValues, RareLevels, profile_column
from modelyard.measure.service import FEWEST, Objective, Requests, burn, latency
from modelyard.measure.surprise import REFERENCE_RATE, bits, outliers, threshold

UNTIL = 1_000_000.0


def naive(requests: Requests, objective: Objective, at: float, seconds: float, fewest: int) -> float | None:
    inside = (requests.at < at) & (requests.at >= at - seconds)
    if inside.sum() < fewest:
        return None
    bad = requests.failed | (requests.milliseconds > (objective.maximum_milliseconds or np.inf))
    return float(bad[inside].mean() / (1 - objective.share))


@given(st.integers(0, 400), st.integers(0, 2**32 - 1), st.sampled_from([None, 50.0]))
def test_burn_rates_are_those_of_the_definition(count: int, seed: int, limit: float | None) -> None:
    random = np.random.default_rng(seed)
    at = UNTIL - 60 * random.integers(1, 600, count) + random.uniform(0.1, 59.9, count)
    requests = Requests(at, random.uniform(0, 100, count), random.random(count) < 0.1)
    objective = Objective("o", 0.99, limit, 3600, 300)
    found = burn(requests, objective, UNTIL)
    assert found.requests == count
    if count:
        assert found.long == pytest.approx(naive(requests, objective, UNTIL, 3600, FEWEST))
        assert found.short == pytest.approx(naive(requests, objective, UNTIL, 300, 1))
        ends = [UNTIL - 60 * m for m in range(600)]
        both = [
            (naive(requests, objective, end, 3600, FEWEST), naive(requests, objective, end, 300, 1)) for end in ends
        ]
        worst = max((min(a, b) for a, b in both if a is not None and b is not None), default=None)
        assert found.worst == pytest.approx(worst)


def test_latency_leaves_failed_requests_out() -> None:
    found = latency(Requests(np.zeros(4), np.array([1.0, 2.0, 3.0, 900.0]), np.array([False, False, False, True])))
    assert found.p50 == 2.0
    assert latency(Requests(np.empty(0), np.empty(0), np.empty(0, dtype=bool))).p99 is None


numbers = st.lists(st.sampled_from([0.0, 1.0, 2.5, 7.0, np.nan, np.inf, -np.inf, 1e300]), max_size=60)


@given(numbers, numbers)
def test_a_profile_from_codes_is_the_profile_of_the_values(before: list[float], after: list[float]) -> None:
    column = ColumnValues("x", "float", np.array(before, dtype=np.float64))
    reference = profile_column(column)
    values = np.array(after, dtype=np.float64)
    coded = profile_codes(number_codes(values, reference), reference, values)
    assert coded == profile_column(ColumnValues("x", "float", values), reference)


texts = st.lists(st.sampled_from(["a", "b", "c", "rare", "new", None]), max_size=60)


@given(texts, texts, st.sampled_from([RareLevels(), RareLevels(3), RareLevels(3, "hashed")]))
def test_the_same_of_texts(before: list[str | None], after: list[str | None], rare: RareLevels) -> None:
    reference = profile_column(ColumnValues("x", "string", np.array(before, dtype=object), "input", rare))
    names = [*sorted({text for text in after if text is not None}), None]
    places = np.array([names.index(text) for text in after], dtype=np.int64)
    codes = level_codes(names, reference)[places]
    expected = profile_column(ColumnValues("x", "string", np.array(after, dtype=object)), reference)
    assert profile_codes(codes, reference, None) == expected


def test_one_row_in_a_hundred_of_the_reference_is_an_outlier_and_strange_rows_are() -> None:
    random = np.random.default_rng(1)
    values = random.normal(size=50_000)
    reference = profile_column(ColumnValues("x", "float", values))
    surprise = bits(reference)[number_codes(values, reference)]
    limit = threshold(surprise)
    assert limit is not None
    assert (surprise > limit).mean() <= REFERENCE_RATE
    beyond = bits(reference)[number_codes(np.array([40.0, np.nan]), reference)]
    assert (beyond > limit).all()
    found = outliers([int((surprise > limit).sum()), 500], 50_500)
    assert found is not None
    assert found.interval.low < found.rate < found.interval.high
    assert outliers([], 0) is None
    assert threshold(surprise[:999]) is None
