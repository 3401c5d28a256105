from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from modelyard.candidate.drift import drift_in_slices, tell_apart
from modelyard.candidate.profiles import Columns, compare_files, partitions, profile_file, profile_partitions
from modelyard.errors import ModelyardError
from modelyard.manifests.model import Column, Contract, Evaluation, Files, Model
from modelyard.metrics.drift import measure_drift
from modelyard.tables.file import TableFile
from msgspec import structs

MODEL = Model(
    name="m", description="d", owners=["@a"], task="binary", policy="p", files=Files(artifact="model.txt"),
    contract=Contract(id="id", label="y", inputs=[
        Column(name="x", type="float"), Column(name="z", type="float", nullable=True), Column(name="c", type="string"),
    ]),
)  # fmt: skip
COLUMNS = Columns.of(MODEL, "input", "label")


def table(path: Path, rows: int, seed: int, shift: float = 0.0) -> TableFile:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    z = shift * x + rng.normal(size=rows)
    data = {"x": x, "z": pa.array(z, mask=rng.random(rows) < 0.1), "c": rng.choice(["a", "b", "c"], rows)}
    pq.write_table(pa.table(data | {"y": rng.integers(0, 2, rows)}), path, row_group_size=700)
    return TableFile(path)


def test_profile_of_parts_is_the_profile_of_the_whole(tmp_path: Path) -> None:
    reference = profile_file(table(tmp_path / "r.parquet", 3000, 0), COLUMNS).profile
    folder = tmp_path / "parts"
    folder.mkdir()
    for i in range(3):
        table(folder / f"{i}.parquet", 2000 + i, i + 1)
    whole = pa.concat_tables([pq.read_table(path) for path in partitions(folder)])
    pq.write_table(whole, tmp_path / "whole.parquet")
    expected = profile_file(TableFile(tmp_path / "whole.parquet"), COLUMNS, reference)
    told: list[tuple[int, float | None]] = []
    parts = profile_partitions(
        partitions(folder), COLUMNS, reference, None, lambda rows, share: told.append((rows, share))
    )
    assert parts == expected
    assert told == [(2000, pytest.approx(1 / 3)), (4001, pytest.approx(2 / 3)), (6003, 1.0)]
    told.clear()
    assert (
        profile_file(TableFile(tmp_path / "whole.parquet"), COLUMNS, reference, lambda *one: told.append(one))
        == expected
    )
    assert told[-1] == (6003, 1.0) and told == sorted(told), "threads tell in order"
    exact = compare_files(TableFile(tmp_path / "r.parquet"), TableFile(tmp_path / "whole.parquet"), COLUMNS)
    assert (exact[0].profile, exact[1].profile) == (reference, expected.profile)


def test_the_same_on_two_dask_workers_in_processes_of_their_own(tmp_path: Path) -> None:
    reference = profile_file(table(tmp_path / "r.parquet", 3000, 0), COLUMNS).profile
    folder = tmp_path / "parts"
    folder.mkdir()
    for i in range(4):
        table(folder / f"{i}.parquet", 1000, i + 1)
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        found = profile_partitions(partitions(folder), COLUMNS, reference, cluster.scheduler_address)
    assert found == profile_partitions(partitions(folder), COLUMNS, reference, None)


def test_a_missing_dask_scheduler_is_an_error(tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from modelyard.errors import ModelyardError
from modelyard.metrics.profile import Profile
from modelyard.candidate import profiles
try:
    profiles.profile_partitions([Path({str(tmp_path)!r})], profiles.Columns((), {{}}), Profile(0, ()), "tcp://127.0.0.1:9")
except ModelyardError as error:
    print("said:", error.problem)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "said: The Dask scheduler tcp://127.0.0.1:9 cannot be reached" in done.stdout


def test_a_missing_or_unreadable_column_does_not_stop_the_others(tmp_path: Path) -> None:
    before = table(tmp_path / "r.parquet", 500, 0)
    broken = pa.table({"x": ["many", "words"] * 250, "c": ["a"] * 500, "y": [0.0] * 500})
    pq.write_table(broken, tmp_path / "c.parquet")
    reference = profile_file(before, COLUMNS).profile
    found = profile_file(TableFile(tmp_path / "c.parquet"), COLUMNS, reference)
    assert [column.name for column in found.profile.columns] == ["c", "y"]
    assert found.faults.keys() == {"x", "z"} and "has values that are not numbers" in found.faults["x"]


@pytest.mark.parametrize("rows", [0, 1])
def test_very_few_rows(tmp_path: Path, rows: int) -> None:
    empty, full = table(tmp_path / "e.parquet", rows, 0), table(tmp_path / "f.parquet", 500, 1)
    for before, after in ((empty, full), (full, empty), (empty, empty)):
        reference, current, _ = compare_files(before, after, COLUMNS)
        assert (reference.profile.rows, current.profile.rows) == (before.rows, after.rows)


def test_the_domain_classifier_finds_drift_that_no_single_column_shows(tmp_path: Path) -> None:
    before = table(tmp_path / "a.parquet", 4000, 0, shift=0.9)
    apart = tell_apart(MODEL, before, table(tmp_path / "b.parquet", 4000, 1, shift=-0.9))
    alike = tell_apart(MODEL, before, table(tmp_path / "c.parquet", 4000, 2, shift=0.9))
    assert apart and alike and apart.interval and alike.interval
    assert apart.auc > 0.75 and set(apart.strongest[:2]) == {"x", "z"}
    assert alike.interval.low < 0.5 < alike.interval.high + 0.02
    assert tell_apart(MODEL, before, table(tmp_path / "d.parquet", 100, 3)) is None


def test_a_folder_without_tables_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(ModelyardError, match="has no table"):
        partitions(tmp_path)


def test_drift_of_one_slice_is_found_when_the_whole_table_hardly_drifts(tmp_path: Path) -> None:
    def write(name: str, moved: bool) -> TableFile:
        rng = np.random.default_rng(len(name))
        rows = 20_000
        c = rng.choice(["a", "b", "c", "rare"], rows, p=[0.47, 0.47, 0.055, 0.005])
        x = rng.normal(size=rows) + (2.0 * (c == "c") if moved else 0.0)
        values = {"x": x, "z": rng.normal(size=rows), "c": c, "y": rng.integers(0, 2, rows)}
        pq.write_table(pa.table(values), tmp_path / name)
        return TableFile(tmp_path / name)

    model = structs.replace(MODEL, evaluation=Evaluation(slices=["c", "z"]))
    before = write("reference.parquet", False)
    for name, moved, alarms in (("still.parquet", False, set()), ("moved.parquet", True, {("c", "c", "x")})):
        after = write(name, moved)
        reference, current, exact = compare_files(before, after, COLUMNS)
        slices = drift_in_slices(model, before, after, reference.profile)
        assert {part.level for part in slices if part.column == "c"} == {"a", "b", "c"}, "too few rows are not judged"
        drift = measure_drift(reference.profile, current.profile, "ref", exact, slices=slices)
        assert not any(column.alarm for column in drift.columns)
        assert {(part.column, part.level, part.name) for part in drift.slices if part.alarm} == alarms
