"""A model repository with a pipeline of standard-library stages, and its DVC remote."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.loop import dvc
from support.yard import commit_all, git, small_repository, write

DVC_YAML = """\
stages:
  train-model:
    cmd: python src/train.py
    deps: [src/train.py, prepared.csv]
    params: [train]
    outs: [model.txt]
    metrics:
      - metrics.json: {cache: false}
  prepare:
    cmd: python src/prepare.py
    deps: [src/prepare.py, ../../data/rows.csv]
    outs: [prepared.csv]
  count:
    cmd: python src/count.py
    deps: [src/count.py, prepared.csv]
    outs: [count.txt]
"""
RAN = "import os, sys\nopen(os.environ['RAN'], 'a').write(sys.argv[0] + '\\n')\n"
"""Each stage that really ran is one line of the file RAN."""
FILES = {
    "models/churn/dvc.yaml": DVC_YAML,
    "models/churn/src/prepare.py": RAN + "rows = open('../../data/rows.csv').read()\nopen('prepared.csv', 'w').write(rows.upper())\n",
    "models/churn/src/train.py": RAN
    + "rows = open('prepared.csv').read()\nopen('model.txt', 'w').write(rows * 5)\nopen('metrics.json', 'w').write('{\"rows\": 3}')\n",
    "models/churn/src/count.py": RAN + "open('count.txt', 'w').write(str(len(open('prepared.csv').read())))\n",
    "data/rows.csv": "id,x\na,1\nb,2\n",
}  # fmt: skip
OUTPUTS = ("prepared.csv", "model.txt", "metrics.json", "count.txt")


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    """A committed repository of which no stage ever ran; its data is on the remote."""
    folder = small_repository(tmp_path / "yard")
    write(folder, FILES)
    manifest = folder / "models/churn/model.yaml"
    manifest.write_text(manifest.read_text() + "resources: {cpu: 2, memory: 4Gi, image: registry.example/churn}\n")
    (tmp_path / "storage").mkdir()
    (folder / "data/flights.dvc").unlink()
    dvc(folder, "init", "--quiet")
    dvc(folder, "remote", "add", "--quiet", "--default", "storage", str(tmp_path / "storage"))
    dvc(folder, "add", "--quiet", "data/rows.csv")
    dvc(folder, "push", "--quiet")
    commit_all(folder, "A pipeline")
    return folder


@pytest.fixture
def reproduced(yard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """What plain ``dvc repro`` makes in a clone of its own, without a push."""
    monkeypatch.setenv("RAN", str(tmp_path / "ran-plain"))
    clone = cloned(yard, tmp_path / "plain")
    dvc(clone, "pull", "--quiet", "data/rows.csv")
    dvc(clone, "repro", "--quiet", "models/churn/dvc.yaml")
    return outputs(clone)


def cloned(yard: Path, folder: Path) -> Path:
    """A clone, which has no data and no cache."""
    git(folder.parent, "clone", "--quiet", str(yard), str(folder))
    return folder


def outputs(clone: Path) -> dict[str, bytes]:
    """The bytes that the stages made, and their lock."""
    return {name: (clone / "models/churn" / name).read_bytes() for name in (*OUTPUTS, "dvc.lock")}
