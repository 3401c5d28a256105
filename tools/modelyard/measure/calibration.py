"""Whether predicted probabilities mean what they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelyard.measure.intervals import Interval, Resampling, percentile_interval
from modelyard.measure.scores import Floats

BINS = 10
MINIMUM_ROWS = 200
"""Below this a bin holds too few rows for its rate to mean anything."""


@dataclass(frozen=True)
class ReliabilityBin:
    """Rows of similar prediction: their mean prediction, and how often the outcome was positive."""

    rows: int
    mean_prediction: float
    observed_rate: float


@dataclass(frozen=True)
class BrierParts:
    """Murphy's decomposition over the bins (J. Appl. Meteorology 1973): Brier = reliability − resolution + uncertainty,
    but for the spread of predictions within a bin.
    """

    reliability: float
    resolution: float
    uncertainty: float


@dataclass(frozen=True)
class Calibration:
    """Expected calibration error over equal-mass bins (Nguyen & O'Connor, EMNLP 2015), and the curve behind it."""

    expected_error: float
    mean_prediction: float
    base_rate: float
    bins: tuple[ReliabilityBin, ...]
    interval: Interval | None = None
    """Of the expected error. A sum of absolute values is biased upwards by chance, so is its interval."""
    brier: BrierParts | None = None


def calibration(label: Floats, prediction: Floats, resampling: Resampling, bins: int = BINS) -> Calibration | None:
    """Calibration of probabilities (rows,); None with fewer than 200 rows."""
    if label.size < MINIMUM_ROWS:
        return None
    order = np.argsort(prediction, kind="stable")
    codes = np.empty(label.size, dtype=np.int64)
    for i, part in enumerate(np.array_split(order, bins)):
        codes[part] = i
    by_block = np.stack([resampling.counts(codes, bins, weights) for weights in (None, prediction, label)], axis=-1)
    totals = by_block.sum(axis=0)
    curve = tuple(ReliabilityBin(int(n), float(p / n), float(y / n)) for n, p, y in totals)
    rows, base = totals[:, 0] / label.size, float(label.mean())
    rates, means = totals[:, 2] / totals[:, 0], totals[:, 1] / totals[:, 0]
    parts = BrierParts(float(rows @ (means - rates) ** 2), float(rows @ (rates - base) ** 2), base * (1 - base))
    interval = percentile_interval(_error(resampling.replicates(by_block)))
    return Calibration(float(_error(totals)), float(prediction.mean()), base, curve, interval, parts)


def _error(sums: Floats) -> Floats:
    """Σ |Σ predictions − Σ outcomes| over rows, from sums (..., bins, 3)."""
    gaps = np.abs(sums[..., 1] - sums[..., 2]).sum(axis=-1)
    result: Floats = gaps / sums[..., 0].sum(axis=-1)
    return result
