"""Two versions compared within strata of time: what happens to both at one time is no difference between them.

Callers are assigned at random, so within a minute champion and candidate see the same world. A minute counts with the
weight nm / (n + m) of its rows (Cochran 1954; Mantel & Haenszel 1959), whatever share of traffic each version has then.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelyard.rollout.sequential import Interval, boundary

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_WIDTHS = (1, 5, 15, 60)
_ROWS = 3.0
"""Rows of each version that a stratum should hold on average; with fewer, most minutes would compare nothing."""


class Measured(Struct, frozen=True):
    """Values (n,) of one version, and the minute of each (n,); an empty ``minutes`` where times are unknown."""

    values: Floats
    minutes: Integers

    @property
    def timed(self) -> bool:
        """Whether every value has a time."""
        return len(self.minutes) == len(self.values)


class Difference(Struct, frozen=True):
    """Candidate − champion, summed over strata: the estimate is ``total / weight``."""

    weight: float
    total: float
    variance: float
    """Of ``total``."""

    @property
    def value(self) -> float:
        """The weighted mean of the differences."""
        return self.total / self.weight if self.weight else 0.0

    def interval(self, alpha: float) -> Interval:
        """Bounds of the difference, of which each fails at any time with probability ``alpha`` at most."""
        if not self.weight:
            return Interval(-np.inf, np.inf)
        reach = boundary(self.variance, alpha) / self.weight
        return Interval(self.value - reach, self.value + reach)

    def times_needed(self, margin: float, alpha: float) -> float:
        """How many times as much traffic of this kind until the margin is outside the interval; inf for never."""
        away = abs(self.value - margin) * self.weight
        if not away:
            return np.inf
        times = 1.0
        while times * away < boundary(times * self.variance, alpha):
            times *= 1.1
            if times > 1e4:
                return np.inf
        return times


def compared(champion: Measured, candidate: Measured) -> Difference:
    """The difference of the means, stratum by stratum; all is one stratum where a side has no times."""
    theirs, ours, count = strata(champion, candidate)
    m, n = (np.bincount(codes, minlength=count).astype(np.float64) for codes in (theirs, ours))
    sums = [np.bincount(codes, side.values, count) for codes, side in ((theirs, champion), (ours, candidate))]
    squares = sum(np.bincount(codes, side.values**2, count) for codes, side in ((theirs, champion), (ours, candidate)))
    both = (m > 0) & (n > 0)
    m, n, (before, after), squares = m[both], n[both], (side[both] for side in sums), np.asarray(squares)[both]
    weight = m * n / (m + n)
    pooled = (before + after) ** 2 / (m + n)
    # Unbiased where both are alike, also for two rows. With time unknown, a whole version is one stratum.
    spread = np.maximum(squares - pooled, 0) / np.maximum(m + n - 1, 1)
    return Difference(float(weight.sum()), float((weight * (after / n - before / m)).sum()),
                      float((weight * spread).sum()))  # fmt: skip


def distance(champion: Measured, candidate: Measured) -> tuple[float, float]:
    """The Kolmogorov–Smirnov distance of the two distributions, each stratum with the same weight on both sides; and
    the weight of all strata: of so many rows one sample has the same spread.
    """
    theirs, ours, count = strata(champion, candidate)
    m, n = (np.bincount(codes, minlength=count).astype(np.float64) for codes in (theirs, ours))
    with np.errstate(invalid="ignore"):
        weight = np.where(m + n > 0, m * n / (m + n), 0.0)
    total = float(weight.sum())
    if not total:
        return 0.0, 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        down, up = np.where(m > 0, weight / m, 0.0)[theirs], np.where(n > 0, weight / n, 0.0)[ours]
    values = np.concatenate([champion.values, candidate.values])
    order = np.argsort(values, kind="stable")
    gaps = np.cumsum(np.concatenate([-down, up])[order]) / total
    last = np.append(np.diff(values[order]) > 0, True)
    return float(np.abs(gaps[last]).max()), total


def strata(champion: Measured, candidate: Measured) -> tuple[Integers, Integers, int]:
    """Each side's strata (n,), from 0, and their number. Strata are minutes, and wider ones where traffic is thin."""
    if not (champion.timed and candidate.timed) or not (len(champion.values) and len(candidate.values)):
        return np.zeros(len(champion.values), np.int64), np.zeros(len(candidate.values), np.int64), 1
    first = int(min(champion.minutes.min(), candidate.minutes.min()))
    places = champion.minutes - first, candidate.minutes - first
    span = int(max(place.max() for place in places)) + 1
    least = min(len(place) for place in places)
    width = next((width for width in _WIDTHS if least >= _ROWS * span / width), _WIDTHS[-1])
    return places[0] // width, places[1] // width, span // width + 1
