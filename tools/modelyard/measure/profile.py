"""A small, mergeable summary of a table. Committed next to a model, it makes drift measurable without raw data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUANTILES = 20
MAXIMUM_LEVELS = 100


@dataclass(frozen=True)
class NumericBins:
    """Counts between frozen edges; the first and last bin are under- and overflow."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    """len(edges) + 1: below the first edge, between, at or above the last."""


@dataclass(frozen=True)
class LevelCounts:
    """Counts of the frozen top levels, and of everything else."""

    levels: tuple[str, ...]
    counts: tuple[int, ...]
    other: int


@dataclass(frozen=True)
class ColumnProfile:
    """One column. ``rows`` counts all; nulls and infinities are in no bin. Sums are over the finite values."""

    name: str
    type: str
    rows: int
    nulls: int
    infinities: int = 0
    minimum: float | None = None
    maximum: float | None = None
    total: float = 0.0
    total_squares: float = 0.0
    numeric: NumericBins | None = None
    levels: LevelCounts | None = None


@dataclass(frozen=True)
class Profile:
    """One table."""

    rows: int
    columns: tuple[ColumnProfile, ...]

    def column(self, name: str) -> ColumnProfile | None:
        """The column of that name."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True)
class ColumnValues:
    """The values of one column and the type its contract gives it (integer, float, string or boolean)."""

    name: str
    type: str
    values: NDArray[Any]


def profile_table(columns: list[ColumnValues], reference: Profile | None = None) -> Profile:
    """Summarises columns of equal length; with a reference, into the reference's own bins and levels."""
    profiles = tuple(profile_column(column, reference.column(column.name) if reference else None) for column in columns)
    return Profile(profiles[0].rows if profiles else 0, profiles)


def profile_column(column: ColumnValues, reference: ColumnProfile | None = None) -> ColumnProfile:
    """Summarises one column. Without a reference its own quantiles or top levels become the bins."""
    if column.type in ("integer", "float"):
        return _numeric(column, reference)
    return _levels(column, reference)


def merge(first: Profile, second: Profile) -> Profile:
    """The profile of both tables together. Both must have been made with the same bins."""
    return Profile(
        first.rows + second.rows,
        tuple(_merge(a, b) for a, b in zip(first.columns, second.columns, strict=True)),
    )


def _numeric(column: ColumnValues, reference: ColumnProfile | None) -> ColumnProfile:
    try:
        values = column.values.astype(np.float64)
    except (TypeError, ValueError):
        values = np.array([_number(value) for value in column.values], dtype=np.float64)
    nulls = int(np.isnan(values).sum())
    finite = values[np.isfinite(values)]
    if reference is not None and reference.numeric is not None:
        edges = np.asarray(reference.numeric.edges)
    else:
        edges = _edges(finite)
    counts = np.bincount(np.searchsorted(edges, finite, side="right"), minlength=edges.size + 1)
    return ColumnProfile(
        column.name,
        column.type,
        int(values.size),
        nulls,
        int(values.size - nulls - finite.size),
        float(finite.min()) if finite.size else None,
        float(finite.max()) if finite.size else None,
        float(finite.sum()),
        float((finite**2).sum()),
        NumericBins(tuple(float(edge) for edge in edges), tuple(int(count) for count in counts)),
    )


def _edges(finite: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges at the values themselves when they are few, at quantiles otherwise."""
    distinct = np.unique(finite)
    if distinct.size <= QUANTILES:
        return distinct
    return np.unique(np.quantile(finite, np.linspace(0, 1, QUANTILES + 1), method="inverted_cdf"))


def _levels(column: ColumnValues, reference: ColumnProfile | None) -> ColumnProfile:
    texts = np.array([_text(value) for value in column.values], dtype=object)
    known = texts[texts != ""] if texts.size else texts
    names, counts = np.unique(known.astype(str), return_counts=True) if known.size else (np.array([]), np.array([]))
    found = {str(name)[1:]: int(count) for name, count in zip(names, counts, strict=True)}
    if reference is not None and reference.levels is not None:
        top = list(reference.levels.levels)
    else:
        top = sorted(found, key=lambda name: (-found[name], name))[:MAXIMUM_LEVELS]
    inside = tuple(found.get(name, 0) for name in top)
    return ColumnProfile(
        column.name,
        column.type,
        int(texts.size),
        int(texts.size - known.size),
        levels=LevelCounts(tuple(top), inside, sum(found.values()) - sum(inside)),
    )


def _text(value: Any) -> str:
    """'' for a missing value, else the level behind a mark, so that the empty text stays a level."""
    return "" if value is None or value != value else f"={value}"


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def _merge(a: ColumnProfile, b: ColumnProfile) -> ColumnProfile:
    if a.numeric and b.numeric and a.numeric.edges != b.numeric.edges:
        raise ValueError(f"profiles of {a.name} have different edges")
    if a.levels and b.levels and a.levels.levels != b.levels.levels:
        raise ValueError(f"profiles of {a.name} have different levels")
    lows = [low for low in (a.minimum, b.minimum) if low is not None]
    highs = [high for high in (a.maximum, b.maximum) if high is not None]
    return replace(
        a,
        rows=a.rows + b.rows,
        nulls=a.nulls + b.nulls,
        infinities=a.infinities + b.infinities,
        minimum=min(lows, default=None),
        maximum=max(highs, default=None),
        total=a.total + b.total,
        total_squares=a.total_squares + b.total_squares,
        numeric=NumericBins(a.numeric.edges, _add(a.numeric.counts, b.numeric.counts))
        if a.numeric and b.numeric else None,
        levels=LevelCounts(a.levels.levels, _add(a.levels.counts, b.levels.counts), a.levels.other + b.levels.other)
        if a.levels and b.levels else None,
    )  # fmt: skip


def _add(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(x + y for x, y in zip(a, b, strict=True))
