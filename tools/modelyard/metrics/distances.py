"""Distances of two samples: over common bins, or exact from their sorted values."""

from __future__ import annotations

import math

import numpy as np

from modelyard.metrics.scores import Floats

_CELLS = 4096
_CHUNK = 2**17


def js_distance(before: Floats, after: Floats) -> float:
    """Square root of the Jensen–Shannon divergence of two counts, in nats (as scipy.spatial.distance)."""
    p, q = before / before.sum(), after / after.sum()
    middle = (p + q) / 2

    def divergence(x: Floats) -> float:
        seen = x > 0
        return float((x[seen] * np.log(x[seen] / middle[seen])).sum())

    return math.sqrt(max((divergence(p) + divergence(q)) / 2, 0.0))


def psi(before: Floats, after: Floats) -> float:
    """Population stability index of two counts; half a row is added to each bin so that none is empty."""
    p = (before + 0.5) / (before + 0.5).sum()
    q = (after + 0.5) / (after + 0.5).sum()
    return float(((q - p) * np.log(q / p)).sum())


def hellinger(before: Floats, after: Floats) -> float:
    """Hellinger distance of two counts, 0 to 1."""
    p, q = before / before.sum(), after / after.sum()
    return math.sqrt(max(1 - float(np.sqrt(p * q).sum()), 0.0))


def total_variation(before: Floats, after: Floats) -> float:
    """Half the sum of the absolute differences of shares, 0 to 1."""
    return float(np.abs(before / before.sum() - after / after.sum()).sum() / 2)


def chi_square_p(before: Floats, after: Floats) -> float:
    """p-value of the two-sample chi-square test of homogeneity, without continuity correction.

    Bins with fewer than five expected rows on either side are pooled (Cochran 1954), and with the next smallest bin if
    the pool is still too small. Otherwise one row beyond the reference's range would be significant.
    """
    table = np.vstack([before, after])
    table = table[:, np.argsort(table.sum(axis=0), kind="stable")]
    while table.shape[1] > 1 and _expected(table)[:, 0].min() < 5:
        table = np.column_stack([table[:, 0] + table[:, 1], table[:, 2:]])
    expected = _expected(table)
    if table.shape[1] < 2:
        return 1.0
    return chi_square_tail(float(((table - expected) ** 2 / expected).sum()), table.shape[1] - 1)


def chi_square_tail(value: float, degrees: int) -> float:
    """P(χ² > value), as scipy.stats.chi2.sf: regularised incomplete gamma function by series below the mean, by
    continued fraction above (Abramowitz & Stegun 6.5.29, 6.5.31). Our own, because importing SciPy takes longer than
    measuring the drift of ten thousand rows.
    """
    a, x = degrees / 2, value / 2
    if x <= 0:
        return 1.0
    if x < a + 1:
        term = total = 1 / a
        n = a
        while abs(term) > abs(total) * 1e-17:
            n += 1
            term *= x / n
            total += term
        return max(1 - total * math.exp(a * math.log(x) - x - math.lgamma(a)), 0.0)
    b = x + 1 - a
    c, d = 1e300, 1 / b
    h = d
    for i in range(1, 10_000):
        an = -i * (i - a)
        b += 2
        d = an * d + b
        d = 1 / (d if abs(d) > 1e-300 else 1e-300)
        c = b + an / c
        c = c if abs(c) > 1e-300 else 1e-300
        h *= d * c
        if abs(d * c - 1) < 1e-16:
            break
    return math.exp(a * math.log(x) - x - math.lgamma(a)) * h


def ks_statistic(before: Floats, after: Floats) -> float:
    """Largest difference of two empirical distribution functions; both sorted, finite, not empty. Exact.

    The difference is first computed at a few thousand points. Only the cells between them that can have a larger one
    are then computed row by row.
    """
    step = max(before.size // _CELLS, 1)
    points = np.unique(np.concatenate([before[::step], before[-1:], after[:1], after[-1:]]))
    of_before = np.searchsorted(before, points, side="right")
    of_after = np.searchsorted(after, points, side="right")
    f, g = of_before / before.size, of_after / after.size
    best = float(np.abs(f - g).max())
    # Between two points F is at most F(next) and G is at least G(point), and vice versa.
    reach = np.maximum(f[1:] - g[:-1], g[1:] - f[:-1])
    for i in np.flatnonzero(reach > best):
        if reach[i] <= best:
            continue
        x, y = before[of_before[i] : of_before[i + 1]], after[of_after[i] : of_after[i + 1]]
        inside = np.concatenate([x, y])
        here = np.abs(
            (of_before[i] + np.searchsorted(x, inside, side="right")) / before.size
            - (of_after[i] + np.searchsorted(y, inside, side="right")) / after.size
        )
        best = max(best, float(here.max(initial=0.0)))
    return best


def ks_p(statistic: float, before: int, after: int) -> float:
    """p-value of the two-sample Kolmogorov–Smirnov test from the limiting distribution (scipy.stats.kstwobign)."""
    x = statistic * math.sqrt(before * after / (before + after))
    if x < 1e-3:
        return 1.0
    if x < 1.18:  # this series converges there (Marsaglia, Tsang & Wang 2003)
        terms = (math.exp(-((2 * k - 1) ** 2) * math.pi**2 / (8 * x * x)) for k in range(1, 20))
        return max(1 - math.sqrt(2 * math.pi) / x * sum(terms), 0.0)
    return min(max(2 * sum((1 if k % 2 else -1) * math.exp(-2 * k * k * x * x) for k in range(1, 30)), 0.0), 1.0)


def wasserstein(before: Floats, after: Floats) -> float:
    """First Wasserstein distance of two sorted, finite, not empty samples: the area between their quantile functions.
    Exact, without merging the values, because the steps are at i/n and j/m.
    """
    n, m = before.size, after.size
    total = 0.0
    for first in range(0, n, _CHUNK):
        last = min(first + _CHUNK, n)
        if n == m:
            total += float(np.abs(before[first:last] - after[first:last]).sum()) * n
        else:
            total += _area(before, after, first, last)
    return total / (n * m)


def _area(before: Floats, after: Floats, first: int, last: int) -> float:
    """The part of the area above (first/n, last/n], in units of 1/(n·m), in which steps end at i·m and at j·n."""
    n, m = before.size, after.size
    begun, ended = first * m // n, last * m // n
    ends_before = np.arange(first + 1, last + 1) * m
    is_before = np.zeros(last - first + ended - begun, dtype=bool)
    is_before[np.arange(last - first) + ends_before // n - begun] = True
    i = np.cumsum(is_before) - is_before + first
    j = np.arange(is_before.size) - (i - first) + begun
    ends = np.where(is_before, (i + 1) * m, (j + 1) * n)
    widths = np.diff(ends, prepend=first * m)
    return float(np.abs(before[i] - after[np.minimum(j, m - 1)]) @ widths)


def _expected(table: Floats) -> Floats:
    result: Floats = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    return result
