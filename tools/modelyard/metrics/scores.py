"""The metrics of each task, as scikit-learn defines them (equal to 1e-9).

All metrics except areas under curves are functions of sums over rows. So they can be recomputed for any resampling of
blocks from the sums of the blocks, and thousands of bootstrap replicates are cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Settings:
    """The settings of metrics."""

    threshold: float = 0.5
    """Binary: the decision is positive at or above this probability."""
    precision: float = 0.9
    """The precision of recall at precision."""
    quantile: float = 0.5
    """The quantile of the pinball loss."""
    at: int = 10
    """The number of results of a query that NDCG and MAP use."""


@dataclass(frozen=True)
class SumMetric:
    """A metric from sums over rows: ``value`` takes sums (..., k), the first of which counts rows, and gives (...),
    NaN where the metric is undefined.
    """

    name: str
    higher_is_better: bool
    value: Callable[[Floats], Floats]


@dataclass(frozen=True)
class TaskMetrics:
    """``terms(label, prediction, settings)`` gives an array (rows, k). Every metric is a function of its sums."""

    terms: Callable[[Floats, Floats, Settings], Floats]
    metrics: tuple[SumMetric, ...]


def auc(label: Floats, prediction: Floats) -> float | None:
    """Area under the ROC curve, ties counted half (Mann–Whitney); None with one class only."""
    positives = label == 1
    m, n = int(positives.sum()), int((~positives).sum())
    if not m or not n:
        return None
    return float((midranks(prediction)[positives].sum() - m * (m + 1) / 2) / (m * n))


def midranks(values: Floats) -> Floats:
    """Ranks from 1, ties given their mean rank."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if values.size else np.empty(0, int)
    counts = np.diff(np.append(starts, values.size))
    ranks: Floats = np.empty(values.size)
    ranks[order] = np.repeat(starts + (counts + 1) / 2.0, counts)
    return ranks


def query_scores(relevance: Floats, prediction: Floats, query: Integers, at: int) -> Floats:
    """NDCG@at and AP@at of each query (queries, 2), queries in the order of their codes.

    NDCG with gain = relevance and discount log2(rank + 1), ties in the prediction broken by averaging, as
    sklearn.metrics.ndcg_score; 0 where nothing is relevant. AP@at of relevance > 0 over min(at, relevant) (Järvelin &
    Kekäläinen 2002; Manning, Raghavan & Schütze 2008, 8.4); 0 where nothing is relevant.
    """
    order = np.lexsort((-prediction, query))
    ends = np.cumsum(np.bincount(query))
    starts = np.concatenate([[0], ends[:-1]])
    result = np.zeros((ends.size, 2))
    for i, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        rows = order[start:end]
        result[i] = _ndcg(relevance[rows], prediction[rows], at), _average_precision(relevance[rows] > 0, at)
    return result


def _binary_terms(label: Floats, prediction: Floats, settings: Settings) -> Floats:
    positive, decided = label == 1, prediction >= settings.threshold
    # Clipped as scikit-learn does: by the resolution of the type.
    epsilon = np.finfo(np.float64).eps
    p = np.clip(prediction, epsilon, 1 - epsilon)
    terms = np.empty((label.size, 7))
    terms[:, 0] = 1
    terms[:, 1] = -np.log(np.where(positive, p, 1 - p))
    terms[:, 2] = (label - prediction) ** 2
    terms[:, 3] = decided == positive
    terms[:, 4] = positive & decided
    terms[:, 5] = positive
    terms[:, 6] = decided
    return terms


def _ratio(above: int, *below: int, factor: float = 1.0) -> Callable[[Floats], Floats]:
    return lambda sums: _divide(factor * sums[..., above], sum(sums[..., i] for i in below))  # type: ignore[arg-type]


BINARY = TaskMetrics(
    _binary_terms,
    (
        SumMetric("log_loss", False, _ratio(1, 0)),
        SumMetric("brier", False, _ratio(2, 0)),
        SumMetric("accuracy", True, _ratio(3, 0)),
        SumMetric("f1", True, _ratio(4, 5, 6, factor=2.0)),
        SumMetric("precision", True, _ratio(4, 6)),
        SumMetric("recall", True, _ratio(4, 5)),
    ),
)


def _r2(sums: Floats) -> Floats:
    spread = sums[..., 5] - _divide(sums[..., 4] ** 2, sums[..., 0])
    return 1 - _divide(sums[..., 2], spread)


def _regression_terms(label: Floats, prediction: Floats, settings: Settings) -> Floats:
    error = label - prediction
    pinball = np.maximum(settings.quantile * error, (settings.quantile - 1) * error)
    return np.column_stack([np.ones(label.size), np.abs(error), error**2, pinball, label, label**2])


def _divide(above: Floats, below: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        result: Floats = np.where(below > 0, above / np.where(below > 0, below, 1), np.nan)
    return result


REGRESSION = TaskMetrics(
    _regression_terms,
    (
        SumMetric("mae", False, _ratio(1, 0)),
        SumMetric("rmse", False, lambda sums: np.sqrt(_divide(sums[..., 2], sums[..., 0]))),
        SumMetric("pinball", False, _ratio(3, 0)),
        SumMetric("r2", True, _r2),
    ),
)


def _multiclass_terms(label: Floats, prediction: Floats, settings: Settings) -> Floats:
    """``label`` (rows,) are class codes, ``prediction`` (rows, classes) probabilities."""
    rows, classes = prediction.shape
    code = label.astype(np.int64)
    epsilon = np.finfo(np.float64).eps
    # Normalised as scikit-learn does.
    p = np.clip(prediction / prediction.sum(axis=1, keepdims=True), epsilon, 1 - epsilon)
    chosen = prediction.argmax(axis=1)
    truth, decided = (np.eye(classes)[codes] for codes in (code, chosen))
    own = p[np.arange(rows), code]
    return np.column_stack([
        np.ones(rows), -np.log(own), ((prediction - truth) ** 2).sum(axis=1), chosen == code,
        truth * decided, truth, decided,
    ])  # fmt: skip


def _macro_f1(sums: Floats) -> Floats:
    classes = (sums.shape[-1] - 4) // 3
    hits, truth, decided = (sums[..., 4 + i * classes : 4 + (i + 1) * classes] for i in range(3))
    # A class that neither occurs nor is predicted is left out, as scikit-learn does without ``labels``.
    scores = _divide(2 * hits, truth + decided)
    with np.errstate(invalid="ignore"):
        present = np.isfinite(scores)
        return _divide(np.where(present, scores, 0).sum(axis=-1), present.sum(axis=-1).astype(np.float64))


MULTICLASS = TaskMetrics(
    _multiclass_terms,
    (
        SumMetric("log_loss", False, _ratio(1, 0)),
        SumMetric("brier", False, _ratio(2, 0)),
        SumMetric("accuracy", True, _ratio(3, 0)),
        SumMetric("macro_f1", True, _macro_f1),
    ),
)

RANKING = TaskMetrics(
    # One row per query, with scores that are computed already (``query_scores``).
    lambda label, prediction, settings: np.column_stack([np.ones(len(prediction)), prediction]),
    (SumMetric("ndcg", True, _ratio(1, 0)), SumMetric("map", True, _ratio(2, 0))),
)

TASKS: Mapping[str, TaskMetrics] = {
    "binary": BINARY, "regression": REGRESSION, "multiclass": MULTICLASS, "ranking": RANKING,
}  # fmt: skip


def _ndcg(relevance: Floats, prediction: Floats, at: int) -> float:
    discount = 1 / np.log2(np.arange(relevance.size) + 2)
    discount[at:] = 0
    best = float(np.sort(relevance)[::-1] @ discount)
    if best <= 0:
        return 0.0
    # Rows with equal predictions share their mean relevance.
    _, inverse, counts = np.unique(-prediction, return_inverse=True, return_counts=True)
    shared = (np.bincount(inverse, weights=relevance) / counts)[inverse]
    return float(shared @ discount) / best


def _average_precision(relevant: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], at: int) -> float:
    total = int(relevant.sum())
    if not total:
        return 0.0
    top = relevant[:at]
    precision = np.cumsum(top) / np.arange(1, top.size + 1)
    return float(precision[top].sum()) / min(at, total)
