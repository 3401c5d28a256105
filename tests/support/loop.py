"""A model repository with a model of every flavor and task, taken through the whole loop."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from support.models import CELLS, INPUTS, Trained, train
from support.yard import CONFIG, commit_all, git, tool, write

POLICY = """\
name: standard
description: What a model of any task can be held to.
checks:
  - {id: evidence-complete, kind: evidence, require: [training, evaluation, drift], why: A verdict needs evidence., level: hard}
  - {id: artifact, kind: artifact, why: Only formats that run no code., level: hard}
  - {id: enough-rows, kind: rows, minimum: 200, why: Few rows prove nothing.}
monitoring:
  - {id: has-traffic, kind: traffic, minimum_rows: 1, why: Silence is a fault.}
"""


def every_cell(folder: Path, cells: Sequence[tuple[str, str]] = CELLS) -> dict[str, Trained]:
    """A repository of one trained model for each cell, committed, with locks; nothing is registered."""
    trained = [train(folder, flavor, task) for flavor, task in cells]
    files = {"modelyard.yaml": CONFIG, "policies/standard.yaml": POLICY, ".gitignore": ".modelyard/\n"}
    for model in trained:
        files[f"deployments/production/{model.name}.yaml"] = f"model: {model.name}\nversion: latest\n"
    write(folder, files)
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder.parent / "storage").mkdir()
    dvc(folder, "init", "--quiet")
    dvc(folder, "remote", "add", "--quiet", "--default", "storage", str(folder.parent / "storage"))
    dvc(folder, "commit", "--quiet", "--force")
    commit_all(folder, "Models of every flavor and task")
    return {model.name: model for model in trained}


def register_all(folder: Path, models: dict[str, Trained]) -> None:
    """Measured, judged, registered."""
    tool(folder, "run", *models)
    commit_all(folder, "Measured")
    tool(folder, "register", *models)


def dvc(folder: Path, *arguments: str) -> None:
    """``dvc ARGUMENTS`` in a folder."""
    known = os.environ | {"DVC_NO_ANALYTICS": "1"}
    subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=folder, check=True, env=known)


def request_of(model: Trained, rows: slice) -> dict[str, Any]:
    """Held-out rows as a caller of the Open Inference Protocol writes them in JSON."""
    frame = model.holdout.iloc[rows]
    tensors = [{"name": "id", "shape": [len(frame)], "datatype": "BYTES", "data": frame["id"].tolist()}]
    for name, declared in INPUTS.items():
        if name in inputs_of(model):
            shape = [len(frame), declared["length"]] if declared["type"] == "vector" else [len(frame)]
            data = [_spelled(value) for value in frame[name]]
            tensors.append({"name": name, "shape": shape, "datatype": _DATATYPES[declared["type"]], "data": data})
    return {"inputs": tensors}


def inputs_of(model: Trained) -> list[str]:
    """The inputs that a model's contract names."""
    import yaml

    manifest = yaml.safe_load((model.folder / "model.yaml").read_text())
    return [column["name"] for column in manifest["contract"]["inputs"]]


_DATATYPES = {
    "float": "FP64", "integer": "INT64", "string": "BYTES", "boolean": "BOOL", "date": "BYTES", "timestamp": "BYTES", "vector": "FP64",
}  # fmt: skip


def _spelled(value: Any) -> Any:
    if isinstance(value, list):
        return value
    if value is None or pd.isna(value):
        return None
    return (
        value.isoformat() if hasattr(value, "isoformat") else value.item() if isinstance(value, np.generic) else value
    )
