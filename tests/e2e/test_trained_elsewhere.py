"""The section of docs/own-model.md about a model trained elsewhere, played as it stands, in two versions."""

from __future__ import annotations

import re
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
from support.server import serving
from support.walkthrough import play
from support.yard import git, tool

PAGE = Path(__file__).parents[2] / "docs/own-model.md"
SECTION = PAGE.read_text(encoding="utf-8").partition("## A model trained elsewhere\n")[2]
FIRST, NEXT = re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)[:2]
NOT_APPLICABLE = "Training evidence is not applicable"


def files(folder: Path) -> None:
    """Two models that somebody trained, and rows that they did not see."""
    rng = np.random.default_rng(3)
    rows = 8000
    frame = pd.DataFrame({"plan": rng.choice(["basic", "plus", "pro"], rows), "months": rng.integers(1, 60, rows)})
    frame["spend"] = rng.gamma(2, 20, rows).round(2)
    raw = -frame["months"] / 20 + (frame["plan"] == "basic") * 1.2 + frame["spend"] / 60 + rng.normal(size=rows)
    frame["churned"] = np.where(raw > 0.2, "yes", "no")
    learn = frame[:4000]
    inputs = learn[["plan", "months", "spend"]].astype({"plan": "category"})
    for name, trees in (("model.txt", 15), ("better.txt", 40)):
        data = lightgbm.Dataset(inputs, (learn["churned"] == "yes").astype(int))
        params = {"objective": "binary", "num_leaves": 7, "learning_rate": 0.1, "verbose": -1, "num_threads": 2}
        lightgbm.train(params, data, trees).save_model(folder / name)
    frame[4000:].to_csv(folder / "customers.csv", index=False)


def test_a_model_trained_elsewhere_is_proposed_served_and_followed_by_the_next(tmp_path: Path) -> None:
    files(tmp_path)
    *commands, last = FIRST.strip().splitlines()
    assert len(commands) + 1 <= 10 and last == "modelyard serve --env staging"
    yard = play(tmp_path, commands)
    tool(yard, "validate")
    evidence = yard / ".modelyard/evidence/churn"
    report = (evidence / "report.md").read_text(encoding="utf-8")
    assert "churn may be merged" in report and NOT_APPLICABLE in report
    assert NOT_APPLICABLE in (evidence / "report.html").read_text(encoding="utf-8")
    row = [
        {"name": "plan", "datatype": "BYTES", "shape": [1], "data": ["pro"]},
        {"name": "months", "datatype": "INT64", "shape": [1], "data": [5]},
        {"name": "spend", "datatype": "FP64", "shape": [1], "data": [20.5]},
    ]
    with serving(yard, "staging") as server:
        status, answer = server.call("POST", "/v2/models/churn/infer", {"inputs": row})
    assert status == 200 and answer["model_version"] == "v1.0.0", answer
    theirs = lightgbm.Booster(model_file=tmp_path / "model.txt")
    frame = pd.DataFrame({"plan": pd.Categorical(["pro"], ["basic", "plus", "pro"]), "months": [5], "spend": [20.5]})
    assert answer["outputs"][0]["data"][0] == theirs.predict(frame)[0]

    lineage = " ".join(tool(yard, "lineage", "churn").stdout.split())
    assert NOT_APPLICABLE in lineage and "nobody here can reproduce it" in lineage
    assert "nothing to train" in tool(yard, "retrain", "churn").stdout
    assert "nobody here can reproduce it" in tool(yard, "reproduce", "churn@v1.0.0", expect=1).stderr
    assert NOT_APPLICABLE in tool(yard, "card", "churn").stdout
    site = tmp_path / "site"
    tool(yard, "site", "--out", str(site))
    assert any(NOT_APPLICABLE in page.read_text(encoding="utf-8") for page in site.rglob("*.html"))

    play(yard, NEXT.strip().splitlines())
    report = (evidence / "report.md").read_text(encoding="utf-8")
    assert "may be merged" in report and "v1.0.0" in report and "**v1.1.0**" in report
    assert "churn@v1.1.0" in git(yard, "tag")
    assert not git(yard, "status", "--porcelain")

    git(tmp_path, "clone", "--quiet", "models", "clone")  # beside storage, so that the remote's path is the same
    git(tmp_path / "clone", "fetch", "--quiet", "origin", "modelyard/evidence:modelyard/evidence")
    tool(tmp_path / "clone", "run", "churn")
    assert (tmp_path / "clone/models/churn/model.txt").read_bytes() == (tmp_path / "better.txt").read_bytes()
    assert not git(tmp_path / "clone", "status", "--porcelain")
