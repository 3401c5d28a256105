"""Whether predicted probabilities mean what they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
class Calibration:
    """Expected calibration error over equal-mass bins (Nguyen & O'Connor, EMNLP 2015), and the curve behind it."""

    expected_error: float
    mean_prediction: float
    base_rate: float
    bins: tuple[ReliabilityBin, ...]


def calibration(label: Floats, prediction: Floats, bins: int = BINS) -> Calibration | None:
    """Calibration of probabilities (rows,); None with fewer than 200 rows."""
    if label.size < MINIMUM_ROWS:
        return None
    order = np.argsort(prediction, kind="stable")
    parts = [part for part in np.array_split(order, min(bins, label.size)) if part.size]
    curve = tuple(
        ReliabilityBin(int(part.size), float(prediction[part].mean()), float(label[part].mean())) for part in parts
    )
    error = sum(b.rows * abs(b.mean_prediction - b.observed_rate) for b in curve) / label.size
    return Calibration(float(error), float(prediction.mean()), float(label.mean()), curve)
