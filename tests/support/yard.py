"""Real repositories for tests, and the tool run as a user runs it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada Author",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada Author",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}

MODEL_YAML = """\
name: {name}
description: A test model.
owners: ["@team"]
task: binary
policy: standard
files: {{artifact: model.txt}}
contract:
  id: id
  label: label
  inputs:
    - {{name: x, type: float}}
    - {{name: colour, type: string}}
"""
DVC_YAML = """\
stages:
  train:
    cmd: python src/train.py
    deps: [src/train.py, ../../data/flights, ../../shared/features.py]
    params: [train]
    outs: [model.txt, data/train.parquet, data/holdout.parquet, predictions.parquet]
"""
CONFIG = """\
toolkit: 0.1.0
environments:
  - {name: staging, target: local, port: 8081}
  - {name: production, target: local, port: 8080}
"""
AS_INSTALLED = str(Path(__file__).parent / "as_installed")
"""For PYTHONPATH where all models are of LightGBM."""
POLICIES = Path(__file__).parents[2] / "policies"


def tool(folder: Path, *arguments: str, expect: int | None = 0, **env: str) -> subprocess.CompletedProcess[str]:
    """``modelyard ARGUMENTS`` in a folder; fails the test when it ends otherwise, or with a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "modelyard", *arguments],
        cwd=folder, env=os.environ | IDENTITY | env, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    assert expect is None or done.returncode == expect, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def measure(folder: Path, model: str = "flight-delay") -> None:
    """What the propose workflow calls, up to the report."""
    tool(folder, "retrain", model, "--commit")
    for command in ("evaluate", "drift", "scan", "gate"):
        tool(folder, command, model, expect=None)
    tool(folder, "report", model, "--file")


def git(folder: Path, *arguments: str) -> str:
    """``git ARGUMENTS`` in a folder."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=os.environ | IDENTITY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def killed_after(folder: Path, seconds: float, *arguments: str) -> int:
    """``modelyard ARGUMENTS``, killed after so long where it has not ended by then; how it ended."""
    running = subprocess.Popen(
        [sys.executable, "-m", "modelyard", *arguments], cwd=folder, env=os.environ | IDENTITY,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        return running.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        return running.wait()


def commit_all(folder: Path, message: str) -> str:
    """Commits everything; the SHA."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def write(folder: Path, files: dict[str, str]) -> None:
    """Writes files, making folders."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def small_repository(folder: Path, models: tuple[str, ...] = ("churn",)) -> Path:
    """A committed model repository of manifests alone: no data, nothing trained."""
    files = {
        "modelyard.yaml": CONFIG,
        "shared/features.py": "",
        "data/flights.dvc": "outs:\n- {md5: a.dir, path: flights}\n",
    }
    for name in models:
        files |= {
            f"models/{name}/model.yaml": MODEL_YAML.format(name=name),
            f"models/{name}/dvc.yaml": DVC_YAML,
            f"models/{name}/params.yaml": "train: {trees: 5}\n",
            f"models/{name}/src/train.py": "",
            f"deployments/staging/{name}.yaml": f"model: {name}\nversion: latest\n",
        }
    write(folder, files)
    shutil.copytree(POLICIES, folder / "policies")
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit_all(folder, "begin")
    return folder


def begin_dvc(folder: Path) -> None:
    """Starts DVC in a small repository, without its pointer to data that nobody has."""
    (folder / "data/flights.dvc").unlink()
    subprocess.run([Path(sys.executable).parent / "dvc", "init", "--quiet"], cwd=folder, check=True)


def repository_of_dvc(folder: Path) -> Path:
    """A committed repository without models, in which DVC keeps data."""
    small_repository(folder, models=())
    begin_dvc(folder)
    commit_all(folder, "DVC")
    return folder
