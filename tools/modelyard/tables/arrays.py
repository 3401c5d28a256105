"""Arrow arrays as NumPy arrays, and as the canonical values of inputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import ModelyardError
from modelyard.flavors.signature import Input
from modelyard.flavors.values import MISSING, Column, Floats, Unreadable, known, require_kind, spelled_text
from modelyard.flavors.values import canonical as canonical_of

_DAY = 86400.0


def canonical(array: Any, column: Input, path: Path) -> Column:
    """The canonical values (rows,) of an array or a chunked one; ``flavors.values`` says how each kind is spelled.

    ModelyardError, which names ``path`` and row, for a value that is not of the column's kind.
    """
    try:
        if column.kind == "vector":
            return _vectors(array, column)
        if column.kind == "string":
            return known(column, np.array(texts(array).to_pylist(), dtype=object))
        found = _scalars(decoded(array), column, path)
        require_kind(column, found)
        return known(column, found)
    except Unreadable as error:
        raise ModelyardError(
            f"Column {column.name!r} of {path}, row {error.row + 1}: {error.said}.",
            "Correct the table or the contract's type; docs/inputs.md says how values are written.",
        ) from error


def scalars(array: Any, column: Input, path: Path) -> Floats:
    """One number for each row (rows,): the canonical value, or the Euclidean norm of a vector."""
    found = np.asarray(canonical(array, column, path), dtype=np.float64)
    return found if found.ndim == 1 else np.asarray(np.linalg.norm(found, axis=1))


def levels(array: Any, column: Input, path: Path) -> tuple[list[str | None], NDArray[np.int64]]:
    """Sorted distinct values as texts, missing last, and each row's index into them (rows,)."""
    if column.kind == "string" and not column.categories:
        return text_codes(array)
    values = canonical(array, column, path)
    if column.is_text:
        import pyarrow as pa

        return text_codes(pa.array(list(values), pa.string()))
    distinct, places = np.unique(np.asarray(values), return_inverse=True)
    names = [None if value != value else _shown(column, value) for value in distinct.tolist()]
    order = sorted(range(len(names)), key=lambda i: (names[i] is None, names[i] or ""))
    place = np.empty(len(names), dtype=np.int64)
    place[order] = np.arange(len(names))
    return [names[i] for i in order], place[places.reshape(-1)]


def text_codes(array: Any) -> tuple[list[str | None], NDArray[np.int64]]:
    """Sorted distinct values as texts, for an array of any type."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = texts(array)
    encoded = pc.dictionary_encode(
        found.combine_chunks() if hasattr(found, "combine_chunks") else found, null_encoding="encode"
    )
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    names = encoded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=lambda i: (names[i] is None, names[i] or ""))
    place = np.empty(len(names), dtype=np.int64)
    place[order] = np.arange(len(names))
    return [names[i] for i in order], place[plain(encoded.indices.cast(pa.int64()), np.int64)]


def decoded(array: Any) -> Any:
    """The array without dictionary encoding."""
    import pyarrow as pa

    return array.cast(array.type.value_type) if pa.types.is_dictionary(array.type) else array


def numbers(array: Any, name: str, path: Path) -> Floats:
    """Numbers, booleans and times (seconds since 1970) as float64, missing as NaN; maybe a view of Arrow's memory."""
    import pyarrow as pa

    try:
        array = decoded(array)
        if pa.types.is_temporal(array.type):
            return _seconds(array)
        if pa.types.is_boolean(array.type):
            array = array.cast(pa.int8())
        array = array.cast(pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ModelyardError(
            f"Column {name!r} of {path} has values that are not numbers.", "Correct the table or the contract's type."
        ) from error
    return _without_nulls(plain(array, np.float64), array)


def texts(array: Any) -> Any:
    """An Arrow array of strings: ``7`` for 7 and 7.0, ``true`` for True."""
    import pyarrow as pa
    import pyarrow.compute as pc

    array = decoded(array)
    if pa.types.is_string(array.type):
        return array
    if pa.types.is_floating(array.type):
        whole = pc.and_(pc.equal(array, pc.trunc(array)), pc.less(pc.abs(array), 2.0**53)).fill_null(True)
        if pc.all(whole).as_py():
            return pc.if_else(pc.is_nan(array), pa.scalar(None, pa.float64()), array).cast(pa.int64()).cast(pa.string())
    return array.cast(pa.string())


def plain(array: Any, kind: Any) -> Any:
    """Numbers as a view of Arrow's memory; a missing one has any value. ``to_numpy`` would import pandas, which takes
    longer than most measurements.
    """
    chunks = array.chunks if hasattr(array, "chunks") else [array]
    parts = [
        np.frombuffer(chunk.buffers()[1], dtype=kind, count=len(chunk), offset=chunk.offset * np.dtype(kind).itemsize)
        for chunk in chunks
        if len(chunk)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.empty(0, dtype=kind)


def _scalars(array: Any, column: Input, path: Path) -> Floats:
    import pyarrow as pa

    if pa.types.is_null(array.type):
        return np.full(len(array), MISSING)
    if column.kind in ("integer", "float"):
        return numbers(array, column.name, path)
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        return _parsed(array, column)
    if column.kind == "date" and pa.types.is_temporal(array.type):
        return _seconds(array) / _DAY
    return numbers(array, column.name, path)


def _parsed(array: Any, column: Input) -> Floats:
    """Texts; each distinct text is converted once."""
    import pyarrow as pa
    import pyarrow.compute as pc

    encoded = pc.dictionary_encode(array.cast(pa.string()), null_encoding="encode")
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    codes = plain(encoded.indices.cast(pa.int64()), np.int64)
    unlisted = Input(column.name, column.kind)
    try:
        known_values = np.asarray(canonical_of(unlisted, encoded.dictionary.to_pylist()), dtype=np.float64)
    except Unreadable as error:
        raise Unreadable(int(np.flatnonzero(codes == error.row)[0]), error.said) from error
    return np.asarray(known_values[codes]) if codes.size else np.empty(0)


def _seconds(array: Any) -> Floats:
    """Times as seconds since 1970, rounded down to the microsecond."""
    import pyarrow as pa

    kind = array.type
    if pa.types.is_date32(kind):
        days = plain(array.cast(pa.int32()).cast(pa.int64()), np.int64)
        return _without_nulls(days * _DAY, array)
    if pa.types.is_date64(kind):
        array, kind = array.cast(pa.timestamp("ms")), pa.timestamp("ms")
    if not pa.types.is_timestamp(kind):
        array = array.cast(pa.duration("us") if pa.types.is_duration(kind) else pa.time64("us"))
        return _without_nulls(plain(array.cast(pa.int64()), np.int64) / 1e6, array)
    counted = plain(array.cast(pa.int64()), np.int64)
    scale = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 1}[kind.unit]
    micros = counted // 1_000 if kind.unit == "ns" else counted * scale
    return _without_nulls(micros / 1e6, array)


def _vectors(array: Any, column: Input) -> Floats:
    import pyarrow as pa
    import pyarrow.compute as pc

    array = decoded(array)
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind):
        values = [None if text is None else _list(text, row) for row, text in enumerate(array.to_pylist())]
        return np.asarray(canonical_of(column, values))
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        raise Unreadable(0, "is not a list of numbers")
    sizes = pc.list_value_length(array)
    wrong = pc.not_equal(sizes, column.length).fill_null(False)
    if pc.any(wrong).as_py():
        row = wrong.to_pylist().index(True)
        raise Unreadable(row, f"holds {sizes[row].as_py()} numbers, not {column.length}")
    there = ~np.asarray(array.is_null().to_pylist(), dtype=bool)
    found = np.full((len(array), column.length), MISSING)
    flat = numbers(pc.list_flatten(array.drop_null()), column.name, Path(column.name))
    found[there] = flat.reshape(-1, column.length)
    return np.asarray(canonical_of(column, found))


def _list(text: str, row: int) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise Unreadable(row, "is not a list of numbers") from None


def _without_nulls(found: NDArray[Any], array: Any) -> Floats:
    import pyarrow as pa

    result = np.asarray(found, dtype=np.float64)
    if array.null_count:
        result = result.copy()
        result[plain(array.is_null().cast(pa.int8()), np.int8) == 1] = MISSING
    return result


def _shown(column: Input, value: float) -> str:
    return spelled_text(bool(value)) if column.kind == "boolean" else spelled_text(value)
