"""One row and 1,000 rows of every flavor through the server, against the library's own predict call."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
from clock import Figure
from modelyard.files import sha256_of, write_whole
from modelyard.predictions.layout import Layout, State, artifact_in
from modelyard.rollout.plan import Live, Traffic
from support.loop import request_of
from support.models import Trained, train
from support.server import Server, serving
from support.yard import CONFIG

FLAVORS = ("lightgbm", "xgboost", "catboost", "sklearn", "onnx", "python")
ROUNDS = 31
ROWS = 1_000


def flavors(folder: Path) -> Iterator[Figure]:
    """Median seconds of a JSON request, of the library's predict on the same rows of a DataFrame, in turns."""
    models = [train(folder, flavor, "regression") for flavor in FLAVORS]
    _lay_out(folder, models)
    with serving(folder, "production") as server:
        for flavor, model in zip(FLAVORS, models, strict=True):
            for rows in (1, ROWS):
                held = pd.concat([model.holdout] * (1 + rows // len(model.holdout)), ignore_index=True).iloc[:rows]
                asking = _asking(server, replace(model, holdout=held))
                ours, own = _in_turns(asking, partial(model.predict, held))
                yield Figure(f"{flavor}, {rows:,} row{'s' if rows > 1 else ''}: a request, of predict", ours / own)


def _lay_out(folder: Path, models: list[Trained]) -> None:
    """What deploy leaves for the server."""
    (folder / "modelyard.yaml").write_text(CONFIG)
    layout = Layout.of(folder, "production")
    states = {}
    for model in models:
        place = layout.version_folder(model.name, "v1.0.0")
        [artifact] = [path for path in model.folder.iterdir() if path.name.startswith(("model.", "weights"))
                      and path.name != "model.yaml"]  # fmt: skip
        write_whole(artifact_in(place, artifact.name), artifact.read_bytes())
        write_whole(place / "model.yaml", (model.folder / "model.yaml").read_bytes())
        if (model.folder / "src/scorer.py").exists():
            write_whole(place / "src/scorer.py", (model.folder / "src/scorer.py").read_bytes())
        states[model.name] = Live(Traffic("v1.0.0"), {"v1.0.0": sha256_of(artifact)})
    layout.write_state(State(states))


def _asking(server: Server, model: Trained) -> Callable[[], object]:
    body = json.dumps(request_of(model, slice(None))).encode()

    def ask() -> None:
        status, answer = server.call("POST", f"/v2/models/{model.name}/infer", body)
        assert status == 200, answer

    return ask


def _in_turns(*actions: Callable[[], object]) -> list[float]:
    """Median seconds of each, after one warming round."""
    times: list[list[float]] = [[] for _ in actions]
    for round_ in range(ROUNDS + 1):
        for action, of_action in zip(actions, times, strict=True):
            begun = time.perf_counter()
            action()
            if round_:
                of_action.append(time.perf_counter() - begun)
    return [statistics.median(of_action) for of_action in times]
