"""Burn rates and coded profiles against their plain definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.metrics.scores import Floats
from modelyard.metrics.tally import ColumnValues, RareLevels, level_codes, number_codes, profile_codes, profile_column
from modelyard.metrics.window import FEWEST, Objective, burn, by_minute, latency
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
UNTIL = 1_000_000.0


def naive(at: Floats, bad: Flags, share: float, end: float, seconds: float, fewest: int) -> float | None:
    inside = (at < end) & (at >= end - seconds)
    return float(bad[inside].mean() / (1 - share)) if inside.sum() >= fewest else None


@given(st.integers(0, 400), st.integers(0, 2**32 - 1), st.sampled_from([None, 50.0]))
def test_burn_rates_are_those_of_the_definition(count: int, seed: int, limit: float | None) -> None:
    random = np.random.default_rng(seed)
    at = UNTIL - 60 * random.integers(1, 600, count) + random.uniform(0.1, 59.9, count)
    objective = Objective("o", 0.99, limit, 3600, 300)
    milliseconds, failed = random.uniform(0, 100, count), random.random(count) < 0.1
    bad = objective.bad(milliseconds, failed)
    assert (bad == (failed | (milliseconds > (limit or np.inf)))).all()
    found = burn(by_minute(at, UNTIL - 36_000, UNTIL), by_minute(at[bad], UNTIL - 36_000, UNTIL), objective, UNTIL)
    assert (found.requests, found.bad) == (count, int(bad.sum()))

    def rates(end: float) -> tuple[float | None, float | None]:
        return naive(at, bad, 0.99, end, 3600, FEWEST), naive(at, bad, 0.99, end, 300, 1)

    if count:
        assert found.long == pytest.approx(rates(UNTIL)[0])
        assert found.short == pytest.approx(rates(UNTIL)[1])
        both = [rates(UNTIL - 60 * minutes) for minutes in range(600)]
        worst = max((min(a, b) for a, b in both if a is not None and b is not None), default=None)
        assert found.worst == pytest.approx(worst)


def test_latency_quantiles_are_over_all_parts() -> None:
    assert latency([np.array([1.0, 2.0], np.float32), np.array([3.0, np.nan], np.float32)]).p50 == 2.0
    assert latency([]).p99 is None


numbers = st.lists(st.sampled_from([0.0, 1.0, 2.5, 7.0, np.nan, np.inf, -np.inf, 1e300]), max_size=60)


@given(numbers, numbers)
def test_a_profile_from_codes_equals_the_profile_of_the_values(before: list[float], after: list[float]) -> None:
    column = ColumnValues("x", "float", np.array(before, dtype=np.float64))
    reference = profile_column(column)
    values = np.array(after, dtype=np.float64)
    coded = profile_codes(number_codes(values, reference), reference, values)
    assert coded == profile_column(ColumnValues("x", "float", values), reference)


texts = st.lists(st.sampled_from(["a", "b", "c", "rare", "new", None]), max_size=60)


@given(texts, texts, st.sampled_from([RareLevels(), RareLevels(3), RareLevels(3, "hashed")]))
def test_a_profile_from_codes_of_texts_equals_the_profile_of_the_texts(
    before: list[str | None], after: list[str | None], rare: RareLevels
) -> None:
    reference = profile_column(ColumnValues("x", "string", np.array(before, dtype=object), "input", rare))
    names = [*sorted({text for text in after if text is not None}), None]
    places = np.array([names.index(text) for text in after], dtype=np.int64)
    codes = level_codes(names, reference)[places]
    expected = profile_column(ColumnValues("x", "string", np.array(after, dtype=object)), reference)
    assert profile_codes(codes, reference, None) == expected
