"""What whylogs knows of a column, in the bins of a profile: nothing is lost and nothing is invented."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.candidate.whylogs_profiles import Counted, holds_profiles, in_bins
from modelyard.errors import ModelyardError
from modelyard.metrics.profile import ColumnProfile
from modelyard.metrics.tally import ColumnValues, profile_column

HERE = "profiles"
NUMBERS = np.array([0.0, 1.0, 1.0, 2.0, 5.0, np.nan])
LEVELS = np.array(["red", "red", "blue", None], dtype=object)
NUMERIC = profile_column(ColumnValues("x", "float", NUMBERS))
COLOUR = profile_column(ColumnValues("colour", "string", LEVELS))


def one(column: ColumnProfile, counted: Counted) -> ColumnProfile:
    return in_bins({column.name: counted}, [column], HERE).profile.columns[0]


def test_numbers_come_back_in_their_own_bins() -> None:
    assert NUMERIC.numeric is not None
    below = tuple(float(np.mean(NUMBERS[:-1] < edge)) for edge in NUMERIC.numeric.edges)
    found = one(NUMERIC, Counted(rows=6, nulls=1, below=below))
    assert found.bins() == NUMERIC.bins()


def test_levels_come_back_and_an_unknown_one_is_new() -> None:
    assert one(COLOUR, Counted(4, 1, levels={"red": 2, "blue": 1})).bins() == COLOUR.bins()
    assert one(COLOUR, Counted(4, 1, levels={"red": 2, "green": 1})).levels.new == 1  # type: ignore[union-attr]


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.lists(st.floats(0, 1), min_size=5, max_size=5))
def test_the_bins_of_numbers_hold_every_row_once(rows: int, nulls: int, shares: list[float]) -> None:
    assert NUMERIC.numeric is not None and len(NUMERIC.numeric.edges) == 5
    nulls = min(nulls, rows)
    found = one(NUMERIC, Counted(rows, nulls, below=tuple(sorted(shares))))
    assert sum(found.bins()[1]) == rows and min(found.bins()[1]) >= 0


@given(st.integers(0, 1000), st.dictionaries(st.sampled_from(["red", "blue", "green", "grey"]), st.integers(0, 300)))
def test_the_bins_of_levels_hold_every_row_once(forgotten: int, levels: dict[str, int]) -> None:
    rows = sum(levels.values()) + forgotten
    assert sum(one(COLOUR, Counted(rows, 0, levels=levels)).bins()[1]) == rows


def test_a_column_without_numbers_is_missing_everywhere() -> None:
    found = one(NUMERIC, Counted(rows=9, nulls=9))
    assert (found.rows, found.nulls, sum(found.numeric.counts)) == (9, 9, 0)  # type: ignore[union-attr]


def test_profiles_of_something_else_are_an_error_and_a_lacking_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelyardError, match="no column that the contract names"):
        in_bins({}, [NUMERIC], HERE)
    label = replace(NUMERIC, name="label", role="label")
    found = in_bins({"x": Counted(9, 9), "label": Counted(9, 9)}, [NUMERIC, COLOUR, label], HERE)
    assert [column.name for column in found.profile.columns] == ["x"], "labels that did not arrive are not drift"
    assert found.faults == {"colour": "the profiles of whylogs lack it"}
    assert not holds_profiles(tmp_path)
    (tmp_path / "2026-05-01.bin").touch()
    assert holds_profiles(tmp_path) and not holds_profiles(tmp_path / "2026-05-01.bin")
