"""How unlike the reference single rows are: the histogram-based outlier score (Goldstein & Dengel 2012).

A row's surprise is the sum over its inputs of −log₂ of the share that its bin had in the reference. It needs nothing
but the committed profile, and sees what no single column shows: a row that is a little odd everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelyard.measure.intervals import Interval, wilson
from modelyard.measure.profile import ColumnProfile
from modelyard.measure.scores import Floats

REFERENCE_RATE = 0.01
"""Share of the reference's own rows above the threshold."""


@dataclass(frozen=True)
class Outliers:
    """Rows above the threshold that one in a hundred rows of the reference exceeds."""

    rows: int
    found: int
    rate: float
    interval: Interval
    """95 %, Wilson's."""
    reference_rate: float = REFERENCE_RATE


def bits(column: ColumnProfile) -> Floats:
    """Surprise of each of ``column.bins()`` in bits, half a row added to each so that none is infinite."""
    counts = np.asarray(column.bins()[1], dtype=np.float64) + 0.5
    return np.asarray(-np.log2(counts / counts.sum()), dtype=np.float64)


def threshold(surprise: Floats) -> float | None:
    """What one in a hundred of the reference's rows (rows,) exceeds; None for fewer than a thousand rows."""
    return float(np.quantile(surprise, 1 - REFERENCE_RATE)) if surprise.size >= 1000 else None


def outliers(found: Sequence[int], rows: int) -> Outliers | None:
    """The share of rows above the threshold, from the counts of parts; None without rows."""
    total = sum(found)
    return Outliers(rows, total, total / rows, wilson(total, rows)) if rows else None
