"""Labelled rows that are kept so that they stand for all rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelyard.metrics.evaluation import Holdout
from modelyard.metrics.slices import Levels
from modelyard.metrics.thinning import kept_shares, thinned


def rows(label: np.ndarray, score: np.ndarray) -> Holdout:
    return Holdout(
        label, score, None, {"part": Levels(("a", "b"), np.arange(label.size) % 2)}, {}, np.arange(label.size)
    )


def test_what_is_kept_has_the_scores_of_all_rows() -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 10, 40_000)
    score = codes / 10 + rng.random(codes.size) / 10
    known = rng.random(codes.size) < np.linspace(0.9, 0.1, 10)[codes]
    arrived = np.array([np.bincount(codes[which], minlength=10) for which in (known, ~known)])
    shares = kept_shares(arrived)
    assert shares is not None and shares[-1] == 1.0 and shares[0] == pytest.approx(1 / 9, rel=0.1)
    kept = thinned(rows(score[known], score[known]), codes[known], shares)
    assert score[known].mean() < 0.4 and kept.candidate.mean() == pytest.approx(score.mean(), abs=0.01)
    assert kept.label.size == kept.candidate.size == kept.slices["part"].codes.size
    assert kept.blocks is not None and kept.blocks.tolist() == list(range(kept.label.size))
    again = thinned(rows(score[known], score[known]), codes[known], shares)
    assert np.array_equal(kept.candidate, again.candidate), "the same window gives the same figures"


def test_where_some_scores_never_get_a_label_nothing_stands_for_them() -> None:
    assert kept_shares(np.array([[500, 500, 0], [500, 500, 40]])) is None
    assert kept_shares(np.array([[500, 500, 0], [500, 500, 5]])) is not None, "half a percent is let go"
    assert kept_shares(np.zeros((2, 3), dtype=np.int64)) is None


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=30))
def test_shares_are_chances_and_the_rarest_label_is_always_kept(counts: list[tuple[int, int]]) -> None:
    shares = kept_shares(np.array(counts, dtype=np.int64).T)
    if shares is not None:
        assert shares.size == len(counts) and shares.max() == pytest.approx(1.0)
        assert ((shares > 0) & (shares <= 1)).all()
