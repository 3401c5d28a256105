"""The outlier score of a row, in bits, and the outlier rate of many rows. Both come from a committed profile alone.

A number is replaced by its normal score: the quantile of its bin in the reference, put through the inverse normal
distribution. Long tails and extreme values therefore do not change the scale, and a value beyond the reference's range
is far away, but not infinitely far. The squared Mahalanobis distance of a row's normal scores, with the correlations of
the reference, is a robust distance (Boudt, Cornelissen & Croux 2012, "The Gaussian rank correlation estimator"). It
also finds rows whose numbers are all common while their combination is not. Half of the squared distance, in bits, is
−log₂ of a density. It can be added to −log₂ of the share that a text level, or a missing number, has in the reference.
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
"""Share of the reference's own rows whose score is above the limit."""

FEWEST = 1000
"""A reference with fewer rows has no limit."""

_MOST = 64
"""Correlations are kept for this many numeric inputs, the most important ones; others count as independent."""

_SHRINKAGE = 0.05
"""Towards no correlation, so that rounding errors between near-identical columns do not raise the score."""

_PRODUCTS = 200_000
"""Products per matrix multiplication: for more, OpenBLAS starts threads, which costs more than the rest."""


@dataclass(frozen=True)
class Outliers:
    """The outlier rate of a window: the share of rows above the limit that 1 % of the reference's rows exceed."""

    rows: int
    found: int
    rate: float
    interval: Interval
    """Wilson's 95 % interval of ``rate``."""
    reference_rate: float = REFERENCE_RATE


class OutlierScore:
    """The outlier score of rows, by the inputs and correlations of one profile. Rows above ``limit`` are outliers."""

    def __init__(self, columns: Sequence[ColumnProfile], shape: RowShape) -> None:
        self.limit = shape.limit
        self._inputs = [column for column in columns if column.role == "input"]
        self._bits = {column.name: _known(column) if column.numeric else bits(column) for column in self._inputs}
        self._scores = {c.name: _normal_scores(c).astype(np.float32) for c in self._inputs if c.numeric}
        self._joint = list(shape.names)
        self._whiten = np.linalg.cholesky(np.linalg.inv(_matrix(shape))).T.astype(np.float32)

    @classmethod
    def of(cls, profile: Profile) -> OutlierScore | None:
        """The score of a profile; None when the profile has no correlations and no limit."""
        return cls(profile.columns, profile.shape) if profile.shape else None

    def of_rows(self, codes: Mapping[str, Integers]) -> Floats:
        """Scores in bits (rows,), from each row's index into ``bins()`` of every input (rows,)."""
        found = np.zeros(len(next(iter(codes.values()), ())))
        for column in self._inputs:
            own, known = codes[column.name], self._bits[column.name]
            if column.numeric:
                found += known[0]  # as for finite numbers, which are the common case
                other = np.flatnonzero(own >= known.size - 2)
                found[other] += known[own[other]] - known[0]
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
    """Whether a profile's shape fits its own columns, because a committed file may have any content."""
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
    """The reference's correlations and limit, from each row's index into ``bins()`` of every input (rows,).

    None for fewer than a thousand rows. ``columns`` are the reference's; correlations of the most important are kept.
    """
    inputs = [column for column in columns if column.role == "input" and column.name in codes]
    if not inputs or codes[inputs[0].name].size < FEWEST:
        return None
    numbers = sorted((c for c in inputs if c.numeric), key=lambda column: -(column.importance or 0.0))[:_MOST]
    scores = [_normal_scores(column)[codes[column.name]] for column in numbers]
    below = _correlations(np.array(scores))[np.tril_indices(len(numbers), -1)] if scores else ()
    shape = RowShape(tuple(c.name for c in numbers), tuple(round(float(one), 3) for one in below), 0.0)
    found = OutlierScore(inputs, shape).of_rows(codes)
    limit = np.ceil(np.quantile(found, 1 - REFERENCE_RATE) * 1000) / 1000  # rounded up, so that not more rows exceed it
    return RowShape(shape.names, shape.correlations, float(limit))


def bits(column: ColumnProfile) -> Floats:
    """−log₂ of the share of each of ``column.bins()``; half a row is added to each, so that none is infinite."""
    return _rarity(np.asarray(column.bins()[1], dtype=np.float64))


def outliers(found: Sequence[int], rows: int) -> Outliers | None:
    """The outlier rate, from the outliers found in each part of ``rows`` rows; None without rows."""
    total = sum(found)
    return Outliers(rows, total, total / rows, wilson(total, rows)) if rows else None


def _known(column: ColumnProfile) -> Floats:
    """``bits`` with one share for all finite numbers; the distance measures how far apart those are."""
    kinds = _rarity(np.array([column.finite, column.infinities, column.nulls], dtype=np.float64))
    return np.concatenate([np.full(len(column.bins()[0]) - 2, kinds[0]), kinds[1:]])


def _rarity(counts: Floats) -> Floats:
    return np.asarray(-np.log2((counts + 0.5) / (counts + 0.5).sum()))


def _normal_scores(column: ColumnProfile) -> Floats:
    """The normal score of each of ``column.bins()``, from the middle of its ranks; 0 for bins without finite numbers.

    The ranks are those of the reference with half a row added below the smallest and above the largest value.
    """
    counts = column.numeric.counts if column.numeric else ()
    ends = np.cumsum(counts)
    ranks = (ends - np.asarray(counts) / 2 + 0.5) / (column.finite + 1)
    normal = NormalDist()
    return np.array([*(normal.inv_cdf(float(rank)) for rank in ranks), 0.0, 0.0])


def _correlations(scores: Floats) -> Floats:
    """Pearson's correlations (columns, columns) of values (columns, rows); 0 for a constant column."""
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
