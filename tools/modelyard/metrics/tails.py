"""Tails of Student's t and Fisher's F, from the regularised incomplete beta function.

Our own, because importing SciPy takes longer than measuring ten thousand rows.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

_NORMAL_FROM = 1e6
"""Degrees of freedom from which t is taken for normal: they differ by less than 1e-5."""


def f_tail(value: float, above: float, below: float) -> float:
    """P(F > value) with ``above`` and ``below`` degrees of freedom, as scipy.stats.f.sf; both may be fractions."""
    if value <= 0:
        return 1.0
    return _beta_share(below / 2, above / 2, below / (below + above * value))


@lru_cache(maxsize=4096)
def t_quantile(share: float, degrees: float) -> float:
    """The value (above 0) below which a ``share`` above one half of Student's t lies, as scipy.stats.t.ppf."""
    normal = NormalDist().inv_cdf(share)
    if degrees >= _NORMAL_FROM:
        return normal
    low, high = normal, max(2 * normal, 1.0)  # t has the heavier tails
    while _t_tail(high, degrees) > 1 - share:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        if _t_tail(middle, degrees) > 1 - share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _t_tail(value: float, degrees: float) -> float:
    return f_tail(value * value, 1, degrees) / 2


def _beta_share(a: float, b: float, x: float) -> float:
    """I_x(a, b), by its continued fraction (Abramowitz & Stegun 26.5.8, evaluated as by Lentz)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )  # fmt: skip
    if x > (a + 1) / (a + b + 2):
        return 1 - front * _fraction(b, a, 1 - x) / b
    return front * _fraction(a, b, x) / a


def _fraction(a: float, b: float, x: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > tiny else tiny)
    found = d
    for m in range(1, 10_000):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d, c = 1 + step * d, 1 + step / c
            d = 1 / (d if abs(d) > tiny else tiny)
            c = c if abs(c) > tiny else tiny
            found *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return found
