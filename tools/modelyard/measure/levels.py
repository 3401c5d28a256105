"""A column cut into levels: its own, or quarters where it holds numbers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelyard.measure.scores import Floats, Integers

MISSING = "(missing)"
_PARTS = 4
_FEW = 10


@dataclass(frozen=True)
class Levels:
    """Names, and each row's place among them (rows,)."""

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
    """At most ten distinct values are levels of their own; more are cut at the quartiles. Missing is a level."""
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
