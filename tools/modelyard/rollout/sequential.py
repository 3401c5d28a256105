"""Confidence sequences: intervals that hold at all times together, so frequent looks add no false alarms.

A difference of two versions uses the normal mixture over the variance seen so far (Robbins 1970; asymptotic confidence
sequences, Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2024, Annals of Statistics 52). Quantiles use Ville's
inequality with the uniform mixture of binomial likelihood ratios (Robbins 1970). A distribution uses the time-uniform
DKW bound (Howard & Ramdas 2022, Bernoulli 28). Tests simulate each with continuous looks.
"""

from __future__ import annotations

from collections.abc import Callable
from math import e, inf, lgamma, log, sqrt

from msgspec import Struct

_TUNED_FOR = 60.0
"""Variance of a sum at which the normal mixture is tightest: that of 60 errors among many requests. Smaller sums, which
are far from normal, get bounds that are wider by far."""


class Interval(Struct, frozen=True):
    """Bounds of which each holds at all times together, with probability at least 1 - α."""

    low: float
    high: float


def boundary(variance: float, alpha: float) -> float:
    """How far a sum of differences without drift strays upwards, at any time, with probability ``alpha`` at most.

    ``variance`` is that of the sum so far. The same holds downwards.
    """
    both = 2 * alpha
    rho = _TUNED_FOR / (2 * log(1 / both) + log(1 + 2 * log(1 / both)))
    return sqrt((variance + rho) * log((variance + rho) / (rho * both * both)))


def quantile_ranks(quantile: float, count: int, alpha: float) -> tuple[int, int]:
    """The indices of the sorted values between which a quantile lies; -1 and ``count`` mean no bound.

    A value can be the quantile only if the martingale of a share allows the number of values up to it.
    """
    bound = log(1 / alpha)

    def allowed(rank: int) -> bool:
        return _mixture(rank, count, quantile) < bound

    centre = round(quantile * count)
    low = _first(lambda rank: allowed(rank), 0, centre)
    high = _first(lambda rank: not allowed(rank), centre, count + 1) - 1
    return low - 1, min(high, count)


def distribution(count: float, alpha: float) -> float:
    """The largest distance of an empirical distribution function from the true one (Howard & Ramdas 2022)."""
    if count < 2:
        return 1.0
    return min(1.0, 0.85 * sqrt((log(log(e * count)) + 0.8 * log(1612 / alpha)) / count))


def _mixture(successes: int, trials: int, p: float) -> float:
    """The logarithm of the martingale: the uniform mixture of likelihoods against the likelihood of ``p``."""
    if (p <= 0 and successes) or (p >= 1 and successes < trials):
        return inf
    fitted = lgamma(successes + 1) + lgamma(trials - successes + 1) - lgamma(trials + 2)
    known = (successes * log(p) if successes else 0.0) + (
        (trials - successes) * log(1 - p) if successes < trials else 0.0
    )
    return fitted - known


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The first number in [low, high] for which a monotone condition holds; ``high`` if none."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
