"""Intervals that hold at every look: a rollout may be judged every minute without more false alarms.

All rest on Ville's inequality: a nonnegative martingale that begins at 1 ever reaches 1/α with probability at most α.
For a share the martingale is the uniform mixture of binomial likelihood ratios (Robbins 1970), for a mean in [0, 1] the
two-sided normal mixture with σ = 1/2 (Howard, Ramdas, McAuliffe & Sekhon 2021, Annals of Statistics 49), for a whole
distribution the time-uniform DKW bound (Howard & Ramdas 2022, Bernoulli 28). A test simulates each under peeking.
"""

from __future__ import annotations

from collections.abc import Callable
from math import e, inf, lgamma, log, sqrt

from msgspec import Struct

_TUNED_FOR = 500
"""Samples at which the normal mixture is tightest."""
_BISECTIONS = 50


class Interval(Struct, frozen=True):
    """Bounds that hold at all times together, with probability 1 - α."""

    low: float
    high: float


def share(successes: int, trials: int, alpha: float) -> Interval:
    """The interval of a probability after so many independent trials."""
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
    """The interval of the mean of values within [0, 1]."""
    if count == 0:
        return Interval(0.0, 1.0)
    rho = 0.25 * _TUNED_FOR / (2 * log(1 / alpha) + log(1 + 2 * log(1 / alpha)))
    variance = 0.25 * count
    radius = sqrt((variance + rho) * log((variance + rho) / (rho * alpha * alpha))) / count
    return Interval(max(0.0, average - radius), min(1.0, average + radius))


def quantile_ranks(quantile: float, count: int, alpha: float) -> tuple[int, int]:
    """Between which of ``count`` sorted values (0-based; -1 and ``count`` stand for no bound) a quantile lies.

    A value x is the quantile only if the number of values up to it is one that the share's martingale allows.
    """
    bound = log(1 / alpha)

    def allowed(rank: int) -> bool:
        return _mixture(rank, count, quantile) < bound

    centre = round(quantile * count)
    low = _first(lambda rank: allowed(rank), 0, centre)
    high = _first(lambda rank: not allowed(rank), centre, count + 1) - 1
    return low - 1, min(high, count)


def distribution(count: int, alpha: float) -> float:
    """How far an empirical distribution function may lie from the true one, at any point and any time."""
    if count < 2:
        return 1.0
    return min(1.0, 0.85 * sqrt((log(log(e * count)) + 0.8 * log(1612 / alpha)) / count))


def _mixture(successes: int, trials: int, p: float) -> float:
    """The logarithm of the martingale: all probabilities, equally likely beforehand, against ``p``."""
    if (p <= 0 and successes) or (p >= 1 and successes < trials):
        return inf
    fitted = lgamma(successes + 1) + lgamma(trials - successes + 1) - lgamma(trials + 2)
    known = (successes * log(p) if successes else 0.0) + (
        (trials - successes) * log(1 - p) if successes < trials else 0.0
    )
    return fitted - known


def _root(function: Callable[[float], float], outside: float, inside: float) -> float:
    """Where a function that is positive ``outside`` and negative ``inside`` crosses zero; errs to the outside."""
    for _ in range(_BISECTIONS):
        middle = (outside + inside) / 2
        if function(middle) > 0:
            outside = middle
        else:
            inside = middle
    return outside


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The first number of [low, high] from which on something holds; ``high`` where it never does."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
