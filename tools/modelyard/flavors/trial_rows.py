"""The rows that a trial asks a model for: every one of them is a valid request, and they are the same each time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from .interface import Explained, Scorer
from .signature import Input, Signature
from .values import Columns, canonical, value_range

RANDOM_ROWS, _SINGLE_ROWS = 200, 8
_EXPLAINED = 10
"""Rows of each table; an explanation takes much longer than a score."""
_TEXTS = ("", "0", "a", "None", "é中", "x" * 300, "-1", "true")
_SCALES = (1e-3, 1.0, 10.0, 1e4)


def ask_all(scorer: Scorer, signature: Signature) -> None:
    """Scores all trial rows, and explains them where the library can.

    A model may refuse rows; what matters is that the process lives and the calls return.
    """
    for columns in trial_rows(signature):
        with suppress(Exception):  # such as missing values that an estimator does not take
            scorer.score(columns)
        if isinstance(scorer, Explained):
            with suppress(Exception):
                scorer.contributions({name: values[:_EXPLAINED] for name, values in columns.items()})
    if isinstance(scorer, Explained):
        with suppress(Exception):
            scorer.importance()


def trial_rows(signature: Signature) -> Iterator[Columns]:
    """Tables of rows: nulls; zeros; the extremes of each input; known and unknown categories; random rows."""
    inputs = signature.inputs
    yield {column.name: canonical(column, [None]) for column in inputs}
    yield {column.name: canonical(column, [_zero(column)]) for column in inputs}
    for lowest in (True, False):  # all at once, then one input at a time
        yield {column.name: canonical(column, [_extreme(column, lowest)]) for column in inputs}
        yield {
            column.name: canonical(
                column,
                [
                    _extreme(column, lowest) if at == row else _zero(column)
                    for row in range(min(len(inputs), RANDOM_ROWS))
                ],
            )
            for at, column in enumerate(inputs)
        }
    rng = np.random.default_rng(20_260_101)
    drawn = {column.name: [_drawn(column, rng) for _ in range(RANDOM_ROWS)] for column in inputs}
    yield {column.name: canonical(column, drawn[column.name]) for column in inputs}
    for row in range(_SINGLE_ROWS):  # some libraries take another path for one row
        yield {column.name: canonical(column, drawn[column.name][row : row + 1]) for column in inputs}


def _limits(column: Input) -> tuple[float, float]:
    """The smallest and the largest number that a request may hold."""
    low, high = value_range(column.kind)
    return (
        low if column.minimum is None else max(low, column.minimum),
        high if column.maximum is None else min(high, column.maximum),
    )


def _zero(column: Input) -> Any:
    if column.is_text:
        return column.categories[0] if column.categories else ""
    return _vector(column, _fitting(column, 0.0))


def _extreme(column: Input, lowest: bool) -> Any:
    if column.is_text:
        return (column.categories or _TEXTS)[0 if lowest else -1]
    return _vector(column, _fitting(column, -np.inf if lowest else np.inf))


def _drawn(column: Input, rng: np.random.Generator) -> Any:
    if column.nullable and rng.random() < 0.1:
        return None
    if column.categories and rng.random() < 0.9:
        return column.categories[int(rng.integers(len(column.categories)))]
    if column.is_text:
        return _TEXTS[int(rng.integers(len(_TEXTS)))]
    if column.kind == "vector":
        return [_number(column, rng) for _ in range(column.length)]
    return _number(column, rng)


def _number(column: Input, rng: np.random.Generator) -> float:
    """One within the limits: evenly between them where the contract has both, else of many sizes around zero."""
    low, high = _limits(column)
    if column.kind in ("boolean", "date", "timestamp") or (column.minimum is not None and column.maximum is not None):
        return _fitting(column, float(rng.uniform(low, high)))
    return _fitting(column, float(rng.normal() * _SCALES[int(rng.integers(len(_SCALES)))]))


def _fitting(column: Input, value: float) -> float:
    low, high = _limits(column)
    near = min(max(value, low), high)
    if column.kind in ("float", "timestamp", "vector"):
        return near
    whole = float(np.rint(near))
    return whole if low <= whole <= high else float(np.trunc(near))


def _vector(column: Input, value: float) -> Any:
    return [value] * column.length if column.kind == "vector" else value
