"""What comes back from production, at size: whole processes, imports and peak memory included."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from clock import Figure, measured, process
from measurements import INPUTS, READ, repository, table
from modelyard.candidate.reference import bin_codes, decode_profile, encode_profile
from modelyard.manifests.conversion import load
from modelyard.manifests.model import Model
from modelyard.manifests.repository import model_file
from modelyard.metrics.outliers import row_shape
from modelyard.scoring.signature import input_of
from modelyard.tables.file import read_table
from support.yard import commit_all, git

_BEGIN = datetime(2026, 5, 1, tzinfo=UTC)
_SEGMENT, _ROWS = 250_000, 5_000_000
_PREDICTIONS, _OUTCOMES = 10_000_000, 8_000_000


def monitor(scratch: Path) -> list[Figure]:
    """``modelyard monitor`` over 5,000,000 logged predictions of 25 columns, and with labels of most of them."""
    yard = repository(scratch)
    _with_outliers(yard)
    log = yard / ".modelyard/local/staging/log/big"
    log.mkdir(parents=True)
    files = [_segment(log, scratch, i) for i in range(_ROWS // _SEGMENT)]
    command = ["-m", "modelyard", "monitor", "big", "--env", "staging", "--until", "2026-05-08"]
    ours = process([sys.executable, *command], yard, ends=(0, 1, 3))  # the verdict is not what is timed
    told = process([sys.executable, *command, "--ground-truth", str(_ground_truth(scratch))], yard, ends=(0, 1, 3))
    reading = process([sys.executable, "-c", READ, *map(str, files)], yard)
    mine, judged, read = measured([ours, told, reading], 3)
    print([round(x.seconds, 2) for x in (mine, judged, read)], [round(x.peak / 1e6) for x in (mine, judged, read)])
    return [
        Figure("monitor, 5M predictions of 25 columns / reading the files once", mine.seconds / read.seconds, 6.0),
        Figure("  the same: peak memory / 500 MB", mine.peak / 500e6, 1.0),
        Figure("  with 4M labels, 9 metrics with intervals / reading the files once", judged.seconds / read.seconds),
        Figure("  the same: peak memory / 500 MB", judged.peak / 500e6),
    ]


def feedback(scratch: Path) -> list[Figure]:
    """10,000,000 predictions joined with 8,000,000 labels, from files to a file, beside pandas' merge of the same."""
    rng = np.random.default_rng(1)
    log = scratch / ".modelyard/local/production/log/small"
    log.mkdir(parents=True)
    for number in range(_PREDICTIONS // _SEGMENT):
        _narrow(log, number, rng)
    ids = rng.permutation(_PREDICTIONS + 1_000_000)[:_OUTCOMES]
    happened = pa.table({"id": _entities(ids), "label": pa.array(rng.integers(0, 2, _OUTCOMES))})
    pq.write_table(happened, scratch / "ground_truth.parquet")
    here = Path(__file__).parent
    sides = [
        process([sys.executable, str(here / "join_rows.py"), side, str(scratch)], scratch)
        for side in ("ours", "pandas")
    ]
    ours, theirs = measured(sides, 3)
    print([round(x.seconds, 2) for x in (ours, theirs)], [round(x.peak / 1e6) for x in (ours, theirs)])
    return [
        Figure("feedback, 10M predictions and 8M labels / pandas' merge", ours.seconds / theirs.seconds, 0.25),
        Figure("  the same: peak memory / 2 GB", ours.peak / 2e9, 1.0),
    ]


def _narrow(log: Path, number: int, rng: np.random.Generator) -> None:
    first = _BEGIN + timedelta(seconds=number * _SEGMENT / 100)
    at = np.datetime64(first.replace(tzinfo=None), "us") + np.arange(_SEGMENT) * np.timedelta64(10_000, "us")
    rows = np.arange(number * _SEGMENT, (number + 1) * _SEGMENT)
    columns = {
        "id": pc.binary_join_element_wise(_entities(rows * 7), "0", "/"),
        "entity": _entities(rows),
        "time": pa.array(at, pa.timestamp("us", "UTC")),
        "version": pa.array(["v1.0.0"] * _SEGMENT),
        "variant": pa.array(["champion"] * _SEGMENT),
        "error": pa.nulls(_SEGMENT, pa.string()),
        "score": pa.array(rng.beta(2, 5, _SEGMENT)),
        "latency_ms": pa.array(rng.gamma(2, 1, _SEGMENT)),
        "inputs.x": pa.array(rng.normal(size=_SEGMENT)),
        "inputs.colour": pa.array(["red", "blue"]).take(pa.array(rng.integers(0, 2, _SEGMENT))),
    }
    pq.write_table(pa.table(columns), log / f"{first:%Y%m%dT%H%M%S%f}.parquet", compression="zstd")


def _entities(numbers: np.ndarray) -> pa.Array:
    """Ids as people have them: a prefix and digits."""
    return pc.binary_join_element_wise("customer", pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), 9, "0"), "-")


def _with_outliers(yard: Path) -> None:
    path = yard / "models/big/profile.json"
    profile = decode_profile(path.read_bytes(), "profile")
    rows = read_table(table(yard.parent / "learnt.parquet", 100_000, 1))
    model, _ = load(Model, yard, model_file("big"))
    inputs = [(column, profile.column(column.name)) for column in model.contract.inputs]
    codes = {column.name: bin_codes(rows, known, input_of(column)) for column, known in inputs if known}
    path.write_bytes(encode_profile(replace(profile, shape=row_shape(profile.columns, codes))))
    commit_all(yard, "with what whole rows are like")
    git(yard, "tag", "-f", "-a", "big@v1.0.0", "-m", git(yard, "tag", "-l", "--format=%(contents)", "big@v1.0.0"))


def _ground_truth(scratch: Path) -> Path:
    """Of four in five of the predictions, in no order."""
    rng = np.random.default_rng(1)
    rows = rng.permutation(_ROWS)[: _ROWS * 4 // 5]
    numbers = (pc.cast(pa.array(part), pa.string()) for part in (rows // _SEGMENT, rows % _SEGMENT))
    happened = {"id": pc.binary_join_element_wise(*numbers, "-"), "label": pa.array(rng.integers(0, 2, rows.size))}
    pq.write_table(pa.table(happened), scratch / "ground_truth.parquet")
    return scratch / "ground_truth.parquet"


def _segment(log: Path, scratch: Path, number: int) -> Path:
    """One closed segment of the server's log, as it writes them."""
    rows = table(scratch / "part.parquet", _SEGMENT, 1)
    found = pq.read_table(rows)
    rng = np.random.default_rng(number)
    first = _BEGIN + timedelta(days=7 * number * _SEGMENT / _ROWS)
    at = np.datetime64(first.replace(tzinfo=None), "us") + np.arange(_SEGMENT) * np.timedelta64(120_000, "us")
    names = pc.binary_join_element_wise(str(number), pc.cast(pa.array(np.arange(_SEGMENT)), pa.string()), "-")
    columns = {
        "id": pc.binary_join_element_wise(names, "0", "/"),
        "entity": names,
        "time": pa.array(at, pa.timestamp("us", "UTC")),
        "version": pa.array(["v1.0.0"] * _SEGMENT),
        "variant": pa.array(["champion"] * _SEGMENT),
        "error": pa.nulls(_SEGMENT, pa.string()),
        "score": pa.array(rng.beta(2, 5, _SEGMENT)),
        "latency_ms": pa.array(rng.gamma(2, 1, _SEGMENT)),
    } | {f"inputs.{name}": found[name] for name in INPUTS}  # fmt: skip
    path = log / f"{first:%Y%m%dT%H%M%S%f}.parquet"
    pq.write_table(pa.table(columns), path, compression="zstd")
    return path
