"""Fixtures: a repository of real flights with a champion, made once, copied for each test that changes it."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from support.yard import commit_all, tool

MODEL = "flight-delay"

# LightGBM's threads wait without turning the processor; otherwise several trainings beside each other take five times as
# long. The sum of the same numbers in the same order stays the same.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# No clock decides a test; and in CI the same examples every time.
settings.register_profile("here", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("here")


def measure(folder: Path) -> None:
    """What the propose workflow calls, up to the report."""
    tool(folder, "retrain", MODEL, "--commit")
    for command in ("evaluate", "drift", "scan", "gate"):
        tool(folder, command, MODEL, expect=None)
    tool(folder, "report", MODEL, "--file")


def _build(folder: Path) -> None:
    tool(folder.parent, "init", folder.name, "--answer", "ci=none")
    (folder.parent / "storage").mkdir()
    subprocess.run(
        [sys.executable, "data/import_nycflights13.py", "2013-01", "2013-02", "2013-03"], cwd=folder, check=True
    )
    subprocess.run(
        [sys.executable, "-m", "dvc", "-q", "add", "data/flights", "data/weather", "data/planes.parquet"],
        cwd=folder, check=True,
    )  # fmt: skip
    params = folder / f"models/{MODEL}/params.yaml"
    params.write_text(params.read_text().replace("trees: 300", "trees: 40"))
    commit_all(folder, "flights of January to March")
    measure(folder)
    tool(folder, "register", MODEL)
    production = folder / f"deployments/production/{MODEL}.yaml"
    production.write_text(f"model: {MODEL}\nversion: v1.0.0\n")
    commit_all(folder, "Promote v1.0.0\n\nApproved-by: Grace Reviewer <grace@example.org>")
    tool(folder, "deploy")


def _build_rival(folder: Path, champion: Path) -> None:
    shutil.copytree(champion.parent, folder.parent, symlinks=True, dirs_exist_ok=True)
    params = folder / f"models/{MODEL}/params.yaml"
    params.write_text(params.read_text().replace("trees: 40", "trees: 60"))
    commit_all(folder, "More trees")
    measure(folder)
    tool(folder, "register", MODEL)
    tool(folder, "deploy", "--env", "staging")


def _shared(tmp_path_factory: pytest.TempPathFactory, name: str, build: Callable[[Path], None]) -> Path:
    """A repository made by whichever worker comes first, read by all."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if shared.name.startswith("popen-") else shared
    folder = shared / name / "repository"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder.parent / "done").exists():
            folder.parent.mkdir(exist_ok=True)
            build(folder)
            (folder.parent / "done").touch()
    return folder


@pytest.fixture(scope="session")
def champion_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of real flights whose v1.0.0 is registered and deployed. Read only; shared by all workers."""
    return _shared(tmp_path_factory, "champion", _build)


@pytest.fixture(scope="session")
def rival_template(champion_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with v1.1.0 registered and in staging; production serves v1.0.0. Read only."""
    return _shared(tmp_path_factory, "rival", lambda folder: _build_rival(folder, champion_template))


@pytest.fixture
def rival(rival_template: Path, tmp_path: Path) -> Path:
    """A copy of that repository, to be changed."""
    shutil.copytree(rival_template.parent, tmp_path / "rival", symlinks=True)
    return tmp_path / "rival" / "repository"


@pytest.fixture
def champion(champion_template: Path, tmp_path: Path) -> Path:
    """A copy of that repository, with its storage beside it, to be changed."""
    shutil.copytree(champion_template.parent, tmp_path / "champion", symlinks=True)
    return tmp_path / "champion" / "repository"


@pytest.fixture
def propose() -> Callable[[Path], None]:
    """Runs what the propose workflow calls."""
    return measure
