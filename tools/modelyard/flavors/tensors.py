"""Columns as the tensors of the Open Inference Protocol v2, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .signature import Kind, Signature
from .values import Columns, spelled

DATATYPES: dict[Kind, str] = {
    "integer": "INT64", "float": "FP64", "string": "BYTES", "boolean": "BOOL", "date": "BYTES", "timestamp": "BYTES",
    "vector": "FP64",
}  # fmt: skip
"""The datatype in the metadata for each kind of input."""
_NUMBERS = {
    "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "FP16", "FP32", "FP64",
}  # fmt: skip
# pandas makes floats of integers beside nulls, so numbers of every datatype are accepted, and checked by value.
ACCEPTED: dict[Kind, set[str]] = {
    "integer": _NUMBERS, "float": _NUMBERS, "vector": _NUMBERS, "string": {"BYTES"},
    "boolean": {"BOOL", "BYTES", *_NUMBERS}, "date": {"BYTES", *_NUMBERS}, "timestamp": {"BYTES", *_NUMBERS},
}  # fmt: skip
"""Datatypes that callers may send for each kind."""


def tensors_of(signature: Signature, columns: Columns) -> list[dict[str, Any]]:
    """The inputs of a request: one tensor for each input, with JSON data."""
    found = []
    for column in signature.inputs:
        values = spelled(column, columns[column.name])
        shape = [len(values), column.length] if column.kind == "vector" else [len(values)]
        datatype = DATATYPES[column.kind]
        if datatype == "INT64" and None in values:
            datatype = "FP64"  # an integer tensor has no null
        found.append({"name": column.name, "shape": shape, "datatype": datatype, "data": values})
    return found


def rows_of(values: Sequence[Any], shape: Sequence[int], width: int) -> list[Any]:
    """The data of a tensor, one value for each row; of an input with a ``width`` above 1, a list for each.

    Data may be flat, or nested as the shape says.
    """
    if len(shape) != 2:
        return list(values)
    nested = bool(values) and all(value is None or isinstance(value, (list, tuple)) for value in values)
    if width > 1:
        return list(values) if nested else [values[at : at + width] for at in range(0, len(values), width)]
    return [inner for value in values for inner in (value or [None])] if nested else list(values)
