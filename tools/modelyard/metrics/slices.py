"""Columns cut into levels, and drift inside those slices."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modelyard.metrics.distances import chi_square_p, js_distance
from modelyard.metrics.scores import Floats, Integers

MISSING = "(missing)"
_PARTS = 4
_FEW = 10


@dataclass(frozen=True)
class Levels:
    """Names, and each row's index into them (rows,)."""

    names: tuple[str, ...]
    codes: Integers

    @classmethod
    def of(cls, values: Sequence[str]) -> Levels:
        """From one name a row."""
        names, codes = np.unique(np.asarray(values, dtype=np.str_), return_inverse=True)
        return cls(tuple(str(name) for name in names), codes.astype(np.int64))

    def first_of(self, rows: Integers) -> Levels:
        """The same levels for some rows."""
        return Levels(self.names, self.codes[rows])


def levels_of_numbers(values: Floats) -> Levels:
    """The levels of numbers: at most ten distinct values, or the quartiles of more. Missing is a level."""
    known = np.isfinite(values)
    distinct = np.unique(values[known])
    if distinct.size <= _FEW:
        names = [f"{value:g}" for value in distinct]
        codes = np.searchsorted(distinct, values)
    else:
        edges = np.unique(np.quantile(values[known], np.linspace(0, 1, _PARTS + 1), method="inverted_cdf"))
        inner = edges[1:-1]
        shown = [f"{edge:.6g}" for edge in edges]
        names = [f"{low} to {high}" for low, high in itertools.pairwise(shown)]
        codes = np.searchsorted(inner, values, side="left")
    codes = np.where(known, codes, len(names)).astype(np.int64)
    return Levels((*names, MISSING) if not known.all() else tuple(names), codes)


@dataclass(frozen=True)
class SliceDrift:
    """The drift of one column among the rows with one level of a slice column."""

    column: str
    level: str
    name: str
    """The column that is compared."""
    rows: int
    """Current rows of the slice."""
    reference_rows: int
    js: float
    p_value: float
    alarm: bool = False


@dataclass(frozen=True)
class Coded:
    """Both tables as codes: slice columns by level (the same levels on both sides), columns by bin."""

    slices: Mapping[str, tuple[Levels, Levels]]
    bins: Mapping[str, tuple[Integers, Integers]]


def slice_drifts(coded: Coded, minimum_rows: int) -> tuple[SliceDrift, ...]:
    """The distance and p-value of every column in every slice with enough rows on both sides."""
    found = []
    for column, (before, after) in coded.slices.items():
        count = len(before.names)
        rows = [np.bincount(side.codes, minlength=count) for side in (before, after)]
        enough = np.flatnonzero((rows[0] >= minimum_rows) & (rows[1] >= minimum_rows))
        for name, (first, second) in coded.bins.items():
            if name == column or not enough.size:
                continue
            width = int(max(first.max(initial=0), second.max(initial=0))) + 1
            tables = [_table(side, codes, count, width) for side, codes in ((before, first), (after, second))]
            for level in enough.tolist():
                b, a = (table[level] for table in tables)
                seen = (b + a) > 0
                found.append(SliceDrift(column, before.names[level], name, int(rows[1][level]), int(rows[0][level]),
                                        js_distance(b[seen], a[seen]), chi_square_p(b[seen], a[seen])))  # fmt: skip
    return tuple(found)


def _table(levels: Levels, codes: Integers, count: int, width: int) -> Floats:
    return np.bincount(levels.codes * width + codes, minlength=count * width).reshape(count, width).astype(np.float64)
