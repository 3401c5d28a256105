"""Confidence intervals of paired differences on the same rows.

AUC: DeLong, DeLong & Clarke-Pearson (Biometrics 1988); with blocks the structural components are summed within each
block first (Obuchowski, Biometrics 1997). Everything else: a bootstrap of blocks from their sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from modelyard.measure.scores import Floats, Integers, midranks

REPLICATES = 2000
CONFIDENCE = 0.95
GROUPS = 1000


@dataclass(frozen=True)
class Interval:
    """A two-sided confidence interval."""

    low: float
    high: float


def normal_interval(centre: float, error: float, comparisons: int = 1) -> Interval:
    """Centre ± z·error at 95 %, Bonferroni-corrected for a number of comparisons made at once."""
    z = NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / (2 * max(comparisons, 1)))
    return Interval(centre - z * error, centre + z * error)


def delong_error(label: Floats, first: Floats, second: Floats | None, blocks: Integers | None) -> float | None:
    """Standard error of AUC(first) − AUC(second), or of AUC(first) alone; None where it cannot be had.

    ``blocks`` are codes (rows,) of rows that depend on each other.
    """
    influence = _influence(label, first)
    if influence is None:
        return None
    if second is not None:
        other = _influence(label, second)
        influence = influence - other if other is not None else influence
    positives = label == 1
    m, n = int(positives.sum()), int((~positives).sum())
    if blocks is not None:
        sums = np.bincount(blocks, weights=influence)
        used = np.unique(blocks).size
        return float(np.sqrt((sums**2).sum() * used / (used - 1))) if used > 1 else None
    if m < 2 or n < 2:
        return None
    within = (influence[positives] ** 2).sum() * m / (m - 1) + (influence[~positives] ** 2).sum() * n / (n - 1)
    return float(np.sqrt(within))


def _influence(label: Floats, prediction: Floats) -> Floats | None:
    """Each row's share in the deviation of the AUC; sums to 0 within each class."""
    positives = label == 1
    m, n = int(positives.sum()), int((~positives).sum())
    if not m or not n:
        return None
    together = midranks(prediction)
    above = (together[positives] - midranks(prediction[positives])) / n
    below = 1 - (together[~positives] - midranks(prediction[~positives])) / m
    area = above.mean()
    influence = np.empty_like(prediction)
    influence[positives] = (above - area) / m
    influence[~positives] = (below - area) / n
    return influence


class Resampling:
    """The same seeded resampling of blocks for every statistic, so that all differences are paired.

    Without a block column the rows are dealt at random into at most 1,000 groups, which stand for the blocks: groups of
    independent rows are independent and alike, so the spread of a sum over resampled groups is that over resampled
    rows, and the cost of a replicate no longer grows with the rows.
    """

    def __init__(self, rows: int, blocks: Integers | None, seed: int, replicates: int = REPLICATES) -> None:
        generator = np.random.default_rng(seed)
        self._codes = blocks if blocks is not None else generator.permutation(np.arange(rows) % GROUPS)
        self._size = int(self._codes.max()) + 1 if rows else 0
        drawn = generator.integers(0, max(self._size, 1), size=(replicates, self._size))
        drawn += np.arange(replicates)[:, None] * self._size
        counts = np.bincount(drawn.ravel(), minlength=replicates * self._size)
        self._weights: Floats = counts.reshape(replicates, self._size).astype(np.float64)

    def sums(self, terms: Floats, inside: NDArray[np.bool_] | None = None) -> Floats:
        """Sums (replicates, k) of ``terms`` (rows, k) in each replicate; ``terms`` may be only the rows ``inside``."""
        codes = self._codes if inside is None else self._codes[inside]
        per_block = [np.bincount(codes, weights=column, minlength=self._size) for column in terms.T]
        return self._weights @ np.column_stack(per_block)


def percentile_interval(replicates: Floats) -> Interval | None:
    """The percentile interval of bootstrap replicates (n,); None when too few of them are defined."""
    defined = replicates[np.isfinite(replicates)]
    if defined.size < 0.9 * replicates.size or defined.size < 100:
        return None
    low, high = np.quantile(defined, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(low), float(high))


def bootstrap_error(replicates: Floats) -> float | None:
    """The standard deviation of bootstrap replicates (n,); None when too few of them are defined."""
    defined = replicates[np.isfinite(replicates)]
    if defined.size < 0.9 * replicates.size or defined.size < 100:
        return None
    return float(defined.std(ddof=1))
