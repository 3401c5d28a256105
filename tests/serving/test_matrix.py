"""Every flavor and task from a model folder to an answer of the running server, equal to the library's own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modelyard.flavors.discovery import flavor_named
from support.loop import every_cell, register_all, request_of
from support.models import CELLS, Trained
from support.server import serving
from support.yard import tool

ONE_A_TASK = ("lightgbm-binary", "sklearn-multiclass", "xgboost-regression", "catboost-ranking")
BATCH = 50


@dataclass
class Served:
    """A repository whose 22 models were deployed, asked for every held-out row, and whose server has ended."""

    folder: Path
    models: dict[str, Trained]
    printed: str
    """By deploy."""
    ready: dict[str, Any]
    scores: dict[str, np.ndarray[Any, Any]]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder = tmp_path_factory.mktemp("cells") / "yard"
    models = every_cell(folder)
    register_all(folder, models)
    scores = {}
    with serving(folder, "production") as server:
        printed = tool(folder, "deploy", "--env", "production").stdout
        status, ready = server.call("GET", "/v2/health/ready")
        assert status == 200, ready
        for name, model in models.items():
            parts = []
            for first in range(0, len(model.holdout), BATCH):
                status, answer = server.call(
                    "POST", f"/v2/models/{name}/infer", request_of(model, slice(first, first + BATCH))
                )
                assert status == 200, (name, answer)
                [output] = answer["outputs"]
                parts.append(np.array(output["data"]).reshape(output["shape"]))
            scores[name] = np.concatenate(parts)
    return Served(folder, models, printed, ready, scores)


@pytest.mark.parametrize(("flavor", "task"), CELLS)
def test_the_server_answers_what_the_library_predicts(served: Served, flavor: str, task: str) -> None:
    name = f"{flavor}-{task}"
    expected, found = served.models[name].scores, served.scores[name]
    assert found.shape == expected.shape
    assert (np.abs(found - expected) / np.maximum(1.0, np.abs(expected))).max() <= flavor_named(flavor).tolerance
    assert served.ready["models"][name] == "ready"
    lines = served.printed.split(f"production/{name}\n")[1].splitlines()
    assert lines[2].strip() == "v1.0.0: probe 100/100" and lines[3].startswith("    v1.0.0  live, receipt ")


@pytest.mark.parametrize("name", ONE_A_TASK)
def test_labels_join_and_what_is_realised_is_what_was_measured(served: Served, name: str) -> None:
    folder, held = served.folder, served.models[name].holdout
    labels = folder.parent / f"{name}.csv"
    held[["id", "label"]].to_csv(labels, index=False)
    given = (name, "--env", "production", "--ground-truth", str(labels), "--json")
    collected = json.loads(tool(folder, "feedback", "collect", *given).stdout)
    assert (collected["joined"]["predictions"], collected["joined"]["labelled"]) == (len(held), len(held))
    window = json.loads(tool(folder, "monitor", *given).stdout)
    assert window["verdict"]["outcome"] == "pass" and window["monitoring"]["rows"] == len(held)
    evaluation = json.loads((folder / f".modelyard/evidence/{name}/evaluation.json").read_text())["predicate"]
    measured = {metric["name"]: metric["candidate"] for metric in evaluation["metrics"]}
    realised = {metric["name"]: metric["candidate"] for metric in window["monitoring"]["realised"]["metrics"]}
    assert all(value == pytest.approx(measured[metric], rel=1e-6) for metric, value in realised.items())
    assert len(realised) > 3 or served.models[name].task == "ranking", "a ranking's query is not in the log"
