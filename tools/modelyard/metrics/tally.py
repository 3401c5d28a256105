"""Profiles of values: bins by quantile or by level, frozen by the first profile and filled by later ones."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from modelyard.metrics.profile import ColumnProfile, LevelCounts, NumericBins, Profile, Role, moments
from modelyard.metrics.scores import Floats, Integers

QUANTILES = 20
MAXIMUM_LEVELS = 100
_MAXIMUM_REST = 400
"""Levels beyond the top for which a digest of four bytes is stored, to recognise new levels."""


@dataclass(frozen=True)
class Tally:
    """Counts of a text column: distinct levels (n,) with their rows, and rows without a value."""

    levels: NDArray[np.object_]
    counts: NDArray[np.int64]
    nulls: int


@dataclass(frozen=True)
class RareLevels:
    """How a new profile hides levels with fewer rows than ``below``."""

    below: int = 0
    become: Literal["suppressed", "hashed"] = "suppressed"


@dataclass(frozen=True)
class ColumnValues:
    """The values of a column: numbers as float64 (rows,) with NaN for missing, texts as objects with None, or
    counts."""

    name: str
    type: str
    """The type in the contract: integer, float, string or boolean."""
    values: NDArray[Any] | Tally
    role: Role = "input"
    rare: RareLevels = RareLevels()


def profile_table(columns: list[ColumnValues], reference: Profile | None = None) -> Profile:
    """The profile of columns of equal length; with a reference, in the reference's bins and levels."""
    profiles = tuple(profile_column(column, reference.column(column.name) if reference else None) for column in columns)
    return Profile(profiles[0].rows if profiles else 0, profiles)


def profile_column(column: ColumnValues, reference: ColumnProfile | None = None) -> ColumnProfile:
    """The profile of one column. Without a reference, its own quantiles or top levels become the bins."""
    values = column.values
    if isinstance(values, Tally):
        return profile_tally(column, values, reference)
    if column.type in ("integer", "float"):
        return profile_sorted(column, np.sort(_as_numbers(values)), reference)
    return profile_tally(column, tally(values), reference)


def profile_sorted(
    column: ColumnValues, ordered: NDArray[np.float64], reference: ColumnProfile | None = None
) -> ColumnProfile:
    """The profile of sorted numbers (NaN last)."""
    first = int(np.searchsorted(ordered, -np.inf, side="right"))
    last = int(np.searchsorted(ordered, np.inf, side="left"))
    known = int(np.searchsorted(ordered, np.inf, side="right"))
    finite = ordered[first:last]
    if reference is not None and reference.numeric is not None:
        edges = np.asarray(reference.numeric.edges)
    else:
        edges = _edges(finite)
    ends = np.searchsorted(finite, edges, side="left")
    counts = np.diff(np.concatenate([[0], ends, [finite.size]]))
    unit = reference.moments.unit if reference is not None and reference.moments else None
    return ColumnProfile(
        column.name,
        column.type,
        int(ordered.size),
        int(ordered.size - known),
        column.role,
        int(known - finite.size),
        float(finite[0]) if finite.size else None,
        float(finite[-1]) if finite.size else None,
        moments(finite, unit),
        NumericBins(tuple(edges.tolist()), tuple(counts.tolist())),
    )


def profile_tally(column: ColumnValues, found: Tally, reference: ColumnProfile | None = None) -> ColumnProfile:
    """The profile of a counted text column."""
    if reference is not None and reference.levels is not None:
        levels = _into(found, column.name, reference.levels)
    else:
        levels = _frozen(found, column.name, column.rare)
    rows = int(found.counts.sum()) + found.nulls
    return ColumnProfile(column.name, column.type, rows, found.nulls, column.role, levels=levels)


def tally(values: NDArray[Any]) -> Tally:
    """Counts texts (rows,); None and NaN are missing."""
    known = [str(value) for value in values if value is not None and value == value]
    counts: dict[str, int] = {}
    for value in known:
        counts[value] = counts.get(value, 0) + 1
    names = np.empty(len(counts), dtype=object)
    names[:] = list(counts)
    return Tally(names, np.array(list(counts.values()), dtype=np.int64), int(len(values) - len(known)))


def hashed(column: str, level: str) -> str:
    """The digest that replaces a rare level's name. Somebody who tries all possible names can still find it."""
    return "#" + hashlib.sha256(f"{column}\0{level}".encode()).hexdigest()[:16]


def level_places(names: Sequence[str], column: str, frozen: LevelCounts) -> NDArray[np.int64]:
    """The index at which each name is counted (names,): frozen levels, then ``other``, then ``new``."""
    at = {name: i for i, name in enumerate(frozen.levels)}
    digests = base64.b85decode(frozen.rest) if frozen.rest is not None else b""
    rest = {digests[i : i + 4] for i in range(0, len(digests), 4)}
    hides = any(name.startswith("#") for name in frozen.levels)

    def place(name: str) -> int:
        spellings = (name, hashed(column, name)) if hides else (name,)
        for spelt in spellings:
            if spelt in at:
                return at[spelt]
        known = frozen.rest is None or any(_digest(spelt) in rest for spelt in spellings)
        return len(at) if known else len(at) + 1

    return np.array([place(name) for name in names], dtype=np.int64)


def number_codes(values: Floats, reference: ColumnProfile) -> Integers:
    """Each value's index into ``reference.bins()`` (rows,); NaN is missing."""
    bins = len(reference.bins()[0])
    edges = np.asarray(reference.numeric.edges if reference.numeric else (), dtype=np.float64)
    codes = np.searchsorted(edges, values, side="right")
    strange = ~np.isfinite(values)
    if strange.any():
        codes[strange] = np.where(np.isnan(values[strange]), bins - 1, bins - 2)
    return codes.astype(np.int64, copy=False)


def level_codes(names: Sequence[str | None], reference: ColumnProfile) -> Integers:
    """The index into ``reference.bins()`` of distinct texts (names,); None is missing."""
    frozen = reference.levels or LevelCounts((), (), 0)
    known = [name for name in names if name is not None]
    places = iter(level_places(known, reference.name, frozen).tolist())
    missing = len(frozen.levels) + 2
    return np.array([missing if name is None else next(places) for name in names], dtype=np.int64)


def profile_codes(codes: Integers, reference: ColumnProfile, values: Floats | None) -> ColumnProfile:
    """The result of ``profile_column`` for the same rows, from counts. ``values`` may have any order."""
    counts = np.bincount(codes, minlength=len(reference.bins()[0])).tolist()
    empty = replace(reference, rows=int(codes.size), nulls=counts[-1], thresholds=(), importance=None, scores=())
    if reference.levels is not None:
        frozen = reference.levels
        return replace(empty, levels=replace(frozen, counts=tuple(counts[:-3]), other=counts[-3], new=counts[-2]))
    if reference.numeric is None or values is None:
        return empty
    finite = values[np.isfinite(values)]
    return replace(
        empty,
        infinities=counts[-2],
        minimum=float(finite.min()) if finite.size else None,
        maximum=float(finite.max()) if finite.size else None,
        moments=moments(finite, reference.moments.unit if reference.moments else None),
        numeric=NumericBins(reference.numeric.edges, tuple(counts[:-2])),
    )


def _edges(finite: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges at the values themselves if they are few, else at quantiles of the sorted values. The last edge is just
    above the largest value, so that the last bin has only overflow.
    """
    if not finite.size:
        return finite
    steps = finite[1:] != finite[:-1]
    if np.count_nonzero(steps) < QUANTILES:
        distinct = finite[np.concatenate([[True], steps])]
    else:
        at = np.ceil(np.linspace(0, 1, QUANTILES + 1) * finite.size).astype(np.int64) - 1  # the inverted empirical CDF
        distinct = np.unique(finite[np.maximum(at, 0)])
    return np.append(distinct, np.nextafter(distinct[-1], np.inf))


def _frozen(found: Tally, column: str, rare: RareLevels) -> LevelCounts:
    pairs = sorted(zip(found.levels.tolist(), found.counts.tolist(), strict=True), key=lambda p: (-p[1], p[0]))
    if rare.become == "hashed":
        pairs = [(hashed(column, name) if count < rare.below else name, count) for name, count in pairs]
        kept = pairs[:MAXIMUM_LEVELS]
    else:
        kept = [pair for pair in pairs[:MAXIMUM_LEVELS] if pair[1] >= rare.below]
    rest = [name for name, _ in pairs[len(kept) :]]
    digests = base64.b85encode(b"".join(sorted(_digest(name) for name in rest))).decode()
    return LevelCounts(
        tuple(name for name, _ in kept),
        tuple(count for _, count in kept),
        sum(count for _, count in pairs[len(kept) :]),
        0,
        digests if len(rest) <= _MAXIMUM_REST else None,
    )


def _into(found: Tally, column: str, frozen: LevelCounts) -> LevelCounts:
    places = level_places(found.levels.tolist(), column, frozen)
    counts = np.bincount(places, weights=found.counts, minlength=len(frozen.levels) + 2).astype(np.int64).tolist()
    return LevelCounts(frozen.levels, tuple(counts[:-2]), counts[-2], counts[-1], frozen.rest)


def _digest(level: str) -> bytes:
    return hashlib.sha256(level.encode("utf-8", "surrogatepass")).digest()[:4]


def _as_numbers(values: NDArray[Any]) -> NDArray[np.float64]:
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError):
        return np.array([_number(value) for value in values], dtype=np.float64)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")
