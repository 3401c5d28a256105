"""Profiles: small, mergeable summaries of tables. They allow drift to be measured without raw data."""

from __future__ import annotations

import base64
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

_DIGITS = 24
"""Binary digits of the reference's largest value: its mean is known to 6e-8 of that."""

_CHUNK = 2**17
_LARGEST = 2**31
"""The largest value in units, 128 times the reference's largest. Larger values are counted as it."""

_WELL_KNOWN = 50
"""Rows of a level whose share is known well enough to be compared, though it was chosen for its rows."""
_UNSEEN = 0.005
"""Largest share of rows with a level seen once, which is about the share of levels not yet seen (Good 1953)."""
_UNKNOWN = 0.05
"""Share of rows with a new level beyond what a reference can have missed that is no chance of few rows."""
DIGEST = 4
"""Bytes of a level's digest in ``LevelCounts.rest``."""

Role = Literal["input", "label", "score"]


@dataclass(frozen=True)
class Moments:
    """Sum and sum of squares of the finite values."""

    unit: float
    total: str
    """In units, as decimal digits, because some JSON readers round long numbers."""
    squares: str
    """In units squared."""

    def mean(self, count: int) -> float | None:
        """The mean of ``count`` values; None without any."""
        return int(self.total) * self.unit / count if count else None

    def deviation(self, count: int) -> float | None:
        """Standard deviation (of the population, as ``numpy.std``); None without any value."""
        if not count:
            return None
        spread = int(self.squares) * count - int(self.total) ** 2  # exact
        return math.sqrt(max(spread, 0)) / count * self.unit


def moments(finite: NDArray[np.float64], unit: float | None = None) -> Moments:
    """The moments of finite values (n,), in a given unit or in that of their largest value."""
    if unit is None:
        largest = float(max(abs(finite.min()), abs(finite.max()))) if finite.size else 0.0
        unit = 2.0 ** max(math.frexp(largest)[1] - _DIGITS, -1000) if largest else 2.0**-_DIGITS
    total = squares = 0
    for at in range(0, finite.size, _CHUNK):
        with np.errstate(over="ignore"):
            counted = np.rint(np.clip(finite[at : at + _CHUNK] / unit, -_LARGEST, _LARGEST)).astype(np.int64)
        high, low = counted >> 16, counted & 0xFFFF
        total += int(counted.sum())
        squares += (int(high @ high) << 32) + (int(high @ low) << 17) + int(low @ low)
    return Moments(unit, str(total), str(squares))


def add_moments(a: Moments, b: Moments) -> Moments:
    """The moments of both together, which must have the same unit."""
    if a.unit != b.unit:
        raise ValueError("moments in different units")
    return Moments(a.unit, str(int(a.total) + int(b.total)), str(int(a.squares) + int(b.squares)))


@dataclass(frozen=True)
class NumericBins:
    """Counts between frozen edges; the first and last bin are under- and overflow."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    """len(edges) + 1 counts: below the first edge, between edges, above the last (just above the largest value)."""


@dataclass(frozen=True)
class LevelCounts:
    """Counts of the frozen top levels, and of all other levels."""

    levels: tuple[str, ...]
    counts: tuple[int, ...]
    other: int
    """Rows with a level of the reference that is not among its top levels."""
    new: int = 0
    """Rows with a level that the reference does not have."""
    rest: str | None = ""
    """Digests of the reference's levels beyond the top, in order; None in profiles that store none of them, and then
    new levels count as ``other``."""
    sampled: bool = False
    """Whether ``rest`` has only the smallest digests, because there were too many levels."""

    @property
    def distinct(self) -> int | None:
        """How many levels the reference has, estimated where ``rest`` is a sample; None where it is not stored."""
        if self.rest is None:
            return None
        digests = base64.b85decode(self.rest)
        beyond = len(digests) // DIGEST
        if self.sampled:  # digests are spread evenly, so the largest stored one says how many there are
            beyond = round(beyond * 2 ** (8 * DIGEST) / (int.from_bytes(digests[-DIGEST:], "big") + 1))
        return len(self.levels) + beyond


@dataclass(frozen=True)
class WindowSpread:
    """How far windows of consecutive blocks lie from the rest of the reference, beyond the chance of their rows."""

    blocks: int
    """Of a window."""
    windows: int
    """Windows of that length in the reference, without overlap."""
    excess: float
    """Mean of 8 · JS² beyond chance."""
    rare: float = 0.0
    """Variance, between windows, of the share of rows in bins that the reference hardly ever has."""


@dataclass(frozen=True)
class ColumnProfile:
    """The profile of one column. ``rows`` counts all rows; nulls and infinities are in no bin."""

    name: str
    type: str
    rows: int
    nulls: int
    role: Role = "input"
    infinities: int = 0
    minimum: float | None = None
    maximum: float | None = None
    moments: Moments | None = None
    numeric: NumericBins | None = None
    levels: LevelCounts | None = None
    spreads: tuple[WindowSpread, ...] = ()
    """Frozen by the reference, as are ``importance`` and ``scores``; merging keeps them."""
    importance: float | None = None
    """The model's share of gain from this input, 0 to 1."""
    scores: tuple[float | None, ...] = ()
    """Mean prediction in each of ``bins()``."""

    def bins(self) -> tuple[list[str], list[int]]:
        """Names and counts of all bins. Every row is in exactly one."""
        if self.numeric:
            edges = [f"{edge:.6g}" for edge in self.numeric.edges]
            between = [f"{low} to {high}" if low != high else low for low, high in itertools.pairwise(edges)]
            names = [f"< {edges[0]}", *between, f"> {edges[-1]}"] if edges else ["any"]
            names, counts = [*names, "infinite"], [*self.numeric.counts, self.infinities]
        elif self.levels:
            names = [*self.levels.levels, "(other)", "(new)"]
            counts = [*self.levels.counts, self.levels.other, self.levels.new]
        else:
            names, counts = [], []
        return [*names, "(missing)"], [*counts, self.nulls]

    def comparable(self, new: float = 0.0) -> NDArray[np.int64]:
        """The bin (bins,) that each of ``bins()`` is compared in: levels that this profile knows too little of share
        one.

        Levels that are seldom here, those beyond the top and new ones are one bin: the most frequent of many rare
        levels are so by chance, and among many rare levels some have not been seen yet. A level of fifty rows stands
        for itself; where hardly any level was seen once only, all do. New levels stand for themselves where their share
        ``new`` is more than this profile can have missed: the levels seen once, of which there are at most all levels
        (Good 1953).
        """
        size = len(self.bins()[0])
        if not self.levels:
            return np.arange(size)
        counts = np.asarray(self.levels.counts, dtype=np.int64)
        complete = not self.levels.other and np.count_nonzero(counts == 1) <= _UNSEEN * self.rows
        kept = counts >= (0 if complete else _WELL_KNOWN)
        other, distinct = counts.size, self.levels.distinct
        missed = 1.0 if distinct is None else distinct / max(self.rows, 1)
        own = other + 1 if new > missed + _UNKNOWN else other
        return np.array([*np.where(kept, np.arange(counts.size), other), other, own, size - 1], dtype=np.int64)

    @property
    def finite(self) -> int:
        """Rows with a finite number."""
        return self.rows - self.nulls - self.infinities


@dataclass(frozen=True)
class RowShape:
    """Correlations of a table's rows, and their outlier limit (see ``outliers.py``)."""

    names: tuple[str, ...]
    """The numeric inputs with known correlations."""
    correlations: tuple[float, ...]
    """Correlations of their normal scores: the triangle below the diagonal, row by row."""
    limit: float
    """The score, in bits, that one in a hundred rows exceeds."""


@dataclass(frozen=True)
class Profile:
    """The profile of one table."""

    rows: int
    columns: tuple[ColumnProfile, ...]
    shape: RowShape | None = None
    """Frozen by the reference; merging drops it."""

    def column(self, name: str) -> ColumnProfile | None:
        """The column of that name."""
        return next((column for column in self.columns if column.name == name), None)


def merge(first: Profile, second: Profile) -> Profile:
    """The profile of both tables together. Both must have been made with the same bins."""
    return Profile(
        first.rows + second.rows,
        tuple(merge_columns([a, b]) for a, b in zip(first.columns, second.columns, strict=True)),
    )


def merge_columns(parts: Sequence[ColumnProfile]) -> ColumnProfile:
    """The profile of all parts (at least one) together; ValueError when their bins differ."""
    result = parts[0]
    for part in parts[1:]:
        result = _merge(result, part)
    return result


def _merge(a: ColumnProfile, b: ColumnProfile) -> ColumnProfile:
    if (a.numeric is None) != (b.numeric is None) or (a.numeric and b.numeric and a.numeric.edges != b.numeric.edges):
        raise ValueError(f"profiles of {a.name} have different edges")
    if (a.levels is None) != (b.levels is None) or (a.levels and b.levels and a.levels.levels != b.levels.levels):
        raise ValueError(f"profiles of {a.name} have different levels")
    lows = [low for low in (a.minimum, b.minimum) if low is not None]
    highs = [high for high in (a.maximum, b.maximum) if high is not None]
    numeric = replace(a.numeric, counts=_add(a.numeric.counts, b.numeric.counts)) if a.numeric and b.numeric else None
    levels = (
        replace(
            a.levels,
            counts=_add(a.levels.counts, b.levels.counts),
            other=a.levels.other + b.levels.other,
            new=a.levels.new + b.levels.new,
        )
        if a.levels and b.levels
        else None
    )
    return replace(
        a,
        rows=a.rows + b.rows,
        nulls=a.nulls + b.nulls,
        infinities=a.infinities + b.infinities,
        minimum=min(lows, default=None),
        maximum=max(highs, default=None),
        moments=add_moments(a.moments, b.moments) if a.moments and b.moments else None,
        numeric=numeric,
        levels=levels,
    )


def _add(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(x + y for x, y in zip(a, b, strict=True))
