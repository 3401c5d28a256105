"""Canonical columns as tables: Arrow with the contract's types, and pandas."""

from __future__ import annotations

from typing import Any

import numpy as np

from .signature import Input, Signature
from .values import Column, Columns, microseconds


def arrow_table(signature: Signature, columns: Columns) -> Any:
    """A pyarrow table with one column for each input: int64, double, bool, string, date32, timestamp or list."""
    import pyarrow as pa

    return pa.table({column.name: arrow_array(column, columns[column.name]) for column in signature.inputs})


def pandas_frame(signature: Signature, columns: Columns) -> Any:
    """A pandas DataFrame like that of ``read_parquet``: with nulls, integers become float64 and booleans objects."""
    return arrow_table(signature, columns).to_pandas()


def arrow_type(column: Input) -> Any:
    """The Arrow type of an input."""
    import pyarrow as pa

    return {
        "integer": pa.int64(), "float": pa.float64(), "boolean": pa.bool_(), "string": pa.string(),
        "date": pa.date32(), "timestamp": pa.timestamp("us", "UTC"), "vector": pa.list_(pa.float64()),
    }[column.kind]  # fmt: skip


def arrow_array(column: Input, values: Column) -> Any:
    """Canonical values as an Arrow array of the input's type."""
    import pyarrow as pa

    kind = arrow_type(column)
    if column.is_text:
        return pa.array(list(values), kind)
    numbers = np.ascontiguousarray(values, dtype=np.float64)
    if column.kind == "vector":
        gaps = np.asarray(np.isnan(numbers).all(axis=1)).tolist()
        return pa.array([None if gone else row for row, gone in zip(numbers.tolist(), gaps, strict=True)], kind)
    missing = np.asarray(np.isnan(numbers))
    if column.kind == "float":
        return pa.array(numbers, kind, mask=missing)
    filled = np.where(missing, 0.0, numbers)
    if column.kind == "boolean":
        return pa.array(filled == 1, kind, mask=missing)
    whole = microseconds(filled) if column.kind == "timestamp" else np.rint(filled).astype(np.int64)
    found = pa.array(whole, pa.int64(), mask=missing)
    return found.cast(pa.int32()).cast(kind) if column.kind == "date" else found.cast(kind)
