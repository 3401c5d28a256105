"""How requests were answered: rates, quantiles, and how fast an error budget burns.

Burn rates over a long and a short window at once are those of Google's SRE Workbook, chapter 5: the long one keeps a
moment's noise from raising an alarm, the short one ends the alarm soon after its cause is gone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelyard.measure.scores import Floats

FEWEST = 50
"""Requests in the long window below which a burn rate says nothing."""


@dataclass(frozen=True)
class Objective:
    """What share of requests has to be good; ``maximum_milliseconds`` None asks for answers only."""

    id: str
    share: float
    maximum_milliseconds: float | None
    long_seconds: float
    short_seconds: float

    def bad(self, milliseconds: Floats, failed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which requests (requests,) use the budget up."""
        return failed if self.maximum_milliseconds is None else failed | (milliseconds > self.maximum_milliseconds)


@dataclass(frozen=True)
class Burn:
    """How many times faster than allowed a budget is used up. The worst moment of the window, and its end."""

    id: str
    requests: int
    """In the whole window."""
    bad: int
    long: float | None
    """In the long window at the end; None with fewer than 50 requests in it."""
    short: float | None
    worst: float | None
    """The highest min(long, short) at any moment."""
    worst_at: float | None
    """Seconds since 1970."""


@dataclass(frozen=True)
class Latency:
    """Quantiles in milliseconds of requests that were answered."""

    p50: float | None
    p95: float | None
    p99: float | None


def latency(milliseconds: Sequence[NDArray[np.float32]]) -> Latency:
    """Quantiles of the answered requests, from parts (requests,)."""
    answered = np.concatenate([np.empty(0, dtype=np.float32), *(part[np.isfinite(part)] for part in milliseconds)])
    if not answered.size:
        return Latency(None, None, None)
    p50, p95, p99 = np.quantile(answered, [0.5, 0.95, 0.99], overwrite_input=True)
    return Latency(float(p50), float(p95), float(p99))


def by_minute(at: Floats, begin: float, until: float) -> Floats:
    """Counts of moments by the minute they lie in, oldest first. Minutes are counted back from ``until``."""
    span = max(1, math.ceil((until - begin) / 60))
    back = np.clip(np.ceil((until - at) / 60).astype(np.int64) - 1, 0, span - 1)
    return np.bincount(back, minlength=span)[::-1].astype(np.float64)


def burn(requests: Floats, bad: Floats, objective: Objective, until: float) -> Burn:
    """Burn rates at the end of the window (``until``) and at its worst moment, from counts by minute (minutes,)."""
    if not requests.any():
        return Burn(objective.id, 0, 0, None, None, None, None)
    span = requests.size
    budget = max(1 - objective.share, 1e-9)
    long = _rates(bad, requests, objective.long_seconds, FEWEST) / budget
    short = _rates(bad, requests, objective.short_seconds, 1) / budget
    both = np.minimum(long, short)
    known = np.isfinite(both)
    worst = int(np.argmax(np.where(known, both, -1.0))) if known.any() else None
    return Burn(
        objective.id,
        int(requests.sum()),
        int(bad.sum()),
        _defined(long[-1]),
        _defined(short[-1]),
        None if worst is None else float(both[worst]),
        None if worst is None else until - 60 * (span - 1 - worst),
    )


def _rates(bads: Floats, counts: Floats, seconds: float, fewest: int) -> Floats:
    """The share of bad requests in the window that ends with each minute (minutes,); NaN with too few requests."""
    width = max(1, round(seconds / 60))
    requests, bad = _window_sums(counts, width), _window_sums(bads, width)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(requests >= fewest, bad / requests, np.nan)


def _window_sums(values: Floats, width: int) -> Floats:
    upto = np.concatenate([[0.0], np.cumsum(values)])
    last = np.arange(1, values.size + 1)
    return np.asarray(upto[last] - upto[np.maximum(last - width, 0)], dtype=np.float64)


def _defined(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
