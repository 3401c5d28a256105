"""What one version did in one window of time, as every report and every rule sees it."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard.measure.drift import Drift
from modelyard.measure.estimation import Estimate, SliceEstimate
from modelyard.measure.evaluation import MetricResult, SliceResult
from modelyard.measure.service import Burn, Latency
from modelyard.measure.surprise import Outliers


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
