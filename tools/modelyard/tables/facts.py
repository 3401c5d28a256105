"""What each column of a table holds: its kind, its gaps, its levels. A contract is guessed from these facts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelyard.errors import ModelyardError
from modelyard.flavors.signature import Kind
from modelyard.flavors.values import EXACT, spelled_text
from modelyard.tables.file import read_table
from modelyard.tables.text import separator_of
from modelyard.tables.types import is_list, readable

MOST_LEVELS = 1000


@dataclass(frozen=True)
class ColumnFacts:
    """One column of a table."""

    name: str
    kind: Kind | None
    """None for a column that no input can have: nested, binary, without any value, or beyond ±2⁵³."""
    missing: int
    """Rows without a value."""
    distinct: int
    levels: dict[str, int]
    """Value as text → its rows, sorted by the text; empty with more than a thousand of them."""
    length: int = 0
    """vector: the numbers in each value."""


@dataclass(frozen=True)
class TableFacts:
    """One table."""

    format: str
    """parquet or csv."""
    separator: str
    """csv: what is between two cells."""
    rows: int
    columns: tuple[ColumnFacts, ...]


def facts_of(path: Path) -> TableFacts:
    """The facts of a CSV or Parquet file; ModelyardError for another file, and for a name that two columns have."""
    table = read_table(path)
    with path.open("rb") as file:
        head = file.read(4)
    if head == b"PAR1":
        form, separator = "parquet", ""
    elif head[:1] in (b"{", b"[") or head[:2] == b"\x1f\x8b" or head in (b"ARRO", b"\xff\xff\xff\xff"):
        raise ModelyardError(f"{path} is neither a plain CSV file nor a Parquet file.", "Convert it to one of the two.")
    else:
        form, separator = "csv", separator_of(path)
    columns = []
    for name in table.names:
        if not name.strip():
            raise ModelyardError(f"{path} has a column without a name.", "Name every column in the first line.")
        if table.names.count(name) > 1:
            raise ModelyardError(f"{path} has two columns named {name!r}.", "Keep one of them, or rename the others.")
        try:
            column = table.column(name)
        except ModelyardError:  # a type of no input
            columns.append(ColumnFacts(name, None, 0, 0, {}))
        else:
            columns.append(_facts(name, column))
    return TableFacts(form, separator, table.rows, tuple(columns))


def _facts(name: str, column: Any) -> ColumnFacts:
    import pyarrow.compute as pc

    missing = int(column.null_count)
    if is_list(column.type):
        lengths = pc.unique(pc.list_value_length(column)).drop_null().to_pylist()
        numbers = _kind(readable(column, name, name).type.value_type) in ("integer", "float")
        kind: Kind | None = "vector" if numbers and len(lengths) == 1 and lengths[0] else None
        return ColumnFacts(name, kind, missing, len(column), {}, lengths[0] if kind else 0)
    kind = _kind(column.type)
    if kind == "float":
        missing += int(pc.sum(pc.is_nan(column.drop_null())).as_py() or 0)
    counted = {entry["values"]: entry["counts"] for entry in pc.value_counts(column.drop_null()).to_pylist()}
    if kind == "integer" and any(abs(value) >= EXACT for value in counted):
        kind = None
    counted.pop("", None)
    levels: dict[str, int] = {}
    if len(counted) <= MOST_LEVELS:
        levels = dict(sorted((spelled_text(value), count) for value, count in counted.items() if value == value))
    return ColumnFacts(name, kind if counted else None, missing, len(counted), levels)


def _kind(arrow: Any) -> Kind | None:
    import pyarrow as pa

    types = pa.types
    if types.is_boolean(arrow):
        return "boolean"
    if types.is_integer(arrow):
        return "integer"
    if types.is_floating(arrow):
        return "float"
    if types.is_string(arrow):
        return "string"
    if types.is_date(arrow):
        return "date"
    return "timestamp" if types.is_timestamp(arrow) else None
