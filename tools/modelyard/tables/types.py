"""The one table of column types: what the columns of every writer are read as.

=============================================================================  ==============================
written as                                                                     read as
=============================================================================  ==============================
string, large_string, string_view, binary of any kind that is UTF-8            string
boolean; integers of any width; float16, float32, float64                      the same; float16 as float32
decimal of any width                                                           float64
timestamp of any unit and zone, date, time, duration                           the same
dictionary, run-end encoded, extension                                         the values in it
list, large_list, list_view, fixed_size_list                                   a list of what it holds
null                                                                           null
struct, map, union, calendar interval, bytes that are no UTF-8                 refused, by the column's name
=============================================================================  ==============================
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelyard.errors import ModelyardError

_DEPTH = 4
"""How deep dictionaries, extensions and lists may lie in one another."""


def readable(array: Any, name: str, path: Path | str, depth: int = _DEPTH) -> Any:
    """A column (an Arrow array or a chunked one) as one of the types above; ModelyardError when it is none of them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = array.type
    types = pa.types
    if types.is_string(kind) or types.is_integer(kind) or types.is_boolean(kind) or types.is_float64(kind):
        return array
    try:
        if not depth:
            raise _refused(array, name, path)
        if isinstance(kind, pa.BaseExtensionType):
            return readable(array.cast(kind.storage_type), name, path, depth - 1)
        if types.is_interval(kind):
            raise _refused(array, name, path)
        if types.is_dictionary(kind):
            return readable(array.cast(kind.value_type), name, path, depth - 1)
        if types.is_run_end_encoded(kind):
            return readable(pc.run_end_decode(array), name, path, depth - 1)
        if types.is_large_string(kind) or types.is_string_view(kind):
            return array.cast(pa.string())
        if types.is_binary_view(kind) or types.is_fixed_size_binary(kind):
            array, kind = array.cast(pa.binary()), pa.binary()
        if types.is_binary(kind) or types.is_large_binary(kind):
            return array.cast(pa.string())
        if types.is_float16(kind):
            return array.cast(pa.float32())
        if types.is_decimal(kind):
            return array.cast(pa.float64(), safe=False)
        if types.is_list_view(kind) or types.is_large_list_view(kind):
            # Arrow's own cast loses the lengths of lists behind a null.
            array = pa.array(array.to_pylist(), pa.large_list(kind.value_type))
            kind = array.type
    except pa.ArrowInvalid as error:
        raise ModelyardError(
            f"Column {name!r} of {path} holds bytes that are no UTF-8 text.", "Write its texts as UTF-8."
        ) from error
    except pa.ArrowNotImplementedError as error:
        raise _refused(array, name, path) from error
    if is_list(kind):
        inner = kind.value_type
        if types.is_nested(inner) and not is_list(inner):
            raise _refused(array, name, path)
        return array
    if types.is_nested(kind):
        raise _refused(array, name, path)
    return array


def require_flat(array: Any, name: str, path: Path | str) -> Any:
    """A readable column that is no list; ModelyardError otherwise."""
    found = readable(array, name, path)
    if is_list(found.type):
        raise _refused(found, name, path)
    return found


def is_list(kind: Any) -> bool:
    """Whether a type is one of lists."""
    import pyarrow as pa

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _refused(array: Any, name: str, path: Path | str) -> ModelyardError:
    return ModelyardError(
        f"Column {name!r} of {path} holds values of the type {array.type}, which is no type of an input.",
        "Write one column for each value: numbers, texts, booleans, dates or times.",
    )
