"""Each row's bin in a reference's column, and the column's profile from those bins: one pass serves both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from modelyard.measure.moments import moments
from modelyard.measure.profile import ColumnProfile, LevelCounts, NumericBins
from modelyard.measure.profiling import level_places
from modelyard.measure.scores import Floats, Integers


def number_codes(values: Floats, reference: ColumnProfile) -> Integers:
    """Each value's place in ``reference.bins()`` (rows,); NaN is missing."""
    bins = len(reference.bins()[0])
    edges = np.asarray(reference.numeric.edges if reference.numeric else (), dtype=np.float64)
    codes = np.searchsorted(edges, values, side="right")
    strange = ~np.isfinite(values)
    if strange.any():
        codes[strange] = np.where(np.isnan(values[strange]), bins - 1, bins - 2)
    return codes.astype(np.int64, copy=False)


def level_codes(names: Sequence[str | None], reference: ColumnProfile) -> Integers:
    """The same for distinct texts (names,), whose rows the caller knows; None is missing."""
    frozen = reference.levels or LevelCounts((), (), 0)
    known = [name for name in names if name is not None]
    places = iter(level_places(known, reference.name, frozen).tolist())
    missing = len(frozen.levels) + 2
    return np.array([missing if name is None else next(places) for name in names], dtype=np.int64)


def profile_codes(codes: Integers, reference: ColumnProfile, values: Floats | None) -> ColumnProfile:
    """What ``profile_column`` makes of the same rows; ``values`` are a numeric column's, in any order."""
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
