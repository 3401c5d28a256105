"""Cross-validation by the pipeline, which shows how much the holdout's result depends on the split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelyard.metrics.intervals import defined
from modelyard.metrics.scores import TASKS, Floats, Integers, Settings, auc


@dataclass(frozen=True)
class FoldMetric:
    """One metric over the folds."""

    name: str
    values: tuple[float | None, ...]
    mean: float | None
    deviation: float | None
    """Standard deviation between folds (n − 1)."""


@dataclass(frozen=True)
class Stability:
    """Metrics by fold. ``trained_rows`` is each fold's number of training rows, if the pipeline writes it."""

    folds: tuple[str, ...]
    rows: tuple[int, ...]
    metrics: tuple[FoldMetric, ...]
    trained_rows: tuple[int, ...] = ()


def stability(
    label: Floats,
    prediction: Floats,
    names: tuple[str, ...],
    codes: Integers,
    task: str,
    settings: Settings,
    trained_rows: tuple[int, ...] = (),
) -> Stability | None:
    """Every metric in every fold; None with fewer than two folds. ``codes`` (rows,) is each row's fold."""
    if len(names) < 2:
        return None
    parts = [np.flatnonzero(codes == i) for i in range(len(names))]
    rows: dict[str, list[float | None]] = {}
    for part in parts:
        sums = TASKS[task].terms(label[part], prediction[part], settings).sum(axis=0)
        if task == "binary":
            rows.setdefault("auc", []).append(auc(label[part], prediction[part]))
        for metric in TASKS[task].metrics:
            rows.setdefault(metric.name, []).append(defined(metric.value(sums)))
    metrics = tuple(_fold_metric(name, tuple(values)) for name, values in rows.items())
    return Stability(names, tuple(int(part.size) for part in parts), metrics, trained_rows)


def _fold_metric(name: str, values: tuple[float | None, ...]) -> FoldMetric:
    known = np.array([value for value in values if value is not None])
    if known.size < 2:
        return FoldMetric(name, values, None, None)
    return FoldMetric(name, values, float(known.mean()), float(known.std(ddof=1)))
