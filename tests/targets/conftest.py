"""Servers in an environment of their own, each in its own process group, and small versions for them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.packages import Made, versions

TARGETS = Path(sys.prefix) / "targets" / "bin"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    """Two versions of churn."""
    return versions(tmp_path_factory.mktemp("versions"))


@contextlib.contextmanager
def running(folder: Path, ready: str, *command: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server on loopback, once ``ready`` answers 200; its whole process group is ended afterwards."""
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(TARGETS / command[0]), *command[1:]], cwd=folder, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, env=os.environ | variables, start_new_session=True,
        )  # fmt: skip
    try:
        for _ in range(900):
            with contextlib.suppress(OSError), urllib.request.urlopen(ready, timeout=5) as answer:
                if answer.status == 200:
                    break
            assert process.poll() is None, log.read_text()[-2000:]
            time.sleep(0.1)
        else:
            pytest.fail(f"{command[0]} did not start: {log.read_text()[-2000:]}")
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
