"""Columns of a prediction log as NumPy arrays, and times in any notation."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from modelyard.errors import ModelyardError
from modelyard.flavors.values import spelled_text
from modelyard.manifests.model import Model
from modelyard.metrics.scores import Floats
from modelyard.tables.table import Table
from modelyard.tables.types import require_flat

if TYPE_CHECKING:
    import pyarrow as pa


LOG = Path("the prediction log")
LATEST = 253402300799.0
"""The end of the year 9999 in seconds since 1970."""


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

    A ModelyardError that names ``path`` when the column cannot be read, or says a time after the year 9999, as
    milliseconds do that are taken for seconds.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    column = require_flat(column, "time", path)
    try:
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            numbers = pc.cast(column, pa.float64(), safe=False)
            far = pc.min_max(numbers)
            if max(abs(far[end].as_py() or 0) for end in ("min", "max")) > LATEST:
                raise pa.ArrowInvalid(f"{far['max'].as_py():.0f} is not a number of seconds since 1970")
            numbers = pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)
            return pc.cast(pc.cast(pc.multiply(numbers, 1e6), pa.int64(), safe=False), pa.timestamp("us", "UTC"))
        if pa.types.is_timestamp(column.type) and column.type.tz is None:
            return pc.cast(column, pa.timestamp("us"), safe=False).cast(pa.timestamp("us", "UTC"))
        if pa.types.is_string(column.type):
            return _from_texts(column)
        return pc.cast(column, pa.timestamp("us", "UTC"), safe=False)
    except pa.ArrowException as error:
        raise ModelyardError(
            f"The times in {path} cannot be read: {str(error).splitlines()[0].rstrip('.')}.",
            "Write RFC 3339 (2026-05-03T14:00:00Z) or seconds since 1970, not milliseconds.",
        ) from error


def joined(parts: list[pa.Table]) -> pa.Table:
    """Parts of a log as one table. A column of several types gets the one that holds all its values."""
    import pyarrow as pa

    fields: dict[str, Any] = {}
    for part in parts:
        for field in part.schema:
            fields[field.name] = _common(fields.get(field.name, pa.null()), field.type)
    columns = {name: pa.chunked_array([_as(part, name, kind) for part in parts], kind) for name, kind in fields.items()}
    return pa.table(columns)


def as_text(value: Any) -> str | None:
    """A value as text, a list as JSON; half a surrogate pair becomes a question mark."""
    if value is None:
        return None
    text = msgspec.json.encode(value).decode() if isinstance(value, list | dict) else spelled_text(value)
    return text.encode("utf-8", "replace").decode()


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
    except ValueError:
        raise pa.ArrowInvalid(f"{text[:40]!r} is not a time") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _common(one: Any, other: Any) -> Any:
    import pyarrow as pa

    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if all(kind == pa.bool_() or pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in (one, other)):
        return pa.float64()
    try:
        schemas = [pa.schema([("x", kind)]) for kind in (one, other)]
        return pa.unify_schemas(schemas, promote_options="permissive").field("x").type
    except pa.ArrowException:
        return pa.string()


def _as(part: pa.Table, name: str, kind: Any) -> Any:
    import pyarrow as pa

    if name not in part.column_names or pa.types.is_null(part[name].type):
        return pa.nulls(part.num_rows, kind)
    column = part[name]
    if column.type == kind:
        return column.combine_chunks()
    if pa.types.is_string(kind):
        return pa.array([as_text(value) for value in column.to_pylist()], kind)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    return column.cast(kind).combine_chunks()
