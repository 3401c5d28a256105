"""The change of the held-out rows against the champion's."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from modelyard.metrics.held_out import HoldoutChange, LabelledRows, compare_holdouts


def rows(labels: dict[str, str]) -> LabelledRows:
    return LabelledRows(np.array(list(labels), dtype=object), np.array(list(labels.values()), dtype=object))


def change(before: dict[str, str], now: dict[str, str], trained: dict[str, str] | None = None,
           days: dict[str, int] | None = None) -> tuple[int, int, int, int, int]:  # fmt: skip
    blocks = None
    if days is not None:
        blocks = tuple(np.array([days[one] for one in part], dtype=np.int64) for part in (before, now))
    found = compare_holdouts("v1.0.0", rows(before), rows(now), rows(trained or {}), blocks)  # type: ignore[arg-type]
    return found.kept, found.relabelled, found.removed, found.moved_on, found.added


BEFORE = {"a": "0", "b": "1", "c": "0"}


def test_rows_are_kept_relabelled_removed_and_added() -> None:
    assert change(BEFORE, BEFORE) == (3, 0, 0, 0, 0)
    assert change(BEFORE, {"c": "0", "a": "0", "b": "1", "d": "1"}) == (3, 0, 0, 0, 1)
    assert change(BEFORE, BEFORE | {"b": "0"}) == (3, 1, 0, 0, 0)
    assert change(BEFORE, {"a": "0", "e": "1"}) == (1, 0, 2, 0, 1)
    assert compare_holdouts("v1.0.0", rows(BEFORE), rows({})) == HoldoutChange("v1.0.0", rows=3, removed=3)


def test_a_window_that_moves_on_removes_nothing() -> None:
    days = {"a": 1, "b": 1, "c": 2, "d": 3}
    assert change(BEFORE, {"c": "0", "d": "1"}, {"a": "0", "b": "1"}, days) == (1, 0, 0, 2, 1)
    assert change(BEFORE, {"d": "1"}, BEFORE, days) == (0, 0, 0, 3, 1)
    assert change(BEFORE, {"d": "1"}, BEFORE | {"a": "1"}, days) == (0, 1, 0, 3, 1), "its labels still count"
    assert change(BEFORE, {"c": "0", "d": "1"}, {}, days) == (1, 0, 2, 0, 1), "they are in neither table"
    assert change(BEFORE, {"c": "0", "d": "1"}, {"a": "0", "b": "1"}) == (1, 0, 2, 0, 1), "nothing says their order"


def test_rows_are_not_chosen_by_learning_from_the_others() -> None:
    days = {"a": 1, "b": 2, "c": 3}
    assert change(BEFORE, {"a": "0", "c": "0"}, {"b": "1"}, days) == (2, 0, 1, 0, 0)
    blocks = np.array([1, 2, 3]), np.array([9, 9])  # the candidate dates the rows that it keeps later
    found = compare_holdouts("v1.0.0", rows(BEFORE), rows({"a": "0", "c": "0"}), rows({"b": "1"}), blocks)
    assert (found.removed, found.moved_on) == (1, 0)


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("01")),
       st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("01")),
       st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("01")), st.booleans())  # fmt: skip
def test_every_row_is_counted_once(
    before: dict[str, str], now: dict[str, str], trained: dict[str, str], ordered: bool
) -> None:
    days = {one: place for place, one in enumerate("abcdefgh")} if ordered else None
    kept, relabelled, removed, moved_on, added = change(before, now, trained, days)
    assert kept + removed + moved_on == len(before) and kept + added == len(now)
    assert relabelled <= len(before) and (ordered or moved_on == 0)
