"""A classifier that tries to tell two tables apart: the drift that no single column shows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.flavors.lightgbm import import_lightgbm
from modelyard.manifests.model import Column, Model
from modelyard.metrics.drift import MINIMUM_ROWS, DomainShift
from modelyard.metrics.intervals import delong_error, normal_interval
from modelyard.metrics.scores import Floats, auc
from modelyard.tables import TableFile

_ROWS = 20_000
_FOLDS = 5
_SEED = 20130101
_PARAMS: dict[str, Any] = {
    "objective": "binary", "num_leaves": 15, "learning_rate": 0.1, "min_data_in_leaf": 50, "seed": _SEED,
    "verbosity": -1, "deterministic": True, "force_row_wise": True,
}  # fmt: skip


def tell_apart(model: Model, before: TableFile, after: TableFile) -> DomainShift | None:
    """Cross-fitted over at most 20,000 rows of each table; None with fewer than 200 rows in one of them."""
    inputs = [c for c in model.contract.inputs if c.name in before.names and c.name in after.names]
    if min(before.rows, after.rows) < MINIMUM_ROWS or not inputs:
        return None
    lightgbm = import_lightgbm()
    matrix = np.column_stack([_both(column, before, after) for column in inputs])
    label = np.concatenate([np.zeros(min(before.rows, _ROWS)), np.ones(min(after.rows, _ROWS))])
    fold = np.random.default_rng(_SEED).permutation(label.size) % _FOLDS
    score: Floats = np.empty(label.size)
    gains = np.zeros(len(inputs))
    texts = [i for i, column in enumerate(inputs) if column.type in ("string", "boolean")]
    for held in range(_FOLDS):
        learn = fold != held
        data = lightgbm.Dataset(matrix[learn], label[learn], categorical_feature=texts, free_raw_data=True)
        booster = lightgbm.train(_PARAMS, data, 60)
        score[~learn] = booster.predict(matrix[~learn])
        gains += np.asarray(booster.feature_importance("gain"), dtype=np.float64)
    area, error = auc(label, score), delong_error(label, score, None, None)
    if area is None:
        return None
    order = np.argsort(-gains, kind="stable")
    strongest = tuple(inputs[i].name for i in order[:3] if gains[i] > 0)
    interval = normal_interval(area, error) if error is not None else None
    return DomainShift(area, interval, int(label.size), strongest)


def _both(column: Column, before: TableFile, after: TableFile) -> Floats:
    sides = [_sampled(file, column) for file in (before, after)]
    if column.type not in ("string", "boolean"):
        return np.concatenate(sides)
    texts = np.concatenate(sides)
    _, codes = np.unique(np.array(["" if t is None else f"={t}" for t in texts], dtype=np.str_), return_inverse=True)
    return codes.astype(np.float64)


def _sampled(file: TableFile, column: Column) -> NDArray[Any]:
    """At most 20,000 values, evenly spaced."""
    values = file.values(column.name, column.type)
    if values.size <= _ROWS:
        return values
    return values[np.linspace(0, values.size - 1, _ROWS).astype(np.int64)]
