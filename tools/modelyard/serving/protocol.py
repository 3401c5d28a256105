"""Open Inference Protocol v2: bodies of requests and answers, and binary tensor data."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

HEADER = b"inference-header-content-length"
_NUMBERS = {
    "FP16": "<f2", "FP32": "<f4", "FP64": "<f8", "INT8": "<i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8",
    "UINT8": "<u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8",
}  # fmt: skip


class BadRequest(Exception):
    """A caller's error: one sentence that names the column."""


class Given(Struct, frozen=True):
    """One named column of a request. Its values are decoded by the contract."""

    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw = msgspec.Raw()
    """Empty where the values are in the body's binary tail."""
    parameters: dict[str, Any] | None = None


class Tensor(Struct, frozen=True, omit_defaults=True):
    """One named column of an answer."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any] | None = None
    """None where the values are in the body's binary tail."""
    parameters: dict[str, Any] | None = None


class RequestedOutput(Struct, frozen=True):
    """An output that the caller requests by name."""

    name: str
    parameters: dict[str, Any] | None = None


class InferBody(Struct, frozen=True):
    """The JSON part of the body of ``POST …/infer``."""

    inputs: list[Given]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[RequestedOutput] | None = None


def json_length(headers: Iterable[tuple[bytes, bytes]], body: int) -> int:
    """The length of the JSON part of a body of so many bytes; BadRequest for an impossible header."""
    for name, value in headers:
        if name == HEADER:
            if not value.isdigit() or int(value) > body:
                raise BadRequest("Inference-Header-Content-Length must be the length of the JSON part.")
            return int(value)
    return body


def read_blobs(inputs: Sequence[Given], tail: memoryview) -> dict[str, memoryview]:
    """Column → its bytes in the binary tail."""
    found: dict[str, memoryview] = {}
    for tensor in inputs:
        size = (tensor.parameters or {}).get("binary_data_size")
        if size is None:
            continue
        if type(size) is not int or not 0 <= size <= len(tail):
            raise BadRequest(f"Column {tensor.name!r}: binary_data_size does not match the bytes after the JSON part.")
        if tensor.data:
            raise BadRequest(f"Column {tensor.name!r} has both data and bytes.")
        found[tensor.name], tail = tail[:size], tail[size:]
    if len(tail):
        raise BadRequest(f"{len(tail)} bytes after the JSON part belong to no column.")
    return found


def blob_numbers(given: Given, blob: memoryview) -> NDArray[np.float64]:
    """(rows,) as float64; NaN stands for null."""
    if given.datatype not in _NUMBERS:
        raise BadRequest(f"Column {given.name!r} has datatype {given.datatype}, which has no binary form.")
    layout = np.dtype(_NUMBERS[given.datatype])
    if len(blob) % layout.itemsize:
        raise BadRequest(
            f"Column {given.name!r}: {len(blob)} bytes are not a multiple of the size of {given.datatype}."
        )
    return np.frombuffer(blob, layout).astype(np.float64)


def blob_values(given: Given, blob: memoryview) -> list[object]:
    """Texts (each after its length in four bytes) or booleans (a byte each)."""
    if given.datatype == "BOOL":
        return [byte != 0 for byte in blob]
    texts: list[object] = []
    at = 0
    try:
        while at < len(blob):
            (size,) = struct.unpack_from("<I", blob, at)
            if at + 4 + size > len(blob):
                raise struct.error
            texts.append(str(blob[at + 4 : at + 4 + size], "utf-8"))
            at += 4 + size
    except (struct.error, UnicodeDecodeError) as error:
        raise BadRequest(f"Column {given.name!r}, row {len(texts)}: its bytes are not valid UTF-8.") from error
    return texts


def asks_for_binary(parameters: Mapping[str, object] | None, output: Mapping[str, object] | None) -> bool:
    """Whether the caller requests the scores as bytes."""
    return bool((output or {}).get("binary_data", (parameters or {}).get("binary_data_output", False)))


def binary_tensor(tensor: Tensor) -> tuple[Tensor, bytes]:
    """An output for the JSON part, and its bytes."""
    blob = np.asarray(tensor.data, dtype="<f8").tobytes()
    parameters = {**(tensor.parameters or {}), "binary_data_size": len(blob)}
    return Tensor(tensor.name, tensor.shape, tensor.datatype, parameters=parameters), blob
