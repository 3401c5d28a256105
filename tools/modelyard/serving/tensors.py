"""Open Inference Protocol v2 requests ⇄ contract columns, refusing what the contract does not allow.

A wrong, missing, null or misnamed column is the caller's error and is told by name; nothing is scored in silence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelyard.manifests.problems import near_match
from modelyard.manifests.schema import Column, Contract

MAXIMUM_ROWS = 100_000

DATATYPES = {"integer": "INT64", "float": "FP64", "string": "BYTES", "boolean": "BOOL"}
_ACCEPTED = {
    "integer": {"INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"},
    "float": {"FP16", "FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"},
    "string": {"BYTES"},
    "boolean": {"BOOL"},
}


class Tensor(Struct, frozen=True):
    """One named column of a request or an answer."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]
    parameters: dict[str, Any] | None = None


class RequestedOutput(Struct, frozen=True):
    """An output the caller asks for by name."""

    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(Struct, frozen=True):
    """The body of ``POST …/infer``."""

    inputs: list[Tensor]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[RequestedOutput] | None = None


@dataclass(frozen=True)
class Rows:
    """A checked request: the contract's inputs as columns, and the callers' ids of the rows where they sent them."""

    count: int
    columns: dict[str, NDArray[Any]]
    """Numbers as float64 with NaN for null, texts as objects with None."""
    sent: dict[str, list[Any]]
    """The same as the caller wrote it, for the log."""
    ids: list[str] | None


class BadRequest(Exception):
    """The caller's error, in one sentence that names the column."""


def decode_request(body: bytes) -> InferRequest:
    """The request in a body; BadRequest when it is not one."""
    try:
        return msgspec.json.decode(body, type=InferRequest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequest(f"The body is not a v2 inference request: {error}.") from error


def check_request(request: InferRequest, contract: Contract) -> Rows:
    """The rows of a request that keeps the contract; BadRequest otherwise."""
    expected = {column.name: column for column in contract.inputs}
    given: dict[str, Tensor] = {}
    for tensor in request.inputs:
        if tensor.name in given:
            raise BadRequest(f"Column {tensor.name!r} is sent twice.")
        if tensor.name not in expected and tensor.name != contract.id:
            missing = [name for name in expected if all(t.name != name for t in request.inputs)]
            raise BadRequest(f"Column {tensor.name!r} is not in the contract. {near_match(tensor.name, missing)}")
        given[tensor.name] = tensor
    for name in expected:
        if name not in given:
            raise BadRequest(f"Column {name!r} is missing.")
    for requested in request.outputs or []:
        if requested.name != contract.output:
            raise BadRequest(f"There is no output {requested.name!r}; the model gives {contract.output!r}.")
    count = len(given[next(iter(expected))].data)
    if not 0 < count <= MAXIMUM_ROWS:
        raise BadRequest(f"A request holds 1 to {MAXIMUM_ROWS:,} rows, not {count:,}.")
    for tensor in given.values():
        _check_shape(tensor, count)
    columns = {name: _column(given[name], column) for name, column in expected.items()}
    ids = [str(value) for value in given[contract.id].data] if contract.id in given else None
    return Rows(count, columns, {name: given[name].data for name in expected}, ids)


def _check_shape(tensor: Tensor, count: int) -> None:
    if len(tensor.data) != count:
        raise BadRequest(f"Column {tensor.name!r} has {len(tensor.data)} values; the other columns have {count}.")
    if tensor.shape not in ([count], [count, 1]):
        raise BadRequest(f"Column {tensor.name!r} has shape {tensor.shape}; expected [{count}] or [{count}, 1].")


def _column(tensor: Tensor, column: Column) -> NDArray[Any]:
    if tensor.datatype not in _ACCEPTED[column.type]:
        raise BadRequest(
            f"Column {column.name!r} has datatype {tensor.datatype}; the contract says {DATATYPES[column.type]}."
        )
    if column.type in ("integer", "float"):
        return _numbers(tensor.data, column)
    wanted = str if column.type == "string" else bool
    for row, value in enumerate(tensor.data):
        if value is None:
            _allow_null(column, row)
        elif type(value) is not wanted:
            raise BadRequest(f"Column {column.name!r}, row {row}: {_shown(value)} is not a {column.type}.")
    return np.array(tensor.data, dtype=object)


def _numbers(data: list[Any], column: Column) -> NDArray[np.float64]:
    values = np.empty(len(data))
    for row, value in enumerate(data):
        if value is None:
            _allow_null(column, row)
            values[row] = math.nan
            continue
        if type(value) not in (int, float) or not math.isfinite(value) or abs(value) > 1e300:
            raise BadRequest(f"Column {column.name!r}, row {row}: {_shown(value)} is not a finite number.")
        if column.type == "integer" and value != int(value):
            raise BadRequest(f"Column {column.name!r}, row {row}: {value} is not a whole number.")
        if column.minimum is not None and value < column.minimum:
            raise BadRequest(f"Column {column.name!r}, row {row}: {value} is below {column.minimum:g}.")
        if column.maximum is not None and value > column.maximum:
            raise BadRequest(f"Column {column.name!r}, row {row}: {value} is above {column.maximum:g}.")
        values[row] = value
    return values


def _allow_null(column: Column, row: int) -> None:
    if not column.nullable:
        raise BadRequest(f"Column {column.name!r}, row {row}: null is not allowed.")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
