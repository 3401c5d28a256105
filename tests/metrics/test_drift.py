from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelyard.metrics.distances import chi_square_p, js_distance
from modelyard.metrics.drift import benjamini_hochberg, measure_drift
from modelyard.metrics.profile import merge
from modelyard.metrics.tally import ColumnValues, profile_table
from scipy import stats
from scipy.spatial import distance

FLOATS = st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")) | st.just(float("inf")), max_size=60)
TEXTS = st.lists(st.sampled_from(["a", "b", "c", "", "new"]) | st.none(), max_size=60)


def numbers(name: str, values: object) -> ColumnValues:
    return ColumnValues(name, "float", np.asarray(values, dtype=float))


def texts(name: str, values: list[str | None]) -> ColumnValues:
    return ColumnValues(name, "string", np.array(values, dtype=object))


@given(FLOATS, FLOATS, FLOATS)
@settings(deadline=None)
def test_profiles_of_numbers_merge(reference: list[float], a: list[float], b: list[float]) -> None:
    base = profile_table([numbers("x", reference)])
    together = profile_table([numbers("x", a + b)], base)
    merged = merge(profile_table([numbers("x", a)], base), profile_table([numbers("x", b)], base))
    assert together == merged


@given(TEXTS, TEXTS, TEXTS)
@settings(deadline=None)
def test_profiles_of_levels_merge(reference: list[str | None], a: list[str | None], b: list[str | None]) -> None:
    base = profile_table([texts("x", reference)])
    merged = merge(profile_table([texts("x", a)], base), profile_table([texts("x", b)], base))
    assert profile_table([texts("x", a + b)], base) == merged


@given(FLOATS)
@settings(deadline=None)
def test_every_row_is_counted_once(values: list[float]) -> None:
    column = profile_table([numbers("x", values)]).columns[0]
    assert column.numeric and sum(column.numeric.counts) + column.nulls + column.infinities == len(values)


def test_statistics_equal_scipys() -> None:
    before, after = np.array([10.0, 20, 12, 70]), np.array([30.0, 10, 15, 55])
    assert js_distance(before, after) == pytest.approx(distance.jensenshannon(before, after), rel=1e-9)
    expected = stats.chi2_contingency(np.vstack([before, after]), correction=False).pvalue
    assert chi_square_p(before, after) == pytest.approx(expected, rel=1e-9)
    p = [0.001, 0.02, 0.03, 0.9, 0.04]
    assert benjamini_hochberg([*p, None], 0.05) == [*(stats.false_discovery_control(p) <= 0.05), False]


def state(reference: object, current: object) -> str:
    base = profile_table([numbers("x", reference)])
    return measure_drift(base, profile_table([numbers("x", current)], base), "ref").columns[0].state


def test_one_outlier_does_not_hide_a_shift() -> None:
    rng = np.random.default_rng(0)
    reference, shifted = rng.normal(size=4000), rng.normal(1, 1, size=4000)
    assert state(reference, shifted) == "drifted"
    assert state(np.append(reference, 1000.0), shifted) == "drifted"
    assert state(reference, np.append(shifted, 1000.0)) == "drifted"


def test_missing_values_are_part_of_drift() -> None:
    rng = np.random.default_rng(0)
    current = rng.normal(size=4000)
    current[:2000] = np.nan
    assert state(rng.normal(size=4000), current) == "drifted"


@pytest.mark.parametrize(("n", "m"), [(800, 800), (5000, 200), (50000, 1000), (1000, 10000)])
def test_false_alarms_are_rare_without_drift(n: int, m: int) -> None:
    rng = np.random.default_rng(n + m)
    reports = alarms = 0
    for _ in range(20):
        reference = [numbers(str(i), rng.normal(size=n)) for i in range(25)]
        current = [numbers(str(i), rng.normal(size=m)) for i in range(25)]
        base = profile_table(reference)
        drift = measure_drift(base, profile_table(current, base), "ref")
        reports += 1
        alarms += any(column.state == "drifted" for column in drift.columns)
    assert alarms / reports <= 0.15  # nominal 0.05 of reports; 20 reports have an error of about 0.05


def test_too_few_rows_are_insufficient_and_an_irrelevant_shift_is_stable() -> None:
    rng = np.random.default_rng(0)
    assert state(rng.normal(size=4000), rng.normal(5, 1, size=100)) == "insufficient"
    assert state(rng.normal(size=500000), rng.normal(0.02, 1, size=500000)) == "stable"
    assert state([], []) == "insufficient"


def test_one_bad_column_does_not_stop_the_others() -> None:
    rng = np.random.default_rng(0)
    good = rng.normal(size=1000)
    columns = [
        numbers("good", good),
        numbers("all_null", np.full(1000, np.nan)),
        numbers("constant", np.ones(1000)),
        numbers("infinite", np.full(1000, np.inf)),
        ColumnValues("mixed", "float", np.array([1, "x", None, 2.5] * 250, dtype=object)),
        texts("levels", [f"level{i}" for i in range(1000)]),
        texts("no_text", [None] * 1000),
    ]
    base = profile_table(columns)
    drift = measure_drift(base, profile_table(columns[:-1], base), "ref")
    states = {column.name: column.state for column in drift.columns}
    assert states.pop("no_text") == states.pop("all_null") == "insufficient"
    assert set(states.values()) == {"stable"}


def test_new_levels_are_seen() -> None:
    base = profile_table([texts("c", ["a", "b"] * 500)])
    drift = measure_drift(base, profile_table([texts("c", ["a", "z"] * 500)], base), "ref").columns[0]
    assert drift.state == "drifted" and drift.new_level_share == 0.5
