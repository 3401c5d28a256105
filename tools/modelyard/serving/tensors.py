"""Open Inference Protocol v2 requests ⇄ contract columns, refusing what the contract does not allow.

A wrong, missing, null or misnamed column is the caller's error and is told by name; nothing is scored in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

import msgspec
import numpy as np
from numpy.typing import NDArray

from modelyard.errors import near_match
from modelyard.manifests.model import Column, Contract
from modelyard.serving.protocol import BadRequest, Given, InferBody, blob_numbers, blob_values, read_blobs

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
_FLOATS: msgspec.json.Decoder[list[Any]] = _VALUES["float"]
_BLOCK = msgspec.json.Decoder(list[list[float | None]])
_LARGEST = 1e300


@dataclass(frozen=True)
class InferRequest:
    """A request that is one, its columns not checked yet."""

    body: InferBody
    blobs: Mapping[str, memoryview]
    """Column → its values as bytes, of those that stand in the body's binary tail."""


@dataclass(frozen=True)
class Rows:
    """A checked request: the contract's inputs as columns, and the callers' ids of the rows where they sent them."""

    count: int
    columns: dict[str, list[Any] | NDArray[np.float64]]
    """Numbers as float64 with NaN for null, texts with None; one value per row."""
    sent: Mapping[str, msgspec.Raw | list[Any] | bytes]
    """The same for the log: as the caller wrote it, which costs least; bytes are little-endian float64."""
    ids: list[Any] | None

    def part(self, rows: list[int]) -> Rows:
        """Only some of the rows."""
        columns = {name: _chosen(values, rows) for name, values in self.columns.items()}
        sent = {name: values if isinstance(values, list) else values.tolist() for name, values in columns.items()}
        return Rows(len(rows), columns, sent, [self.ids[row] for row in rows] if self.ids else None)


_BODY = msgspec.json.Decoder(InferBody)


def decode_request(content: bytes, json_length: int | None = None) -> InferRequest:
    """The request in a body whose first ``json_length`` bytes (default: all) are JSON; BadRequest when it is none."""
    size = len(content) if json_length is None else json_length
    tail = memoryview(content)[size:]
    try:
        body = _BODY.decode(content[:size] if tail else content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequest(f"The body is not a v2 inference request: {error}.") from error
    return InferRequest(body, read_blobs(body.inputs, tail))


class ContractCheck:
    """A contract, ready to check requests."""

    def __init__(self, contract: Contract, maximum_rows: int) -> None:
        self._inputs = {column.name: column for column in contract.inputs}
        self._accepted = {column.name: _ACCEPTED[column.type] for column in contract.inputs}
        self._id, self._output, self._maximum = contract.id, contract.output, maximum_rows
        numbers = [column for column in contract.inputs if column.type in ("integer", "float")]
        self._numbers = [column.name for column in numbers]
        self._others = [column for column in contract.inputs if column not in numbers]
        self._least = _bounds(-_LARGEST if column.minimum is None else column.minimum for column in numbers)
        self._most = _bounds(_LARGEST if column.maximum is None else column.maximum for column in numbers)
        self._whole = [i for i, column in enumerate(numbers) if column.type == "integer"]
        self._required = [i for i, column in enumerate(numbers) if not column.nullable]

    def rows(self, request: InferRequest) -> Rows:
        """The rows of a request that keeps the contract; BadRequest otherwise."""
        given, blobs = self._given(request), request.blobs
        count = self._count(given)
        ids = _values_of(given[self._id], blobs, _ANY) if self._id in given else None
        if ids is not None and len(ids) != count:
            raise BadRequest(f"Column {self._id!r} has {len(ids)} values; its shape says {count}.")
        block = self._block(given, blobs, count)
        columns: dict[str, list[Any] | NDArray[np.float64]] = dict(zip(self._numbers, block, strict=True))
        for column in self._others:
            columns[column.name] = _checked(given[column.name], blobs, column, count)
        sent: dict[str, Any] = {name: given[name].data for name in self._inputs}
        for name in blobs.keys() & sent.keys():
            values = columns[name]
            sent[name] = values if isinstance(values, list) else values.astype("<f8").tobytes()
        return Rows(count, columns, sent, ids)

    def _given(self, request: InferRequest) -> dict[str, Given]:
        given = {tensor.name: tensor for tensor in request.body.inputs}
        for tensor in request.body.inputs:
            if tensor.name not in self._inputs and tensor.name != self._id:
                missing = [name for name in self._inputs if name not in given]
                raise BadRequest(f"Column {tensor.name!r} is not in the contract. {near_match(tensor.name, missing)}")
            if given[tensor.name] is not tensor:
                raise BadRequest(f"Column {tensor.name!r} is sent twice.")
        for name in self._inputs:
            if name not in given:
                raise BadRequest(f"Column {name!r} is missing.")
        for requested in request.body.outputs or ():
            if requested.name != self._output:
                raise BadRequest(f"There is no output {requested.name!r}; the model gives {self._output!r}.")
        return given

    def _count(self, given: dict[str, Given]) -> int:
        """How many rows the shapes say there are."""
        first = next(iter(given.values())).shape
        count = first[0] if first else 0
        if not 0 < count <= self._maximum:
            raise BadRequest(f"A request holds 1 to {self._maximum:,} rows, not {count:,}.")
        allowed = ([count], [count, 1])
        for name, tensor in given.items():
            if tensor.shape not in allowed:
                raise BadRequest(f"Column {name!r} has shape {tensor.shape}; expected [{count}] or [{count}, 1].")
            if name in self._accepted and tensor.datatype not in self._accepted[name]:
                wanted = DATATYPES[self._inputs[name].type]
                raise BadRequest(f"Column {name!r} has datatype {tensor.datatype}; the contract says {wanted}.")
        return count

    def _block(self, given: dict[str, Given], blobs: Mapping[str, memoryview], count: int) -> NDArray[np.float64]:
        """All numbers (columns, rows), checked at once; what is wrong is looked for only if something is."""
        block = None
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, ValueError, OverflowError):
            if blobs:
                parts = [_array(given[name], blobs) for name in self._numbers]
                block = np.array(parts, dtype=np.float64).reshape(len(self._numbers), count)
            else:
                sent = b"[" + b",".join([given[name].data for name in self._numbers]) + b"]"
                block = np.array(_BLOCK.decode(sent), dtype=np.float64).reshape(len(self._numbers), count)
        if block is None or self._breaks(block):
            for name in self._numbers:
                _checked(given[name], blobs, self._inputs[name], count)
            raise BadRequest("The numbers of this request cannot be read.")
        return block

    def _breaks(self, block: NDArray[np.float64]) -> bool:
        if ((block < self._least) | (block > self._most)).any():
            return True
        missing = np.isnan(block)
        if missing.any() and missing[self._required].any():
            return True
        whole = block[self._whole]
        return bool(((whole != np.trunc(whole)) & ~missing[self._whole]).any()) if self._whole else False


def _chosen(values: list[Any] | NDArray[np.float64], rows: list[int]) -> list[Any] | NDArray[np.float64]:
    return [values[row] for row in rows] if isinstance(values, list) else values[rows]


def _bounds(values: Iterable[float]) -> NDArray[np.float64]:
    return np.array(list(values), dtype=np.float64).reshape(-1, 1)


def _array(given: Given, blobs: Mapping[str, memoryview]) -> NDArray[np.float64]:
    blob = blobs.get(given.name)
    return np.array(_FLOATS.decode(given.data), dtype=np.float64) if blob is None else blob_numbers(given, blob)


def _values_of(given: Given, blobs: Mapping[str, memoryview], decoder: msgspec.json.Decoder[list[Any]]) -> list[Any]:
    blob = blobs.get(given.name)
    if blob is None:
        return _decoded(decoder, given)
    if given.datatype in ("BYTES", "BOOL"):
        return blob_values(given, blob)
    return [None if value != value else value for value in blob_numbers(given, blob).tolist()]


def _checked(given: Given, blobs: Mapping[str, memoryview], column: Column, count: int) -> list[Any]:
    """The values of one column, or what is wrong with them."""
    try:
        values = _values_of(given, blobs, _VALUES[column.type])
    except BadRequest:
        if given.name not in blobs:
            _refuse_kinds(given, column)
        raise
    if len(values) != count:
        raise BadRequest(f"Column {column.name!r} has {len(values)} values; its shape says {count}.")
    if not column.nullable and None in values:
        raise BadRequest(f"Column {column.name!r}, row {values.index(None)}: null is not allowed.")
    if column.type in ("integer", "float"):
        for row, value in enumerate(values):
            if value is not None:
                _check_number(value, column, row)
    return values


def _refuse_kinds(given: Given, column: Column) -> NoReturn:
    kinds = {"integer": (int, float), "float": (int, float), "string": (str,), "boolean": (bool,)}[column.type]
    for row, value in enumerate(_decoded(_ANY, given)):
        if value is not None and type(value) not in kinds:
            what = "finite number" if float in kinds else column.type
            raise BadRequest(f"Column {column.name!r}, row {row}: {_shown(value)} is not a {what}.")
    raise BadRequest(f"Column {column.name!r} cannot be read as {DATATYPES[column.type]}.")


def _check_number(value: float, column: Column, row: int) -> None:
    if not -_LARGEST <= value <= _LARGEST:
        raise BadRequest(f"Column {column.name!r}, row {row}: {value} is not a finite number.")
    if column.type == "integer" and value % 1:
        raise BadRequest(f"Column {column.name!r}, row {row}: {value} is not a whole number.")
    if column.minimum is not None and value < column.minimum:
        raise BadRequest(f"Column {column.name!r}, row {row}: {value:g} is below {column.minimum:g}.")
    if column.maximum is not None and value > column.maximum:
        raise BadRequest(f"Column {column.name!r}, row {row}: {value:g} is above {column.maximum:g}.")


def _decoded(decoder: msgspec.json.Decoder[list[Any]], given: Given) -> list[Any]:
    try:
        return decoder.decode(given.data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequest(f"The data of column {given.name!r} are no list of values: {error}.") from error


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
