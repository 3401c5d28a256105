"""What is read off the curve of precision over recall."""

from __future__ import annotations

import numpy as np

from modelyard.measure.scores import Floats, Integers

_BINS = 512


def average_precision(label: Floats, prediction: Floats) -> float | None:
    """Σ (recall_k − recall_{k−1}) · precision_k over distinct predictions, as scikit-learn; None without a positive."""
    hits, taken = _curve(label, prediction)
    if not hits.size or not hits[-1]:
        return None
    return float((np.diff(hits, prepend=0) * hits / taken).sum() / hits[-1])


def recall_at_precision(label: Floats, prediction: Floats, precision: float) -> float | None:
    """The largest recall of any threshold whose precision is at least so much; 0 when none has it."""
    hits, taken = _curve(label, prediction)
    if not hits.size or not hits[-1]:
        return None
    good = hits / taken >= precision
    return float(hits[good].max(initial=0.0) / hits[-1])


def bins_for(rows: int) -> int:
    """How many bins of equal size replicates are made of; the values themselves are exact."""
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


def _curve(label: Floats, prediction: Floats) -> tuple[Floats, Floats]:
    """Positives and rows at or above each distinct prediction, from the highest."""
    order = np.argsort(-prediction, kind="stable")
    ordered = prediction[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if ordered.size else np.empty(0, np.int64)
    hits = np.cumsum(label[order] == 1)[last].astype(np.float64)
    return hits, (last + 1).astype(np.float64)
