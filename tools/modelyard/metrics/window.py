"""What one version did in one window of time: traffic, latency, error budget, drift, outliers, quality."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelyard.metrics.drift import Drift
from modelyard.metrics.estimate import Estimate, SliceEstimate
from modelyard.metrics.evaluation import MetricResult, SliceResult
from modelyard.metrics.outliers import Outliers
from modelyard.metrics.scores import Floats

FEWEST = 50
"""Requests in the long window below which a burn rate says nothing."""


@dataclass(frozen=True)
class Latency:
    """Quantiles in milliseconds of requests that were answered."""

    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True)
class Served:
    """One version in one part it played: champion, candidate or shadow."""

    version: str
    variant: str
    requests: int
    errors: int
    rows: int
    """Predictions that were answered."""
    share: float
    """Of the rows of all that answered; a shadow's, of the rows it was sent a copy of."""
    latency: Latency


@dataclass(frozen=True)
class Day:
    """One day (UTC) since the model serves there; days without traffic are there too."""

    day: str
    rows: int
    errors: int
    mean_score: float | None
    """All three of the watched version."""
    others: int = 0
    """Rows that other versions answered, and requests that failed there; a shadow's are none."""

    @property
    def silent(self) -> bool:
        """Whether nobody asked."""
        return not self.rows + self.errors + self.others


@dataclass(frozen=True)
class Confidence:
    """Mean probability of the likeliest answer, from the same bins on both sides."""

    current: float
    reference: float


@dataclass(frozen=True)
class Realised:
    """What the predictions turned out to be worth."""

    due: int
    """Predictions old enough for an outcome."""
    labelled: int
    """Predictions, of any age, whose outcome is known."""
    missing: int
    """Due ones without an outcome."""
    oldest_missing_days: float | None
    metrics: tuple[MetricResult, ...] = ()
    """``champion`` is the value the version was accepted with."""
    slices: tuple[SliceResult, ...] = ()


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
class Monitoring:
    """One version in one environment and window. Rows are each counted once."""

    environment: str
    version: str
    """The one that is watched: it answered last."""
    since: str
    until: str
    """Both RFC 3339 in UTC; ``until`` is not in the window."""
    rows: int
    served: tuple[Served, ...]
    days: tuple[Day, ...]
    burns: tuple[Burn, ...]
    drift: Drift | None
    """Inputs and score against the version's own committed profile; None where it has none."""
    outliers: Outliers | None
    confidence: Confidence | None
    estimate: Estimate | None
    """Quality without labels, from the scores' bins."""
    expected: Estimate | None
    """The same of the version's held-out rows: what a calibrated model would be worth is compared with that alone."""
    realised: Realised | None
    """None where nobody said what happened."""
    accepted: dict[str, float]
    """Metric → the value the version was registered with."""
    notes: tuple[str, ...] = ()
    estimated_slices: tuple[SliceEstimate, ...] = ()
    """Quality without labels, slice by slice; of slices with 200 rows and more."""


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
