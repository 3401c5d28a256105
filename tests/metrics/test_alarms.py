"""How often an alarm is false, and how often it comes when it should."""

from __future__ import annotations

import numpy as np
import pytest
from modelyard.metrics.drift import measure_drift
from modelyard.metrics.estimate import estimate_quality
from modelyard.metrics.profile import WindowThreshold, moments
from modelyard.metrics.scores import auc
from modelyard.metrics.tally import ColumnValues, RareLevels, Tally, profile_column, profile_table
from modelyard.metrics.thresholds import threshold_at, window_thresholds
from scipy import stats

COLUMNS, REPORTS = 50, 40


def draw(rng: np.random.Generator, rows: int, shift: float = 0.0) -> list[ColumnValues]:
    """Half numbers, half texts of seven levels; the shift is in the first column of each kind alone."""
    found = []
    for i in range(COLUMNS // 2):
        moved = shift if i == 0 else 0.0
        found.append(ColumnValues(f"n{i}", "float", rng.normal(moved, 1, rows)))
        odds = np.ones(7) + 6 * moved * (np.arange(7) == 0)
        counts = rng.multinomial(rows, odds / odds.sum())
        found.append(ColumnValues(f"t{i}", "string", Tally(np.array(list("abcdefg"), dtype=object), counts, 0)))
    return found


@pytest.mark.parametrize("rows", [200, 1_000, 10_000])
@pytest.mark.parametrize("small_reference", [False, True])
def test_false_alarms_stay_below_the_nominal_rate(rows: int, small_reference: bool) -> None:
    rng = np.random.default_rng(rows)
    alarms = 0
    for _ in range(REPORTS):
        base = profile_table(draw(rng, rows if small_reference else 20_000))
        drift = measure_drift(base, profile_table(draw(rng, rows), base), "ref")
        alarms += any(column.alarm for column in drift.columns)
    # Nominal are 5 % of reports; more than this would be seen once in a hundred times.
    assert alarms <= stats.binom.ppf(0.99, REPORTS, 0.05)


@pytest.mark.parametrize(("rows", "shift", "least"), [(200, 1.0, 0.9), (1_000, 0.5, 0.9), (10_000, 0.5, 1.0)])
def test_power(rows: int, shift: float, least: float) -> None:
    rng = np.random.default_rng(1)
    found = others = 0
    for _ in range(REPORTS):
        base = profile_table(draw(rng, 20_000))
        drift = measure_drift(base, profile_table(draw(rng, rows, shift), base), "ref")
        names = {column.name for column in drift.columns if column.alarm}
        others += bool(names - {"n0", "t0"})
        found += "n0" in names
    assert found / REPORTS >= least
    assert others <= stats.binom.ppf(0.99, REPORTS, 0.05)


def test_drift_of_an_unused_column_raises_no_alarm() -> None:
    from dataclasses import replace

    rng = np.random.default_rng(0)
    base = profile_table([ColumnValues("x", "float", rng.normal(size=2000))])
    current = profile_table([ColumnValues("x", "float", rng.normal(3, 1, size=2000))], base)
    for importance, alarm in ((None, True), (0.2, True), (0.001, False)):
        known = replace(base, columns=(replace(base.columns[0], importance=importance),))
        column = measure_drift(known, current, "ref").columns[0]
        assert (column.state, column.alarm) == ("drifted", alarm)


def test_thresholds_of_dependent_rows_are_above_chance() -> None:
    rng = np.random.default_rng(0)
    days = np.repeat(np.arange(90), 200)
    alike = rng.normal(size=days.size)
    weather = alike + rng.normal(size=90)[days]

    def thresholds(values: np.ndarray) -> tuple[WindowThreshold, ...]:
        edges = np.quantile(values, np.linspace(0, 1, 21))
        return window_thresholds(np.searchsorted(edges, values), 22, days)

    independent, dependent = thresholds(alike), thresholds(weather)
    assert [t.rows for t in independent] == [200, 1_000]
    assert dependent[0].js > 1.5 * independent[0].js
    assert thresholds(alike) == independent, "seeded"
    assert independent[0].js > threshold_at(independent, 500, 18_000, 21) > independent[1].js
    assert threshold_at((), 200, 18_000, 21) == pytest.approx(independent[0].js, rel=0.25), "chance, by formula"


def test_quality_without_labels_is_right_for_a_calibrated_model() -> None:
    rng = np.random.default_rng(0)
    inside = np.zeros(3)
    for _ in range(200):
        p = rng.beta(1, 3, 1000)
        label = (rng.random(1000) < p).astype(float)
        true = {"auc": auc(label, p), "accuracy": ((p >= 0.5) == label).mean(), "brier": ((p - label) ** 2).mean()}
        found = estimate_quality(p, 0.5)
        assert found is not None
        inside += [m.interval.low <= (true[m.name] or 0) <= m.interval.high for m in found.metrics]
    assert (inside >= 180).all(), "95 of 100, give or take"
    assert estimate_quality(np.full(100, 0.5), 0.5) is None


def test_rare_levels_do_not_appear_by_name() -> None:
    texts = np.array(["usual"] * 500 + ["Ada Lovelace"] * 2 + [None], dtype=object)
    for become in ("suppressed", "hashed"):
        rare = RareLevels(10, become)
        base = profile_column(ColumnValues("name", "string", texts, rare=rare))
        assert "Ada" not in repr(base)
        again = profile_column(ColumnValues("name", "string", np.append(texts, "Grace Hopper"), rare=rare), base)
        assert again.levels and again.levels.new == 1, "a level the reference never had"
        assert sum(again.levels.counts) + again.levels.other == 502


def test_moments_are_those_of_numpy() -> None:
    values = np.random.default_rng(0).lognormal(3, 2, 10_000)
    found = moments(values)
    assert found.mean(values.size) == pytest.approx(values.mean(), rel=1e-6)
    assert found.deviation(values.size) == pytest.approx(values.std(), rel=1e-6)
