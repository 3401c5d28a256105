"""The generated files run by the engines themselves: the same bytes as plain ``dvc repro``."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pipelines.conftest import cloned, outputs
from support.objects import KEYS, object_store
from support.yard import commit_all, git, tool

ENGINES = Path(sys.prefix) / "pipelines" / "bin"
TFX = Path(sys.prefix) / "tfx" / "bin"
STAGES = ["src/prepare.py", "src/train.py", "src/count.py"]


@pytest.fixture
def exported(yard: Path, request: pytest.FixtureRequest) -> Path:
    """The committed file of the engine that the test names."""
    engine = request.param
    tool(yard, "export", engine, "churn")
    commit_all(yard, f"For {engine}")
    return yard / f"models/churn/pipelines/{engine}_pipeline.py"


def played(tmp_path: Path, *command: str, **more: str) -> str:
    """The output of a program of the engines' environment, with modelyard on the PATH as in the steps' image."""
    environment = {
        "PATH": f"{ENGINES}:{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(tmp_path / "home"), "USER": "ada", "RAN": str(tmp_path / "ran"),
        "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(tmp_path / "metaflow"),
    } | more  # fmt: skip
    (tmp_path / "home").mkdir(exist_ok=True)
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def ran_once(tmp_path: Path) -> None:
    """Each stage ran once, the first one before those that need it; those two may run in any order."""
    ran = (tmp_path / "ran").read_text().split()
    assert sorted(ran) == sorted(STAGES) and ran[0] == STAGES[0]


def made(yard: Path, tmp_path: Path) -> dict[str, bytes]:
    """What a new clone gets from the remote, without running anything."""
    ran = (tmp_path / "ran").read_text()
    last = cloned(yard, tmp_path / "last")
    os.environ["RAN"] = str(tmp_path / "ran")
    tool(last, "run", "churn", "--stage", "train-model", "--stage", "count")
    assert (tmp_path / "ran").read_text() == ran, "everything was restored"
    return outputs(last)


@pytest.mark.parametrize("exported", ["kubeflow"], indirect=True)
def test_kubeflow_compiles_the_pipeline_and_runs_it_to_the_same_bytes(
    exported: Path, yard: Path, reproduced: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAN", str(tmp_path / "ran"))
    played(tmp_path, str(ENGINES / "python"), str(exported), "compiled.yaml")
    compiled = (tmp_path / "compiled.yaml").read_text()
    assert "registry.example/churn" in compiled and "cpuLimit: 2.0" in compiled and "dependentTasks" in compiled
    commit = git(yard, "rev-parse", "HEAD").strip()
    play = (
        "import sys; from kfp import local; local.init(local.SubprocessRunner(use_venv=False));"
        f"sys.path.insert(0, {str(exported.parent)!r}); import kubeflow_pipeline;"
        f"kubeflow_pipeline.pipeline(repository={str(yard)!r}, commit={commit!r})"
    )
    said = played(tmp_path, str(ENGINES / "python"), "-c", play)
    assert re.sub("\x1b[^m]*m", "", said).count("finished with status SUCCESS") == 4, "three tasks and the pipeline"
    ran_once(tmp_path)
    assert made(yard, tmp_path) == reproduced


@pytest.mark.parametrize("exported", ["metaflow"], indirect=True)
def test_metaflow_runs_the_flow_to_the_same_bytes(
    exported: Path, yard: Path, reproduced: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAN", str(tmp_path / "ran"))
    commit = git(yard, "rev-parse", "HEAD").strip()
    played(tmp_path, str(ENGINES / "python"), str(exported), "run", "--repository", str(yard), "--commit", commit)
    ran_once(tmp_path)
    assert made(yard, tmp_path) == reproduced


BUCKET = "import boto3, sys; boto3.client('s3', endpoint_url=sys.argv[1]).create_bucket(Bucket='flows')"


@pytest.mark.parametrize("exported", ["metaflow"], indirect=True)
def test_metaflow_makes_the_template_of_argo_with_the_steps_in_their_order(exported: Path, tmp_path: Path) -> None:
    """The flow's code goes to a real S3; no cluster reads the template here."""
    with object_store(tmp_path / "weed") as url:
        settings = KEYS | {
            "AWS_DEFAULT_REGION": "us-east-1", "METAFLOW_S3_ENDPOINT_URL": url,
            "METAFLOW_DEFAULT_DATASTORE": "s3", "METAFLOW_DATASTORE_SYSROOT_S3": "s3://flows/metaflow",
        }  # fmt: skip
        played(tmp_path, str(ENGINES / "python"), "-c", BUCKET, url, **settings)
        said = played(
            tmp_path, str(ENGINES / "python"), str(exported), "--quiet", "--with", "kubernetes:image=registry.example/churn",
            "argo-workflows", "create", "--only-json", **settings,
        )  # fmt: skip
    template, _ = json.JSONDecoder().raw_decode(said[said.index("{") :])
    assert template["kind"] == "WorkflowTemplate"
    assert {given["name"] for given in template["spec"]["arguments"]["parameters"]} == {"repository", "commit"}
    found = {one["name"]: one for one in template["spec"]["templates"]}
    needs = {task["name"]: task["depends"] for task in found["ChurnFlow"]["dag"]["tasks"]}
    assert needs["step-train-model"] == "step-prepare.Succeeded" and needs["end"] == "step-count.Succeeded"
    container = found["step-train-model"]["container"]
    assert container["image"] == "registry.example/churn"
    asked = container["resources"]["requests"]
    assert float(asked["cpu"]) == 2 and float(asked["memory"].removesuffix("M")) * 1e6 >= 4 * 1024**3


@pytest.mark.parametrize("exported", ["tfx"], indirect=True)
def test_tfx_runs_the_pipeline_to_the_same_bytes(
    exported: Path, yard: Path, reproduced: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAN", str(tmp_path / "ran"))
    commit = git(yard, "rev-parse", "HEAD").strip()
    (tmp_path / "tfx").mkdir()
    played(tmp_path, str(TFX / "python"), str(exported), str(tmp_path / "tfx"), str(yard), commit)
    ran_once(tmp_path)
    assert made(yard, tmp_path) == reproduced
