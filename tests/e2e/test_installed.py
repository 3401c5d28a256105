"""The rendered workflow with the toolkit that its own requirement files install, from an index of the test."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from e2e.conftest import Hosted
from support.yard import IDENTITY, commit_all, git

ROOT = Path(__file__).parents[2]
JOBS = ("installer", "planning", "measuring", "reporting", "deploying")
PARAMS = "models/churn/params.yaml"


def said(*command: str, cwd: Path = ROOT, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | IDENTITY | (environment or {}), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def listed(index: Path) -> None:
    """Writes the pages of a package index (PEP 503) for the archives in a folder."""
    for archive in index.glob("*.[wt]*"):
        name = re.sub(r"[-_.]+", "-", re.split(r"-\d", archive.name)[0]).lower()
        page = index / "simple" / name / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        with page.open("a") as file:
            file.write(f'<a href="{archive.as_uri()}#sha256={digest}">{archive.name}</a><br>\n')


@pytest.mark.proof
def test_every_job_runs_with_only_what_its_requirement_files_install(hosted: Hosted, tmp_path: Path) -> None:
    index, laptop = tmp_path / "index", tmp_path / "laptop"
    said(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(index))
    listed(index)
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
    files = [part for job in JOBS for part in ("--requirement", str(rendered / f"{job}.txt"))]
    download = (str(laptop / "bin/python"), "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes")
    said(*download, "-d", str(tmp_path / "more"), *files)
    for archive in (tmp_path / "more").iterdir():
        archive.rename(index / archive.name)
    shutil.rmtree(index / "simple")
    listed(index)

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
