"""A notebook as a stage: DVC runs it like a script, to the same bytes, and only when it changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pipelines.conftest import FILES, cloned, outputs
from support.yard import commit_all, tool

_PACKAGES = ("nbconvert", "ipykernel")
COMMAND = "jupyter nbconvert --execute --to notebook --output-dir executed src/train.ipynb"


def notebook(code: str) -> str:
    cells = [
        {"cell_type": "markdown", "id": "why", "metadata": {}, "source": ["# The model"]},
        {"cell_type": "code", "id": "fit", "metadata": {}, "source": [code], "outputs": [], "execution_count": None},
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": cells}, indent=1)


def test_a_stage_that_runs_a_notebook_makes_what_its_script_made(
    yard: Path, reproduced: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv, place = (sys.executable, "-m", "uv"), tmp_path / "jupyter"
    subprocess.run([*uv, "venv", "--quiet", str(place)], check=True)
    subprocess.run([*uv, "pip", "install", "--quiet", "--python", str(place / "bin/python"), *_PACKAGES], check=True)
    monkeypatch.setenv("PATH", f"{place / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RAN", str(tmp_path / "ran"))
    (tmp_path / "home").mkdir()
    folder = yard / "models/churn"
    script = FILES["models/churn/src/train.py"].replace("sys.argv[0]", "'notebook'")
    # Jupyter runs a notebook in its own folder.
    (folder / "src/train.ipynb").write_text(notebook("import os\nos.chdir('..')\n" + script))
    stages = (folder / "dvc.yaml").read_text()
    stages = stages.replace("cmd: python src/train.py", f"cmd: {COMMAND}").replace(
        "src/train.py, ", "src/train.ipynb, "
    )
    (folder / "dvc.yaml").write_text(stages)
    (folder / ".gitignore").write_text("/executed\n")
    commit_all(yard, "A notebook")
    clone = cloned(yard, tmp_path / "clone")
    tool(clone, "run", "churn", "--stage", "train-model", "--stage", "count")
    made = outputs(clone)
    assert {name: made[name] for name in made if name != "dvc.lock"} == {
        name: content for name, content in reproduced.items() if name != "dvc.lock"
    }
    assert (clone / "models/churn/executed/train.ipynb").is_file(), "the executed notebook, for people"
    ran = (tmp_path / "ran").read_text()
    assert ran.split().count("notebook") == 1
    tool(clone, "run", "churn", "--stage", "train-model")
    assert (tmp_path / "ran").read_text() == ran, "what did not change does not run"
