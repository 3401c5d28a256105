"""Which rows are most worth a label."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from modelyard.production.feedback.sample import WHYS, best, pick, uncertainty

worths = st.integers(0, 40).flatmap(
    lambda rows: st.fixed_dictionaries(
        {
            why: st.lists(st.integers(0, 5), min_size=rows, max_size=rows).map(lambda v: np.array(v, float))
            for why in WHYS
        }
    )
)


@given(worths, st.integers(1, 30))
def test_every_pick_has_its_reason_comes_once_and_reasons_take_turns(worth: dict, count: int) -> None:  # type: ignore[type-arg]
    found = pick(worth, count)
    rows = [row for row, _ in found]
    assert len(set(rows)) == len(rows) <= count
    assert all(worth[why][row] > 0 for row, why in found)
    worthy = set(np.flatnonzero(sum(values > 0 for values in worth.values())).tolist())
    assert len(rows) == min(count, len(worthy))
    assert set(rows) <= set(best(worth, count).tolist()), "what a part keeps is enough"
    for why in WHYS:
        last = max((i for i, (_, other) in enumerate(found) if other == why), default=-1)
        missed = [row for row in np.flatnonzero(worth[why] > 0).tolist() if row not in rows]
        if missed and len(found) == count:
            others = [sum(other == name for _, other in found) for name in WHYS]
            assert max(others) - others[WHYS.index(why)] <= 1, "a reason that could give more is not behind"
        assert last < len(found)


def test_the_border_is_the_least_certain_and_the_ends_are_the_most() -> None:
    found = uncertainty(np.array([0.0, 0.15, 0.3, 0.65, 1.0]), 0.3)
    np.testing.assert_allclose(found, [0.0, 0.5, 1.0, 0.5, 0.0])
    classes = uncertainty(np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.6, 0.3, 0.1]]), 0.5)
    np.testing.assert_allclose(classes, [1.0, 0.0, 0.7])
