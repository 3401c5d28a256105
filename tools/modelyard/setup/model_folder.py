"""The files of a new model folder: model.yaml, params.yaml, dvc.yaml, .gitignore and the code of its pipeline."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelyard.setup.contract_guess import Guess

ARTIFACTS = {"lightgbm": "model.txt", "xgboost": "model.ubj", "catboost": "model.cbm", "sklearn": "model.skops"}
_TRAIN: dict[str, dict[str, object]] = {
    "lightgbm": {"trees": 200, "learning_rate": 0.05, "num_leaves": 15, "min_data_in_leaf": 20, "seed": 7},
    "xgboost": {"trees": 200, "learning_rate": 0.05, "max_depth": 4, "seed": 7},
    "catboost": {"trees": 200, "learning_rate": 0.05, "depth": 4, "random_seed": 7},
    "sklearn": {},
}
_LINEAR = {True: {"alpha": 1.0}, False: {"C": 1.0, "max_iter": 1000}}
_PLAIN = re.compile(r"(\.\./)*[A-Za-z_][A-Za-z0-9_./-]*\Z")
_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}


@dataclass(frozen=True)
class NewModel:
    """What is said of a new model, besides what its table says."""

    name: str
    owners: tuple[str, ...]
    policy: str
    description: str
    table: str
    """The path of the table from the repository's root."""


def pipeline_files(model: NewModel, guess: Guess, form: str, separator: str, template: Path) -> dict[str, bytes]:
    """Path below the model's folder → content. ``template`` is the folder of the shipped pipeline code."""
    artifact = ARTIFACTS[guess.flavor]
    train = _TRAIN[guess.flavor] or _LINEAR[guess.task == "regression"]
    return {
        "model.yaml": model_yaml(model, guess, artifact).encode(),
        "params.yaml": _params(model, guess, form, separator, train).encode(),
        "dvc.yaml": _dvc(model, artifact).encode(),
        ".gitignore": f"/data\n/{artifact}\n/predictions.parquet\n".encode(),
        "src/library.py": (template / "flavors" / f"{guess.flavor}.py").read_bytes(),
        **{f"src/{path.name}": path.read_bytes() for path in sorted((template / "src").glob("*.py"))},
    }


def model_yaml(model: NewModel, guess: Guess, artifact: str) -> str:
    """The manifest, with a line for what a person should look at."""
    contract = [
        f"  id: {flow(guess.id)}",
        f"  label: {flow(guess.label)}",
        *([f"  classes: {flow(guess.classes)}"] if guess.classes else []),
        *(["  threshold: 0.5 # a score at or above it is a positive decision"] if guess.task == "binary" else []),
        "  inputs: # only columns that are known when the model is asked; a change is a major version",
        *(
            "    - " + flow({"name": one.name, "type": one.kind, **({"nullable": True} if one.nullable else {})})
            for one in guess.inputs
        ),
    ]
    lines = [
        "# yaml-language-server: $schema=../../.modelyard/schemas/model.schema.json",
        f"name: {flow(model.name)}",
        f"description: {flow(model.description)}",
        f"owners: {flow(model.owners)}",
        f"task: {guess.task}",
        f"policy: {flow(model.policy)}",
        "",
        "files: # what the pipeline writes, below this folder",
        f"  artifact: {flow(artifact)}",
        "  training: data/train.parquet",
        "  holdout: data/holdout.parquet",
        "  predictions: predictions.parquet",
        "",
        f"flavor: {{name: {guess.flavor}}}",
        "",
        f"contract: # guessed from {flow(model.table)}; add limits and descriptions",
        *contract,
        "",
        "evaluation: # groups: columns whose levels must be treated alike",
        f"  slices: {flow(guess.slices)}",
        "  groups: []",
        "",
    ]
    return "\n".join(lines)


def deployment_yaml(name: str) -> str:
    """The manifest of a deployment that follows every registered version."""
    return (
        "# yaml-language-server: $schema=../../.modelyard/schemas/deployment.schema.json\n"
        f"model: {flow(name)}\nversion: latest # follows every registered version\n"
    )


def _params(model: NewModel, guess: Guess, form: str, separator: str, train: Mapping[str, object]) -> str:
    data = [
        f"  table: {flow(f'../../{model.table}')}",
        f"  format: {form}",
        *([f"  separator: {flow(separator)}"] if form == "csv" else []),
        f"  number_rows: {flow(guess.number_rows)} # true: the id is the row's number",
        *([f"  positive: {flow(guess.positive)} # this value of the label is 1"] if guess.task == "binary" else []),
    ]
    split = [
        f"  holdout: {guess.share:g} # share of the rows",
        f"  time: {flow(guess.time)} # a column: the newest rows are held out; '': by the content of the inputs",
    ]
    lines = ["data:", *data, "", "split:", *split, "", "train:", *(f"  {key}: {flow(v)}" for key, v in train.items())]
    return "\n".join(lines) + "\n"


def _dvc(model: NewModel, artifact: str) -> str:
    table = flow(f"../../{model.table}")
    return f"""\
stages:
  prepare:
    cmd: python src/prepare.py
    deps: [src/prepare.py, src/settings.py, model.yaml, {table}]
    params: [data, split]
    outs: [data/train.parquet, data/holdout.parquet]
  train:
    cmd: python src/train.py
    deps: [src/train.py, src/library.py, src/settings.py, model.yaml, data/train.parquet]
    params: [train]
    outs: [{artifact}]
    metrics:
      - metrics.json:
          cache: false
  predict:
    cmd: python src/predict.py
    deps: [src/predict.py, src/library.py, src/settings.py, model.yaml, {artifact}, data/holdout.parquet]
    outs: [predictions.parquet]
"""


def flow(value: Any) -> str:
    """A value as YAML on one line; every text that could be read as something else is quoted."""
    if isinstance(value, str):
        plain = _PLAIN.match(value) and value.lower() not in _WORDS
        return value if plain else json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(flow(one) for one in value) + "]"
    return json.dumps(value)
