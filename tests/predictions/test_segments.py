"""Entries of the prediction log as rows, and the log as its reader gives it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import UsageError
from modelyard.manifests.configuration import Environment
from modelyard.predictions.columns import joined
from modelyard.predictions.log import LogReader
from modelyard.predictions.segments import compact, entries_of, read_predictions, table_of
from modelyard.predictions.writer import Entry
from predictions.test_payload import MODEL

BEGIN = datetime(2026, 5, 1, tzinfo=UTC)
scores = st.lists(st.floats(0, 1), max_size=4)


def entry(name: str, rows: list[float], **more: Any) -> Entry:
    fields: dict[str, Any] = {
        "id": name, "time": "2026-05-01T00:00:00Z", "version": "v1.0.0", "variant": "champion", "latency_ms": 2.0,
        "entities": [f"{name}-{n}" for n in range(len(rows))], "inputs": {"x": [float(n) for n in range(len(rows))]},
        "scores": rows,
    }  # fmt: skip
    return Entry(**(fields | more))


@given(st.lists(scores, max_size=5))
def test_every_row_of_every_request_is_a_row_and_a_failed_request_is_one(requests: list[list[float]]) -> None:
    found = table_of(
        entry(f"r{n}", rows, error="" if rows else "no model") for n, rows in enumerate(requests)
    ).to_pylist()
    expected = [
        (f"r{n}/{row}", f"r{n}-{row}", float(row), score)
        for n, rows in enumerate(requests) for row, score in enumerate(rows)
    ]  # fmt: skip
    assert [(r["id"], r["entity"], r["inputs.x"], r["score"]) for r in found if r["score"] is not None] == expected
    failed = [(r["id"], r["error"]) for r in found if r["score"] is None]
    assert failed == [(f"r{n}/0", "no model") for n, rows in enumerate(requests) if not rows]


def test_an_input_of_another_length_or_another_type_is_kept_as_far_as_it_can_be() -> None:
    found = table_of(
        [entry("a", [0.1, 0.2], inputs={"x": [1.0]}), entry("b", [0.3], inputs={"x": ["one"]})]
    ).to_pylist()
    assert [r["inputs.x"] for r in found] == [None, None, "one"]
    mixed = table_of([entry("a", [0.1], inputs={"x": [1.5]}), entry("b", [0.3], inputs={"x": ["one"]})]).to_pylist()
    assert [r["inputs.x"] for r in mixed] == ["1.5", "one"], "one column has one type"


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 9), st.floats(-9, 9), st.sampled_from(["north", "\ud800", ""]),
    st.lists(st.floats(0, 1), max_size=2), st.just({"a": 1}),
)  # fmt: skip


@given(st.lists(st.lists(VALUES, max_size=3), min_size=1, max_size=4))
def test_batches_of_any_types_are_one_table(batches: list[list[Any]]) -> None:
    parts = [
        table_of([entry(f"b{n}-{i}", [0.5], inputs={"x": [value]}) for i, value in enumerate(batch)])
        for n, batch in enumerate(batches)
    ]
    whole, values = joined(parts), [value for batch in batches for value in batch]
    assert whole.num_rows == len(values)
    if values:
        found = whole["inputs.x"].to_pylist()
        assert [one is None for one in found] == [value is None for value in values]
        kinds = {type(value) for value in values} - {type(None)}
        if kinds <= {bool, int, float}:
            assert [one for one in found if one is not None] == [value for value in values if value is not None]
    pq.write_table(whole, pa.BufferOutputStream())


def test_a_text_that_was_missing_for_a_whole_batch_comes_later(tmp_path: Path) -> None:
    lines = [entry(f"r{n}", [0.5], inputs={"zone": [None if n < 20_000 else "north"]}) for n in range(20_010)]
    content = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    (tmp_path / "20260501T000000000000.jsonl").write_bytes(content)
    (tmp_path / "20260502T000000000000.jsonl").touch()
    made = compact(tmp_path, 0)
    rows = [row for table in read_predictions(tmp_path) if table.num_rows for row in table["inputs.zone"].to_pylist()]
    assert len(made) == 1 and rows == [None] * 20_000 + ["north"] * 10


@pytest.mark.parametrize("said", [900011, 900011.0, "900011"])
def test_an_id_is_spelled_one_way(said: Any) -> None:
    assert table_of([entry("a", [0.1], entities=[said])])["entity"].to_pylist() == ["900011"]


def test_fewer_ids_than_rows_leave_the_last_rows_without_one() -> None:
    found = table_of([entry("a", [0.1, 0.2], entities=["ann"]), entry("b", [0.3], entities=None)]).to_pylist()
    assert [r["entity"] for r in found] == ["ann", None, None]


@given(requests=st.lists(scores.filter(bool), min_size=1, max_size=4), cut=st.integers(1, 60))
def test_a_segment_cut_off_in_its_last_line_loses_that_line_alone(
    tmp_path_factory: pytest.TempPathFactory, requests: list[list[float]], cut: int
) -> None:
    lines = [msgspec.json.encode(entry(f"r{n}", rows)) + b"\n" for n, rows in enumerate(requests)]
    path = tmp_path_factory.mktemp("log") / "1.jsonl"
    path.write_bytes(b"".join(lines)[:-cut])
    assert [one.id for one in entries_of(path)] == [f"r{n}" for n in range(len(requests) - (cut > 1))]


def test_a_log_that_is_not_here_says_where_to_run(tmp_path: Path) -> None:
    reader = LogReader(Environment(name="production"), tmp_path)
    with pytest.raises(
        UsageError, match=r"There is no prediction log of production in .*Run this where modelyard serve"
    ):
        list(reader.read(MODEL, 0.0, 1.0))


def test_the_reader_gives_the_rows_of_the_window(tmp_path: Path) -> None:
    folder = tmp_path / ".modelyard/local/production/log/m"
    folder.mkdir(parents=True)
    times = ("2026-04-30T23:59:59Z", "2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z")
    lines = [msgspec.json.encode(entry(time, [0.5], time=time)) + b"\n" for time in times]
    (folder / "20260501T000000000000.jsonl").write_bytes(b"".join(lines))
    begin = BEGIN.timestamp()
    tables = LogReader(Environment(name="production"), tmp_path).read(MODEL, begin, begin + 86400)
    assert [row["id"] for table in tables for row in table.to_pylist()] == ["2026-05-01T00:00:00Z/0"]
