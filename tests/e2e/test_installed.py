"""The rendered workflow with the toolkit that its own requirement files install, from an index of the test."""

from __future__ import annotations

import re
import shutil
import sys
from importlib import metadata
from pathlib import Path

from e2e.conftest import Hosted
from support.package_index import add_packages, add_toolkit, said
from support.yard import commit_all, git

JOBS = ("installer", "planning", "measuring", "reporting", "deploying")
PARAMS = "models/churn/params.yaml"


def test_every_job_runs_with_only_what_its_requirement_files_install(hosted: Hosted, tmp_path: Path) -> None:
    index, laptop = tmp_path / "index", tmp_path / "laptop"
    add_toolkit(index)
    simple = (index / "simple").as_uri()
    from_index = {"UV_INDEX": simple}
    # A person's machine has the wheel from an index, and so knows nothing of a checkout.
    said(sys.executable, "-m", "venv", str(laptop))
    wanted = f"modelyard[init]=={metadata.version('modelyard')}"
    said(
        sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(laptop), wanted, environment=from_index
    )
    said(str(laptop / "bin/modelyard"), "init", "rendered", cwd=tmp_path, environment=from_index)
    rendered = tmp_path / "rendered/requirements"
    assert re.search(
        r"^modelyard==\S+ \\\n    --hash=sha256:[0-9a-f]{64}$", (rendered / "toolkit.txt").read_text(), re.M
    )
    add_packages(index, laptop / "bin/python", [rendered / f"{job}.txt" for job in JOBS])

    git(hosted.clone, "switch", "--quiet", "--create", "installs", "origin/main")
    shutil.copytree(rendered, hosted.clone / "requirements", dirs_exist_ok=True)
    commit_all(hosted.clone, "What CI installs")
    git(hosted.clone, "push", "--quiet", "origin", "installs")
    installs = hosted.store.open("ada", "installs", "main", "What CI installs", "")
    hosted.store.review(installs.number, "grace", "APPROVE")
    hosted.store.merge(installs.number, "grace")
    (tmp_path / "jobs").mkdir()
    hosted.actions.installing = {
        "UV_DEFAULT_INDEX": simple, "PIP_INDEX_URL": simple, "PIP_NO_INDEX": "", "UV_CACHE_DIR": str(tmp_path / "cache"), "HARNESS_EMPTY": str(tmp_path / "jobs")
    }  # fmt: skip
    hosted.push("better", {PARAMS: ("noise: 0.8", "noise: 0.2")}, "Less noise")
    pull = hosted.store.open("ada", "better", "main", "Less noise", "")
    for run in hosted.actions.pull_request(pull):
        run.must()
    assert hosted.report(pull).startswith("## ✅ churn may be merged")
    hosted.approve(pull)
    (deployed,) = hosted.merge(pull)
    deployed.must()
    assert "churn@v1.1.0" in hosted.tags() and hosted.served()["churn"] == "v1.1.0"
    installed = [{file.name for file in (job / "bin").iterdir()} for job in (tmp_path / "jobs").iterdir()]
    assert len(installed) >= 7 and all("modelyard" in programs for programs in installed)
    assert any("dvc" not in programs for programs in installed), "planning and reporting need no DVC"
