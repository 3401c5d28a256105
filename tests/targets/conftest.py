"""Servers in an environment of their own, each in its own process group, and small versions for them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from modelyard.demo.stage import free_ports
from support import waiting
from support.packages import Made, versions

TARGETS = Path(sys.prefix) / "targets" / "bin"
NO_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""MLflow's server without its job runner, which starts seven processes that nothing here needs."""


def targets_python() -> tuple[int, ...]:
    """The version of Python that the environment of the foreign servers was made with; none where there is none."""
    settings = TARGETS.parent / "pyvenv.cfg"
    lines = settings.read_text().splitlines() if settings.exists() else ["version = 0"]
    version = next(line.partition("=")[2] for line in lines if line.startswith("version"))
    return tuple(int(part) for part in version.strip().split(".")[:2])


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    """Two versions of churn."""
    return versions(tmp_path_factory.mktemp("versions"))


@contextlib.contextmanager
def running(folder: Path, ready: str, *command: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server of that environment on loopback, once ``ready`` answers 200."""
    program = str(TARGETS / command[0])
    with waiting.running(
        [program, *command[1:]], folder, lambda: waiting.answers(ready), command[0], **variables
    ) as process:
        yield process


@contextlib.contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """The address of a real MLflow server with SQLite, whose database and artifacts are in a folder."""
    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    command = (
        "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--backend-store-uri", "sqlite:///mlflow.db",
        "--artifacts-destination", str(folder / "artifacts"), "--workers", "1",
    )  # fmt: skip
    with running(folder, f"{address}/health", *command, MLFLOW_TRACKING_URI=address, **NO_JOBS):
        yield address
