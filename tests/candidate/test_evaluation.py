from __future__ import annotations

import json
from pathlib import Path

import lightgbm as lgb
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from modelyard.candidate.evaluation import evaluate
from modelyard.candidate.files import Candidate
from modelyard.candidate.reference import decode_profile, encode_profile, write_profile
from modelyard.checkout.artifacts import FetchedVersion
from modelyard.errors import ModelyardError
from modelyard.files import sha256_of
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.manifests.names import Version
from modelyard.registry.history import RegisteredVersion

MANIFEST = """\
name: tiny
description: of the tests
owners: ["@ada"]
task: {task}
policy: standard
files: {{artifact: model.txt, folds: folds.parquet}}
contract:
  id: id
  label: y
  {classes}
  inputs: [{{name: x, type: float}}, {{name: z, type: float}}, {{name: c, type: string}}]
evaluation: {{slices: [c, x], groups: [c], block: day, minimum_support: 100, {more}}}
"""
KINDS: dict[str, tuple[str, str, dict[str, object]]] = {
    "binary": ("", "at: 10", {"objective": "binary"}),
    "multiclass": ('classes: ["low", "mid", "high"]', "at: 10", {"objective": "multiclass", "num_class": 3}),
    "regression": ("", "quantile: 0.9", {"objective": "regression"}),
    "ranking": ("", "query: day, at: 5", {"objective": "regression"}),
}


def make(folder: Path, task: str, trees: int = 20, noise: float = 0.0, rows: int = 3000) -> Candidate:
    """A model of the task that learnt from two thirds of its rows, and all files the pipeline would write."""
    classes, more, objective = KINDS[task]
    folder.mkdir()
    (folder / "data").mkdir()
    model = parse(Model, MANIFEST.format(task=task, classes=classes, more=more).encode(), "model.yaml")
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=rows), rng.normal(size=rows)
    c = rng.choice(["a", "b", "c"], rows)
    score = x + 0.5 * z + rng.normal(0, 0.5, rows)
    y: np.ndarray = {
        "binary": (score > 0).astype(float), "multiclass": np.digitize(score, [-0.7, 0.7]).astype(float),
        "regression": score, "ranking": np.clip(np.round(score), 0, 3),
    }[task]  # fmt: skip
    labels = np.array(["low", "mid", "high"])[y.astype(int)] if task == "multiclass" else y
    table = pa.table({"id": np.arange(rows), "y": labels, "x": x, "z": z, "c": c, "day": np.arange(rows) % 60})
    held = np.arange(rows) % 3 == 0
    pq.write_table(table.filter(pa.array(~held)), folder / "data/train.parquet")
    pq.write_table(table.filter(pa.array(held)), folder / "data/holdout.parquet")
    matrix = np.column_stack([x, z, np.searchsorted(["a", "b", "c"], c).astype(float)]) + rng.normal(size=(rows, 3)) * [
        noise,
        noise,
        0,
    ]
    data = lgb.Dataset(matrix[~held], y[~held], feature_name=["x", "z", "c"])
    booster = lgb.train(objective | {"verbose": -1, "num_threads": 1}, data, trees)
    text = booster.model_to_string() + '\npandas_categorical:[["a", "b", "c"]]\n'
    (folder / "model.txt").write_text(text)
    scores = booster.predict(matrix)
    names = [f"prediction_{n}" for n in ("low", "mid", "high")] if task == "multiclass" else ["prediction"]
    columns = dict(zip(names, np.atleast_2d(scores.T), strict=True))
    pq.write_table(pa.table({"id": np.arange(rows), **columns}).filter(pa.array(held)), folder / "predictions.parquet")
    days = (np.arange(rows) % 60).tolist()
    folds = {"fold": [f"part {day % 3}" for day in days], "day": days, "y": labels, "trained_rows": [2000] * rows}
    folds |= columns
    pq.write_table(pa.table(folds), folder / "folds.parquet")
    return Candidate(model, folder)


def version_of(candidate: Candidate) -> FetchedVersion:
    registered = RegisteredVersion(Version.of(1, 0, 0), "c" * 40, 0, "ada", "v1.0.0")
    return FetchedVersion(candidate.model, registered, candidate.artifact, sha256_of(candidate.artifact), b"")


@pytest.mark.parametrize(
    ("task", "first", "count"), [("binary", "auc", 9), ("multiclass", "log_loss", 4), ("regression", "mae", 4), ("ranking", "ndcg", 2)]
)  # fmt: skip
def test_every_task_from_its_files(tmp_path: Path, task: str, first: str, count: int) -> None:
    champion = version_of(make(tmp_path / "champion", task, trees=3, noise=1.0))
    candidate = make(tmp_path / "candidate", task)
    found = evaluate(candidate, champion).evaluation
    assert (found.metrics[0].name, len(found.metrics), found.champion) == (first, count, "v1.0.0")
    for metric in found.metrics[:1]:
        assert metric.difference is not None and (metric.difference > 0) == metric.higher_is_better
        assert metric.interval and metric.interval.low <= metric.difference <= metric.interval.high
    assert {part.column for part in found.slices} == {"c", "x"}
    quarters = [part for part in found.slices if part.column == "x"]
    assert len(quarters) == 4 and all(" to " in part.level for part in quarters), "numbers are cut at quartiles"
    assert found.stability and found.stability.trained_rows == (2000, 2000, 2000)
    folds = found.stability.metrics[0]
    assert folds.name == first and folds.deviation is not None and len(folds.values) == 3
    content = msgspec.json.encode(found)
    json.loads(content, parse_constant=lambda name: pytest.fail(f"{name} is not strict JSON"))
    assert evaluate(candidate, None).evaluation.champion is None


def test_flips_name_rows_and_the_inputs_that_caused_them(tmp_path: Path) -> None:
    champion = version_of(make(tmp_path / "champion", "binary", trees=3, noise=2.0))
    candidate = make(tmp_path / "candidate", "binary")
    flips = evaluate(candidate, champion).evaluation.flips
    assert (
        flips
        and flips.rows
        and flips.to_positive + flips.to_negative
        == sum(part.to_positive + part.to_negative for part in flips.slices if part.column == "c")
    )
    moved = [abs(row.candidate - row.champion) for row in flips.rows]
    assert moved == sorted(moved, reverse=True) and len(moved) <= 20
    assert all((row.candidate >= 0.5) != (row.champion >= 0.5) for row in flips.rows)
    assert flips.rows[0].drivers[0].input in ("x", "z") and flips.right > (flips.to_positive + flips.to_negative) / 2
    held = pq.read_table(candidate.folder / "data/holdout.parquet")["id"].to_pylist()
    assert int(flips.rows[0].id) in held
    contract = msgspec.structs.replace(candidate.model.contract, personal_id="hash")
    personal = Candidate(msgspec.structs.replace(candidate.model, contract=contract), candidate.folder)
    found = evaluate(personal, champion).evaluation.flips
    assert found and found.rows[0].id == f"held-out row {held.index(int(flips.rows[0].id)) + 1}", (
        "evidence is kept for good"
    )


def test_equal_rows_with_another_id_are_found(tmp_path: Path) -> None:
    candidate = make(tmp_path / "m", "binary")
    assert evaluate(candidate, None).evaluation.leakage.identical == 0
    train = pq.read_table(candidate.folder / "data/train.parquet")
    holdout = pq.read_table(candidate.folder / "data/holdout.parquet").slice(0, 5)
    again = holdout.set_column(0, "id", pa.array(np.arange(90_000, 90_005)))
    pq.write_table(pa.concat_tables([train, again]), candidate.folder / "data/train.parquet")
    leakage = evaluate(candidate, None).evaluation.leakage
    assert (leakage.overlap, leakage.identical) == (0, 5)


def test_a_class_outside_the_contract_is_refused(tmp_path: Path) -> None:
    candidate = make(tmp_path / "m", "multiclass")
    path = candidate.folder / "data/holdout.parquet"
    table = pq.read_table(path)
    pq.write_table(table.set_column(1, "y", pa.array(["huge"] * table.num_rows)), path)
    with pytest.raises(ModelyardError, match=r"has the value 'huge', which contract.classes does not list"):
        evaluate(candidate, None)


def test_the_committed_profile_has_the_importance_of_inputs(tmp_path: Path) -> None:
    candidate = make(tmp_path / "m", "binary", rows=9000)
    profile = write_profile(candidate)
    content = (candidate.folder / "profile.json").read_bytes()
    assert decode_profile(content, "profile.json") == profile and encode_profile(profile) == content
    assert [column.role for column in profile.columns] == ["input", "input", "input", "label", "score"]
    x, z, c = profile.columns[:3]
    assert x.importance and z.importance and x.importance > z.importance > (c.importance or 0)
    assert [t.rows for t in x.thresholds] == [200, 1_000] and 0 < x.thresholds[1].js < x.thresholds[0].js < 0.5
    known = [score for score in x.scores if score is not None]
    assert len(x.scores) == len(x.bins()[0]) and known[0] < 0.2 < 0.8 < known[-1], "the score follows x"


def test_a_profile_of_25_columns_is_small(tmp_path: Path) -> None:
    from modelyard.metrics.tally import ColumnValues, profile_table

    rng = np.random.default_rng(0)
    columns = [ColumnValues(f"number {i}", "float", rng.normal(size=20_000)) for i in range(20)]
    texts = np.array([f"a level's name {i}" for i in range(300)], dtype=object)
    columns += [ColumnValues(f"text {i}", "string", rng.choice(texts, 20_000)) for i in range(5)]
    assert len(encode_profile(profile_table(columns))) < 60_000
