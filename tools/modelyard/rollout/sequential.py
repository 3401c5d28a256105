"""Confidence sequences: intervals that hold at all times together, so frequent looks add no false alarms.

All use Ville's inequality: a nonnegative martingale that starts at 1 ever reaches 1/α with probability at most α.
A share uses the uniform mixture of binomial likelihood ratios (Robbins 1970). A mean in [0, 1] uses the two-sided
normal mixture with σ = 1/2 (Howard, Ramdas, McAuliffe & Sekhon 2021, Annals of Statistics 49). A distribution uses the
time-uniform DKW bound (Howard & Ramdas 2022, Bernoulli 28). Tests simulate each with continuous looks.
"""

from __future__ import annotations

from collections.abc import Callable
from math import e, inf, lgamma, log, sqrt

from msgspec import Struct

_TUNED_FOR = 500
"""Number of samples at which the normal mixture is tightest."""
_BISECTIONS = 50


class Interval(Struct, frozen=True):
    """Bounds that hold at all times together, with probability at least 1 - α."""

    low: float
    high: float


def share(successes: int, trials: int, alpha: float) -> Interval:
    """The interval of a probability after independent trials (Robbins 1970)."""
    if trials == 0:
        return Interval(0.0, 1.0)
    bound = log(1 / alpha)
    observed = successes / trials

    def excess(p: float) -> float:
        return _mixture(successes, trials, p) - bound

    low = 0.0 if successes == 0 else _root(excess, 0.0, observed)
    high = 1.0 if successes == trials else _root(excess, 1.0, observed)
    return Interval(low, high)


def mean(average: float, count: int, alpha: float) -> Interval:
    """The interval of the mean of ``count`` values in [0, 1] (Howard et al. 2021)."""
    if count == 0:
        return Interval(0.0, 1.0)
    rho = 0.25 * _TUNED_FOR / (2 * log(1 / alpha) + log(1 + 2 * log(1 / alpha)))
    variance = 0.25 * count
    radius = sqrt((variance + rho) * log((variance + rho) / (rho * alpha * alpha))) / count
    return Interval(max(0.0, average - radius), min(1.0, average + radius))


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


def distribution(count: int, alpha: float) -> float:
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


def _root(function: Callable[[float], float], outside: float, inside: float) -> float:
    """The zero of a function that is positive ``outside`` and negative ``inside``; rounded to the outside."""
    for _ in range(_BISECTIONS):
        middle = (outside + inside) / 2
        if function(middle) > 0:
            outside = middle
        else:
            inside = middle
    return outside


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The first number in [low, high] for which a monotone condition holds; ``high`` if none."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
