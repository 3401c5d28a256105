"""Confidence intervals of paired differences on the same rows.

AUC: DeLong, DeLong & Clarke-Pearson (Biometrics 1988); with blocks the structural components are summed within each
block first (Obuchowski, Biometrics 1997). Everything else: a bootstrap of blocks from their sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from modelyard.metrics.scores import Floats, Integers

REPLICATES = 2000
CONFIDENCE = 0.95
GROUPS = 1000


@dataclass(frozen=True)
class Interval:
    """A two-sided confidence interval."""

    low: float
    high: float


def normal_interval(centre: float, error: float, comparisons: int = 1) -> Interval:
    """Centre ± z·error at 95 %, Bonferroni-corrected for this number of simultaneous comparisons."""
    z = NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / (2 * max(comparisons, 1)))
    return Interval(centre - z * error, centre + z * error)


def wilson(hits: int, trials: int) -> Interval:
    """The 95 % interval of a share of at least one independent trial (Wilson 1927)."""
    z2 = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) ** 2
    share = hits / trials
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = (z2 * (share * (1 - share) / trials + z2 / (4 * trials * trials))) ** 0.5 / (1 + z2 / trials)
    return Interval(max(centre - half, 0.0), min(centre + half, 1.0))


def delong_error(label: Floats, first: Floats, second: Floats | None, blocks: Integers | None) -> float | None:
    """Standard error of AUC(first) − AUC(second), or of AUC(first) alone; None if it is undefined.

    ``blocks`` are codes (rows,) of rows that depend on each other.
    """
    influence = auc_influence(label, first)
    if influence is None:
        return None
    if second is not None:
        other = auc_influence(label, second)
        influence = influence - other if other is not None else influence
    return influence_error(label, influence, blocks)


def influence_error(label: Floats, influence: Floats, blocks: Integers | None) -> float | None:
    """Standard error of a sum of each row's share; None with too few rows of a class, or a single block."""
    positives = label == 1
    m, n = int(positives.sum()), int((~positives).sum())
    if blocks is not None:
        sums = np.bincount(blocks, weights=influence)
        used = int(np.count_nonzero(np.bincount(blocks)))
        return float(np.sqrt((sums**2).sum() * used / (used - 1))) if used > 1 else None
    if m < 2 or n < 2:
        return None
    within = (influence[positives] ** 2).sum() * m / (m - 1) + (influence[~positives] ** 2).sum() * n / (n - 1)
    return float(np.sqrt(within))


def auc_influence(label: Floats, prediction: Floats) -> Floats | None:
    """Each row's share (rows,) of the deviation of the AUC; it sums to 0 within each class. None with one class.

    One sort serves both classes: a positive's component is the share of negatives below it, a negative's the share of
    positives above it, ties counted half (Sun & Xu, IEEE SPL 2014).
    """
    positives = label == 1
    m = int(positives.sum())
    n = label.size - m
    if not m or not n:
        return None
    order = np.argsort(prediction, kind="stable")
    ordered, hit = prediction[order], positives[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    up = np.add.reduceat(hit.astype(np.float64), starts)
    sizes = np.diff(np.append(starts, label.size))
    down = sizes - up
    below = (np.cumsum(down) - down / 2) / n
    above = (m - np.cumsum(up) + up / 2) / m
    area = float((up * below).sum() / m)
    shares = np.where(hit, np.repeat((below - area) / m, sizes), np.repeat((above - area) / n, sizes))
    influence: Floats = np.empty(label.size)
    influence[order] = shares
    return influence


class Resampling:
    """The same seeded resampling of blocks for every statistic, so that all differences are paired.

    Without a block column, rows are assigned at random to at most 1,000 groups, which serve as blocks. More than 1,000
    blocks are grouped in the same way. Groups of independent rows are independent and identically distributed, so a sum
    over resampled groups has the same spread as over resampled rows, and a replicate costs the same for any size.
    """

    def __init__(self, rows: int, blocks: Integers | None, seed: int, replicates: int = REPLICATES) -> None:
        generator = np.random.default_rng(seed)
        if blocks is None:
            self._codes: Integers = generator.permutation(np.arange(rows) % GROUPS)
        else:
            found = int(blocks.max()) + 1 if rows else 0
            self._codes = generator.permutation(np.arange(found) % GROUPS)[blocks] if found > GROUPS else blocks
        self._size = int(self._codes.max()) + 1 if rows else 0
        drawn = generator.integers(0, max(self._size, 1), size=(replicates, self._size))
        drawn += np.arange(replicates)[:, None] * self._size
        counts = np.bincount(drawn.ravel(), minlength=replicates * self._size)
        self._weights: Floats = counts.reshape(replicates, self._size).astype(np.float64)

    def by_block(self, terms: Floats, cells: Integers | None = None, count: int = 1) -> Floats:
        """Sums (count, blocks, k) of ``terms`` (rows, k) over the rows of each cell and block."""
        at = self._codes if cells is None else cells * self._size + self._codes
        result: Floats = np.empty((count * self._size, terms.shape[1]))
        for i in range(terms.shape[1]):
            result[:, i] = np.bincount(at, weights=terms[:, i], minlength=count * self._size)
        return result.reshape(count, self._size, terms.shape[1])

    def counts(self, cells: Integers, count: int, weights: Floats | None = None) -> Floats:
        """Rows (or their weights) by block and cell (blocks, count)."""
        at = self._codes * count + cells
        return np.bincount(at, weights, minlength=count * self._size).reshape(self._size, count).astype(np.float64)

    def replicates(self, by_block: Floats) -> Floats:
        """Sums (replicates, ...) in each replicate, from sums (blocks, ...) by block."""
        flat = by_block.reshape(by_block.shape[0], -1)
        return (self._weights @ flat).reshape(-1, *by_block.shape[1:])


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


def defined(value: Floats | float) -> float | None:
    """A value as a finite number; None for any other."""
    return float(value) if np.isfinite(value) else None
