"""Measurements of one version in one window: traffic, latency, burn rates, data drift, outlier rate, quality."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelyard.metrics.distances import chi_square_p, unbiased_js
from modelyard.metrics.drift import EFFECT_MARGIN, Drift
from modelyard.metrics.estimate import Estimate, SliceEstimate
from modelyard.metrics.evaluation import MetricResult, SliceResult
from modelyard.metrics.outliers import Outliers
from modelyard.metrics.scores import Floats, Integers

FEWEST_SELECTED = 200
"""Due rows with a label, and without one, that a comparison of their scores needs."""
FEWEST = 50
"""The fewest requests in the long window for a burn rate."""


@dataclass(frozen=True)
class Latency:
    """Quantiles of the latency of answered requests, in milliseconds."""

    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True)
class Served:
    """The traffic of one version as one variant: champion, candidate or shadow."""

    version: str
    variant: str
    requests: int
    errors: int
    rows: int
    """Predictions that were answered."""
    share: float
    """Share of all answered rows; a shadow's rows are divided by the same number."""
    latency: Latency


@dataclass(frozen=True)
class Day:
    """One day (UTC) since the model began to serve in the environment, with or without traffic."""

    day: str
    rows: int
    errors: int
    mean_score: float | None
    """``rows``, ``errors`` and ``mean_score`` are the monitored version's."""
    others: int = 0
    """Rows answered by other versions, and their failed requests; shadows do not count."""

    @property
    def silent(self) -> bool:
        """Whether there was no request."""
        return not self.rows + self.errors + self.others


@dataclass(frozen=True)
class Confidence:
    """Mean probability of the predicted class in the window and in the held-out rows, both from the same bins."""

    current: float
    reference: float


@dataclass(frozen=True)
class Selection:
    """Scores of due rows with a label against those of due rows without one."""

    js: float
    """Jensen–Shannon distance, less what chance adds."""
    p_value: float
    """Two-sample chi-square."""
    labelled: float
    """Mean score of the rows with a label."""
    missing: float
    """Mean score of those without."""

    @property
    def at_random(self) -> bool:
        """Whether labels may be missing at random: the scores do not say which rows have none."""
        return self.p_value > 0.001 or self.js < EFFECT_MARGIN


def selection(arrived: Integers, middles: Floats) -> Selection | None:
    """From counts (2, bins) of due rows with and without a label by the score's bins, and their middles (bins,)."""
    labelled, missing = arrived.astype(np.float64)
    if min(labelled.sum(), missing.sum()) < FEWEST_SELECTED:
        return None
    seen = (labelled + missing) > 0
    means = [float(side @ middles / side.sum()) for side in (labelled, missing)]
    return Selection(
        js=unbiased_js(labelled[seen], missing[seen]),
        p_value=chi_square_p(labelled[seen], missing[seen]),
        labelled=means[0],
        missing=means[1],
    )


@dataclass(frozen=True)
class Realised:
    """Quality by ground truth, and how much of the ground truth has arrived."""

    due: int
    """Predictions old enough to have a label."""
    labelled: int
    """Predictions of any age that have a label."""
    missing: int
    """Due predictions without a label."""
    oldest_missing_days: float | None
    """Age of the oldest of those; None when none is missing."""
    metrics: tuple[MetricResult, ...] = ()
    """``champion`` is the baseline: the value the version was registered with."""
    selection: Selection | None = None
    """None where too few due rows have a label, or lack one."""
    slices: tuple[SliceResult, ...] = ()
    weighed: int = 0
    """Labelled rows that were kept so that they stand for all (``thinning.py``); 0 where that was not tried."""
    weighed_metrics: tuple[MetricResult, ...] = ()
    """Of those rows."""


@dataclass(frozen=True)
class Burn:
    """Burn rates of one SLO: how many times faster than allowed its error budget is used up.

    Measured over a long and a short span (Google SRE Workbook, chapter 5) at the end of the window and at its worst
    moment.
    """

    id: str
    requests: int
    """In the whole window."""
    bad: int
    long: float | None
    """Over the long span at the window's end; None with fewer than 50 requests in it."""
    short: float | None
    """Over the short span at the window's end; None without requests in it."""
    worst: float | None
    """The highest min(long, short) of any minute that was not judged before. What a span lacks before the window's
    beginning counts as requests that were good."""
    worst_at: float | None
    """Seconds since 1970."""


@dataclass(frozen=True)
class Monitoring:
    """One version in one environment and window. Every row is counted once."""

    environment: str
    version: str
    """The monitored version: the champion that answered last."""
    since: str
    until: str
    """``since`` and ``until`` are RFC 3339 in UTC; ``until`` is not in the window."""
    rows: int
    served: tuple[Served, ...]
    days: tuple[Day, ...]
    burns: tuple[Burn, ...]
    drift: Drift | None
    """Input drift against the version's own committed profile or earlier predictions, and score drift against the
    profile; None when it has none."""
    outliers: Outliers | None
    confidence: Confidence | None
    estimate: Estimate | None
    """Quality estimated without labels, from the scores' bins."""
    expected: Estimate | None
    """The same estimate for the version's held-out rows; the two are compared, so that their common bias cancels."""
    realised: Realised | None
    """None when no ground truth is known."""
    accepted: dict[str, float]
    """Metric → the baseline: the value the version was registered with."""
    notes: tuple[str, ...] = ()
    held_out: int | None = None
    """Rows that the baseline was measured on; None when unknown."""
    estimated_slices: tuple[SliceEstimate, ...] = ()
    """Quality estimated without labels per slice, for slices with at least 200 rows."""
    incomparable: str = ""
    """Why there are no earlier predictions to compare the inputs with, as a sentence; '' where there are."""
    serving_seconds: float | None = None
    """How long the model had served in the environment when the window ended; None when that is not known."""
    profiles: bool = False
    """Whether only profiles of whole days are known, and no single prediction."""


@dataclass(frozen=True)
class Objective:
    """An SLO: the share of requests that must be good, and the long and short span of its burn rates.

    A request is bad when it failed or took longer than ``maximum_milliseconds``; None sets no limit.
    """

    id: str
    share: float
    maximum_milliseconds: float | None
    long_seconds: float
    short_seconds: float

    def bad(self, milliseconds: Floats, failed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which requests (requests,) count against the error budget."""
        return failed if self.maximum_milliseconds is None else failed | (milliseconds > self.maximum_milliseconds)


def latency(milliseconds: Sequence[NDArray[np.float32]]) -> Latency:
    """Quantiles over all parts (requests,); NaN stands for a request without a known latency."""
    answered = np.concatenate([np.empty(0, dtype=np.float32), *(part[np.isfinite(part)] for part in milliseconds)])
    if not answered.size:
        return Latency(None, None, None)
    p50, p95, p99 = np.quantile(answered, [0.5, 0.95, 0.99], overwrite_input=True)
    return Latency(float(p50), float(p95), float(p99))


def by_minute(at: Floats, begin: float, until: float) -> Floats:
    """Moments counted by minute (minutes,), oldest first. Minutes are counted back from ``until``."""
    span = max(1, math.ceil((until - begin) / 60))
    back = np.clip(np.ceil((until - at) / 60).astype(np.int64) - 1, 0, span - 1)
    return np.bincount(back, minlength=span)[::-1].astype(np.float64)


def burn(requests: Floats, bad: Floats, objective: Objective, until: float, judged: int = 0) -> Burn:
    """Burn rates at the window's end (``until``) and at its worst moment, from requests by minute (minutes,).

    The first ``judged`` minutes were judged before.
    """
    if not requests.any():
        return Burn(id=objective.id, requests=0, bad=0, long=None, short=None, worst=None, worst_at=None)
    span = requests.size
    budget = max(1 - objective.share, 1e-9)
    long = _rates(bad, requests, objective.long_seconds, FEWEST) / budget
    short = _rates(bad, requests, objective.short_seconds, 1) / budget
    minutes = np.arange(1, span + 1)
    whole = [minutes / max(1, round(spell / 60)) for spell in (objective.long_seconds, objective.short_seconds)]
    both = np.minimum(long * np.minimum(whole[0], 1), short * np.minimum(whole[1], 1))
    known = np.isfinite(both) & (minutes > judged)
    worst = int(np.argmax(np.where(known, both, -1.0))) if known.any() else None
    return Burn(
        id=objective.id,
        requests=int(requests.sum()),
        bad=int(bad.sum()),
        long=_defined(long[-1]),
        short=_defined(short[-1]),
        worst=None if worst is None else float(both[worst]),
        worst_at=None if worst is None else until - 60 * (span - 1 - worst),
    )


def _rates(bads: Floats, counts: Floats, seconds: float, fewest: int) -> Floats:
    """The share of bad requests in the span that ends with each minute (minutes,); NaN with too few requests."""
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
