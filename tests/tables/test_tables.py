from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from modelyard.errors import ModelyardError
from modelyard.flavors.signature import Input
from modelyard.tables.file import TableFile, read_table
from pyarrow import csv, feather


@pytest.fixture
def table() -> pa.Table:
    return pa.table({"x": [1.5, None, 3.0] * 100, "c": ["a", None, "b"] * 100, "flag": [True, False, None] * 100})


@pytest.mark.parametrize("form", ["parquet", "arrow", "csv"])
def test_every_file_format_gives_the_same_columns(table: pa.Table, tmp_path: Path, form: str) -> None:
    path = tmp_path / f"t.{form}"
    if form == "parquet":
        pq.write_table(table, path, row_group_size=70)
    elif form == "arrow":
        feather.write_feather(table, path, compression="uncompressed")
    else:
        csv.write_csv(table, path)
    file = TableFile(path)
    assert (file.rows, file.names) == (300, ["x", "c", "flag"])
    np.testing.assert_array_equal(file.numbers("x"), [1.5, np.nan, 3.0] * 100)
    np.testing.assert_array_equal(file.numbers("flag"), [1.0, 0.0, np.nan] * 100)
    levels, counts, nulls = file.tally(Input("c", "string"))
    found = dict(zip(levels.tolist(), counts.tolist(), strict=True))
    empty = found.pop("", 0)  # CSV does not tell an empty text from none
    assert found == {"a": 100, "b": 100} and nulls + empty == 100
    assert read_table(path).rows == 300


def test_pandas_nullable_and_arrow_types_and_moments_in_time(tmp_path: Path) -> None:
    zoned = pd.to_datetime(["2026-01-01T00:00:00Z", None, "2026-01-01T00:00:10Z"])
    frame = pd.DataFrame({
        "whole": pd.array([1, None, 3], dtype="Int64"), "arrow": pd.array([1.5, None, 2.5], dtype="double[pyarrow]"),
        "category": pd.Categorical(["a", None, "b"]), "zoned": zoned, "naive": zoned.tz_localize(None),
        "text": pd.array(["1", "x", None], dtype="string[pyarrow]"),
    })  # fmt: skip
    frame.to_parquet(tmp_path / "t.parquet", index=False)
    file = TableFile(tmp_path / "t.parquet")
    np.testing.assert_array_equal(file.numbers("whole"), [1, np.nan, 3])
    np.testing.assert_array_equal(file.numbers("arrow"), [1.5, np.nan, 2.5])
    for name in ("zoned", "naive"):
        seconds = file.numbers(name)
        assert seconds[2] - seconds[0] == 10 and np.isnan(seconds[1]) and seconds[0] == 1_767_225_600
    assert sorted(file.tally(Input("category", "string"))[0]) == ["a", "b"]
    with pytest.raises(ModelyardError, match=r"'text' of .* has values that are not numbers"):
        file.numbers("text")


def test_a_million_levels_are_counted(tmp_path: Path) -> None:
    rows = 1_000_000
    names = pa.array(np.arange(rows)).cast(pa.string())
    pq.write_table(pa.table({"id": names}), tmp_path / "t.parquet", row_group_size=250_000)
    levels, counts, nulls = TableFile(tmp_path / "t.parquet").tally(Input("id", "string"))
    assert levels.size == rows == counts.sum() and nulls == 0


def test_no_table_is_an_error_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1" + b"\0" * 50)
    with pytest.raises(ModelyardError, match="is not a valid Parquet"):
        TableFile(tmp_path / "t.parquet")
    with pytest.raises(ModelyardError, match="cannot be read"):
        TableFile(tmp_path / "none.parquet")


THREADS = """
import os, sys
from pathlib import Path
import pyarrow.compute, pyarrow.csv, pyarrow.json
from modelyard.tables.text import read_csv, read_json

def threads():
    return len(os.listdir("/proc/self/task"))

before = threads()
assert read_csv(Path(sys.argv[1])).num_rows == read_json(Path(sys.argv[2])).num_rows == 300_000
print(threads() - before)
"""


def test_texts_are_read_without_threads_which_abort_a_process_that_ends(tmp_path: Path) -> None:
    table, lines = tmp_path / "a.csv", tmp_path / "a.jsonl"
    table.write_text("a,b\n" + "1,2\n" * 300_000)
    lines.write_text('{"a": 1}\n' * 300_000)
    read = [sys.executable, "-c", THREADS, str(table), str(lines)]
    done = subprocess.run(read, check=True, capture_output=True, text=True)
    assert int(done.stdout) <= 1, "Arrow's own reader of files, and no pool"
