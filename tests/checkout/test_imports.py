"""The data imports that reach a model, found without DVC."""

from __future__ import annotations

from modelyard.checkout.imports import imports_of
from support.pulls import MemoryGit, as_git
from support.yard import MODEL_YAML

IMPORT = "deps:\n- {md5: a, path: s3://bucket/%s}\nouts:\n- {md5: a, path: %s}\n"
STAGE = "stages:\n  train:\n    cmd: x\n    deps: [%s]\n    outs: [model.txt]\n"


def test_only_imports_whose_data_reach_the_model() -> None:
    git = MemoryGit()
    head = git.add(
        {
            "models/churn/model.yaml": MODEL_YAML.format(name="churn"),
            "models/churn/dvc.yaml": STAGE % "../../data/joined.csv",
            "models/fraud/model.yaml": MODEL_YAML.format(name="fraud"),
            "models/fraud/dvc.yaml": STAGE % "../../data/fraud.csv",
            "dvc.yaml": "stages:\n  join: {cmd: x, deps: [data/raw.csv], outs: [data/joined.csv]}\n",
            "data/raw.csv.dvc": IMPORT % ("raw.csv", "raw.csv"),
            "data/fraud.csv.dvc": IMPORT % ("fraud.csv", "fraud.csv"),
            "data/unread.csv.dvc": IMPORT % ("unread.csv", "unread.csv"),
            "models/churn/own.csv.dvc": IMPORT % ("own.csv", "own.csv"),
            "models/churn/added.csv.dvc": "outs:\n- {md5: a, path: added.csv}\n",
            "data/broken.dvc": "deps: [",
        }
    )
    found = imports_of(as_git(git), head, "churn")
    assert found == ("data/raw.csv.dvc", "models/churn/own.csv.dvc"), "through a pipeline, and in its folder"
    assert imports_of(as_git(git), head, "fraud") == ("data/fraud.csv.dvc",)
    assert imports_of(as_git(git), head, "unknown") == ()
