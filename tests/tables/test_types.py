"""Every type that a writer may use, in every form of table: read as one of few types, or refused by name."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from modelyard.errors import ModelyardError
from modelyard.flavors.signature import Input, Kind
from modelyard.predictions.columns import seconds, times_of
from modelyard.tables.file import TableFile, read_parts, read_table
from modelyard.tables.table import Table
from modelyard.tables.types import is_list, readable

TEXTS = ["a", "ü", None, "", "7"]
NUMBERS = [1, 0, None, 3]
MOMENT = datetime(2026, 5, 3, 14, tzinfo=UTC)


def texts(kind: pa.DataType) -> pa.Array:
    binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)
    return pa.array([None if t is None else t.encode() for t in TEXTS] if binary else TEXTS, kind)


TEXT_COLUMNS = {str(kind): texts(kind) for kind in (
    pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view(),
)} | {f"dictionary of {kind}": texts(kind).dictionary_encode() for kind in (pa.string(), pa.large_string(), pa.binary())} | {
    "dictionary with narrow indices": texts(pa.string()).dictionary_encode().cast(pa.dictionary(pa.int8(), pa.string())),
}  # fmt: skip
NUMBER_COLUMNS = {str(kind): pa.array(NUMBERS, kind) for kind in (
    pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(), pa.float32(), pa.float64(),
)} | {
    "float16": pa.array([np.float16(v) if v is not None else None for v in NUMBERS], pa.float16()),
    "decimal128": pa.array([None if v is None else Decimal(v) for v in NUMBERS], pa.decimal128(20, 4)),
    "decimal256": pa.array([None if v is None else Decimal(v) for v in NUMBERS], pa.decimal256(40, 4)),
    "dictionary of int64": pa.array(NUMBERS, pa.int64()).dictionary_encode(),
}  # fmt: skip
TIME_COLUMNS = {
    f"timestamp {unit} {zone}": pa.array([MOMENT if zone else MOMENT.replace(tzinfo=None), None], pa.timestamp(unit, zone))
    for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC", "Europe/Berlin", "+05:30")
}  # fmt: skip
REFUSED = {
    "struct": pa.array([{"a": 1}, None]),
    "map": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
    "list of structs": pa.array([[{"a": 1}], None]),
    "bytes that are no text": pa.array([b"\xff\xfe", None]),
    "fixed bytes that are no text": pa.array([b"\xff\xfe", None], pa.binary(2)),
}
FORMS: dict[str, Callable[[pa.Table, Path], None]] = {
    "parquet": lambda table, path: pq.write_table(table, path),
    "arrow": lambda table, path: _ipc(table, path, pa.ipc.new_file),
    "arrows": lambda table, path: _ipc(table, path, pa.ipc.new_stream),
}


def _ipc(table: pa.Table, path: Path, new: Callable[..., Any]) -> None:
    with new(path, table.schema) as writer:
        writer.write_table(table)


def written(column: pa.Array, folder: Path, form: str) -> Path:
    """A table with the column ``x``; as an Arrow file where the form has no such type."""
    table = pa.table({"x": column, "rows": list(range(len(column)))})
    path = folder / f"t.{form}"
    try:
        FORMS[form](table, path)
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError):
        FORMS["arrow"](table, path)
    return path


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", TEXT_COLUMNS)
def test_texts(name: str, form: str, tmp_path: Path) -> None:
    path = written(TEXT_COLUMNS[name], tmp_path, form)
    column = Input("x", "string")
    assert list(read_table(path).values(column)) == TEXTS and read_table(path).texts("x").tolist() == TEXTS
    levels, counts, nulls = TableFile(path).tally(column)
    assert dict(zip(levels.tolist(), counts.tolist(), strict=True)) == {"a": 1, "ü": 1, "": 1, "7": 1} and nulls == 1
    assert [part.values(column) for part in read_parts(path, ["x"])]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NUMBER_COLUMNS)
def test_numbers(name: str, form: str, tmp_path: Path) -> None:
    path = written(NUMBER_COLUMNS[name], tmp_path, form)
    wanted = [np.nan if value is None else float(value) for value in NUMBERS]
    for kind in ("integer", "float"):
        np.testing.assert_array_equal(np.asarray(read_table(path).values(Input("x", kind)), dtype=float), wanted)
    np.testing.assert_array_equal(TableFile(path).numbers("x"), wanted)
    assert list(read_table(path).values(Input("x", "string"))) == [None if v is None else str(v) for v in NUMBERS]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", TIME_COLUMNS)
def test_times(name: str, form: str, tmp_path: Path) -> None:
    path = written(TIME_COLUMNS[name], tmp_path, form)
    wanted = [MOMENT.timestamp(), np.nan]
    np.testing.assert_array_equal(np.asarray(read_table(path).values(Input("x", "timestamp")), dtype=float), wanted)
    assert seconds(times_of(read_table(path).column("x"), "log"))[0] == wanted[0]


def test_dates_times_of_day_and_durations_are_counted(tmp_path: Path) -> None:
    days = [date(2026, 5, 3), None]
    for kind in (pa.date32(), pa.date64()):
        path = written(pa.array(days, kind), tmp_path, "parquet")
        assert np.asarray(read_table(path).values(Input("x", "date")))[0] == (days[0] - date(1970, 1, 1)).days  # type: ignore[operator]
    for column, wanted in (
        (pa.array([time(1, 0, 0, 5)], pa.time64("ns")), 3600.000005), (pa.array([time(1)], pa.time32("s")), 3600.0),
        (pa.array([timedelta(hours=2)], pa.duration("ns")), 7200.0), (pa.array([1_500], pa.time64("ns")), 1e-6),
    ):  # fmt: skip
        assert TableFile(written(column, tmp_path, "arrow")).numbers("x")[0] == pytest.approx(wanted)


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float32()), pa.large_list(pa.int64()), pa.list_(pa.float64(), 2), pa.list_view(pa.int8())]
)
def test_lists_are_vectors_and_nothing_else(kind: pa.DataType, tmp_path: Path) -> None:
    path = written(pa.array([[1, 2], None, [3, 4]], kind), tmp_path, "arrow")
    found = np.asarray(read_table(path).values(Input("x", "vector", length=2)))
    np.testing.assert_array_equal(found, [[1, 2], [np.nan, np.nan], [3, 4]])
    for other in ("string", "float", "boolean", "date"):
        with pytest.raises(ModelyardError, match=r"Column 'x' of .* holds values of the type "):
            read_table(path).values(Input("x", other))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_value_is_refused_by_the_name_of_its_column(name: str, form: str, tmp_path: Path) -> None:
    path = written(REFUSED[name], tmp_path, form)
    kinds: tuple[Kind, ...] = ("string", "float", "vector")
    for kind in kinds:
        column = Input("x", kind, length=1) if kind == "vector" else Input("x", kind)
        for read in (read_table(path).values, TableFile(path).tally, TableFile(path).scalars):
            with pytest.raises(ModelyardError, match=r"Column 'x' of .* holds"):
                read(column)


@pytest.mark.parametrize("kind", ["string", "float", "integer", "boolean", "date", "timestamp"])
def test_empty_columns_and_columns_without_a_value(kind: Kind, tmp_path: Path) -> None:
    column = Input("x", kind)
    for rows in (0, 3):
        for values in (
            pa.nulls(rows),
            pa.nulls(rows, pa.string()),
            pa.nulls(rows, pa.float64()),
            pa.nulls(rows).dictionary_encode(),
        ):
            path = written(values, tmp_path, "arrow")
            assert len(read_table(path).values(column)) == rows and read_table(path).levels(column)[1].size == rows
            assert TableFile(path).tally(column)[2] == rows


@pytest.mark.parametrize("form", ["parquet", "arrow", "csv", "csv.gz", "jsonl"])
def test_a_column_that_is_there_twice_or_not_at_all(form: str, tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0]), pa.array([3.0])], names=["x", "x", "y"])
    path = tmp_path / f"t.{form}"
    if form in FORMS:
        FORMS[form](table, path)
    elif form == "jsonl":
        path.write_text('{"x": 1, "y": 2}\n')
    else:
        content = b"x,x,y\n1,2,3\n"
        path.write_bytes(gzip.compress(content) if form.endswith("gz") else content)
    if form != "jsonl":
        for read in (TableFile(path).numbers, read_table(path).numbers):
            with pytest.raises(ModelyardError, match="2 columns named 'x'"):
                read("x")
    with pytest.raises(ModelyardError, match="no column 'z'"):
        TableFile(path).numbers("z")


CSV = {
    "plain": b"id,x,c\n007,1.5,a\n008,,\n",
    "byte order mark": b"\xef\xbb\xbfid,x,c\n007,1.5,a\n008,,\n",
    "semicolons": b"id;x;c\n007;1.5;a\n008;;\n",
    "tabs": b"id\tx\tc\n007\t1.5\ta\n008\t\t\n",
    "windows": b"id,x,c\r\n007,1.5,a\r\n008,,\r\n",
    "json lines": b'{"id": "007", "x": 1.5, "c": "a"}\n{"id": "008", "x": null, "c": null}\n',
    "a json list": b'[{"id": "007", "x": 1.5, "c": "a"},\n{"id": "008", "x": null}]',
    "json lines with a mark": b'\xef\xbb\xbf{"id": "007", "x": 1.5, "c": "a"}\n{"id": "008"}\n',
}  # fmt: skip


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", CSV)
def test_tables_written_as_text(name: str, zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes(gzip.compress(CSV[name]) if zipped else CSV[name])
    table = read_table(path, texts=("id", "c"))
    assert table.names == ["id", "x", "c"] and table.texts("id").tolist() == ["007", "008"]
    assert table.texts("c").tolist() == ["a", None] and table.numbers("x")[0] == 1.5 and np.isnan(table.numbers("x")[1])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"x\n\xff\xfe\n", "Column 'x' of .* holds bytes that are no UTF-8"), (b"x;y\n1,5;a\n", "values that are not numbers"),
        (b"\x1f\x8b broken", "t.txt"), (b"\xff\xff\xff\xff broken", "is not a valid"), (b"ARROW1 broken", "is not a valid"),
        (b'{"x": 1}\n{"x": "a"}\n', "is not a valid .* changed from number to string"), (b"", "is not a valid"),
        (b'[{"x": 1}', "is not a valid"), (b'[{"x": 1}, 2]', "is not a valid"),
        (b"\xff\xfex\x00", "t.txt"),
    ],
)  # fmt: skip
def test_a_broken_table_is_one_sentence(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes(content)
    with pytest.raises(ModelyardError, match=said):
        read_table(path).numbers("x")


@pytest.mark.parametrize("value", [1_780_000_000_000, 1.78e18, -1_780_000_000_000])
def test_milliseconds_are_not_taken_for_seconds(value: float, tmp_path: Path) -> None:
    path = written(pa.array([value, None]), tmp_path, "parquet")
    for kind in ("timestamp", "date"):
        with pytest.raises(ModelyardError, match="is not "):
            read_table(path).values(Input("x", kind))
    with pytest.raises(ModelyardError, match="not milliseconds"):
        times_of(read_table(path).column("x"), "log")


TYPES = st.recursive(
    st.sampled_from([
        pa.null(), pa.bool_(), pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.string(), pa.large_string(),
        pa.string_view(), pa.binary(), pa.binary_view(), pa.binary(3), pa.date32(), pa.date64(), pa.timestamp("ns", "UTC"),
        pa.time32("s"), pa.time64("ns"), pa.duration("s"), pa.decimal128(9, 2), pa.decimal256(50, 3),
        pa.month_day_nano_interval(),
    ]),
    lambda inner: st.one_of(
        inner.map(pa.list_), inner.map(pa.large_list), inner.map(pa.list_view),
        inner.map(lambda kind: pa.list_(kind, 2)), inner.map(lambda kind: pa.struct([("a", kind)])),
        inner.map(lambda kind: pa.map_(pa.string(), kind)),
    ),
    max_leaves=3,
)  # fmt: skip


@example(pa.month_day_nano_interval(), 0, "string")
@given(TYPES, st.integers(0, 3), st.sampled_from(["string", "float", "boolean", "timestamp", "date", "integer"]))
def test_any_type_is_read_or_refused(kind: pa.DataType, rows: int, wanted: Kind) -> None:
    path = Path("t.arrow")
    try:
        found = readable(pa.nulls(rows, kind), "x", path)
    except ModelyardError as error:
        assert "'x'" in error.problem
        return
    assert is_list(found.type) or not pa.types.is_nested(found.type)
    try:
        assert len(Table(pa.table({"x": found}), path).values(Input("x", wanted))) == rows
    except ModelyardError as error:
        assert "'x'" in error.problem
