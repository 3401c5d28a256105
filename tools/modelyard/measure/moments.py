"""Sums that do not depend on the order or the parts they were added in.

Floating-point sums differ with the way a table was cut, so merged profiles would differ from the profile of the whole.
Here values are counted in a fixed unit, a power of two frozen by the reference, and added as integers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_DIGITS = 24
"""Binary digits of the reference's largest value: its mean is known to 6e-8 of that."""
_CHUNK = 2**17
_LARGEST = 2**31
"""In units; values beyond (128 times the reference's largest) count as that."""


@dataclass(frozen=True)
class Moments:
    """Sum and sum of squares of the finite values."""

    unit: float
    total: str
    """In units, as decimal digits: JSON readers elsewhere cut long numbers."""
    squares: str
    """In units squared."""

    def mean(self, count: int) -> float | None:
        """Of ``count`` values; None without any."""
        return int(self.total) * self.unit / count if count else None

    def deviation(self, count: int) -> float | None:
        """Standard deviation (of the population, as ``numpy.std``); None without any value."""
        if not count:
            return None
        spread = int(self.squares) * count - int(self.total) ** 2  # exact
        return math.sqrt(max(spread, 0)) / count * self.unit


def moments(finite: NDArray[np.float64], unit: float | None = None) -> Moments:
    """Of finite values (n,), in a given unit or in that of their own largest."""
    if unit is None:
        largest = float(max(abs(finite.min()), abs(finite.max()))) if finite.size else 0.0
        unit = 2.0 ** max(math.frexp(largest)[1] - _DIGITS, -1000) if largest else 2.0**-_DIGITS
    total = squares = 0
    for at in range(0, finite.size, _CHUNK):
        with np.errstate(over="ignore"):
            counted = np.rint(np.clip(finite[at : at + _CHUNK] / unit, -_LARGEST, _LARGEST)).astype(np.int64)
        high, low = counted >> 16, counted & 0xFFFF
        total += int(counted.sum())
        squares += (int(high @ high) << 32) + (int(high @ low) << 17) + int(low @ low)
    return Moments(unit, str(total), str(squares))


def add_moments(a: Moments, b: Moments) -> Moments:
    """Of both; they must be in the same unit."""
    if a.unit != b.unit:
        raise ValueError("moments in different units")
    return Moments(a.unit, str(int(a.total) + int(b.total)), str(int(a.squares) + int(b.squares)))
