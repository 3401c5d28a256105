"""Table files: their names for our columns, files that were cut off, windows of time."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import ModelyardError
from modelyard.manifests.configuration import Environment, Predictions
from modelyard.predictions.files import ColumnNames, FilesReader, Span, files_below, json_lines, parts_of
from modelyard.predictions.interface import ahead, within
from predictions.test_payload import BY_COLOUR, MODEL

BEGIN, END = datetime(2026, 5, 1, tzinfo=UTC).timestamp(), datetime(2026, 5, 8, tzinfo=UTC).timestamp()
TIMES = pa.array([int(BEGIN * 1e6)], pa.timestamp("us", "UTC"))


@pytest.fixture
def store() -> Iterator[Any]:
    """An object store in memory."""
    system = fsspec.filesystem("memory")
    yield system
    system.rm("/bucket", recursive=True)


def test_files_of_an_object_store_are_read_under_our_names(store: Any) -> None:
    store.pipe("/bucket/m/1.csv", b"request,time,p,x,colour\n007,2026-05-02,0.5,1.5,red\n")
    store.pipe("/bucket/m/2.jsonl", b'{"request": "8", "time": "2026-05-03", "p": 0.25, "inputs": {"x": 2.5}}\n')
    sink = io.BytesIO()
    pq.write_table(pa.table({"request": ["9"], "time": TIMES, "p": [0.75], "x": [3.5], "notes": ["n"]}), sink)
    store.pipe("/bucket/m/3.parquet", sink.getvalue())
    store.pipe("/bucket/m/README.md", b"no table")
    predictions = Predictions(reader="files", uri="memory://bucket/{model}", columns={"id": "request", "score": "p"})
    reader = FilesReader(Environment(name="production", predictions=predictions), Path())
    rows = [row for table in reader.read(MODEL, BEGIN, END) for row in table.to_pylist()]
    assert [(r["id"], r["score"], r["inputs.x"], r.get("inputs.colour")) for r in rows] == [
        ("007", 0.5, 1.5, "red"), ("8", 0.25, 2.5, None), ("9", 0.75, 3.5, None),
    ]  # fmt: skip
    assert all("notes" not in row for row in rows)


def test_a_place_that_does_not_exist_names_the_field(store: Any) -> None:
    store.pipe("/bucket/a.csv", b"x\n")
    assert [path for _, path in files_below("memory://bucket", Path(), (".csv",), "predictions: uri")] == [
        "/bucket/a.csv"
    ]
    assert files_below("memory://bucket", Path(), (".parquet",), "predictions: uri") == []
    with pytest.raises(ModelyardError, match=r"memory://nowhere does not exist\. Check predictions: uri\."):
        files_below("memory://nowhere", Path(), (), "predictions: uri")


def test_names_that_files_may_use() -> None:
    names = ColumnNames({"score": "p", "inputs.x": "width"}, BY_COLOUR)
    assert names.candidates("score") == ("p", BY_COLOUR.contract.output, "prediction")
    assert names.candidates("inputs.x") == ("width", "x")
    assert names.candidates("entity") == ("entity", "colour")
    assert names.candidates("time") == ("time",)
    assert {"inputs", "width", "x"} <= names.wanted(("inputs.x",)) and "colour" not in names.wanted(("score",))
    assert {"id", "time", "version", "variant"} <= names.wanted(("score",)), "duplicates are found by them"
    assert "colour" in names.texts and "x" not in names.texts


def test_the_declared_name_comes_before_the_others() -> None:
    table = pa.table({"p": [0.25], "prediction": [0.75], "time": TIMES})
    assert ColumnNames({"score": "p"}, MODEL).renamed(table, "a")["score"].to_pylist() == [0.25]
    assert ColumnNames({}, MODEL).renamed(table, "a")["score"].to_pylist() == [0.75]


def test_inputs_in_a_struct_are_columns_too() -> None:
    table = pa.table({"inputs": pa.array([{"x": 1.5, "colour": "red"}]), "time": TIMES})
    found = ColumnNames({}, MODEL).renamed(table, "a").to_pylist()[0]
    assert (found["inputs.x"], found["inputs.colour"], found["id"], found["score"]) == (1.5, "red", None, None)


def test_a_file_without_a_time_says_how_to_name_it() -> None:
    with pytest.raises(ModelyardError, match=r"a\.csv has no column 'when'\. Name its time column"):
        ColumnNames({"time": "when"}, MODEL).renamed(pa.table({"id": ["1"]}), "a.csv")


rows = st.lists(st.dictionaries(st.sampled_from("abc"), st.integers() | st.text(max_size=3), max_size=3), max_size=6)


@given(rows, st.integers(0, 400))
def test_json_lines_cut_off_anywhere_give_the_whole_lines_before(content: list[dict[str, Any]], at: int) -> None:
    text = b"".join(json.dumps(row).encode() + b"\n" for row in content)
    cut = text[: min(at, len(text))]
    found = list(json_lines(io.BytesIO(cut)))
    assert found == content[: len(found)]
    assert len(found) in (cut.count(b"\n"), cut.count(b"\n") + 1), "a last line without its end may be whole"


def test_an_invalid_line_in_the_middle_is_an_error() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        list(json_lines(io.BytesIO(b'{"a": 1}\n{"a":\n{"a": 2}\n')))


@given(st.lists(st.tuples(st.integers(0, 99), st.text("xyz", max_size=3)), min_size=1, max_size=6), st.data())
def test_csv_cut_off_anywhere_keeps_the_whole_rows_before(content: list[tuple[int, str]], data: st.DataObject) -> None:
    text = b"n,t,end\n" + b"".join(f"{n},{t},0\n".encode() for n, t in content)
    at = data.draw(st.integers(len(b"n,t,end\n"), len(text)))
    system = fsspec.filesystem("memory")
    system.pipe("/csv/a.csv", text[:at])
    [table] = parts_of(system, "/csv/a.csv", texts=("t",))
    found = list(zip(table["n"].to_pylist(), table["t"].to_pylist(), strict=True)) if table.num_rows else []
    assert found == [(n, t or None) for n, t in content][: len(found)]
    assert len(found) >= text[len(b"n,t,end\n") : at].count(b"\n")


@pytest.mark.parametrize(
    ("first", "last", "may"), [(0, 4, False), (0, 5, True), (9, 12, True), (10, 12, False), (6, 7, True)]
)
def test_a_row_group_is_read_when_its_times_may_lie_in_the_window(first: int, last: int, may: bool) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"time": pa.array([first, last], pa.int64()), "x": [1, 2]}), sink)
    reader = pq.ParquetFile(io.BytesIO(sink.getvalue()))
    assert Span("time", 5, 10).may_hold(reader, 0) is may
    assert Span("when", 5, 10).may_hold(reader, 0), "nothing is known of another column"


@given(st.lists(st.none() | st.integers(-20, 30), max_size=12))
def test_a_window_begins_with_its_first_second_and_ends_before_its_last(times: list[int | None]) -> None:
    column = pa.array([None if at is None else at * 1_000_000 for at in times], pa.timestamp("us", "UTC"))
    found = within(pa.table({"time": column, "n": list(range(len(times)))}), 0.0, 10.0)
    assert found["n"].to_pylist() == [n for n, at in enumerate(times) if at is not None and 0 <= at < 10]


@given(st.lists(st.integers(), max_size=12))
def test_reading_ahead_changes_nothing(items: list[int]) -> None:
    assert list(ahead(iter(items))) == items


def test_an_error_while_reading_ahead_is_raised_in_its_place() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ModelyardError("It broke.", "Repair it.")

    found = ahead(broken())
    assert next(found) == 1
    with pytest.raises(ModelyardError, match="It broke"):
        next(found)


def test_closing_ends_the_reading_of_an_endless_log() -> None:
    made: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            made.append(len(made))
            yield made[-1]

    found = ahead(endless())
    assert next(found) == 0
    found.close()  # type: ignore[attr-defined]
    count = len(made)
    assert count <= 5 and len(made) == count
