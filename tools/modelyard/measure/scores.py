"""The metrics of a task, each in the field's standard definition (scikit-learn's, equal to 1e-9).

Every metric but AUC is a function of sums over rows, so it can be recomputed for any resampling of blocks of rows from
the blocks' sums alone. That is what makes thousands of bootstrap replicates cheap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class SumMetric:
    """A metric from sums over rows.

    ``terms(label, prediction, threshold)`` gives an array (rows, k); ``value(sums, count)`` takes sums (..., k) and
    counts (...) and gives (...), NaN where the metric is undefined.
    """

    name: str
    higher_is_better: bool
    terms: Callable[[Floats, Floats, float], Floats]
    value: Callable[[Floats, Floats], Floats]


def auc(label: Floats, prediction: Floats) -> float | None:
    """Area under the ROC curve, ties counted half (Mann–Whitney); None with one class only."""
    positives = label == 1
    m, n = int(positives.sum()), int((~positives).sum())
    if not m or not n:
        return None
    return float((midranks(prediction)[positives].sum() - m * (m + 1) / 2) / (m * n))


def midranks(values: Floats) -> Floats:
    """Ranks from 1, ties given their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Floats = (last - (counts - 1) / 2.0)[inverse]
    return ranks


def _log_loss_terms(label: Floats, prediction: Floats, threshold: float) -> Floats:
    # Clipped as scikit-learn does: by the resolution of the type.
    epsilon = np.finfo(np.float64).eps
    p = np.clip(prediction, epsilon, 1 - epsilon)
    return -np.where(label == 1, np.log(p), np.log1p(-p))[:, None]


def _f1_terms(label: Floats, prediction: Floats, threshold: float) -> Floats:
    positive, decided = label == 1, prediction >= threshold
    return np.column_stack([positive & decided, positive, decided]).astype(np.float64)


def _f1(sums: Floats, count: Floats) -> Floats:
    total = sums[..., 1] + sums[..., 2]
    return _divide(2 * sums[..., 0], total)


def _r2_terms(label: Floats, prediction: Floats, threshold: float) -> Floats:
    return np.column_stack([(label - prediction) ** 2, label, label**2])


def _r2(sums: Floats, count: Floats) -> Floats:
    spread = sums[..., 2] - sums[..., 1] ** 2 / count
    return 1 - _divide(sums[..., 0], spread)


def _mean(sums: Floats, count: Floats) -> Floats:
    return _divide(sums[..., 0], count)


def _divide(above: Floats, below: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        result: Floats = np.where(below > 0, above / np.where(below > 0, below, 1), np.nan)
    return result


LOG_LOSS = SumMetric("log_loss", False, _log_loss_terms, _mean)
BRIER = SumMetric("brier", False, lambda y, p, t: ((y - p) ** 2)[:, None], _mean)
ACCURACY = SumMetric("accuracy", True, lambda y, p, t: ((p >= t) == (y == 1)).astype(np.float64)[:, None], _mean)
F1 = SumMetric("f1", True, _f1_terms, _f1)
MAE = SumMetric("mae", False, lambda y, p, t: np.abs(y - p)[:, None], _mean)
RMSE = SumMetric("rmse", False, lambda y, p, t: ((y - p) ** 2)[:, None], lambda s, n: np.sqrt(_mean(s, n)))
R2 = SumMetric("r2", True, _r2_terms, _r2)

SUM_METRICS: dict[str, tuple[SumMetric, ...]] = {
    "binary": (LOG_LOSS, BRIER, ACCURACY, F1),
    "regression": (MAE, RMSE, R2),
}
HIGHER_IS_BETTER = {"auc": True} | {m.name: m.higher_is_better for ms in SUM_METRICS.values() for m in ms}
