"""The walkthroughs of docs/own-model.md, played as they stand: from a table to a served answer and a report."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.loop import dvc
from support.server import serving
from support.walkthrough import play
from support.yard import commit_all, git

PAGE = Path(__file__).parents[2] / "docs/own-model.md"
WALKS = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
MOST_COMMANDS = 10
TRAIN = """\
import lightgbm, pandas
rows = pandas.read_csv("data/train.csv", dtype={"plan": "category"})
data = lightgbm.Dataset(rows[["plan", "months", "spend"]], rows["churned"] == "yes")
lightgbm.train({"objective": "binary", "verbosity": -1, "seed": 1}, data, 60).save_model("model.txt")
"""


def customers(rows: int = 5000) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"plan": rng.choice(["basic", "plus", "pro"], rows), "months": rng.integers(1, 60, rows)})
    frame["spend"] = rng.gamma(2, 20, rows).round(2)
    raw = -frame["months"] / 20 + (frame["plan"] == "basic") * 1.2 + frame["spend"] / 60 + rng.normal(size=rows)
    frame["churned"] = np.where(raw > 0.2, "yes", "no")
    frame["size"] = np.select([raw < -1, raw < 0.5], ["small", "mid"], "large")
    return frame


def existing(folder: Path) -> None:
    """A repository of somebody who uses git and DVC: a table, a stage that trains, rows that it does not read."""
    (folder / "data").mkdir(parents=True)
    (folder.parent / "store").mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "master")
    dvc(folder, "init", "--quiet")
    dvc(folder, "remote", "add", "--quiet", "--default", "store", "../store")
    table = customers(8000).drop(columns="size")
    table[:5000].to_csv(folder / "data/train.csv", index=False)
    table[5000:].to_csv(folder / "data/test.csv", index=False)
    (folder / "train.py").write_text(TRAIN)
    (folder / "dvc.yaml").write_text(
        f"stages:\n  train:\n    cmd: {sys.executable} train.py\n    deps: [train.py, data/train.csv]\n    outs: [model.txt]\n"
    )
    dvc(folder, "add", "--quiet", "data/train.csv", "data/test.csv")
    dvc(folder, "repro", "--quiet")
    commit_all(folder, "Ours")


@pytest.mark.parametrize(
    ("walk", "model", "outputs"), [(WALKS[0], "churn", 1), (WALKS[1], "size", 3), (WALKS[2], "churn", 1)]
)
def test_a_walkthrough_ends_with_a_served_answer_and_a_report(
    tmp_path: Path, walk: str, model: str, outputs: int
) -> None:
    customers().drop(columns="size").to_csv(tmp_path / "customers.csv", index=False)
    customers().drop(columns="churned").to_parquet(tmp_path / "sizes.parquet", index=False)
    if walk.startswith("cd churn"):
        existing(tmp_path / "churn")
    *commands, last = walk.strip().splitlines()
    assert len(commands) + 1 <= MOST_COMMANDS and last == "modelyard serve --env staging"
    folder = play(tmp_path, commands)
    report = (folder / f".modelyard/evidence/{model}/report.md").read_text(encoding="utf-8")
    assert f"{model} may be merged" in report
    row = [
        {"name": "plan", "datatype": "BYTES", "shape": [1], "data": ["pro"]},
        {"name": "months", "datatype": "INT64", "shape": [1], "data": [5]},
        {"name": "spend", "datatype": "FP64", "shape": [1], "data": [20.5]},
    ]
    with serving(folder, "staging") as server:
        status, answer = server.call("POST", f"/v2/models/{model}/infer", {"inputs": row})
    assert status == 200, answer
    found = answer["outputs"][0]["data"]
    assert answer["model_version"] == "v1.0.0" and all(0 <= value <= 1 for value in found)
    assert len(answer["outputs"]) == outputs or len(found) == outputs
