"""How well each query's results are ordered."""

from __future__ import annotations

import numpy as np

from modelyard.measure.scores import Floats, Integers


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


def _ndcg(relevance: Floats, prediction: Floats, at: int) -> float:
    discount = 1 / np.log2(np.arange(relevance.size) + 2)
    discount[at:] = 0
    best = float(np.sort(relevance)[::-1] @ discount)
    if best <= 0:
        return 0.0
    # Rows of one prediction share their mean relevance.
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
