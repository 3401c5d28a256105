from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelyard.metrics.distances import (
    chi_square_tail,
    hellinger,
    js_distance,
    ks_p,
    ks_statistic,
    psi,
    total_variation,
    wasserstein,
)
from scipy import stats
from scipy.spatial import distance

VALUES = st.lists(st.integers(-20, 20).map(float) | st.floats(-1e6, 1e6), min_size=1, max_size=400)


@given(VALUES, VALUES)
@settings(deadline=None, max_examples=300)
def test_exact_statistics_equal_scipys(a: list[float], b: list[float]) -> None:
    x, y = np.sort(np.array(a)), np.sort(np.array(b))
    found = stats.ks_2samp(x, y, method="asymp").statistic
    assert ks_statistic(x, y) == pytest.approx(found, abs=1e-12)
    assert wasserstein(x, y) == pytest.approx(stats.wasserstein_distance(x, y), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("decimals", [2, 15])
@pytest.mark.parametrize(
    ("n", "m", "shift"), [(300_000, 200_001, 0.0), (140_000, 140_000, 0.02), (9_000, 400_000, 1.0)]
)
def test_exact_statistics_equal_scipys_on_many_rows(n: int, m: int, shift: float, decimals: int) -> None:
    rng = np.random.default_rng(n)
    x = np.sort(np.round(rng.normal(size=n), decimals))
    y = np.sort(np.round(rng.normal(shift, 1.1, size=m), decimals))
    assert ks_statistic(x, y) == pytest.approx(stats.ks_2samp(x, y, method="asymp").statistic, abs=1e-12)
    assert wasserstein(x, y) == pytest.approx(stats.wasserstein_distance(x, y), rel=1e-9)


@given(st.floats(0.001, 2000), st.integers(1, 300))
@settings(deadline=None)
def test_chi_square_tail_equals_scipys(value: float, degrees: int) -> None:
    assert chi_square_tail(value, degrees) == pytest.approx(stats.chi2.sf(value, degrees), rel=1e-9, abs=1e-300)


@given(st.floats(0.0, 1.0), st.integers(1, 10**6), st.integers(1, 10**6))
@settings(deadline=None)
def test_ks_p_is_the_limiting_distribution(d: float, n: int, m: int) -> None:
    expected = stats.kstwobign.sf(d * math.sqrt(n * m / (n + m)))
    assert ks_p(d, n, m) == pytest.approx(expected, rel=1e-9, abs=1e-12)


COUNTS = st.lists(st.integers(0, 1000), min_size=3, max_size=3).filter(sum).map(lambda c: np.array(c, dtype=float))


@given(COUNTS, COUNTS)
@settings(deadline=None)
def test_distances_over_bins(before: np.ndarray, after: np.ndarray) -> None:
    p, q = before / before.sum(), after / after.sum()
    assert js_distance(before, after) == pytest.approx(distance.jensenshannon(p, q), rel=1e-9, abs=1e-7)
    assert total_variation(before, after) == pytest.approx(distance.cityblock(p, q) / 2, abs=1e-12)
    assert hellinger(before, after) ** 2 == pytest.approx(1 - np.sqrt(p * q).sum(), abs=1e-12)
    for measure in (js_distance, total_variation, hellinger, psi):
        assert measure(before, after) == pytest.approx(measure(after, before), abs=1e-12)
        assert measure(before, before) == pytest.approx(0, abs=1e-7)


def test_distances_equal_evidentlys() -> None:
    """Golden values by Evidently 0.7.23 with pandas 2, made by tests/metrics/make_evidently_goldens.py."""
    import json
    from pathlib import Path

    golden = json.loads((Path(__file__).parent / "evidently.json").read_text())
    for case in golden["cases"]:
        x, y = (np.sort(np.array(case[side])) for side in ("reference", "current"))
        assert ks_statistic(x, y) == pytest.approx(case["ks"], abs=1e-9)
        assert wasserstein(x, y) / max(x.std(), 0.001) == pytest.approx(case["wasserstein"], rel=1e-9)
        before, after = (np.array(case[f"{side}_counts"], dtype=float) for side in ("reference", "current"))
        assert js_distance(before, after) == pytest.approx(case["jensenshannon"], rel=1e-9)
