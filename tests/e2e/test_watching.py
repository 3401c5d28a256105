"""From production back to the next proposal, through the workflow files: windows, alerts, labelled rows, retraining."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from actions.runner import BOT
from e2e.conftest import Hosted
from forge.store import Pull

FOLDER = "data/feedback/churn"
TRAIN = """\
stages:
  train:
    cmd: python src/train.py
    deps: [src/train.py, ../../data/churn.parquet"""
FEEDBACK = f"""\
stages:
  feedback:
    cmd: modelyard feedback table churn --out data/feedback.parquet
    deps: [../../{FOLDER}]
    outs: [data/feedback.parquet]
"""
LEARNS = """\
fed = pq.read_table(here / "data/feedback.parquet")
fresh = np.column_stack([fed[c].to_numpy() for c in ("x", "z")])
rows_fit, truth = np.vstack([(rows + noise)[~held], fresh]), np.concatenate([table["label"].to_numpy()[~held], fed["label"]])
fit = lgb.Dataset(rows_fit, truth, feature_name=["x", "z"])
"""


@pytest.fixture
def watched(hosted: Hosted) -> Iterator[Hosted]:
    """Staging is watched; the labels of churn are told, and many labelled rows make a retraining due."""
    hosted.actions.variables["MODELYARD_MONITOR"] = "staging"
    (hosted.folder / "ground_truth.csv").write_text("id,label\n")
    declared = f"\nground_truth: {{uri: '{hosted.folder}/ground_truth.csv'}}\nretrain: {{new_rows: 900}}\n"
    manifest = (hosted.clone / "models/churn/model.yaml").read_text()
    hosted.push("told", {"models/churn/model.yaml": (manifest, manifest + declared)}, "Labels are told")
    told = hosted.store.open("ada", "told", "main", "Labels are told", "")
    hosted.store.review(told.number, "grace", "APPROVE")
    hosted.store.merge(told.number, "grace")
    yield hosted


def opened(hosted: Hosted, branch: str) -> Pull | None:
    return next((p for p in hosted.store.pulls.values() if p.branch == branch and p.state == "open"), None)


def test_labelled_rows_come_back_and_the_model_learns_from_them(watched: Hosted) -> None:
    watched.traffic(1000, 1)
    run = watched.actions.schedule("monitor.yml")[0].must()
    filed = watched.store.git(watched.store.name, "ls-tree", "-r", "--name-only", "modelyard/evidence")
    assert "/monitoring/staging/" in filed, run.log[-3000:]
    [page] = watched.actions.artifacts.rglob("window-churn/churn.html")
    assert "churn v1.0.0 in staging" in page.read_text()
    increment = opened(watched, "modelyard/feedback/churn")
    assert increment is not None and increment.user == BOT and "1,000 labelled rows" in increment.title
    assert watched.status(increment) == "success"
    watched.actions.schedule("monitor.yml")[0].must()
    assert len(watched.store.pulls) == 2, "the same labelled rows again: the same pull request"
    watched.approve(increment)
    watched.merge(increment)[0].must()

    learns = {
        "models/churn/dvc.yaml": (TRAIN, FEEDBACK + TRAIN.removeprefix("stages:\n") + ", data/feedback.parquet"),
        "models/churn/src/train.py": ("options = {", LEARNS + "options = {"),
    }
    pull = watched.propose("learns", learns, "Learn from what happened")
    assert watched.report(pull).startswith("## "), watched.report(pull)
    watched.approve(pull)
    watched.merge(pull)[0].must()
    assert "churn@v1.1.0" in watched.tags()

    watched.traffic(950, 2)
    watched.actions.schedule("monitor.yml")[0].must()
    increment = opened(watched, "modelyard/feedback/churn")
    assert increment is not None and "950 labelled rows" in increment.title
    watched.approve(increment)
    assert all(run.must() for run in watched.merge(increment)), "rows to learn from change nothing that serves"
    watched.actions.schedule("monitor.yml")[0].must()
    retrain = opened(watched, "modelyard/retrain/churn")
    assert retrain is not None and "950 labelled rows" in retrain.body, retrain
    assert watched.report(retrain).startswith("## ✅")
