"""A repository whose DVC remote is a real S3 server, with only what its own requirement files install."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from actions.tiny import MODEL, PIPELINE, TRAIN, data
from modelyard.installation.jobs import pins_of
from modelyard.installation.lock import shipped_lock
from support.identity import token_service
from support.objects import KEYS, object_store
from support.yard import IDENTITY, commit_all, git, tool, write

ROOT = Path(__file__).parents[2]
SETTINGS = KEYS | {"DVC_NO_ANALYTICS": "1"}
BUCKET = "import s3fs, sys; s3fs.S3FileSystem(endpoint_url=sys.argv[1]).mkdir('models')"


def said(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=os.environ | IDENTITY | SETTINGS, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def install(environment: Path, *arguments: str) -> None:
    python = environment / "bin/python"
    if not python.exists():
        said(sys.executable, "-m", "uv", "venv", "--quiet", environment, cwd=ROOT)
    said(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, *arguments, cwd=ROOT)


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[str]:
    """The URL of a SeaweedFS that runs for this test."""
    with object_store(tmp_path / "weed") as url:
        yield url


def test_a_version_travels_through_s3_to_a_second_clone(endpoint: str, tmp_path: Path) -> None:
    tool(
        tmp_path,
        "init",
        "yard",
        "--answer",
        "remote_url=s3://models/store",
        "--answer",
        "ci=jenkins",
        "--answer",
        "forge=git",
    )
    yard, environment = tmp_path / "yard", tmp_path / "environment"
    jobs = ("installer", "measuring", "deploying", "serving")
    files = [part for job in jobs for part in ("--requirement", str(yard / f"requirements/{job}.txt"))]
    install(environment, "--require-hashes", "--no-deps", "--no-build-isolation", *files)
    install(environment, "--no-deps", "--no-build-isolation", str(ROOT))
    python, modelyard, dvc = (environment / "bin" / name for name in ("python", "modelyard", "dvc"))
    said(python, "-c", BUCKET, endpoint, cwd=tmp_path)

    git(yard, "rm", "-r", "--quiet", "models/flight-delay", "deployments/staging/flight-delay.yaml", "data")
    with (yard / ".dvc/config").open("a") as file:
        file.write(f"    endpointurl = {endpoint}\n")
    write(
        yard,
        {
            "models/churn/model.yaml": MODEL.format(name="churn"),
            "models/churn/dvc.yaml": PIPELINE.format(name="churn"),
            "models/churn/params.yaml": "train: {trees: 20, noise: 0.8}\n",
            "models/churn/src/train.py": TRAIN,
            "models/churn/.gitignore": "/model.txt\n/data\n/predictions.parquet\n",
            "deployments/staging/churn.yaml": "model: churn\nversion: latest\n",
        },
    )
    data(yard / "data/churn.parquet")
    said(dvc, "add", "--quiet", "data/churn.parquet", cwd=yard)
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "origin.git")
    git(yard, "remote", "add", "origin", str(tmp_path / "origin.git"))
    commit_all(yard, "A model")
    git(yard, "push", "--quiet", "origin", "main")
    git(yard, "config", "user.name", "Ada")
    git(yard, "config", "user.email", "ada@example.org")
    assert "storage, writable" in said(modelyard, "doctor", cwd=yard)
    said(modelyard, "run", "churn", "--push", cwd=yard)
    commit_all(yard, "Trained")
    git(yard, "push", "--quiet", "origin", "main")
    said(modelyard, "register", "churn", cwd=yard)

    git(tmp_path, "clone", "--quiet", str(tmp_path / "origin.git"), "second")
    assert "v1.0.0" in said(modelyard, "deploy", cwd=tmp_path / "second")
    assert (tmp_path / "second/.modelyard/local/staging").is_dir()
    assert "v1.0.0" in said(modelyard, "status", cwd=tmp_path / "second")


def test_dvc_takes_the_role_that_a_jobs_token_gives_and_no_key(endpoint: str, tmp_path: Path) -> None:
    environment, pins = tmp_path / "environment", tmp_path / "pins.txt"
    pins.write_text("".join(f"{pin.text}\n" for pin in pins_of(shipped_lock(), ["s3", "dvc"])))
    install(environment, "--require-hashes", "--no-deps", "--no-build-isolation", "--requirement", str(pins))
    said(environment / "bin/python", "-c", BUCKET, endpoint, cwd=tmp_path)
    work, token = tmp_path / "work", tmp_path / "token"
    write(work, {"data.txt": "measured"})
    token.write_text("t0ken")
    git(work, "init", "--quiet")
    dvc = environment / "bin/dvc"
    for arguments in (["init"], ["remote", "add", "--default", "models", "s3://models/store"],
                      ["remote", "modify", "models", "endpointurl", endpoint], ["add", "data.txt"]):  # fmt: skip
        said(dvc, *arguments, cwd=work)
    with token_service() as (url, asked):
        role = {
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/measure", "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
            "AWS_ENDPOINT_URL_STS": url, "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1", **dict.fromkeys(KEYS, ""),
        }  # fmt: skip
        done = subprocess.run(
            [str(dvc), "push"], cwd=work, env=os.environ | IDENTITY | SETTINGS | role, capture_output=True, text=True, check=False
        )  # fmt: skip
    assert done.returncode == 0 and "1 file pushed" in done.stdout, done.stdout + done.stderr
    assert {(one["RoleArn"], one["WebIdentityToken"]) for one in asked} == {(role["AWS_ROLE_ARN"], "t0ken")}
