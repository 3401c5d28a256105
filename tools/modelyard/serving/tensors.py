"""Requests of the Open Inference Protocol v2 as contract columns, checked by the contract.

A wrong, missing, null or misnamed column is the caller's error; the answer names it, and nothing is scored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from modelyard.errors import near_match
from modelyard.flavors.served import Refused, checked
from modelyard.flavors.signature import Input, Signature
from modelyard.flavors.tensors import ACCEPTED, DATATYPES, rows_of
from modelyard.flavors.values import EXACT, LARGEST, Column
from modelyard.manifests.model import Contract
from modelyard.scoring.signature import input_of
from modelyard.serving.protocol import BadRequest, Given, InferBody, base64_texts, blob_numbers, blob_values, read_blobs

_ANY: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(list[Any])
_BLOCK = msgspec.json.Decoder(list[list[float | None]])


@dataclass(frozen=True)
class InferRequest:
    """A parsed request whose columns are not checked yet."""

    body: InferBody
    blobs: Mapping[str, memoryview]
    """Column → its bytes, for columns in the body's binary tail."""


@dataclass(frozen=True)
class Rows:
    """A checked request: the contract's inputs as columns, and the ids of the rows if the caller sent them."""

    count: int
    columns: dict[str, Column]
    """Input → canonical values, one for each row."""
    sent: Mapping[str, msgspec.Raw | list[Any] | bytes]
    """The inputs for the log, as the caller wrote them, which is fastest; bytes are little-endian float64."""
    ids: list[Any] | None

    def part(self, rows: list[int]) -> Rows:
        """The request with only these rows."""
        columns = {name: _chosen(values, rows) for name, values in self.columns.items()}
        sent = {name: _logged(values) for name, values in columns.items()}
        return Rows(len(rows), columns, sent, [self.ids[row] for row in rows] if self.ids else None)


_BODY = msgspec.json.Decoder(InferBody)


def decode_request(content: bytes, json_length: int | None = None) -> InferRequest:
    """The request of a body, whose first ``json_length`` bytes (default: all) are JSON. BadRequest if it is invalid."""
    size = len(content) if json_length is None else json_length
    tail = memoryview(content)[size:]
    try:
        body = _BODY.decode(content[:size] if tail else content)
    except RecursionError as error:
        raise BadRequest("The body is nested too deeply.") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequest(f"The body is not a v2 inference request: {error}.{_hint(content[:size])}") from error
    return InferRequest(body, read_blobs(body.inputs, tail))


def _hint(part: bytes) -> str:
    """What callers often forget, where the JSON part shows that they did."""
    if b"binary_data_size" in part:
        return " With binary tensors, the header Inference-Header-Content-Length gives the length of the JSON part."
    return " JSON has no NaN; send null." if b"NaN" in part else ""


class ContractCheck:
    """The checks of one contract."""

    def __init__(self, contract: Contract, maximum_rows: int) -> None:
        self._inputs = {column.name: input_of(column) for column in contract.inputs}
        self._id, self._output, self._maximum = contract.id, contract.output, maximum_rows
        numbers = [c for c in self._inputs.values() if c.kind in ("integer", "float") and not c.categories]
        self._numbers = [column.name for column in numbers]
        self._others = [column for column in self._inputs.values() if column not in numbers]
        self._least = _bounds(_low(column) for column in numbers)
        self._most = _bounds(_high(column) for column in numbers)
        self._whole = [i for i, column in enumerate(numbers) if column.kind == "integer"]
        self._required = [i for i, column in enumerate(numbers) if not column.nullable]

    def rows(self, request: InferRequest) -> Rows:
        """The rows of a request that fits the contract; BadRequest otherwise."""
        given, blobs = self._given(request), request.blobs
        count = self._count(given)
        ids = self._ids(given[self._id], blobs, count) if self._id in given else None
        block, plain = self._block(given, blobs, count)
        columns: dict[str, Column] = dict(zip(self._numbers, block, strict=True))
        sent: dict[str, Any] = {name: given[name].data if plain else _logged(columns[name]) for name in self._numbers}
        for name in blobs.keys() & sent.keys():
            sent[name] = np.asarray(columns[name]).astype("<f8").tobytes()
        for column in self._others:
            values = _rows_of(given[column.name], blobs, column, count)
            columns[column.name], sent[column.name] = _canonical(column, values), values
        return Rows(count, columns, sent, ids)

    def _ids(self, given: Given, blobs: Mapping[str, memoryview], count: int) -> list[Any]:
        """The callers' ids, one for each row: texts or numbers, which ground truth can name again."""
        ids = rows_of(_values_of(given, blobs), given.shape, 1)
        if len(ids) != count:
            raise BadRequest(f"Column {self._id!r} has {len(ids)} values; its shape gives {count}.")
        for row, value in enumerate(ids):
            whole = type(value) is int
            if (not whole and type(value) not in (str, float)) or (whole and abs(value) >= 2**63):
                raise BadRequest(f"Column {self._id!r}, row {row}: an id is a text or a number.")
        return ids

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
                raise BadRequest(f"There is no output {requested.name!r}; the model has {self._output!r}.")
        return given

    def _count(self, given: dict[str, Given]) -> int:
        """The number of rows by the shapes."""
        first = next(iter(given.values())).shape
        count = first[0] if first else 0
        if not 0 < count <= self._maximum:
            raise BadRequest(f"A request has 1 to {self._maximum:,} rows, not {count:,}.")
        for name, tensor in given.items():
            column = self._inputs.get(name)
            width = column.width if column else 1
            if tensor.shape != [count, width] and (tensor.shape != [count] or (column and column.kind == "vector")):
                wanted = f"[{count}, {width}]" if width > 1 else f"[{count}] or [{count}, 1]"
                raise BadRequest(f"Column {name!r} has shape {tensor.shape}; expected {wanted}.")
            if column and tensor.datatype not in ACCEPTED[column.kind]:
                raise BadRequest(
                    f"Column {name!r} has datatype {tensor.datatype}; the contract needs {DATATYPES[column.kind]}."
                )
        return count

    def _block(
        self, given: dict[str, Given], blobs: Mapping[str, memoryview], count: int
    ) -> tuple[NDArray[np.float64], bool]:
        """All numeric columns (columns, rows), checked together, and whether the data were flat.

        Only if the check fails, the wrong value is located.
        """
        block = None
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, ValueError, OverflowError, RecursionError):
            if blobs:
                parts = [_array(given[name], blobs) for name in self._numbers]
                block = np.array(parts, dtype=np.float64).reshape(len(self._numbers), count)
            else:
                sent = b"[" + b",".join([given[name].data for name in self._numbers]) + b"]"
                block = np.array(_BLOCK.decode(sent), dtype=np.float64).reshape(len(self._numbers), count)
        if block is not None and not self._breaks(block):
            return block, True
        # Slower; it names the wrong value. Nested data ([[1], [2]]) is valid and is read here.
        found = []
        for name in self._numbers:
            column = self._inputs[name]
            found.append(_canonical(column, _rows_of(given[name], blobs, column, count)))
        return np.array(found, dtype=np.float64).reshape(len(self._numbers), count), False

    def _breaks(self, block: NDArray[np.float64]) -> bool:
        if ((block < self._least) | (block > self._most)).any():
            return True
        missing = np.isnan(block)
        if missing.any() and missing[self._required].any():
            return True
        whole = block[self._whole]
        return bool(((whole != np.trunc(whole)) & ~missing[self._whole]).any()) if self._whole else False


def metadata_of(signature: Signature) -> list[dict[str, Any]]:
    """The inputs of a version as the protocol's metadata lists them."""
    return [
        {
            "name": column.name,
            "datatype": DATATYPES[column.kind],
            "shape": [-1, column.length] if column.kind == "vector" else [-1],
            "parameters": {
                "type": column.kind,
                "nullable": column.nullable,
                "minimum": column.minimum,
                "maximum": column.maximum,
                "categories": list(column.categories),
            },
        }
        for column in signature.inputs
    ]


def _chosen(values: Column, rows: list[int]) -> Column:
    return values[rows] if isinstance(values, np.ndarray) else [values[row] for row in rows]


def _logged(values: Column) -> list[Any]:
    """Canonical values for the log; a missing number is null."""
    if not isinstance(values, np.ndarray):
        return list(values)
    if values.ndim == 2:
        return [None if np.isnan(row).all() else _logged(row) for row in values]
    return [None if value != value else value for value in values.tolist()]


def _bounds(values: Iterable[float]) -> NDArray[np.float64]:
    return np.array(list(values), dtype=np.float64).reshape(-1, 1)


def _low(column: Input) -> float:
    most = EXACT if column.kind == "integer" else LARGEST
    return -most if column.minimum is None else max(column.minimum, -most)


def _high(column: Input) -> float:
    most = EXACT if column.kind == "integer" else LARGEST
    return most if column.maximum is None else min(column.maximum, most)


def _array(given: Given, blobs: Mapping[str, memoryview]) -> NDArray[np.float64]:
    blob = blobs.get(given.name)
    return np.array(_FLOATS.decode(given.data), dtype=np.float64) if blob is None else blob_numbers(given, blob)


_FLOATS: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(list[float | None])


def _canonical(column: Input, values: Sequence[Any]) -> Column:
    try:
        return checked(column, values)
    except Refused as error:
        raise BadRequest(str(error)) from error


def _rows_of(given: Given, blobs: Mapping[str, memoryview], column: Input, count: int) -> list[Any]:
    """The values of one column, one for each row. Flat data is split; nested data has one item per row."""
    values = rows_of(_values_of(given, blobs), given.shape, column.width if column.kind == "vector" else 1)
    if len(values) != count:
        raise BadRequest(f"Column {column.name!r} has {len(values)} values; its shape gives {count}.")
    return values


def _values_of(given: Given, blobs: Mapping[str, memoryview]) -> list[Any]:
    blob = blobs.get(given.name)
    if blob is None or given.datatype in ("BYTES", "BOOL"):
        values = _decoded(given) if blob is None else blob_values(given, blob)
        encoded = given.datatype == "BYTES" and (given.parameters or {}).get("content_type") == "base64"
        return base64_texts(given, values) if encoded else values
    return [None if value != value else value for value in blob_numbers(given, blob).tolist()]


def _decoded(given: Given) -> list[Any]:
    try:
        return _ANY.decode(given.data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BadRequest(f"The data of column {given.name!r} are no list of values: {why}.") from error
