"""Quality estimated without labels, from the probabilities of a calibrated classifier (NannyML calls it CBPE)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelyard.metrics.intervals import Interval
from modelyard.metrics.scores import Floats

ASSUMPTION = "It is valid while predictions are calibrated and inputs keep their meaning; it cannot show concept drift."
MINIMUM_ROWS = 200
_Z = 1.959963984540054


@dataclass(frozen=True)
class EstimatedMetric:
    """The expected value of a metric, and the interval of its value on these rows in 95 of 100 cases."""

    name: str
    value: float
    interval: Interval


@dataclass(frozen=True)
class Estimate:
    """Expected quality on unlabelled rows."""

    rows: int
    metrics: tuple[EstimatedMetric, ...]
    assumption: str = ASSUMPTION


@dataclass(frozen=True)
class SliceEstimate:
    """Expected quality on the unlabelled rows of one slice."""

    column: str
    level: str
    rows: int
    metrics: tuple[EstimatedMetric, ...]


def estimate_quality(score: Floats, threshold: float) -> Estimate | None:
    """Expected AUC, accuracy and Brier score of probabilities (rows,); None with fewer than 200 finite ones.

    Each label is treated as drawn with the predicted probability. Accuracy and Brier score are then means of
    independent terms with known variance. The AUC is the expected share of ordered pairs, with the standard error of
    Hanley & McNeil (Radiology 1982).
    """
    p = score[np.isfinite(score)]
    if p.size < MINIMUM_ROWS:
        return None
    right = np.where(p >= threshold, p, 1 - p)
    accuracy = _sum("accuracy", right, right * (1 - right))
    gain, loss = (1 - p) ** 2, p**2  # the two possible values of a row's squared error
    brier = _sum("brier", p * gain + (1 - p) * loss, p * (1 - p) * (gain - loss) ** 2)
    found = [accuracy, brier]
    area = _expected_auc(p)
    if area is not None:
        found.insert(0, area)
    return Estimate(int(p.size), tuple(found))


def _sum(name: str, means: Floats, variances: Floats) -> EstimatedMetric:
    value, error = float(means.mean()), float(np.sqrt(variances.sum()) / means.size)
    return EstimatedMetric(name, value, Interval(value - _Z * error, value + _Z * error))


def _expected_auc(p: Floats) -> EstimatedMetric | None:
    positives, negatives = float(p.sum()), float((1 - p).sum())
    if positives < 1 or negatives < 1:
        return None
    values, inverse = np.unique(p, return_inverse=True)
    up = np.bincount(inverse, weights=p, minlength=values.size)
    down = np.bincount(inverse, weights=1 - p, minlength=values.size)
    below = np.concatenate([[0.0], np.cumsum(down)[:-1]])
    area = float((up * (below + down / 2)).sum() / (positives * negatives))
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (positives - 1) * (q1 - area**2) + (negatives - 1) * (q2 - area**2)
    error = float(np.sqrt(max(variance, 0.0) / (positives * negatives)))
    return EstimatedMetric("auc", area, Interval(max(area - _Z * error, 0.0), min(area + _Z * error, 1.0)))
