"""A small model repository from the real template: two tiny LightGBM models whose data are imported from outside."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from support.yard import commit_all, git, tool, write

MODELS = ("churn", "fraud")
TRAIN = """\
import json
import os
from pathlib import Path

assert "MODELYARD_TOKEN" not in os.environ, "a model's code gets no token"  # act gives GITHUB_TOKEN to every step

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

here = Path(__file__).parents[1]
params = yaml.safe_load((here / "params.yaml").read_text())["train"]
table = pq.read_table(here / f"../../data/{here.name}.parquet")
held = np.array(table["id"].to_numpy() % 3 == 0)
(here / "data").mkdir(exist_ok=True)
for name, mask in (("train", ~held), ("holdout", held)):
    pq.write_table(table.filter(pa.array(mask)), here / f"data/{name}.parquet")
rows = np.column_stack([table[c].to_numpy() for c in ("x", "z")])
rng = np.random.default_rng(1)
noise = rng.normal(size=rows.shape) * params["noise"]
fit = lgb.Dataset((rows + noise)[~held], table["label"].to_numpy()[~held], feature_name=["x", "z"])
options = {"objective": "binary", "verbose": -1, "deterministic": True, "force_row_wise": True, "num_threads": 1, "seed": 1}
booster = lgb.train(options, fit, num_boost_round=params["trees"])
booster.save_model(here / "model.txt")
scores = booster.predict(rows[held])
pq.write_table(pa.table({"id": table.filter(pa.array(held))["id"], "prediction": scores}), here / "predictions.parquet")
(here / "metrics.json").write_text(json.dumps({"trees": params["trees"]}) + "\\n")
"""
MODEL = """\
name: {name}
description: A tiny model of the tests.
owners: ["@ada"]
task: binary
policy: standard
files: {{artifact: model.txt}}
contract:
  id: id
  label: label
  inputs:
    - {{name: x, type: float}}
    - {{name: z, type: float}}
evaluation:
  slices: [region]
  groups: [region]
"""
PIPELINE = """\
stages:
  train:
    cmd: python src/train.py
    deps: [src/train.py, ../../data/{name}.parquet]
    params: [train]
    outs: [model.txt, data/train.parquet, data/holdout.parquet, predictions.parquet]
    metrics:
      - metrics.json:
          cache: false
"""


def data(path: Path, rows: int = 6000, seed: int = 7, shift: float = 0.0) -> None:
    """Writes a table whose label follows x and z; ``shift`` moves x."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=rows) + shift, rng.normal(size=rows)
    label = (rng.random(rows) < 1 / (1 + np.exp(-(1.2 * x + 0.8 * z - 0.5)))).astype(np.int64)
    region = np.array(["north", "south"])[np.arange(rows) % 2]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"id": np.arange(rows), "x": x, "z": z, "label": label, "region": region}), path)


def dvc(folder: Path, *arguments: str) -> None:
    """``dvc ARGUMENTS`` in a folder."""
    subprocess.run([sys.executable, "-m", "dvc", "-q", *arguments], cwd=folder, check=True)


def build(folder: Path, ci: str = "github") -> Path:
    """The repository in one commit, measured, with its storage and its data's sources beside it."""
    repository, storage, sources = folder / "work", folder / "storage", folder / "sources"
    storage.mkdir(parents=True)
    answers = {"ci": ci, "owner": "@ada", "remote_url": str(storage)}
    tool(folder, "init", "work", *(part for k, v in answers.items() for part in ("--answer", f"{k}={v}")))
    for path in ("models/flight-delay", "deployments/staging/flight-delay.yaml"):
        target = repository / path
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    config = repository / "modelyard.yaml"
    text = config.read_text()
    for environment in ("staging", "production"):
        text = text.replace(f"name: {environment}\n", f"name: {environment}\n    folder: ~/served/{environment}\n")
    config.write_text(text)
    write(repository, {"data/.gitignore": "*.parquet\n"})
    for i, name in enumerate(MODELS):
        data(sources / f"{name}.parquet", seed=7 + i)
        dvc(repository, "import-url", str(sources / f"{name}.parquet"), f"data/{name}.parquet")
        write(
            repository,
            {
                f"models/{name}/model.yaml": MODEL.format(name=name),
                f"models/{name}/dvc.yaml": PIPELINE.format(name=name),
                f"models/{name}/params.yaml": "train: {trees: 20, noise: 0.8}\n",
                f"models/{name}/src/train.py": TRAIN,
                f"models/{name}/.gitignore": "/model.txt\n/data\n/predictions.parquet\n",
                f"deployments/staging/{name}.yaml": f"model: {name}\nversion: latest\n",
            },
        )
    tool(repository, "owners", *(["--write"] if ci != "none" else []))
    commit_all(repository, "models")
    tool(repository, "run", *MODELS)
    shutil.rmtree(repository / ".git")
    git(repository, "init", "--quiet", "--initial-branch=main")
    commit_all(repository, "A model repository with two models")
    return repository
