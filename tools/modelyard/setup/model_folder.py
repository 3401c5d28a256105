"""The files of a new model folder: model.yaml, params.yaml, dvc.yaml, .gitignore and the code of its pipeline."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelyard.documents import SCHEMA
from modelyard.setup.contract_guess import Guess

ARTIFACTS = {"lightgbm": "model.txt", "xgboost": "model.ubj", "catboost": "model.cbm", "sklearn": "model.skops"}
HOLDOUT, PREDICTIONS = "data/holdout.parquet", "predictions.parquet"
GIVEN = "trained-elsewhere"
"""The stage of a model that was trained elsewhere."""
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
    """The path of the table from the repository's root; elsewhere: the name of the table that was given."""
    elsewhere: bool = False
    """Whether it was trained elsewhere."""
    trusted: tuple[str, ...] = ()
    """sklearn: types that may be loaded beside those that skops trusts."""


def pipeline_files(model: NewModel, guess: Guess, form: str, separator: str, template: Path) -> dict[str, bytes]:
    """Path below the model's folder → content. ``template`` is the folder of the shipped pipeline code."""
    artifact = ARTIFACTS[guess.flavor]
    train = _TRAIN[guess.flavor] or _LINEAR[guess.task == "regression"]
    return {
        "model.yaml": model_yaml(model, guess, artifact).encode(),
        "params.yaml": _params(model, guess, form, separator, train).encode(),
        "dvc.yaml": _dvc(model, artifact).encode(),
        ".gitignore": ignored(artifact),
        "src/library.py": (template / "flavors" / f"{guess.flavor}.py").read_bytes(),
        **{f"src/{path.name}": path.read_bytes() for path in sorted((template / "src").glob("*.py"))},
    }


def ignored(artifact: str) -> bytes:
    """The ``.gitignore`` of a model's folder."""
    return f"/data\n/{artifact}\n/{PREDICTIONS}\n".encode()


def model_yaml(model: NewModel, guess: Guess, artifact: str) -> str:
    """The manifest, with a line for what a person should look at."""
    contract = [
        f"  id: {flow(guess.id)}",
        f"  label: {flow(guess.label)}",
        *([f"  classes: {flow(guess.classes)}"] if guess.classes else []),
        *(["  threshold: 0.5 # a score at or above it is a positive decision"] if guess.task == "binary" else []),
        "  inputs: # only columns that are known when the model is asked; a change is a major version",
        *(
            "    - "
            + flow(
                {
                    "name": one.name,
                    "type": one.kind,
                    **({"nullable": True} if one.nullable else {}),
                    **({"length": one.length} if one.length else {}),
                }
            )
            for one in guess.inputs
        ),
    ]
    files = ["files: # what the pipeline writes, below this folder"]
    if model.elsewhere:
        files = ["trained: elsewhere # nobody here can reproduce it", "", "files: # below this folder"]
    flavor = {"name": guess.flavor, **({"trusted": model.trusted} if model.trusted else {})}
    lines = [
        "# yaml-language-server: $schema=../../.modelyard/schemas/model.schema.json",
        f'schema: "{SCHEMA}"',
        f"name: {flow(model.name)}",
        f"description: {flow(model.description)}",
        f"owners: {flow(model.owners)}",
        f"task: {guess.task}",
        f"policy: {flow(model.policy)}",
        *([] if model.elsewhere else [""]),
        *files,
        f"  artifact: {flow(artifact)}",
        *([] if model.elsewhere else ["  training: data/train.parquet"]),
        f"  holdout: {HOLDOUT}",
        f"  predictions: {PREDICTIONS}",
        "",
        f"flavor: {flow(flavor)}",
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


def given_stage(model: str, artifact: str) -> str:
    """The ``dvc.yaml`` of a model that was trained elsewhere."""
    return f"""\
stages:
  {GIVEN}: # frozen: DVC keeps these files and runs nothing. New files: modelyard add {model} --artifact FILE
    cmd: "false"
    frozen: true
    outs: [{flow(artifact)}, {HOLDOUT}]
"""


def given_lock(files: Mapping[str, tuple[str, int]]) -> str:
    """The ``dvc.lock`` of such a stage. ``files``: path below the model's folder → md5 and size in bytes."""
    lines = ["schema: '2.0'", "stages:", f"  {GIVEN}:", "    cmd: 'false'", "    outs:"]
    for path in sorted(files):
        md5, size = files[path]
        lines += [f"    - path: {flow(path)}", "      hash: md5", f"      md5: {md5}", f"      size: {size}"]
    return "\n".join(lines) + "\n"


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
    outs: [data/train.parquet, {HOLDOUT}]
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
    deps: [src/predict.py, src/library.py, src/settings.py, model.yaml, {artifact}, {HOLDOUT}]
    outs: [{PREDICTIONS}]
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
