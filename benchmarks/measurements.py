"""The run commands on large tables: whole processes, imports and peak memory included, beside the peers."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from clock import Figure, measured, modelyard, process
from modelyard.candidate.profiles import Columns, profile_file
from modelyard.candidate.reference import encode_profile
from modelyard.manifests.repository import ModelRepository
from modelyard.tables.file import TableFile
from peers import peer
from support.yard import commit_all, git, small_repository, write

NUMBERS, TEXTS = 20, 5
INPUTS = [f"n{i:02}" for i in range(NUMBERS)] + [f"t{i}" for i in range(TEXTS)]
READ = """
import sys, pyarrow.parquet as pq
for path in sys.argv[1:]:
    file = pq.ParquetFile(path)
    for name in file.schema_arrow.names:
        file.read([name])
"""


def drift(scratch: Path) -> list[Figure]:
    """``modelyard drift`` on 1,000,000 + 1,000,000 rows of 20 numeric and 5 text columns; then 5,000,000."""
    yard = repository(scratch)
    before, after = (table(scratch / f"{name}.parquet", 1_000_000, i) for i, name in enumerate(("before", "after")))
    exact = modelyard(yard, "drift", "big", "--reference", str(before), "--current", str(after))
    against_profile = modelyard(yard, "drift", "big", "--current", str(after))
    read_both = process([sys.executable, "-c", READ, str(before), str(after)], yard)
    read_one = process([sys.executable, "-c", READ, str(after)], yard)
    ours, profiled, both, one = measured([exact, against_profile, read_both, read_one], 5)
    print(
        [round(x.seconds, 2) for x in (ours, profiled, both, one)],
        [round(x.peak / 1e6) for x in (ours, profiled, both, one)],
    )
    script = Path(__file__).with_name("peer_evidently.py")
    theirs = measured([process([peer("evidently"), str(script), "drift", str(before), str(after),
                                str(scratch / "evidently.html")], yard)], 1)[0]  # fmt: skip
    return [
        Figure("drift 1M+1M, exact / Evidently's DataDriftPreset", ours.seconds / theirs.seconds, 1 / 30),
        Figure("  the same, peak memory", ours.peak / theirs.peak, 1 / 6),
        Figure("  the same / reading the columns once with pyarrow", ours.seconds / both.seconds, 6.0),
        Figure("drift 1M against a profile / reading the table once", profiled.seconds / one.seconds, 4.0),
        *_small(scratch, yard),
        *_large(scratch, yard),
    ]


def _large(scratch: Path, yard: Path) -> list[Figure]:
    before, after = (table(scratch / f"{name}.parquet", 5_000_000, i) for i, name in enumerate(("before", "after")))
    ours = measured([modelyard(yard, "drift", "big", "--reference", str(before), "--current", str(after))], 1)[0]
    return [Figure("drift 5M+5M, exact: peak memory / 500 MB", ours.peak / 500e6, 1.0)]


def _small(scratch: Path, yard: Path) -> list[Figure]:
    after = table(scratch / "small.parquet", 10_000, 1)
    ours = measured([modelyard(yard, "drift", "big", "--current", str(after))], 5)[0]
    return [Figure("drift, 10,000 rows / 1.5 s", ours.seconds / 1.5, 1.0)]


def repository(scratch: Path) -> Path:
    """A repository whose model takes the 25 columns; its training rows make the committed profile."""
    yard = small_repository(scratch / "yard", ("big",))
    inputs = [
        f"    - {{name: {name}, type: {'float' if name[0] == 'n' else 'string'}, nullable: true}}" for name in INPUTS
    ]
    write(yard, {"models/big/model.yaml": _MODEL + "\n".join(inputs) + "\n"})
    (yard / "models/big/data").mkdir(exist_ok=True)
    training = table(yard / "models/big/data/train.parquet", 50_000, 0)
    commit_all(yard, "as wide as the benchmark")
    model = ModelRepository.find(yard).model("big")
    profile = profile_file(TableFile(training), Columns.of(model, "input")).profile
    (yard / "models/big/profile.json").write_bytes(encode_profile(profile))
    commit_all(yard, "its profile")
    record = '{"artifact":"' + "a" * 64 + '","verdict":"pass"}'
    for tag in ("big@v1.0.0", "big#staging#1"):
        git(yard, "tag", "-a", tag, "-m", f"headline\n\n{record}")
    return yard


_MODEL = """\
name: big
description: as wide as the benchmark asks for
owners: ["@bench"]
task: binary
policy: standard
files: {artifact: model.txt}
contract:
  id: id
  label: label
  inputs:
"""


def table(path: Path, rows: int, seed: int) -> Path:
    """Normal, skewed, whole and exponential numbers, some missing; texts of 2 to 300 levels. Written in row groups."""
    rng = np.random.default_rng(seed)
    writer = None
    for _ in range(max(rows // 250_000, 1)):
        part = min(rows, 250_000)
        columns: dict[str, pa.Array] = {}
        for i, name in enumerate(INPUTS[:NUMBERS]):
            values = [rng.normal(0.1 * seed * (i < 3), 1, part), rng.lognormal(0, 1, part),
                      rng.integers(0, 1000, part).astype(float), rng.exponential(2, part)][i % 4]  # fmt: skip
            mask = rng.random(part) < 0.03 if i % 4 == 1 else None
            columns[name] = pa.array(values, mask=mask)
        for i, name in enumerate(INPUTS[NUMBERS:]):
            levels = pa.array([f"level {j}" for j in range((2, 5, 20, 100, 300)[i])])
            columns[name] = levels.take(pa.array(rng.integers(0, len(levels), part)))
        part_of_it = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, part_of_it.schema)
        writer.write_table(part_of_it)
    assert writer is not None
    writer.close()
    return path


def evaluation(scratch: Path) -> list[Figure]:
    """The comparison of two models on 1,000,000 rows with 2,000 replicates and 50 slices, beside the usual loop."""
    here = Path(__file__).parent
    ours = measured([process([sys.executable, str(here / "evaluate_rows.py")], scratch)], 3)[0]
    loop = measured([process([sys.executable, str(here / "evaluate_loop.py"), str(_LOOPS)], scratch)], 1)[0]
    once = measured([process([sys.executable, str(here / "evaluate_loop.py"), "0"], scratch)], 1)[0]
    theirs = once.seconds + (loop.seconds - once.seconds) / _LOOPS * 2000
    return [
        Figure(f"evaluation / scikit-learn and NumPy in a loop ({_LOOPS} of 2,000)", ours.seconds / theirs, 1 / 50),
        Figure("evaluation, 1M rows, 2,000 replicates, 50 slices / 30 s", ours.seconds / 30, 1.0),
    ]


_LOOPS = 2
