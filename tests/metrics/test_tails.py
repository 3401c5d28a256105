from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.metrics.tails import f_tail, t_quantile
from scipy import stats


@given(st.floats(0.01, 500), st.floats(1, 400), st.floats(1, 1e5))
def test_the_tail_of_f_is_scipys(value: float, above: float, below: float) -> None:
    assert f_tail(value, above, below) == pytest.approx(stats.f.sf(value, above, below), rel=1e-7, abs=1e-12)


@given(st.floats(0.55, 0.9999), st.floats(1, 1e5))
def test_quantiles_of_t_are_scipys(share: float, degrees: float) -> None:
    assert t_quantile(share, degrees) == pytest.approx(stats.t.ppf(share, degrees), rel=1e-6)


def test_the_edges() -> None:
    assert f_tail(0, 1, 5) == 1.0 and f_tail(-1, 1, 5) == 1.0
    assert t_quantile(0.975, float("inf")) == pytest.approx(1.959964, abs=1e-6)
