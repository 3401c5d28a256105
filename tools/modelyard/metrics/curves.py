"""Measures from curves: precision and recall, and the calibration of predicted probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelyard.metrics.intervals import Interval, Resampling, percentile_interval
from modelyard.metrics.scores import Floats, Integers

_BINS = 512
BINS = 10
MINIMUM_ROWS = 200
"""A bin with fewer rows has no useful rate."""


def average_precision(label: Floats, prediction: Floats) -> float | None:
    """Σ (recall_k − recall_{k−1}) · precision_k over distinct predictions, as scikit-learn; None without a positive."""
    hits, taken = _curve(label, prediction)
    if not hits.size or not hits[-1]:
        return None
    return float((np.diff(hits, prepend=0) * hits / taken).sum() / hits[-1])


def recall_at_precision(label: Floats, prediction: Floats, precision: float) -> float | None:
    """The largest recall of all thresholds with at least this precision; 0 without one."""
    hits, taken = _curve(label, prediction)
    if not hits.size or not hits[-1]:
        return None
    good = hits / taken >= precision
    return float(hits[good].max(initial=0.0) / hits[-1])


def bins_for(rows: int) -> int:
    """Bins of equal size for replicates. The values themselves are exact."""
    return min(_BINS, max(rows // 8, 1))


def curve_bins(prediction: Floats) -> Integers:
    """Each row's bin (rows,), 0 for the highest predictions."""
    order = np.argsort(-prediction, kind="stable")
    bins = np.empty(prediction.size, dtype=np.int64)
    bins[order] = np.arange(prediction.size) * bins_for(prediction.size) // max(prediction.size, 1)
    return bins


def binned(sums: Floats, precision: float) -> tuple[Floats, Floats]:
    """Average precision and recall at precision from rows and positives by bin: (..., 2, bins) to (...) each."""
    taken, hits = (np.cumsum(sums[..., i, :], axis=-1) for i in (0, 1))
    total = hits[..., -1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(taken > 0, hits / taken, 0)
        area = (sums[..., 1, :] * rate).sum(axis=-1) / total[..., 0]
        recall = np.where(rate >= precision, hits, 0).max(axis=-1) / total[..., 0]
    return area, recall


@dataclass(frozen=True)
class ReliabilityBin:
    """Rows of similar prediction: their mean prediction, and the share of positive labels."""

    rows: int
    mean_prediction: float
    observed_rate: float


@dataclass(frozen=True)
class BrierParts:
    """Murphy's decomposition over the bins (J. Appl. Meteorology 1973): Brier = reliability − resolution + uncertainty,
    except for the spread of predictions within a bin.
    """

    reliability: float
    resolution: float
    uncertainty: float


@dataclass(frozen=True)
class Calibration:
    """Expected calibration error over equal-mass bins (Nguyen & O'Connor, EMNLP 2015), and its curve."""

    expected_error: float
    mean_prediction: float
    base_rate: float
    bins: tuple[ReliabilityBin, ...]
    interval: Interval | None = None
    """The interval of the expected error. A sum of absolute values is biased upwards, and so is its interval."""
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


def _curve(label: Floats, prediction: Floats) -> tuple[Floats, Floats]:
    """Positives and rows at or above each distinct prediction, from the highest."""
    order = np.argsort(-prediction, kind="stable")
    ordered = prediction[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if ordered.size else np.empty(0, np.int64)
    hits = np.cumsum(label[order] == 1)[last].astype(np.float64)
    return hits, (last + 1).astype(np.float64)


def _error(sums: Floats) -> Floats:
    """Σ |Σ predictions − Σ outcomes| over rows, from sums (..., bins, 3)."""
    gaps = np.abs(sums[..., 1] - sums[..., 2]).sum(axis=-1)
    result: Floats = gaps / sums[..., 0].sum(axis=-1)
    return result
