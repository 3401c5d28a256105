from __future__ import annotations

from typing import Any

import numpy as np
from modelyard.flavors.signature import Input, Signature
from modelyard.flavors.trial_rows import RANDOM_ROWS, ask_all, trial_rows
from modelyard.flavors.values import EXACT, LARGEST, Columns, Floats, breaches

SIGNATURE = Signature(
    "m", "v1.0.0", "binary",
    (
        Input("free", "float", True), Input("whole", "integer"), Input("bounded", "integer", minimum=-3, maximum=4),
        Input("level", "string", categories=("x", "y")), Input("text", "string"), Input("day", "date"),
        Input("time", "timestamp", True), Input("spot", "vector", length=2, minimum=-1.0), Input("yes", "boolean"),
        Input("grade", "integer", categories=(3.0, 7.0)),
    ),
)  # fmt: skip


def asked() -> list[Columns]:
    found: list[Columns] = []

    class Recorder:
        def score(self, columns: Columns) -> Floats:
            found.append(columns)
            raise ValueError("a model may refuse rows")

        def close(self) -> None:
            pass

    ask_all(Recorder(), SIGNATURE)
    return found


def column(tables: list[Columns], name: str) -> list[Any]:
    return [value for table in tables for value in table[name]]


def test_the_first_row_is_of_nulls_and_every_other_is_a_valid_request() -> None:
    first, *others = asked()
    assert all(len(values) == 1 for values in first.values())
    assert np.isnan(first["whole"][0]) and first["text"] == [None]  # type: ignore[arg-type]
    for table in others:
        for one in SIGNATURE.inputs:
            assert not list(breaches(one, table[one.name])) or not [
                what for what, rows in breaches(one, table[one.name]) if rows.any()
            ], one.name
    assert max(len(table["free"]) for table in others) == RANDOM_ROWS


def test_the_extremes_of_each_input_are_asked() -> None:
    _, *tables = asked()
    for name, low, high in (
        ("free", -LARGEST, LARGEST), ("whole", -EXACT, EXACT), ("bounded", -3, 4), ("yes", 0, 1),
        ("day", -719_162, 2_932_896),
    ):  # fmt: skip
        values = column(tables, name)
        assert np.nanmin(values) == low and np.nanmax(values) == high, name
        assert np.nanmin(np.abs(values)) == 0
    spots = np.array(column(tables, "spot"))
    assert spots.min() == -1 and spots.max() == LARGEST


def test_known_and_unknown_categories_and_nulls_are_mixed() -> None:
    _, *tables = asked()
    assert {"x", "y", None} == set(column(tables, "level"))
    assert {3.0, 7.0} < {*column(tables, "grade")}
    assert np.isnan(column(tables, "free")).any() and not np.isnan(column(tables, "whole")).any()
    assert len(set(column(tables, "text"))) > 5


def test_the_rows_are_the_same_each_time() -> None:
    for one, other in zip(trial_rows(SIGNATURE), trial_rows(SIGNATURE), strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_a_table_of_many_columns_is_no_table_of_as_many_rows() -> None:
    wide = Signature("m", "v1.0.0", "regression", tuple(Input(f"x{i}", "float") for i in range(210)))
    assert max(len(table["x0"]) for table in trial_rows(wide)) == RANDOM_ROWS
