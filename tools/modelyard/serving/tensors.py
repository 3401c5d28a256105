"""Open Inference Protocol v2 requests ⇄ contract columns, refusing what the contract does not allow.

A wrong, missing, null or misnamed column is the caller's error and is told by name; nothing is scored in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelyard.manifests.problems import near_match
from modelyard.manifests.schema import Column, Contract

DATATYPES = {"integer": "INT64", "float": "FP64", "string": "BYTES", "boolean": "BOOL"}
_WHOLE = {"INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"}
_ACCEPTED = {"integer": _WHOLE, "float": {"FP16", "FP32", "FP64"} | _WHOLE, "string": {"BYTES"}, "boolean": {"BOOL"}}
_VALUES: dict[str, msgspec.json.Decoder[list[Any]]] = {
    "integer": msgspec.json.Decoder(list[float | None]),
    "float": msgspec.json.Decoder(list[float | None]),
    "string": msgspec.json.Decoder(list[str | None]),
    "boolean": msgspec.json.Decoder(list[bool | None]),
}
_ANY: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(list[Any])
_FEW = 32
"""Rows up to which a loop beats NumPy's fixed cost."""
_LARGEST = 1e300


class Given(Struct, frozen=True):
    """One named column of a request; its values are decoded when the contract has said what they are."""

    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw
    parameters: dict[str, Any] | None = None


class Tensor(Struct, frozen=True):
    """One named column of an answer."""

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

    inputs: list[Given]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[RequestedOutput] | None = None


@dataclass(frozen=True)
class Rows:
    """A checked request: the contract's inputs as columns, and the callers' ids of the rows where they sent them."""

    count: int
    columns: dict[str, NDArray[Any]]
    """Numbers as float64 with NaN for null, texts as objects with None; (rows,) each."""
    sent: dict[str, msgspec.Raw]
    """The same as the caller wrote it, for the log."""
    ids: list[Any] | None

    def part(self, rows: list[int]) -> Rows:
        """Only some of the rows."""
        sent = {name: _ANY.decode(values) for name, values in self.sent.items()}
        return Rows(
            len(rows),
            {name: values[rows] for name, values in self.columns.items()},
            {name: msgspec.Raw(msgspec.json.encode([v[row] for row in rows])) for name, v in sent.items()},
            [self.ids[row] for row in rows] if self.ids else None,
        )


class BadRequest(Exception):
    """The caller's error, in one sentence that names the column."""


_REQUEST = msgspec.json.Decoder(InferRequest)


def decode_request(body: bytes) -> InferRequest:
    """The request in a body; BadRequest when it is not one."""
    try:
        return _REQUEST.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequest(f"The body is not a v2 inference request: {error}.") from error


class ContractCheck:
    """A contract, ready to check requests."""

    def __init__(self, contract: Contract, maximum_rows: int) -> None:
        self._inputs = {column.name: column for column in contract.inputs}
        self._id, self._output, self._maximum = contract.id, contract.output, maximum_rows

    def rows(self, request: InferRequest) -> Rows:
        """The rows of a request that keeps the contract; BadRequest otherwise."""
        given: dict[str, Given] = {}
        for tensor in request.inputs:
            if tensor.name in given:
                raise BadRequest(f"Column {tensor.name!r} is sent twice.")
            if tensor.name not in self._inputs and tensor.name != self._id:
                missing = [name for name in self._inputs if all(t.name != name for t in request.inputs)]
                raise BadRequest(f"Column {tensor.name!r} is not in the contract. {near_match(tensor.name, missing)}")
            given[tensor.name] = tensor
        for requested in request.outputs or ():
            if requested.name != self._output:
                raise BadRequest(f"There is no output {requested.name!r}; the model gives {self._output!r}.")
        count = -1
        columns: dict[str, NDArray[Any]] = {}
        for name, column in self._inputs.items():
            found = given.get(name)
            if found is None:
                raise BadRequest(f"Column {name!r} is missing.")
            values = _values(found, column)
            if count < 0:
                count = self._counted(len(values))
            _check_shape(found, len(values), count)
            columns[name] = (
                _numbers(values, column) if column.type in ("integer", "float") else _objects(values, column)
            )
        ids = None
        if self._id in given:
            ids = _decoded(_ANY, given[self._id])
            _check_shape(given[self._id], len(ids), count)
        return Rows(count, columns, {name: given[name].data for name in self._inputs}, ids)

    def _counted(self, count: int) -> int:
        if not 0 < count <= self._maximum:
            raise BadRequest(f"A request holds 1 to {self._maximum:,} rows, not {count:,}.")
        return count


def _values(given: Given, column: Column) -> list[Any]:
    if given.datatype not in _ACCEPTED[column.type]:
        raise BadRequest(
            f"Column {column.name!r} has datatype {given.datatype}; the contract says {DATATYPES[column.type]}."
        )
    try:
        return _VALUES[column.type].decode(given.data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass
    kinds = {"integer": (int, float), "float": (int, float), "string": (str,), "boolean": (bool,)}[column.type]
    for row, value in enumerate(_decoded(_ANY, given)):
        if value is not None and type(value) not in kinds:
            what = "finite number" if float in kinds else column.type
            raise BadRequest(f"Column {column.name!r}, row {row}: {_shown(value)} is not a {what}.")
    raise BadRequest(f"Column {column.name!r} cannot be read as {DATATYPES[column.type]}.")


def _decoded(decoder: msgspec.json.Decoder[list[Any]], given: Given) -> list[Any]:
    try:
        return decoder.decode(given.data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequest(f"The data of column {given.name!r} are no list of values: {error}.") from error


def _check_shape(given: Given, values: int, count: int) -> None:
    if values != count:
        raise BadRequest(f"Column {given.name!r} has {values} values; the other columns have {count}.")
    shape = given.shape
    if shape not in ([count], [count, 1]):
        raise BadRequest(f"Column {given.name!r} has shape {shape}; expected [{count}] or [{count}, 1].")


def _objects(values: list[Any], column: Column) -> NDArray[Any]:
    if not column.nullable and None in values:
        _refuse_null(column, values.index(None))
    return np.array(values, dtype=object)


def _numbers(values: list[float | None], column: Column) -> NDArray[np.float64]:
    if not column.nullable and None in values:
        _refuse_null(column, values.index(None))
    found = np.array(values, dtype=np.float64)
    if len(values) > _FEW:
        low = -_LARGEST if column.minimum is None else column.minimum
        high = _LARGEST if column.maximum is None else column.maximum
        wrong = (found < low) | (found > high)
        if column.type == "integer":
            wrong |= (found != np.trunc(found)) & ~np.isnan(found)
        suspects = [int(np.argmax(wrong))] if wrong.any() else []
    else:
        suspects = list(range(len(values)))
    for row in suspects:
        if (value := values[row]) is not None:
            _check_number(value, column, row)
    return found


def _check_number(value: float, column: Column, row: int) -> None:
    if not -_LARGEST <= value <= _LARGEST:
        raise BadRequest(f"Column {column.name!r}, row {row}: {value} is not a finite number.")
    if column.type == "integer" and value % 1:
        raise BadRequest(f"Column {column.name!r}, row {row}: {value} is not a whole number.")
    if column.minimum is not None and value < column.minimum:
        raise BadRequest(f"Column {column.name!r}, row {row}: {value:g} is below {column.minimum:g}.")
    if column.maximum is not None and value > column.maximum:
        raise BadRequest(f"Column {column.name!r}, row {row}: {value:g} is above {column.maximum:g}.")


def _refuse_null(column: Column, row: int) -> None:
    raise BadRequest(f"Column {column.name!r}, row {row}: null is not allowed.")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
