"""How unlike the reference whole rows are, in bits.

A number is read as its normal score: the quantile that its bin has in the reference, put through the normal
distribution. No long tail and no wild value bends that yardstick, and what lies beyond all that was seen is far away,
but not infinitely far. The squared Mahalanobis distance of a row's normal scores, under the correlations that they have
in the reference, is a robust distance (Boudt, Cornelissen & Croux 2012, "The Gaussian rank correlation estimator"): it
also sees rows whose every number is usual and whose combination is not. Half of it, in bits, is −log₂ of a density,
and so it adds up with −log₂ of the share that a text's level, or a missing number, had in the reference.

All of it comes from the committed profile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from modelyard.metrics.intervals import Interval, wilson
from modelyard.metrics.profile import ColumnProfile, Profile, RowShape
from modelyard.metrics.scores import Floats, Integers

REFERENCE_RATE = 0.01
"""Share of the reference's own rows above the limit."""

FEWEST = 1000
"""Rows of a reference below which no limit is known."""

_MOST = 64
"""Numbers, the most important ones, whose correlations are kept; others count as if they went their own way."""

_SHRINKAGE = 0.05
"""Towards no correlation, so that columns that say the same do not weigh rounding as if it were news."""

_PRODUCTS = 200_000
"""At once: for more, OpenBLAS wakes its threads, which then spin for as long as all the rest takes."""


@dataclass(frozen=True)
class Outliers:
    """Rows above the limit that one in a hundred rows of the reference exceeds."""

    rows: int
    found: int
    rate: float
    interval: Interval
    """95 %, Wilson's."""
    reference_rate: float = REFERENCE_RATE


class Surprise:
    """Measures rows against one profile's inputs and correlations."""

    def __init__(self, columns: Sequence[ColumnProfile], shape: RowShape) -> None:
        self.limit = shape.limit
        self._inputs = [column for column in columns if column.role == "input"]
        self._bits = {column.name: _known(column) if column.numeric else bits(column) for column in self._inputs}
        self._scores = {c.name: _normal_scores(c).astype(np.float32) for c in self._inputs if c.numeric}
        self._joint = list(shape.names)
        self._whiten = np.linalg.cholesky(np.linalg.inv(_matrix(shape))).T.astype(np.float32)

    @classmethod
    def of(cls, profile: Profile) -> Surprise | None:
        """None where the profile does not know what its rows were like."""
        return cls(profile.columns, profile.shape) if profile.shape else None

    def of_rows(self, codes: Mapping[str, Integers]) -> Floats:
        """Bits of each row (rows,), from its place in ``bins()`` of every input (rows,)."""
        found = np.zeros(len(next(iter(codes.values()), ())))
        for column in self._inputs:
            own, known = codes[column.name], self._bits[column.name]
            if column.numeric:
                found += known[0]  # of every finite number, which nearly all are
                strange = np.flatnonzero(own >= known.size - 2)
                found[strange] += known[own[strange]] - known[0]
                if column.name not in self._joint:
                    found += _halved(self._scores[column.name][own] ** 2)
            else:
                found += known[own]
        if self._joint:
            joint = np.empty((len(self._joint), found.size), dtype=np.float32)
            for place, name in enumerate(self._joint):
                np.take(self._scores[name], codes[name], out=joint[place], mode="clip")
            step = max(_PRODUCTS // len(self._joint) ** 2, 16)
            for begin in range(0, found.size, step):
                white = self._whiten @ joint[:, begin : begin + step]
                found[begin : begin + step] += _halved(np.einsum("ij,ij->j", white, white))
        return found


def fits(profile: Profile) -> bool:
    """Whether a profile's shape is one of its own columns: a committed file may say anything."""
    shape = profile.shape
    if shape is None:
        return True
    numbers = {column.name for column in profile.columns if column.role == "input" and column.numeric}
    size = len(shape.names)
    if not set(shape.names) <= numbers or len(set(shape.names)) < size or size > _MOST:
        return False
    if len(shape.correlations) != size * (size - 1) // 2 or any(abs(one) > 1 for one in shape.correlations):
        return False
    return bool((np.linalg.eigvalsh(_matrix(shape)) > 0).all())


def row_shape(columns: Sequence[ColumnProfile], codes: Mapping[str, Integers]) -> RowShape | None:
    """What the reference's rows are like, from each row's place in ``bins()`` of every input (rows,).

    None for fewer than a thousand rows. ``columns`` are the reference's; their importance says whose correlations are
    kept.
    """
    inputs = [column for column in columns if column.role == "input" and column.name in codes]
    if not inputs or codes[inputs[0].name].size < FEWEST:
        return None
    numbers = sorted((c for c in inputs if c.numeric), key=lambda column: -(column.importance or 0.0))[:_MOST]
    scores = [_normal_scores(column)[codes[column.name]] for column in numbers]
    below = _correlations(np.array(scores))[np.tril_indices(len(numbers), -1)] if scores else ()
    shape = RowShape(tuple(c.name for c in numbers), tuple(round(float(one), 3) for one in below), 0.0)
    found = Surprise(inputs, shape).of_rows(codes)
    limit = np.ceil(np.quantile(found, 1 - REFERENCE_RATE) * 1000) / 1000  # up: no more than that exceed it
    return RowShape(shape.names, shape.correlations, float(limit))


def bits(column: ColumnProfile) -> Floats:
    """−log₂ of the share of each of ``column.bins()``, half a row added to each so that none is infinite."""
    return _rarity(np.asarray(column.bins()[1], dtype=np.float64))


def outliers(found: Sequence[int], rows: int) -> Outliers | None:
    """The share of rows above the limit, from the counts of parts; None without rows."""
    total = sum(found)
    return Outliers(rows, total, total / rows, wilson(total, rows)) if rows else None


def _known(column: ColumnProfile) -> Floats:
    """``bits`` where all finite numbers are one share: how far apart they are is the distance's to say."""
    kinds = _rarity(np.array([column.finite, column.infinities, column.nulls], dtype=np.float64))
    return np.concatenate([np.full(len(column.bins()[0]) - 2, kinds[0]), kinds[1:]])


def _rarity(counts: Floats) -> Floats:
    return np.asarray(-np.log2((counts + 0.5) / (counts + 0.5).sum()))


def _normal_scores(column: ColumnProfile) -> Floats:
    """Of each of ``column.bins()``: of the middle of its ranks, half a row beyond the smallest and the largest.

    0 where there is no finite number.
    """
    counts = column.numeric.counts if column.numeric else ()
    ends = np.cumsum(counts)
    ranks = (ends - np.asarray(counts) / 2 + 0.5) / (column.finite + 1)
    normal = NormalDist()
    return np.array([*(normal.inv_cdf(float(rank)) for rank in ranks), 0.0, 0.0])


def _correlations(scores: Floats) -> Floats:
    """Pearson's, of rows of values (columns, rows); 0 where a column never changes."""
    centred = scores - scores.mean(axis=1, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=1))
    scaled = np.divide(centred, length[:, None], out=np.zeros_like(centred), where=length[:, None] > 0)
    return np.asarray(scaled @ scaled.T)


def _matrix(shape: RowShape) -> Floats:
    size = len(shape.names)
    matrix = np.zeros((size, size))
    matrix[np.tril_indices(size, -1)] = np.asarray(shape.correlations) * (1 - _SHRINKAGE)
    return np.asarray(matrix + matrix.T + np.eye(size))


def _halved(squared: NDArray[np.floating]) -> Floats:
    return np.asarray(squared / (2 * np.log(2)), dtype=np.float64)
