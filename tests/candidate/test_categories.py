"""Models whose inputs were trained as categories of their own kinds: a worse one never passes for a better one."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import yaml
from modelyard.candidate.evaluation import evaluate
from modelyard.candidate.files import Candidate
from modelyard.checkout.artifacts import FetchedVersion
from modelyard.errors import ModelyardError
from modelyard.evidence.verdict import CheckResult
from modelyard.files import sha256_of
from modelyard.gate.judge import judge
from modelyard.manifests.conversion import convert, parse
from modelyard.manifests.document import parse_document
from modelyard.manifests.model import Model
from modelyard.manifests.names import Version
from modelyard.manifests.policy import Policy
from modelyard.metrics.scores import auc
from modelyard.registry.history import RegisteredVersion
from modelyard.scoring.scorer import loaded
from modelyard.serving.tensors import ContractCheck, decode_request
from support.evidence import bundle
from support.yard import POLICIES

LEARNT, ROWS = 2000, 5000
LEVELS: dict[str, list[Any]] = {"boolean": [False, True], "integer": [3, 17, 40, 41, 55], "float": [0.5, 1.25, 7.0]}
REGIONS = ["north", "south", "west"]


def table(kind: str) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({
        "loan_id": [f"L{i}" for i in range(ROWS)], "amount": rng.normal(100, 20, ROWS).round(2),
        "grade": rng.choice(np.array(LEVELS[kind]), ROWS), "region": rng.choice(REGIONS, ROWS),
    })  # fmt: skip
    signal = 2.5 * frame["grade"].isin(LEVELS[kind][1::2]) - 1.5 + 0.02 * (frame["amount"] - 100)
    signal += frame["region"] == "south"
    frame["bad"] = (rng.random(ROWS) < 1 / (1 + np.exp(-signal))).astype(int)
    return frame


def shaped(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    return frame[["amount", "grade", "region"]].assign(
        grade=frame["grade"].astype(pd.CategoricalDtype(LEVELS[kind])),
        region=frame["region"].astype(pd.CategoricalDtype(REGIONS)),
    )


def trained(folder: Path, kind: str, rows: int = LEARNT, trees: int = 60) -> Candidate:
    """What the pipeline leaves: tables, a model and its predictions."""
    frame = table(kind)
    learn, held = frame[:rows], frame[LEARNT:]
    folder.mkdir()
    learn.to_parquet(folder / "train.parquet", index=False)
    held.to_parquet(folder / "holdout.parquet", index=False)
    options = {"objective": "binary", "verbose": -1, "num_threads": 1, "seed": 1, "deterministic": True}
    booster = lightgbm.train(options, lightgbm.Dataset(shaped(learn, kind), learn["bad"]), trees)
    booster.save_model(folder / "model.txt")
    scores = booster.predict(shaped(held, kind))
    held[["loan_id"]].assign(prediction=scores).to_parquet(folder / "predictions.parquet", index=False)
    manifest = {
        "name": "loan", "description": "Will a loan go bad?", "owners": ["@us"], "task": "binary", "policy": "standard",
        "files": {"artifact": "model.txt", "training": "train.parquet", "holdout": "holdout.parquet"},
        "contract": {
            "id": "loan_id", "label": "bad",
            "inputs": [{"name": "amount", "type": "float"}, {"name": "grade", "type": kind},
                       {"name": "region", "type": "string"}],
        },
        "evaluation": {"groups": ["region"], "slices": ["region"]},
    }  # fmt: skip
    (folder / "model.yaml").write_text(yaml.safe_dump(manifest))
    return Candidate(parse(Model, (folder / "model.yaml").read_bytes(), "model.yaml"), folder)


def champion(candidate: Candidate) -> FetchedVersion:
    return FetchedVersion(
        model=candidate.model, version=RegisteredVersion(Version("v1.0.0"), "c" * 40, 0, "ada", ""),
        artifact=candidate.artifact, sha256=sha256_of(candidate.artifact), manifest=b"", folder=candidate.folder,
        probe=evaluate(candidate, None).probe,
    )  # fmt: skip


def verdict(candidate: Candidate, against: Candidate) -> dict[str, CheckResult]:
    document = parse_document((POLICIES / "standard.yaml").read_bytes(), "policies/standard.yaml")
    found = bundle(evaluation=evaluate(candidate, champion(against)).evaluation)
    judged = judge(convert(Policy, document), document, found, (), date(2026, 5, 3), known=candidate.model)
    return {check.id: check for check in judged.checks}


@pytest.mark.parametrize("kind", LEVELS)
def test_a_worse_candidate_is_worse_than_the_champion_that_was_accepted(kind: str, tmp_path: Path) -> None:
    first, worse = trained(tmp_path / "first", kind), trained(tmp_path / "worse", kind, rows=120, trees=2)
    held = table(kind)[LEARNT:]
    own = pd.read_parquet(first.folder / "predictions.parquet")["prediction"].to_numpy()
    accepted = auc(held["bad"].to_numpy(dtype=float), own)
    found = verdict(worse, first)["auc-against-champion"]
    assert accepted and found.champion == pytest.approx(accepted, abs=1e-12)
    assert found.difference is not None and found.difference < -0.01 and found.outcome != "pass"
    log_loss = verdict(worse, first)["log-loss-against-champion"]
    assert log_loss.outcome == "fail" and log_loss.candidate and log_loss.candidate > (log_loss.champion or 9)


@pytest.mark.parametrize("kind", LEVELS)
def test_the_same_bytes_do_not_differ(kind: str, tmp_path: Path) -> None:
    first = trained(tmp_path / "first", kind)
    found = evaluate(first, champion(first)).evaluation
    assert found.identical_bytes and {metric.difference for metric in found.metrics} == {0.0}


@pytest.mark.parametrize("kind", LEVELS)
def test_what_is_served_is_what_was_predicted(kind: str, tmp_path: Path) -> None:
    first = trained(tmp_path / "first", kind)
    held = table(kind)[LEARNT : LEARNT + 500]
    datatype = {"boolean": "BOOL", "integer": "INT64", "float": "FP64"}[kind]
    inputs = [
        {"name": name, "shape": [500], "datatype": of, "data": held[name].tolist()}
        for name, of in (("amount", "FP64"), ("grade", datatype), ("region", "BYTES"))
    ]
    rows = ContractCheck(first.model.contract, 1000).rows(decode_request(json.dumps({"inputs": inputs}).encode()))
    with loaded(first.model, first.artifact, first.folder, threads=1) as scorer:
        found = scorer.score(rows.columns)
    own = pd.read_parquet(first.folder / "predictions.parquet")["prediction"].to_numpy()[:500]
    assert np.abs(found - own).max() <= 1e-9


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        (lambda scores: scores[::-1], "in another order"),
        (lambda scores: np.random.default_rng(0).permutation(scores), "in another order"),
        (lambda scores: scores.astype(np.float32), "rounded to float32"),
        (lambda scores: scores.round(4), "rounded to 4 decimals"),
        (lambda scores: 1 - scores, "of the other class"),
        (lambda scores: scores * 0.5, "No single input explains it"),
    ],
)
def test_predictions_that_are_not_the_artifacts_are_a_fault(wrong: Any, cause: str, tmp_path: Path) -> None:
    first = trained(tmp_path / "first", "integer")
    path = first.folder / "predictions.parquet"
    written = pd.read_parquet(path)
    written.assign(prediction=np.asarray(wrong(written["prediction"].to_numpy()), dtype=float)).to_parquet(path)
    with pytest.raises(ModelyardError, match=cause) as found:
        evaluate(first, None)
    assert "of 3,000 held-out rows differ" in found.value.problem and "loan_id L2" in found.value.problem


def test_the_column_that_tells_the_differing_rows_is_named(tmp_path: Path) -> None:
    first = trained(tmp_path / "first", "integer")
    path, held = first.folder / "predictions.parquet", table("integer")[LEARNT:]
    written = pd.read_parquet(path)
    written.loc[(held["grade"] == 41).to_numpy(), "prediction"] *= 0.9
    written.to_parquet(path)
    with pytest.raises(ModelyardError, match="Likely cause: the rows where 'grade' is 41"):
        evaluate(first, None)
