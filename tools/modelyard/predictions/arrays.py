"""Columns of the one table as NumPy sees them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelyard.manifests.model import Model
from modelyard.metrics.scores import Floats
from modelyard.tables import Table

if TYPE_CHECKING:
    import pyarrow as pa

LOG = Path("the prediction log")


def seconds(times: Any) -> NDArray[np.float64]:
    """Moments as seconds since 1970 (rows,)."""
    import pyarrow as pa

    return np.asarray(np.asarray(times.cast(pa.int64()), dtype=np.float64) / 1e6)


def mask(column: Any) -> NDArray[np.bool_]:
    """Truth values without nulls (rows,)."""
    return np.asarray(column, dtype=bool)


def scores_of(rows: pa.Table, model: Model) -> Floats:
    """Scores (rows,), of a multiclass model (rows, classes)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if model.task != "multiclass":
        return Table(rows.select(["score"]), LOG).numbers("score")
    classes = len(model.contract.classes)
    if not rows.num_rows:
        return np.empty((0, classes))
    return Table(pa.table({"score": pc.list_flatten(rows["score"])}), LOG).numbers("score").reshape(-1, classes)


def has_scores(rows: pa.Table, model: Model) -> NDArray[np.bool_]:
    """Which rows (rows,) were answered, of a multiclass model with one number a class."""
    import pyarrow as pa
    import pyarrow.compute as pc

    score = rows["score"]
    if model.task != "multiclass":
        return mask(score.is_valid())
    if not (pa.types.is_list(score.type) or pa.types.is_large_list(score.type)):
        return np.zeros(rows.num_rows, dtype=bool)
    return mask(pc.equal(pc.list_value_length(score), len(model.contract.classes)).fill_null(False))
