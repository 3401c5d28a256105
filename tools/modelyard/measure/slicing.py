"""Drift inside slices: a column may stay as it was over all rows and move in one part of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from modelyard.measure.distances import chi_square_p, js_distance
from modelyard.measure.levels import Levels
from modelyard.measure.scores import Floats, Integers


@dataclass(frozen=True)
class SliceDrift:
    """One column among the rows with one level of a slice column."""

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
    """Both tables, coded: slice columns by level (the same levels on both sides), columns by bin."""

    slices: Mapping[str, tuple[Levels, Levels]]
    bins: Mapping[str, tuple[Integers, Integers]]


def slice_drifts(coded: Coded, minimum_rows: int) -> tuple[SliceDrift, ...]:
    """Every column in every slice with enough rows on both sides; not judged yet."""
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
