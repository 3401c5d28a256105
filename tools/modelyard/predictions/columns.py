"""Columns of a prediction log as NumPy arrays, and times in any notation."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import ModelyardError
from modelyard.manifests.model import Model
from modelyard.metrics.scores import Floats
from modelyard.tables.table import Table

if TYPE_CHECKING:
    import pyarrow as pa


LOG = Path("the prediction log")


def seconds(times: Any) -> NDArray[np.float64]:
    """Timestamps (microseconds) as seconds since 1970 (rows,)."""
    import pyarrow as pa

    return np.asarray(np.asarray(times.cast(pa.int64()), dtype=np.float64) / 1e6)


def mask(column: Any) -> NDArray[np.bool_]:
    """A boolean column without nulls as an array (rows,)."""
    return np.asarray(column, dtype=bool)


def scores_of(rows: pa.Table, model: Model) -> Floats:
    """Scores (rows,); (rows, classes) for a multiclass model."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if model.task != "multiclass":
        return Table(rows.select(["score"]), LOG).numbers("score")
    classes = len(model.contract.classes)
    if not rows.num_rows:
        return np.empty((0, classes))
    return Table(pa.table({"score": pc.list_flatten(rows["score"])}), LOG).numbers("score").reshape(-1, classes)


def has_scores(rows: pa.Table, model: Model) -> NDArray[np.bool_]:
    """Which rows (rows,) have a score; for a multiclass model, one number per class."""
    import pyarrow as pa
    import pyarrow.compute as pc

    score = rows["score"]
    if model.task != "multiclass":
        return mask(score.is_valid())
    if not (pa.types.is_list(score.type) or pa.types.is_large_list(score.type)):
        return np.zeros(rows.num_rows, dtype=bool)
    return mask(pc.equal(pc.list_value_length(score), len(model.contract.classes)).fill_null(False))


def times_of(column: Any, path: str) -> Any:
    """A column of timestamps, texts or seconds since 1970 as timestamps in UTC; times without a zone are UTC.

    A ModelyardError that names ``path`` when the column cannot be read.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            seconds = pc.multiply(pc.cast(column, pa.float64()), 1e6)
            return pc.cast(pc.cast(seconds, pa.int64(), safe=False), pa.timestamp("us", "UTC"))
        if pa.types.is_timestamp(column.type) and column.type.tz is None:
            return pc.cast(column, pa.timestamp("us"), safe=False).cast(pa.timestamp("us", "UTC"))
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            return _from_texts(column)
        return pc.cast(column, pa.timestamp("us", "UTC"), safe=False)
    except pa.ArrowException as error:
        raise ModelyardError(
            f"The times in {path} cannot be read: {str(error).splitlines()[0].rstrip('.')}.",
            "Write RFC 3339 (2026-05-03T14:00:00Z) or seconds since 1970.",
        ) from error


def _from_texts(column: Any) -> Any:
    """Read by Arrow when all texts, or none of them, have a zone; one by one when they are mixed."""
    import pyarrow as pa
    import pyarrow.compute as pc

    utc = pa.timestamp("us", "UTC")
    for kind in (utc, pa.timestamp("us")):
        try:
            return pc.cast(column, kind).cast(utc)
        except pa.ArrowInvalid:
            continue
    return pa.chunked_array([pa.array([_moment(text) for text in column.to_pylist()], utc)])


def _moment(text: str | None) -> datetime | None:
    import pyarrow as pa

    if text is None or not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError as error:
        raise pa.ArrowInvalid(str(error)) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
